"""The cluster bootstrap: resample images, not captions, as multinomial weights × per-image sums.

Captions of one image share its fate, so images are what is drawn; the gallery stays as it is. A mean
over queries is then a ratio of two weighted sums over clusters, and all resamples of all measures are
one matrix product. Knows nothing of what a value means (hit, reciprocal rank, difference of two runs).

Both directions of an evaluation name their clusters by image position, so the columns of `t2i` and of
`i2t` can stand side by side (`np.hstack` of their sums and counts) and share every resample; a
sum over directions such as RSUM is then a linear combination of columns, see `combine`.

Source: Davison & Hinkley 1997, section 3.8 (resampling whole clusters); Cochran 1977, section 6
(ratio estimates).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.statistics.draws import weights
from clipbench.statistics.intervals import Floats, Interval, bca_interval, percentile_interval

Integers: TypeAlias = npt.NDArray[np.int64]
Method: TypeAlias = Literal["percentile", "bca"]

RESAMPLES = 2000
"""Resamples where the user says nothing: enough for the ends of a 95 % interval."""


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """M statistics, each with everything an interval needs.

    estimates   (M,)    on the queries as they are
    replicates  (B, M)  on each resample of clusters; one row is the same resample for every statistic
    jackknife   (C, M)  with one cluster left out; NaN where nothing is left to average
    """

    estimates: Floats
    replicates: Floats
    jackknife: Floats

    @property
    def standard_errors(self) -> Floats:
        """Standard deviation of the replicates (M,)."""
        spread: Floats = self.replicates.std(axis=0, ddof=1)
        return spread


def cluster_sums(
    values: npt.ArrayLike, clusters: npt.ArrayLike, size: int | None = None
) -> tuple[Floats, Floats]:
    """Return per-cluster sums (C, M) and query counts (C, M) of `values` (Q,) or (Q, M).

    clusters (Q,): integer cluster of each query. With `size` they are positions 0..size-1 (images of
    the dataset), and a cluster may be empty; without it, C is the number of clusters present, in
    ascending order. Give `size` wherever two tables shall share their resamples.

    The sums do not depend on the order of the queries: values are first rounded to a grid so fine
    (2^-52 of the largest total) that every sum and every weighted sum of them is exact in float64.

    Raises ValueError for no query, a value that is not finite (missing is not zero) or a cluster
    outside 0..size-1.
    """
    table = np.asarray(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    labels, count = cluster_positions(clusters, size)
    if table.ndim != 2 or len(table) != len(labels):
        raise ValueError(f"values of shape {table.shape} do not fit {len(labels)} queries")
    if not np.isfinite(table).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(table))} of {table.size} values are missing")
    queries = np.bincount(labels, minlength=count).astype(np.float64)
    bound = count * queries.max() * np.abs(table).max(axis=0)
    exact = _on_grid(table, bound)
    sums: Floats = np.stack([np.bincount(labels, column, count) for column in exact.T], axis=1)
    return sums, np.repeat(queries[:, None], table.shape[1], axis=1)


def cluster_positions(clusters: npt.ArrayLike, size: int | None = None) -> tuple[Integers, int]:
    """Return the position of each query's cluster (Q,) and the number of clusters C.

    See `cluster_sums` for `size` and the errors.
    """
    labels = np.asarray(clusters)
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"clusters are one per query, got shape {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"clusters are integers, got {labels.dtype}")
    if size is None:
        present, positions = np.unique(labels, return_inverse=True)
        return positions.astype(np.int64), len(present)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= size:
        raise ValueError(f"clusters reach from {low} to {high}, outside 0..{size - 1}")
    return labels.astype(np.int64), size


def replicates(sums: Floats, counts: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Return the ratio Σ w·sums / Σ w·counts on every resample, shape (B, M), in one pass.

    The same seed and C give the same resamples, whatever the columns. Raises ValueError for fewer
    than 2 clusters, and where a resample holds no query (most clusters empty: leave them out).
    """
    distinct, which = np.unique(counts, axis=1, return_inverse=True)
    columns = np.hstack([sums, distinct])
    measures = sums.shape[1]
    out = np.empty((resamples, measures))
    start = 0
    for block in weights(len(sums), resamples, seed):
        totals = block @ columns
        drawn = totals[:, measures:]
        if not drawn.all():
            raise ValueError(
                f"a resample of {len(sums)} clusters holds no query: "
                f"only {int(np.count_nonzero(counts, axis=0).min())} clusters have any"
            )
        np.divide(totals[:, :measures], drawn[:, which.ravel()], out=out[start : start + len(block)])
        start += len(block)
    return out


def leave_one_out(sums: Floats, counts: Floats) -> Floats:
    """Return the ratio with each cluster left out, shape (C, M), in closed form: (S − s_c) / (N − n_c)."""
    left = counts.sum(axis=0) - counts
    out = np.full_like(sums, np.nan)
    np.divide(sums.sum(axis=0) - sums, left, out=out, where=left > 0)
    return out


def bootstrap(sums: Floats, counts: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Bootstrap:
    """Return the M means of a table from `cluster_sums` with their replicates and jackknife.

    >>> sums, counts = cluster_sums([1, 1, 0, 1, 0, 0], [0, 0, 1, 1, 2, 2])
    >>> float(bootstrap(sums, counts).estimates[0])
    0.5
    """
    totals = counts.sum(axis=0)
    if not totals.all():
        raise ValueError("a measure has no query at all")
    estimates = sums.sum(axis=0) / totals
    return Bootstrap(estimates, replicates(sums, counts, resamples, seed), leave_one_out(sums, counts))


def combine(source: Bootstrap, coefficients: npt.ArrayLike) -> Bootstrap:
    """Return linear combinations of statistics, `coefficients` (M,) or (M, K), resample by resample.

    RSUM is 100 × the sum of six hit@K columns: `combine(table, [100] * 6)`.
    """
    matrix = np.asarray(coefficients, dtype=np.float64)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    # einsum, unlike a BLAS product, adds in one order on every machine.
    parts = [np.einsum("...m,mk->...k", part, matrix) for part in _parts(source)]
    return Bootstrap(parts[0][0], parts[1], parts[2])


def intervals(source: Bootstrap, confidence: float = 0.95, method: Method = "bca") -> tuple[Interval, ...]:
    """Return the interval of each of the M statistics. See `bca_interval` for when BCa falls back."""
    columns = zip(source.estimates, source.replicates.T, source.jackknife.T, strict=True)
    if method == "percentile":
        return tuple(percentile_interval(sample, confidence) for _, sample, _ in columns)
    return tuple(bca_interval(float(value), sample, left, confidence) for value, sample, left in columns)


def _parts(source: Bootstrap) -> tuple[Floats, Floats, Floats]:
    return source.estimates[None, :], source.replicates, source.jackknife


def _on_grid(values: Floats, bound: Floats) -> Floats:
    """Round each column to multiples of 2^-52 of its bound, the largest total that can be formed.

    Whole numbers (hits, ranks) stay as they are. Sums of multiples of one power of two below 2^53 of
    it are exact, hence equal in any order, on any BLAS, for any block size and number of threads.
    """
    _, exponent = np.frexp(bound)
    rounded: Floats = np.ldexp(np.rint(np.ldexp(values, 52 - exponent)), exponent - 52)
    return rounded
