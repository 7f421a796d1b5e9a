"""Searches among some items only: exactly where they are few, and again where a library's filter comes back short."""

from __future__ import annotations

import numpy as np

from clipbench.indexes.exact import ExactIndex
from clipbench.indexes.protocol import NOTHING, Answer, Items, Vectors

SMALL = 10_000
"""A subset of up to so many items is searched exactly: quicker than a filter, and nothing is lost."""


def is_small(among: Items | None) -> bool:
    """Whether a subset is to be searched exactly."""
    return among is not None and len(among) <= SMALL


def exactly(vectors: Vectors, queries: Vectors, k: int, among: Items | None) -> Answer:
    """Return the first k items of a subset by exact search."""
    return ExactIndex(vectors).search(queries, k, {}, among)


def completed(answer: Answer, vectors: Vectors, queries: Vectors, k: int, among: Items | None) -> Answer:
    """Search exactly where a filter left a list short: a graph loses its way where few items may be named."""
    short = np.flatnonzero((answer.items == NOTHING).any(axis=1))
    if among is None or not len(short):
        return answer
    again = exactly(vectors, queries[short], k, among)
    items, scores = answer.items.copy(), answer.scores.copy()
    items[short], scores[short] = again.items, again.scores
    return Answer(items, scores)
