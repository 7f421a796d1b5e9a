"""The exact index: every item is looked at, block by block. The default, and what all others are held to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clipbench.indexes.protocol import NOTHING, Answer, Items, Settings, Vectors, checked, ordered

BLOCK = 16_384
"""Items scored at a time: 34 MB of vectors at 512 dimensions, which also keeps memory-mapped ones bounded."""

QUERIES = 256
"""Queries scored at a time."""


class ExactIndex:
    """All cosines, and the k highest. vectors: unit rows, float32 (N, D), may be memory-mapped."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    @property
    def size(self) -> int:
        """How many items it holds."""
        return len(self._vectors)

    @property
    def search_defaults(self) -> Settings:
        """None: there is nothing to choose."""
        return {}

    def search(self, queries: Vectors, k: int, settings: Settings, among: Items | None = None) -> Answer:
        """Return the k items of highest cosine; equal ones by item number."""
        checked(settings, {})
        parts = [
            self._search(queries[start : start + QUERIES], k, among)
            for start in range(0, len(queries), QUERIES)
        ]
        empty = Answer(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
        whole = [empty, *parts]
        return Answer(np.concatenate([p.items for p in whole]), np.concatenate([p.scores for p in whole]))

    def _search(self, queries: Vectors, k: int, among: Items | None) -> Answer:
        total = self.size if among is None else len(among)
        best = np.full((len(queries), 0), NOTHING, dtype=np.int64)
        for start in range(0, total, BLOCK):
            stop = min(start + BLOCK, total)
            numbers = np.arange(start, stop) if among is None else among[start:stop]
            block = self._vectors[start:stop] if among is None else self._vectors[numbers]
            scores = queries @ np.asarray(block, dtype=np.float32).T
            best = np.concatenate([best, numbers[_candidates(scores, k)]], axis=1)
            if best.shape[1] > 4 * k + 64:  # the best so far, so that candidates do not pile up
                best = ordered(queries, self._vectors, best, k).items
        return ordered(queries, self._vectors, best, k)

    def save(self, path: Path) -> None:
        """Write nothing: an exact index is its vectors, which the store keeps."""


def _candidates(scores: Vectors, k: int) -> Items:
    """Return at least the k highest of each row, in no order; a few more, since blocks round differently."""
    width = scores.shape[1]
    wanted = min(width, k + 8)
    if wanted == width:
        return np.broadcast_to(np.arange(width), scores.shape)
    return np.argpartition(-scores, wanted - 1, axis=1)[:, :wanted].astype(np.int64)
