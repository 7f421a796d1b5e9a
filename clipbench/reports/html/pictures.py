"""Photographs as small pictures inside a page: decoded, turned upright, shrunk, without their metadata.

A photograph that is not there, or cannot be read, gives the reason instead, never another picture.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from clipbench.datasets.photographs import LEAVES
from clipbench.errors import PhotographError
from clipbench.foreign_files import inside
from clipbench.photographs.opening import colours, photograph, telling
from clipbench.records import Sample

SIDE = 360
"""Pixels of the longer side: sharp enough to be enlarged, small enough for a page to be sent by mail."""
QUALITY = 72


@dataclass(frozen=True, slots=True)
class Shot:
    """One item beside a query: a picture as a data URI, a text that was found, or why there is no picture.

    words: what it is. right: whether it is a right one among several.
    """

    id: str
    words: str
    right: bool = False
    source: str | None = None
    said: str | None = None
    problem: str = ""


@dataclass(frozen=True)
class Pictures:
    """The photographs of one folder (None: there are none) as data URIs, each made once."""

    folder: Path | None
    _made: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def shot(self, sample: Sample, words: str, *, right: bool = False) -> Shot:
        """Return a photograph, or the reason why there is none. `words` describe it to who cannot see, too."""
        try:
            return Shot(sample.id, words, right, source=self._uri(sample))
        except PhotographError as error:
            return Shot(sample.id, words, right, problem=error.message)

    def _uri(self, sample: Sample) -> str:
        if self.folder is None or sample.path is None or sample.problem is not None:
            raise PhotographError(sample.problem or "missing")
        if sample.path not in self._made:
            if not inside(sample.path):
                raise PhotographError(LEAVES)
            self._made[sample.path] = _shrunk(self.folder / sample.path, sample.digest)
        return self._made[sample.path]


def _shrunk(path: Path, digest: str | None) -> str:
    data = io.BytesIO()
    with photograph(path, digest) as opened, telling("cannot be shown"):
        image = colours(opened)
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        image.save(
            data, "JPEG", quality=QUALITY, optimize=True, comment=b""
        )  # Pillow would keep the file's comment
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
