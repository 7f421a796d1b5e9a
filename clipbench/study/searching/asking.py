"""A search as it is typed, to its result: which gallery, which query, what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clipbench.errors import ClipbenchError, DatasetError
from clipbench.records import text_key
from clipbench.store.vectors import Pool
from clipbench.study.embedding.models import VectorSource
from clipbench.study.searching.gallery import Gallery
from clipbench.study.searching.query import (
    WITHOUT,
    ImagePart,
    Query,
    SourceEncoder,
    TextPart,
    VectorPart,
    query_vector,
)
from clipbench.study.searching.search import SearchResult, search

KINDS = ("words", "image", "like", "caption", "without")
"""What a query is made of, by the words that --weight takes."""


@dataclass(frozen=True)
class Asked:
    """What is typed of a query. like, caption: ids of the gallery's dataset. weights: kind -> weight."""

    words: str | None = None
    images: tuple[Path, ...] = ()
    like: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """A query in words and what it found in which gallery."""

    gallery: Gallery
    words: str
    result: SearchResult


def find(
    gallery: Gallery, source: VectorSource, asked: Asked, top: int = 10, min_score: float | None = None
) -> Found:
    """Return what a query finds. A photograph that the query itself names (`like`) is not among it.

    Raises ClipbenchError for a query of nothing, DatasetError for an id that the dataset has not.
    """
    query = query_of(gallery, source, asked)
    vector = query_vector(SourceEncoder(source), query)
    own = {gallery.samples[gallery.number(id_)].id for id_ in asked.like}
    ids = [sample.id for sample in gallery.samples if sample.id not in own] if own else None
    result = search(gallery, vector, top, ids)
    return Found(gallery, words_of(asked), result if min_score is None else result.at_least(min_score))


def query_of(gallery: Gallery, source: VectorSource, asked: Asked) -> Query:
    """Return the query of what is typed; ids become the vectors that are stored for them."""
    unknown = sorted(set(asked.weights) - set(KINDS))
    if unknown:
        raise ClipbenchError(
            f"there is nothing to weigh called {unknown[0]!r}; there are: {', '.join(KINDS)}",
            "--weight words=2 --weight image=1",
        )
    weight = {**dict.fromkeys(KINDS, 1.0), "without": -WITHOUT, **asked.weights}
    like = [
        VectorPart(gallery.vectors[gallery.number(id_)], f"like {id_}", weight["like"]) for id_ in asked.like
    ]
    captions = [_caption_part(gallery, source, id_, weight["caption"]) for id_ in asked.captions]
    return Query(
        texts=(
            *([] if asked.words is None else [TextPart(asked.words, weight["words"])]),
            *(TextPart(text, -weight["without"]) for text in asked.without),
        ),
        images=tuple(ImagePart(path, weight["image"]) for path in asked.images),
        vectors=(*like, *captions),
    )


def words_of(asked: Asked) -> str:
    """Return a query in words, for headings."""
    parts = [f'"{asked.words}"'] if asked.words is not None else []
    parts += [f"image {path.name}" for path in asked.images]
    parts += [f"like {id_}" for id_ in asked.like] + [f"caption {id_}" for id_ in asked.captions]
    parts += [f'without "{text}"' for text in asked.without]
    return ", ".join(parts)


def _caption_part(gallery: Gallery, source: VectorSource, id_: str, weight: float) -> VectorPart:
    """Return a caption of the dataset by its id, with the vector that the store has, encoded only if it has none."""
    text = next((caption.text for caption in gallery.dataset.captions if caption.id == id_), None)
    if text is None:
        raise DatasetError(
            f"no caption is called {id_!r} in {gallery.dataset.name}",
            f"clipbench dataset show {gallery.dataset.name}",
        )
    pool = Pool(source.store, source.identity.key, "text")
    key = text_key(text)
    vectors = source.encode_texts([text]) if pool.missing([key]) else pool.gather([key])
    return VectorPart(vectors[0], f"caption {id_}", weight)
