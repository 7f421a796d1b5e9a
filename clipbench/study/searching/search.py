"""Search itself: one query vector against one gallery, and what each found photograph's score means there.

There is no threshold above which a cosine means a match: it differs from model to model and query to query.
So each score comes with its distance to the best one and its place among the scores of the whole gallery.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.indexes.exact import ExactIndex
from clipbench.indexes.protocol import NOTHING, Index, Items, Settings, Vectors
from clipbench.study.searching.gallery import Gallery

LARGEST = 10_000
"""The most results of one search."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One found photograph.

    rank counts from 1. score: cosine with the query vector. gap: how far its score is below that of rank 1.
    percentile: share in percent of the whole gallery that scores below it, whatever a filter left; None
    where an approximate index did not look at all of it. caption: its first one, None where it has none.
    path: relative to the dataset's image folder, None where there is no file.
    """

    rank: int
    score: float
    id: str
    caption: str | None
    path: str | None
    gap: float
    percentile: float | None


@dataclass(frozen=True)
class SearchResult:
    """The photographs found first, best first.

    searched: how many photographs were looked among, gallery: how many there are. mean and spread (standard
    deviation) of the scores of the whole gallery, None where not all of it was looked at.
    """

    hits: tuple[Hit, ...]
    searched: int
    gallery: int
    mean: float | None
    spread: float | None

    def at_least(self, score: float) -> SearchResult:
        """Return the hits of this score or more."""
        return replace(self, hits=tuple(hit for hit in self.hits if hit.score >= score))


@dataclass(frozen=True)
class Searcher:
    """How a gallery is searched: an index over its vectors and the settings of its search; exactly by default.

    name: what to call it where results are shown, "" for plain exact search.
    """

    index: Index
    settings: Settings
    exact: bool = True
    name: str = ""


def exact_searcher(gallery: Gallery) -> Searcher:
    """Return the exact search of a gallery."""
    return Searcher(ExactIndex(gallery.vectors), {})


def search(
    gallery: Gallery,
    vector: Vectors,
    top: int = 10,
    ids: Iterable[str] | None = None,
    *,
    searcher: Searcher | None = None,
) -> SearchResult:
    """Return the `top` photographs of highest cosine with a unit vector, equal ones in dataset order.

    ids: only these photographs may be found; None for all. searcher: None searches exactly. Raises
    ClipbenchError for a vector of another width, or a top out of 1..10,000.
    """
    if not 1 <= top <= LARGEST:
        raise ClipbenchError(f"top is 1 to {LARGEST:,}, got {top:,}", "--top 10")
    if vector.shape != gallery.vectors.shape[1:]:
        raise ClipbenchError(
            f"the query has {vector.shape[-1]} dimensions, the gallery {gallery.vectors.shape[1]}",
            "ask with the model that the gallery was embedded with",
        )
    by = searcher or exact_searcher(gallery)
    among = None if ids is None else gallery.items(ids)
    searched = gallery.size if among is None else len(among)
    wanted = min(top, searched)
    if not wanted:
        return SearchResult((), searched, gallery.size, None, None)
    answer = by.index.search(vector[None], wanted, by.settings, among)
    known = answer.items[0] != NOTHING
    items, scores = answer.items[0][known], answer.scores[0][known]
    standing = _standing(gallery.vectors, vector, items) if by.exact else _Standing(None, None, None)
    hits = _hits(gallery, items, scores, standing.percentiles)
    return SearchResult(hits, searched, gallery.size, standing.mean, standing.spread)


@dataclass(frozen=True, slots=True)
class _Standing:
    percentiles: list[float] | None
    mean: float | None
    spread: float | None


def _standing(vectors: Vectors, vector: Vectors, items: Items) -> _Standing:
    """Return where items stand among the scores of all: counted in one product, so that rounding is the same."""
    scores = vectors @ vector
    below = np.searchsorted(np.sort(scores), scores[items], side="left")
    percentiles = (100.0 * below / len(scores)).tolist()
    return _Standing(percentiles, float(scores.mean(dtype=np.float64)), float(scores.std(dtype=np.float64)))


def _hits(
    gallery: Gallery, items: Items, scores: Vectors, percentiles: list[float] | None
) -> tuple[Hit, ...]:
    best = float(scores[0]) if len(scores) else 0.0
    hits = []
    for place, (item, score) in enumerate(zip(items.tolist(), scores.tolist(), strict=True)):
        sample = gallery.samples[item]
        hits.append(
            Hit(
                rank=place + 1,
                score=score,
                id=sample.id,
                caption=sample.captions[0].text if sample.captions else None,
                path=sample.path,
                gap=best - score,
                percentile=None if percentiles is None else percentiles[place],
            )
        )
    return tuple(hits)
