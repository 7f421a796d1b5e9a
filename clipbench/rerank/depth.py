"""Depth: a re-ranking that touches only each query's first N items; what lies deeper keeps its place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clipbench.rerank.expansion import first_of

Scores = npt.NDArray[np.float32]


def within_depth(plain: Scores, new: Scores, depth: int) -> Scores:
    """Return scores that rank each row's first `depth` items of `plain` as `new` does, and the rest as before.

    The first `depth` items stay the first `depth`, so that hit@K for K ≥ depth cannot change. The returned
    scores only order: they are minus the rank, and equal where `new` is equal (or `plain`, among the rest).
    """
    rows, width = plain.shape
    depth = min(depth, width)
    items, _ = first_of(plain, depth)
    inside = np.zeros((rows, width), dtype=np.bool_)
    np.put_along_axis(inside, items, values=True, axis=1)
    ranks = np.empty((rows, width), dtype=np.float32)
    ranks[inside] = -_dense_ranks(np.take_along_axis(new, np.sort(items, axis=1), axis=1)).ravel()
    rest = plain[~inside].reshape(rows, width - depth)
    if rest.size:
        ranks[~inside] = -(depth + 1 + _dense_ranks(rest)).ravel()
    return ranks


def _dense_ranks(scores: Scores) -> npt.NDArray[np.float32]:
    """Return 0 for the highest score of a row, 1 for the next other one, and so on."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=1)
    steps = np.zeros(scores.shape, dtype=np.float32)
    steps[:, 1:] = np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1)
    ranks = np.empty_like(steps)
    np.put_along_axis(ranks, order, steps, axis=1)
    return ranks
