"""Found photographs as small pictures: upright, in colours, at most so large; or the reason why there is none."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from clipbench.errors import PhotographError
from clipbench.photographs.opening import colours, photograph, telling
from clipbench.study.searching.asking import Place
from clipbench.study.searching.search import Hit


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A hit with its picture; `picture` is None where there is none, and `problem` says why."""

    hit: Hit
    picture: Image.Image | None
    problem: str = ""


def thumbnails(place: Place, hits: Sequence[Hit], side: int) -> tuple[Thumbnail, ...]:
    """Return hits with their pictures, whose longer side is at most `side` pixels."""
    return tuple(_thumbnail(place, hit, side) for hit in hits)


def _thumbnail(place: Place, hit: Hit, side: int) -> Thumbnail:
    try:
        file = place.picture(hit)
        with photograph(file.source, file.digest) as opened, telling("cannot be shown"):
            image = colours(opened).copy()
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            return Thumbnail(hit, image)
    except PhotographError as error:
        return Thumbnail(hit, None, error.message)


def data_uri(picture: Image.Image, quality: int = 80) -> str:
    """Return a picture as a data URI, JPEG without metadata."""
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality, optimize=True, comment=b"")
    return f"data:image/jpeg;base64,{b64encode(data.getvalue()).decode()}"
