"""Hits that turned into misses and misses that turned into hits: McNemar's test and retention.

As in `paired`, `a` is the baseline and `b` the run compared with it. Queries are taken as independent
here, so with several captions per image the counts are exact but the p-value is optimistic: the
randomisation test of `paired` is the one that knows clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Booleans: TypeAlias = npt.NDArray[np.bool_]

FEW_FLIPS = 25
"""Below this many flips the exact binomial test is used, from here on its mid-p variant."""


@dataclass(frozen=True, slots=True)
class Flips:
    """McNemar's test. fixed: misses of `a` that `b` hits. broken: hits of `a` that `b` misses."""

    fixed: int
    broken: int
    p: float
    method: Literal["exact", "mid-p"]


@dataclass(frozen=True, slots=True)
class Retention:
    """What became of the hits of `a` in `b`.

    hits: hits of `a`. kept: those that `b` hits too. gained: hits of `b` that `a` misses. share:
    kept / hits, None where `a` has no hit to keep.
    """

    hits: int
    kept: int
    gained: int
    share: float | None


def mcnemar(a: npt.ArrayLike, b: npt.ArrayLike) -> Flips:
    """Test whether as many queries were fixed as broken; a, b (Q,) are hits, 0/1 or boolean.

    Two-sided: with n flips, k the smaller of the two counts and X binomial(n, 1/2), the exact p is
    min(1, 2·P(X ≤ k)) and the mid-p is 2·P(X < k) + P(X = k). No flips give p = 1.

    Raises ValueError for runs of unequal length and for fractional hits (ties counted by their
    expected value): a flip is a whole query, so choose the optimistic or pessimistic tie policy.

    Sources: McNemar 1947; Fagerland, Lydersen & Laake 2013 for the mid-p.
    """
    from scipy.special import bdtr

    left, right = _hits(a, b)
    fixed = int(np.count_nonzero(~left & right))
    broken = int(np.count_nonzero(left & ~right))
    flips, smaller = fixed + broken, min(fixed, broken)
    at_most = float(bdtr(smaller, flips, 0.5))
    if flips < FEW_FLIPS:
        return Flips(fixed, broken, min(1.0, 2 * at_most), "exact")
    below = float(bdtr(smaller - 1, flips, 0.5)) if smaller else 0.0
    return Flips(fixed, broken, min(1.0, at_most + below), "mid-p")


def retention(a: npt.ArrayLike, b: npt.ArrayLike) -> Retention:
    """Return how many hits of `a` (the clean run, say) stay hits in `b`, and how many `b` gains.

    Same inputs and errors as `mcnemar`.
    """
    left, right = _hits(a, b)
    hits, kept = int(np.count_nonzero(left)), int(np.count_nonzero(left & right))
    gained = int(np.count_nonzero(~left & right))
    return Retention(hits, kept, gained, kept / hits if hits else None)


def _hits(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Booleans, Booleans]:
    left, right = np.asarray(a), np.asarray(b)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"hits are one per query of both runs, got shapes {left.shape} and {right.shape}")
    for hits in (left, right):
        whole = (hits == 0) | (hits == 1)
        if not whole.all():
            raise ValueError(
                f"{np.count_nonzero(~whole)} of {len(hits)} hits are neither 0 nor 1: "
                "use the optimistic or pessimistic tie policy"
            )
    return left.astype(bool), right.astype(bool)
