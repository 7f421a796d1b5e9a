"""Fusion: two rankings of the same gallery become one, by scores or by ranks.

Scores of different kinds have no common scale, so the linear fusion standardises each query's scores first.
Reciprocal rank fusion needs no scale and no weight, and is therefore dragged down by the weaker of two
rankers: it is for rankers of like strength.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]

RRF_K = 60
"""The constant of Cormack, Clarke & Büttcher 2009, Reciprocal rank fusion outperforms Condorcet."""

UNLIKE = 2.0
"""Rankers are of like strength while neither hits more than so many times as often as the other."""


def z_scores(scores: Scores) -> Scores:
    """Return each row less its mean, over its standard deviation; a row of one value becomes 0."""
    values = scores.astype(np.float64)
    centred = values - values.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(centred).mean(axis=1, keepdims=True))
    # A constant row can have a spread of 1e-17 from rounding alone; dividing by that would make noise of it.
    flat = spread <= 1e-12 * np.maximum(1, np.abs(values).max(axis=1, keepdims=True))
    return np.where(flat, 0, centred / np.where(flat, 1, spread)).astype(np.float32)


def linear(first: Scores, second: Scores, weight: float) -> Scores:
    """Return (1 − weight) · z(first) + weight · z(second), row by row; weight 0 ranks as `first` does.

    Raises ValueError for a weight outside of 0..1.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"a weight lies in 0..1, got {weight}")
    if weight == 0:
        return first.astype(np.float32)  # z-scores could merge scores that differ in the last bit
    return ((1 - weight) * z_scores(first) + weight * z_scores(second)).astype(np.float32)


def reciprocal_ranks(first: Scores, second: Scores, k: int = RRF_K) -> Scores:
    """Return 1/(k + rank) of both rankings, added; equal scores share the mean of their ranks."""
    return (1 / (k + mean_ranks(first)) + 1 / (k + mean_ranks(second))).astype(np.float32)


def mean_ranks(scores: Scores) -> npt.NDArray[np.float64]:
    """Return the rank of every item of a row from 1, highest score first; equal scores share the mean rank.

    >>> mean_ranks(np.float32([[3, 1, 3, 0]])).tolist()
    [[1.5, 3.0, 1.5, 4.0]]
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(-scores, method="average", axis=1), dtype=np.float64)


def like_strength(first: float, second: float) -> bool:
    """Return whether two rankers hit about as often (shares in 0..1), so that rank fusion may help."""
    low, high = sorted((first, second))
    return high <= UNLIKE * low
