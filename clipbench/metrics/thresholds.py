"""Counts of gallery items above a score that is known beforehand, such as that of a positive outside of a sample.

The ranking is that of `ranks`, of a gallery with one item more: nobody's vector, whose score with each query is the
query's threshold. So counts are exact here as they are there, whatever part of a gallery is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.metrics.positives import Positives
from clipbench.metrics.products import Multiply
from clipbench.metrics.ranks import rank_scores
from clipbench.metrics.scorers import Precision, Product
from clipbench.metrics.scores import Positions, Scores, Vectors, pair_scores

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Best:
    """Each query's best positive. item (Q,): the first of highest score, score (Q,), and hits (Q,): how many have it.

    positives: of all queries; equal (P,): which of the pairs have their query's best score.
    """

    item: Counts
    score: Scores
    hits: Counts
    positives: Positives
    equal: npt.NDArray[np.bool_]

    def hits_among(self, items: Counts, gallery: int) -> Counts:
        """Return how many of each query's `hits` are among some items of a gallery (Q,)."""
        inside = np.zeros(gallery, dtype=np.bool_)
        inside[items] = True
        found = self.equal & inside[self.positives.items]
        return np.add.reduceat(found.astype(np.int64), self.positives.offsets[:-1])


def best_positives(gallery: Vectors, queries: Vectors, positives: Positives) -> Best:
    """Return every query's best positive by exact score. gallery (N, D) and queries (Q, D): unit rows, float32."""
    scores = pair_scores(gallery, queries, positives.items, positives.query)
    starts = positives.offsets[:-1]
    best = np.maximum.reduceat(scores, starts)
    equal = scores == best[positives.query]
    first = np.minimum.reduceat(np.where(equal, positives.items, np.iinfo(np.int32).max), starts)
    hits = np.add.reduceat(equal.astype(np.int64), starts)
    return Best(first.astype(np.int64), best, hits, positives, equal)


@dataclass(frozen=True)
class Tallied:
    """What a part of a gallery holds for each query (Q,): items above its threshold, and exactly with it.

    top: the item of the highest score, -1 where the threshold is higher, or as high. rival: that score.
    """

    above: Counts
    tied: Counts
    top: Counts
    rival: Scores


def count_above(gallery: Vectors, queries: Vectors, thresholds: Scores) -> Tallied:
    """Count the gallery items (n, D) that score above each query's threshold, and those that equal it.

    >>> found = count_above(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), np.array([0.5, 1.0]))
    >>> found.above.tolist(), found.tied.tolist(), found.top.tolist()
    ([1, 0], [0, 1], [0, -1])
    """
    scorer = _Beside(Product(gallery, queries), thresholds)
    threshold, count = len(gallery), len(queries)
    positives = Positives(np.arange(count + 1, dtype=np.int32), np.full(count, threshold, dtype=np.int32))
    ledger = rank_scores(scorer, {"t2i": positives}, np.zeros(count, dtype=np.int32))["t2i"]
    above = ledger.above.astype(np.int64)
    top = np.where(above > 0, ledger.top1, -1).astype(np.int64)
    return Tallied(above, ledger.tied.astype(np.int64) - 1, top, ledger.negative_score.astype(np.float64))


@dataclass(frozen=True)
class _Beside:
    """A product with one image more, whose score with each text is given."""

    product: Product
    thresholds: Scores

    @property
    def shape(self) -> tuple[int, int]:
        images, texts = self.product.shape
        return images + 1, texts

    def band(self, precision: Precision) -> float:
        return self.product.band(precision)

    @contextmanager
    def blocks(self) -> Iterator[Multiply]:
        last = self.shape[0] - 1
        with self.product.blocks() as multiply:

            def beside(rows: slice, columns: slice, out: Vectors) -> None:
                stop = min(rows.stop, last)
                if stop > rows.start:
                    multiply(slice(rows.start, stop), columns, out[: stop - rows.start])
                if rows.stop > last:
                    out[last - rows.start] = self.thresholds[columns]

            yield beside

    def closer(self, rows: slice, columns: slice) -> Scores:
        return self._with_last(rows, columns, self.product.closer)

    def table(self, rows: slice, columns: slice) -> Scores:
        return self._with_last(rows, columns, self.product.table)

    def _with_last(self, rows: slice, columns: slice, make: Callable[[slice, slice], Scores]) -> Scores:
        last = self.shape[0] - 1
        real = [make(slice(rows.start, min(rows.stop, last)), columns)] if rows.start < last else []
        given = [self.thresholds[None, columns]] if rows.stop > last else []
        return np.concatenate([*real, *given])

    def pairs(self, images: Positions, texts: Positions) -> Scores:
        scores = self.thresholds[texts]
        real = np.flatnonzero(np.asarray(images) < self.shape[0] - 1)
        scores[real] = self.product.pairs(np.asarray(images)[real], np.asarray(texts)[real])
        return scores
