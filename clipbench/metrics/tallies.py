"""The running result of one side, the only thing that the threads of a ranking share.

Counts are integers and the highest negative is chosen by (score, position), so the result does not
depend on the order in which strips arrive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from threading import Lock

import numpy as np

from clipbench.metrics.counting import Count, Found, Near, Peaks
from clipbench.metrics.lanes import Counts
from clipbench.metrics.scores import Positions, Scores
from clipbench.metrics.sides import Side

BATCH = 16_384
"""Undecided entries are scored exactly in batches of about this many, so that few are ever held."""

Score = Callable[[Positions, Positions], Scores]
"""`score(queries, items)` returns the exact scores of these pairs of one side."""


class Tally:
    """Counts and highest negatives of one side so far.

    above, tied  per threshold, negatives scored above it and exactly with it
    best, item   per query, the highest negative's score and its first position; -inf and -1 where none
    """

    def __init__(self, side: Side, score: Score) -> None:
        self._scores = side.scores
        self._common = side.common.scores.shape
        self.above = np.zeros(len(self._scores), dtype=np.int32)
        self.tied = np.zeros(len(self._scores), dtype=np.int32)
        self.best = np.full(side.queries, -np.inf)
        self.item = np.full(side.queries, -1, dtype=np.int32)
        self._score = score
        self._floor = np.full(side.queries, -np.inf)
        self._near: list[Near] = []
        self._maybe: list[tuple[Positions, Positions, Scores]] = []
        self._near_size = self._maybe_size = 0
        self._lock = Lock()

    def floor(self, queries: slice) -> Scores:
        """Return the least that the highest negative of these queries is known to score."""
        with self._lock:
            return self._floor[queries].copy()

    def add(self, found: Found) -> None:
        """Take in what one strip says."""
        with self._lock:
            for count in found.counts:
                self._named(self.above, count)[count.where] += count.above
                if count.tied is not None:
                    self._named(self.tied, count)[count.where] += count.tied
            self._take(found.peaks)
            near = self._hold([count.near for count in found.counts if count.near is not None])
        self._decide(near)  # outside the lock: this is the slow part

    def finish(self, score: Score) -> None:
        """Decide everything that is still open by `score`, which may use threads; call once, after the last strip."""
        self._score = score
        near, self._near = self._near, []
        self._decide(near)
        self._settle()

    def _named(self, counts: Counts, count: Count) -> Counts:
        """Return the counts as `count.where` names them: by number, or as the matrix of common ones."""
        if isinstance(count.where, tuple):
            return counts[: math.prod(self._common)].reshape(self._common)
        return counts

    def _hold(self, near: list[Near]) -> list[Near]:
        """Keep undecided entries; return all that are held once they make a batch."""
        self._near.extend(near)
        self._near_size += sum(len(n.items) for n in near)
        if self._near_size < BATCH:
            return []
        batch, self._near, self._near_size = self._near, [], 0
        return batch

    def _decide(self, near: list[Near]) -> None:
        if not near:
            return
        number = np.concatenate([n.numbers for n in near])
        queries = np.concatenate([n.queries for n in near])
        score = self._score(queries, np.concatenate([n.items for n in near]))
        limit = self._scores[number]
        with self._lock:
            np.add.at(self.above, number[score > limit], 1)
            np.add.at(self.tied, number[score == limit], 1)

    def _take(self, peaks: Peaks) -> None:
        self._floor[peaks.risen] = np.maximum(self._floor[peaks.risen], peaks.floor)
        if peaks.exact:
            self._raise(peaks.queries, peaks.items, peaks.upper)
            return
        self._maybe.append((peaks.queries, peaks.items, peaks.upper))
        self._maybe_size += len(peaks.items)
        if self._maybe_size > 4 * (BATCH + len(self.best)):
            self._prune()
            if self._maybe_size > 2 * (BATCH + len(self.best)):
                self._settle()

    def _prune(self) -> None:
        """Drop what can no longer be the highest."""
        queries, items, upper = (np.concatenate(parts) for parts in zip(*self._maybe, strict=True))
        keep = upper >= self._floor[queries]
        self._maybe = [(queries[keep], items[keep], upper[keep])]
        self._maybe_size = int(keep.sum())

    def _settle(self) -> None:
        """Score what may be the highest and keep one item a query."""
        if not self._maybe:
            return
        self._prune()
        queries, items, _ = self._maybe[0]
        self._maybe, self._maybe_size = [], 0
        scores = self._score(queries, items)
        order = np.lexsort((items, -scores, queries))
        first = order[np.flatnonzero(np.diff(queries[order], prepend=-1))]
        self._raise(queries[first], items[first], scores[first])

    def _raise(self, queries: Positions, items: Positions, scores: Scores) -> None:
        """Let these items, one a query, be the highest where they are; the first of equals wins."""
        best, item = self.best[queries], self.item[queries]
        better = (scores > best) | ((scores == best) & (items < item))
        self.best[queries[better]] = scores[better]
        self.item[queries[better]] = items[better]
