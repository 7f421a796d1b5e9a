"""What is asked: words, pictures and stored vectors with their weights, and the one vector they make together.

A weight below zero is what the found ones shall not show. Cosines of two pictures lie further apart than those of
words and pictures, how much depends on the model; so where both are asked for, pictures are scaled to move the
scores of the gallery as much as words do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError, EncoderError, PhotographError
from clipbench.foreign_files import read_foreign
from clipbench.indexes.protocol import Vectors
from clipbench.keys import bytes_digest
from clipbench.photographs.opening import MAX_BYTES, photograph, telling
from clipbench.records import CLEAN, Modality, image_key, text_key
from clipbench.store.vectors import Pool
from clipbench.study.embedding.models import VectorSource

WITHOUT = -0.5
"""Weight of negative words where none is given.

On 2,000 photographs of Flickr8k and 27 pairs of nouns ("a dog" without "snow"), with a small model: of the first 20,
21 % show what they shall not at weight 0, 15 % at .25, 12 % at .5, 8 % at 1; 94, 92, 90, 84 % show what they shall.
"""

SAMPLED = 20_000
"""Vectors of a gallery from which is told how far scores lie apart."""

SHORTEST = 1e-6
"""Length below which a mixture points nowhere: its parts cancel out."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words, and how much they count."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture, as a file or its bytes, and how much it counts."""

    image: Path | bytes
    weight: float = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class VectorPart:
    """A vector that is there already, unit float32 (D,), and how much it counts.

    words: what it is of. modality: whether of a picture or of a text.
    """

    vector: Vectors
    words: str
    weight: float = 1.0
    modality: Modality = "image"


@dataclass(frozen=True)
class Query:
    """What is asked for. without: what shall not be seen, at the weight `WITHOUT` each."""

    texts: tuple[TextPart, ...] = ()
    images: tuple[ImagePart, ...] = ()
    vectors: tuple[VectorPart, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def all_texts(self) -> tuple[TextPart, ...]:
        """The words, then the negative ones."""
        return self.texts + tuple(TextPart(text, WITHOUT) for text in self.without)


class QueryEncoder(Protocol):
    """Turns words and pictures into unit vectors of the gallery's space."""

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts, float32 (n, D)."""

    def pictures(self, pictures: Sequence[Path | bytes]) -> Vectors:
        """Return the vectors of pictures, float32 (n, D). Raises PhotographError for one that cannot be opened."""


class SourceEncoder:
    """A model of the store as the encoder of queries: what the store has is looked up, the rest encoded.

    Nothing is stored. The model is loaded when first needed and kept.
    """

    def __init__(self, source: VectorSource) -> None:
        self._source = source

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts; those that are captions of any dataset of the store need no model."""
        stored = self._stored("text", [text_key(text) for text in texts])
        return self._able().encode_texts(texts) if stored is None else stored

    def pictures(self, pictures: Sequence[Path | bytes]) -> Vectors:
        """Return the vectors of pictures; those that are photographs of the store need no model."""
        files = [
            picture if isinstance(picture, bytes) else read_foreign(picture, MAX_BYTES)
            for picture in pictures
        ]
        stored = self._stored("image", [image_key(bytes_digest(data), CLEAN, "") for data in files])
        if stored is not None:
            return stored
        prepare = self._able().encoder.prepare
        pixels = []
        for picture, data in zip(pictures, files, strict=True):
            with _named(picture), photograph(data) as image, telling("cannot be prepared"):
                pixels.append(prepare(image))
        return self._source.encode_pixels(np.stack(pixels))

    def _stored(self, modality: Modality, keys: Sequence[bytes]) -> Vectors | None:
        """Return the vectors of items where the store has all of them, and the model is not there to make them."""
        if self._source.device is not None:
            return None  # to encode is quicker than to look up
        pool = Pool(self._source.store, self._source.identity.key, modality)
        return None if pool.missing(keys) else pool.gather(keys)

    def _able(self) -> VectorSource:
        """Return the source. Raises EncoderError for vectors that were made elsewhere."""
        identity = self._source.identity
        if identity.kind == "imported":
            raise EncoderError(
                f"the vectors of {identity.label} were made elsewhere, so nothing new can be encoded",
                "--like IMAGE_ID or --caption ID ask by what is stored",
            )
        return self._source


@contextmanager
def _named(picture: Path | bytes) -> Iterator[None]:
    """Put a file's name before what is wrong with it."""
    try:
        yield
    except PhotographError as error:
        if isinstance(picture, bytes):
            raise
        raise PhotographError(f"{picture}: {error.message}", "give a photograph as --image FILE") from error


def query_vector(encoder: QueryEncoder, query: Query, gallery: Vectors | None = None) -> Vectors:
    """Return the unit vector of a query, float32 (D,): the weighted sum of its parts, scaled to length 1.

    gallery: the vectors (N, D) that will be searched; with them, pictures of weight 1 move the scores as much as
    words of weight 1. Without them, parts are added as they are. Raises ClipbenchError for a query of nothing,
    weights that are no numbers, or parts that cancel out; PhotographError for a picture that cannot be opened;
    EncoderError where the model cannot be loaded.
    """
    texts = query.all_texts
    weights = np.array(
        [
            *(part.weight for part in texts),
            *(part.weight for part in query.images),
            *(part.weight for part in query.vectors),
        ],
        dtype=np.float64,
    )
    if not np.isfinite(weights).all():
        raise ClipbenchError("a weight is no finite number", "--weight words=2")
    if not (weights > 0).any():
        raise ClipbenchError("the query says nothing of what is wanted", 'clipbench search "a red square"')
    rows = np.concatenate([row for row in _rows(encoder, query) if len(row)])
    pictured = np.array(
        [
            *(False for _ in texts),
            *(True for _ in query.images),
            *(part.modality == "image" for part in query.vectors),
        ]
    )
    if gallery is not None and pictured.any() and not pictured.all():
        weights = np.where(pictured, weights * _picture_scale(rows, pictured, gallery), weights)
    vector = np.asarray(weights @ rows.astype(np.float64))
    length = float(np.linalg.norm(vector))
    if length < SHORTEST:
        raise ClipbenchError("the parts of the query cancel one another out", "leave one out, or weigh them")
    return np.asarray(vector / length, dtype=np.float32)


def _picture_scale(rows: Vectors, pictured: npt.NDArray[np.bool_], gallery: Vectors) -> float:
    """Return by what pictures are multiplied so that their scores are spread as widely as those of words."""
    scores = gallery[:: max(1, len(gallery) // SAMPLED)] @ rows.T
    spread = scores.std(axis=0, dtype=np.float64)
    words, pictures = float(spread[~pictured].mean()), float(spread[pictured].mean())
    return words / pictures if words > 0 and pictures > 0 else 1.0


def _rows(encoder: QueryEncoder, query: Query) -> list[Vectors]:
    texts, images = query.all_texts, query.images
    for part in texts:
        if not part.text.strip():
            raise ClipbenchError("a query of no words finds nothing", 'clipbench search "a red square"')
    rows = [encoder.texts([part.text for part in texts])] if texts else []
    rows += [encoder.pictures([part.image for part in images])] if images else []
    return [*rows, *(part.vector[None] for part in query.vectors)]
