"""Pooling: the scores of one pair under K templates become one score.

Everything here works on blocks: the K blocks of one part of the product come one after another, and what
is kept is one block or two, never K. Scores are cosines; τ (the temperature) is in their units, and a CLIP
model's own is 1/logit scale. Knows no model and no file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError

PoolName: TypeAlias = Literal["mean", "vector", "max", "logsumexp", "softmax"]
POOLS: tuple[PoolName, ...] = get_args(PoolName)
TEMPERED: frozenset[PoolName] = frozenset({"logsumexp", "softmax"})
"""The poolings that have a τ."""

Floats: TypeAlias = npt.NDArray[np.floating]
"""A block of scores in float32 or float64; pooling keeps the precision it is given."""

Vectors: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pooling:
    """How K scores become one.

    mean       (1/K) Σ s_k
    vector     the score of the averaged and renormalised text vector
    max        max_k s_k
    logsumexp  τ · log((1/K) Σ exp(s_k/τ)): max as τ → 0, mean as τ → ∞; K does not move it
    softmax    Σ w_k s_k with w = softmax(s/τ): max as τ → 0, mean as τ → ∞

    On cosines τ = 1 is the mean in all but name: the terms differ by less than their spread squared.
    Raises ClipbenchError for an unknown name, a τ that is not above 0, or one where none belongs.
    """

    name: PoolName
    tau: float | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if self.name not in POOLS:
            raise ClipbenchError(f"there is no pooling {self.name!r}; there are {', '.join(POOLS)}")
        if (self.name in TEMPERED) != (self.tau is not None):
            wanted = "needs a temperature" if self.name in TEMPERED else "has no temperature"
            raise ClipbenchError(f"the pooling {self.name} {wanted}", "--pool logsumexp --tau scale")
        if self.tau is not None and not (math.isfinite(self.tau) and self.tau > 0):
            raise ClipbenchError(f"a temperature is above 0, got {self.tau}", "--tau scale")

    def __str__(self) -> str:
        return self.name if self.tau is None else f"{self.name} τ={self.tau:g}"

    def slope(self, templates: int) -> float:
        """Return how far the pooled score moves at most where each of so many scores moves by 1.

        Means and maxima move by as much, and so does logsumexp, whose slopes are weights that add up to 1. The
        softmax-weighted mean has slopes w (1 + (s − p)/τ), and w |s − max|/τ is at most 1/e for each template.
        """
        return 1 + 2 * templates / math.e if self.name == "softmax" else 1.0

    def noise(self, templates: int) -> float:
        """Return how far float32 may round off in pooling itself, generously: some ulp of each operation."""
        if self.name == "max":
            return 0.0
        terms = templates * min(1.0, self.tau or 0.0) if self.name == "logsumexp" else templates
        return float(np.finfo(np.float32).eps) * (4 + 8 * (terms if self.name != "mean" else 0))


def pool(blocks: Iterable[Floats], pooling: Pooling) -> Floats:
    """Return the pooled block of K blocks of one shape; the blocks are left as they are.

    "vector" is no pooling of scores: it multiplies `averaged` vectors. Raises ValueError for it, and where
    there is no block.

    >>> two = [np.float32([[0.2, 0.4]]), np.float32([[0.4, 0.0]])]
    >>> pool(two, Pooling("max")).tolist() == np.float32([[0.4, 0.4]]).tolist()
    True
    """
    if pooling.name == "mean":
        return _mean(blocks)
    if pooling.name == "max":
        return _maximum(blocks)
    if pooling.name == "logsumexp":
        return _logsumexp(blocks, float(pooling.tau or math.nan))
    if pooling.name == "softmax":
        return _softmax(blocks, float(pooling.tau or math.nan))
    raise ValueError("the pooling 'vector' averages vectors, not scores")


def averaged(templates: Iterable[Vectors], *, renormalise: bool) -> Vectors:
    """Return the mean of K matrices of unit vectors (n, D), of norm 1 again where `renormalise` is set.

    Un-renormalised, its scores are the mean of the K scores exactly, for both directions. Renormalised, the
    ranking of images for a caption is the same (one factor a caption), of captions for an image it is not.
    Raises ValueError where a mean is (nearly) the zero vector, which has no direction.
    """
    total, count = None, 0
    for vectors in templates:
        total = vectors.astype(np.float64) if total is None else total + vectors
        count += 1
    if total is None:
        raise ValueError("there is nothing to average")
    mean = total / count
    if renormalise:
        norms = np.linalg.norm(mean, axis=1, keepdims=True)
        if (norms < 1e-6).any():
            raise ValueError(
                f"the vectors of text {int(np.argmin(norms))} cancel: their mean has no direction"
            )
        mean /= norms
    return mean.astype(np.float32)


def _mean(blocks: Iterable[Floats]) -> Floats:
    total, count, kind = None, 0, np.dtype(np.float32)
    for block in blocks:
        kind = block.dtype
        total = block.astype(np.float64) if total is None else np.add(total, block, out=total)
        count += 1
    if total is None:
        raise ValueError("there is no block to pool")
    return np.asarray(total / count, dtype=kind)


def _maximum(blocks: Iterable[Floats]) -> Floats:
    highest = None
    for block in blocks:
        highest = block.copy() if highest is None else np.maximum(highest, block, out=highest)
    if highest is None:
        raise ValueError("there is no block to pool")
    return highest


def _logsumexp(blocks: Iterable[Floats], tau: float) -> Floats:
    """Return τ · log((1/K) Σ exp(s/τ)), kept finite by a running maximum as in online softmax."""
    highest, total, count = _running(blocks, tau)[:3]
    return np.asarray(highest + tau * np.log(total / count), dtype=highest.dtype)


def _softmax(blocks: Iterable[Floats], tau: float) -> Floats:
    """Return Σ softmax(s/τ) s."""
    _, total, _, weighted = _running(blocks, tau, weighted=True)
    return np.asarray(weighted / total, dtype=total.dtype)


def _running(
    blocks: Iterable[Floats], tau: float, *, weighted: bool = False
) -> tuple[Floats, Floats, int, Floats]:
    """Return max_k s_k, Σ exp((s_k − max)/τ), K, and Σ exp((s_k − max)/τ) s_k where it is wanted.

    One pass: when the maximum rises, what was summed below the old one is scaled down to the new one.
    """
    scale = 1 / tau
    highest = total = products = None
    count = 0
    for block in blocks:
        count += 1
        if highest is None or total is None or products is None:
            highest, total = block.copy(), np.ones_like(block)
            products = block.copy() if weighted else total
            continue
        step = block - highest
        rises = step > 0
        # One exponential serves both cases: it fades the old sum where the maximum rises, else the new term.
        fade = np.exp(-scale * np.abs(step))
        if weighted:
            products = np.where(rises, products * fade + block, products + fade * block)
        total = np.where(rises, total * fade + 1, total + fade)
        np.maximum(highest, block, out=highest)
    if highest is None or total is None or products is None:
        raise ValueError("there is no block to pool")
    return highest, total, count, products
