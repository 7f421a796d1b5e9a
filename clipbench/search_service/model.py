"""The model behind the service: texts and pictures to unit vectors, in batches. Used by one thread, but for `prepare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clipbench.photographs.opening import claimed_pixels, photograph, telling
from clipbench.search_service.batching import Work, largest_useful
from clipbench.search_service.problems import Problem, ProblemError
from clipbench.search_service.query_vectors import QueryVector
from clipbench.study.embedding.models import VectorSource

MOST_PIXELS = 25_000_000
"""Of an uploaded picture: what phones take, and a tenth of a second to decode."""

KINDS: tuple[tuple[bytes, int, str], ...] = (
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"WEBP", 8, "WebP"),
    (b"GIF8", 0, "GIF"),
    (b"BM", 0, "BMP"),
    (b"avif", 8, "AVIF"),
)
"""What an uploaded file has to begin with, at which byte: what it is called or said to be does not count."""

SAMPLE_TEXTS = tuple(
    f"{subject} {place}"
    for place in ("on a table", "in the snow", "by the sea", "at night", "in a street", "seen from above")
    for subject in (
        "a dog", "two red chairs", "a child with a kite", "an old bicycle", "flowers", "a man in a blue coat",
        "a bowl of fruit", "a small boat", "people waiting", "a green square", "a cat asleep",
    )
)  # fmt: skip
"""Texts of ordinary length, to warm up and measure with."""


@dataclass(frozen=True, eq=False)
class QueryModel:
    """A loaded model, and the largest batches that make its items cheaper."""

    source: VectorSource
    largest_texts: int = 32
    largest_pictures: int = 8

    @cached_property
    def key(self) -> str:
        """What the vectors are vectors of."""
        return self.source.identity.key  # a digest that takes longer than a search

    @cached_property
    def label(self) -> str:
        """What the model is called."""
        return self.source.identity.label

    def kinds(self) -> dict[str, Work]:
        """Return the two towers as work for a batcher."""
        return {
            "text": Work(self.texts, self.largest_texts),
            "image": Work(self.pictures, self.largest_pictures),
        }

    def texts(self, texts: Sequence[str]) -> list[QueryVector]:
        """Return the vectors of texts, each distinct one encoded once."""
        encoder = self.source.encoder
        vectors = self.source.encode_texts(texts)
        truncated = encoder.count_tokens(texts) > encoder.text_limit
        return [QueryVector(row, bool(cut)) for row, cut in zip(vectors, truncated, strict=True)]

    def pictures(self, pixels: Sequence[npt.NDArray[np.uint8]]) -> list[QueryVector]:
        """Return the vectors of prepared pictures."""
        return [QueryVector(row) for row in self.source.encode_pixels(np.stack(pixels))]

    def prepare(self, data: bytes) -> npt.NDArray[np.uint8]:
        """Return the pixels that the model sees of an uploaded picture; for any thread.

        Raises ProblemError for what is no picture of a known kind or too large a one, PhotographError for a
        damaged one.
        """
        if not any(data[at : at + len(mark)] == mark for mark, at, _ in KINDS):
            names = ", ".join(name for _, _, name in KINDS)
            raise ProblemError(
                Problem(415, "not-a-picture", f"that is no picture of a kind that is read: {names}")
            )
        pixels = claimed_pixels(data)
        if pixels > MOST_PIXELS:
            detail = f"the picture has {pixels / 1e6:.0f} megapixels, the limit is {MOST_PIXELS / 1e6:.0f}"
            raise ProblemError(Problem(413, "too-many-pixels", detail))
        with photograph(data) as image, telling("cannot be prepared"):
            return self.source.encoder.prepare(image)


def warmed(source: VectorSource) -> QueryModel:
    """Load a model, run both of its towers, and measure their largest useful batches; takes a second or two.

    Raises EncoderError where it cannot be loaded.
    """
    from PIL import Image

    encoder = source.encoder
    grey = encoder.prepare(Image.new("RGB", (256, 256), (128, 128, 128)))
    cold = QueryModel(source)
    cold.texts(SAMPLE_TEXTS[:2])  # the first pass of a process is slower
    cold.pictures([grey])

    def texts(count: int) -> None:
        cold.texts(SAMPLE_TEXTS[:count])

    def pictures(count: int) -> None:
        cold.pictures([grey] * count)

    return QueryModel(source, largest_useful(texts), largest_useful(pictures))
