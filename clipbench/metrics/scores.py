"""What a score is, and how far a fast product may stray from it.

The score of an image and a caption is the dot product of their float32 vectors, taken in float64 by
`pair_scores`: every product of two float32 is exact in float64, and the sum is folded in halves by
elementwise additions alone. Elementwise operations are fixed by IEEE 754 to the bit, so the score of
a pair is the same on every machine, in every batch and under every BLAS. All ranks are ranks of these
scores; float32 products only decide the comparisons that their rounding cannot touch (`band`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]
Positions = npt.NDArray[np.integer]

TOLERANCE = 1e-3
"""How far a row's norm may be from 1."""

PAIRS = 256
"""Pairs scored at a time: 1 MB of float64 at 512 dimensions, about a core's second-level cache."""


def unit_rows(vectors: npt.NDArray[np.float32], name: str) -> Vectors:
    """Return `vectors` (n, D) in row-major order once they are known to be fit for ranking.

    Raises ValueError unless they are float32, at least one, finite and of norm 1 within `TOLERANCE`.
    Nothing is normalised here: a vector of another length is a sign of a mistake upstream.
    """
    if vectors.ndim != 2 or not vectors.size:
        raise ValueError(f"{name} must be a matrix of at least one row, not of shape {vectors.shape}")
    if vectors.dtype != np.float32:
        raise ValueError(f"{name} are {vectors.dtype}, but ranks are defined on float32 vectors")
    vectors = np.ascontiguousarray(vectors)
    for start in range(0, len(vectors), PAIRS):
        part = vectors[start : start + PAIRS].astype(np.float64)
        norms = np.sqrt(np.square(part).sum(axis=1))
        bad = np.flatnonzero(~(np.abs(norms - 1) <= TOLERANCE))  # NaN is bad too
        if len(bad):
            row, norm = start + int(bad[0]), float(norms[bad[0]])
            if not np.isfinite(vectors[row]).all():
                raise ValueError(f"row {row} of {name} holds a value that is not finite")
            raise ValueError(f"row {row} of {name} has norm {norm:.6g}, not 1 within {TOLERANCE:g}")
    return vectors


def pair_scores(images: Vectors, texts: Vectors, rows: Positions, columns: Positions) -> Scores:
    """Return the scores of the pairs (images[rows[i]], texts[columns[i]]); float64 (n,).

    >>> eye = np.eye(3, dtype=np.float32)
    >>> pair_scores(eye, eye, np.array([0, 0]), np.array([0, 1])).tolist()
    [1.0, 0.0]
    """
    scores = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS):
        part = slice(start, start + PAIRS)
        terms = images.take(rows[part], axis=0).astype(np.float64)
        terms *= texts.take(columns[part], axis=0)
        scores[part] = _folded_sum(terms)
    return scores


def _folded_sum(terms: Scores) -> Scores:
    """Add up each row of `terms` (n, D) in one fixed order, whatever n is; `terms` is used up."""
    width = terms.shape[1]
    while width > 16:
        half = (width + 1) // 2
        terms[:, : width - half] += terms[:, half:width]
        width = half
    upright = terms[:, :width].T.copy()  # a handful of columns adds faster as a handful of rows
    while width > 1:
        half = (width + 1) // 2
        upright[: width - half] += upright[half:width]
        width = half
    total: Scores = upright[0]
    return total


def score_table(images: Vectors, texts: Vectors) -> Scores:
    """Return the scores of all pairs of `images` (n, D) and `texts` (m, D); float64 (n, m).

    Equal rows are scored once, so that embeddings with few distinct vectors cost next to nothing.
    """
    rows, row_of = _distinct(images)
    columns, column_of = _distinct(texts)
    left = np.repeat(np.arange(len(rows)), len(columns))
    right = np.tile(np.arange(len(columns)), len(rows))
    table = pair_scores(rows, columns, left, right).reshape(len(rows), len(columns))
    return np.ascontiguousarray(table[np.ix_(row_of, column_of)])


def _distinct(vectors: Vectors) -> tuple[Vectors, Positions]:
    whole = np.ascontiguousarray(vectors).view(np.dtype((np.void, vectors.itemsize * vectors.shape[1])))
    _, first, inverse = np.unique(whole.ravel(), return_index=True, return_inverse=True)
    return vectors[first], inverse.ravel()


def double_product(images: Vectors, texts: Vectors) -> Scores:
    """Return `images @ texts.T` in float64 by BLAS, in strips that keep the extra memory small."""
    left = images.astype(np.float64)
    product = np.empty((len(images), len(texts)))
    for start in range(0, len(texts), PAIRS):
        np.matmul(
            left, texts[start : start + PAIRS].astype(np.float64).T, out=product[:, start : start + PAIRS]
        )
    return product


def band(dimension: int, precision: type[np.float32 | np.float64]) -> float:
    """Return how far a product of two rows in `precision` can be from their score.

    A dot product of length D in unit roundoff u, summed in any order and with or without fused
    multiply-add, is off by at most γ |x|·|y| with γ = Du / (1 - Du) (Higham 2002, Accuracy and
    Stability of Numerical Algorithms, 3.1), and |x|·|y| is at most the product of the norms. To it
    come the same bound for the score's own float64 sum, what flushing denormals can cost, and a
    thousandth for the rounding of this bound and of the thresholds made from it.

    >>> 3.0e-5 < band(512, np.float32) < 3.1e-5
    True
    """
    norms = (1 + TOLERANCE) ** 2
    own = _gamma(dimension, float(np.finfo(np.float64).eps) / 2)
    fast = _gamma(dimension, float(np.finfo(precision).eps) / 2)
    flushed = 2 * dimension * float(np.finfo(precision).tiny)
    return 1.001 * norms * (fast + own) + flushed + 4 * float(np.finfo(np.float64).eps)


def _gamma(dimension: int, roundoff: float) -> float:
    return dimension * roundoff / (1 - dimension * roundoff)


def at_most(values: Scores) -> Vectors:
    """Return the largest float32 numbers that are not above `values`."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def at_least(values: Scores) -> Vectors:
    """Return the smallest float32 numbers that are not below `values`."""
    return -at_most(-values)
