"""Ranks from whole rows of scores: for scorers that need a query's entire row, such as z-scores or fused ranks.

The scores given are the scores: float32 or float64, compared as they are, ties exact. Rows come in blocks of
a fixed size, so that a scorer whose last bits depend on the block gives the same result each time. For scores
that are functions of a pair alone `ranks.rank_scores` is faster and serves both directions at once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.metrics.positives import Positives
from clipbench.metrics.scores import Floats
from clipbench.records import Direction, Ledger

Rows: TypeAlias = Callable[[slice], Floats]
"""`rows(queries)` returns the scores of these queries with the whole gallery, (queries, gallery)."""

ROWS = 128
"""Queries of a block: 13 MB of float32 at 25,000 gallery items."""

THREADS = 2


@dataclass(frozen=True)
class RowQueries:
    """The queries of one direction: their positives, the gallery's size, and the image each belongs to."""

    direction: Direction
    positives: Positives
    gallery: int
    cluster: npt.NDArray[np.int32]


def rank_rows(queries: RowQueries, rows: Rows, *, block: int = ROWS, threads: int = THREADS) -> Ledger:
    """Rank every query by its row of scores.

    Higher is nearer; +inf and -inf are scores like any other. Raises ValueError for a block of another shape,
    or a score that is no number, with its place.
    """
    positives = queries.positives
    count = positives.queries
    slices = [slice(start, min(start + block, count)) for start in range(0, count, block)]
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda part: _count(queries, rows(part), part), slices))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    above, tied, tied_positives, top1, best, rival = columns
    return Ledger(
        direction=queries.direction,
        gallery_size=queries.gallery,
        offsets=positives.offsets,
        positive=positives.items,
        above=above,
        tied=tied,
        tied_positives=tied_positives,
        top1=top1,
        positive_score=best,
        negative_score=rival,
        cluster=queries.cluster.astype(np.int32),
    )


def _count(queries: RowQueries, scores: Floats, part: slice) -> tuple[npt.NDArray[np.generic], ...]:
    """Return what the ledger holds of some queries: per pair above, tied and tied positives, then per query."""
    positives = queries.positives
    height = part.stop - part.start
    if scores.shape != (height, queries.gallery):
        raise ValueError(f"a block of scores is {scores.shape}, not {(height, queries.gallery)}")
    bad = np.argwhere(np.isnan(scores))
    if len(bad):
        query, item = bad[0].tolist()
        raise ValueError(f"the score of query {part.start + query} with item {item} is no number")
    offsets = positives.offsets[part.start : part.stop + 1]
    items = positives.items[offsets[0] : offsets[-1]]
    counts = np.diff(offsets)
    row = np.repeat(np.arange(height), counts)
    own = scores[row, items]
    starts = offsets[:-1] - offsets[0]
    above = np.empty(len(items), dtype=np.int32)
    tied = np.empty(len(items), dtype=np.int32)
    for rank in range(int(counts.max(initial=0))):  # the rank-th positive of every query that has so many
        pairs = starts[counts > rank] + rank
        lines = scores if len(pairs) == height else scores[row[pairs]]
        above[pairs] = np.count_nonzero(lines > own[pairs, None], axis=1)
        tied[pairs] = np.count_nonzero(lines == own[pairs, None], axis=1)
    best = np.maximum.reduceat(own, starts)
    others = scores.copy()
    others[row, items] = -np.inf
    return (
        above,
        tied,
        _tied_positives(own, row),
        scores.argmax(axis=1).astype(np.int32),
        best.astype(np.float32),
        others.max(axis=1).astype(np.float32),
    )


def _tied_positives(own: Floats, row: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Return for each pair how many positives of its query have its score, itself included."""
    order = np.lexsort((own, row))
    fresh = np.ones(len(own), dtype=np.bool_)
    fresh[1:] = (np.diff(row[order]) != 0) | (own[order][1:] != own[order][:-1])
    starts = np.flatnonzero(fresh)
    sizes = np.diff(starts, append=len(own))
    tied = np.empty(len(own), dtype=np.int32)
    tied[order] = np.repeat(sizes, sizes)
    return tied
