"""Two runs on the same queries: the difference, its interval, its p-value and what could have been seen.

Everywhere `a` is the baseline and `b` the run compared with it; a difference is b − a, so that a query
fixed by `b` counts for it and a query broken counts against it. Images are the clusters throughout. Knows
nothing of what a value means or where it is stored; `flips` counts the hits that changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError
from clipbench.statistics.bootstrap import bootstrap, cluster_positions, cluster_sums, intervals
from clipbench.statistics.draws import swaps, weights
from clipbench.statistics.intervals import NORMAL, Floats, Interval, critical, percentile_interval
from clipbench.statistics.medians import prepare, weighted_medians

RESAMPLES = 10_000
"""Resamples of a comparison: the smallest p-value is 1e-4, so a family of a hundred can be corrected."""

SLACK = 1e-10
"""Two statistics closer than this share of the largest possible one are equal but for rounding."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The difference b − a of one measure, with its bootstrap standard error and intervals.

    `bca` is None for medians, for which it does not exist.
    """

    delta: float
    standard_error: float
    percentile: Interval
    bca: Interval | None
    queries: int
    clusters: int


def same_queries(a: Sequence[str], b: Sequence[str]) -> None:
    """Check that two runs hold the same queries in the same order.

    Raises CompareError that counts the queries missing on each side and names the first of them.
    """
    if len(a) == len(b) and all(left == right for left, right in zip(a, b, strict=True)):
        return
    in_a, in_b = set(a), set(b)
    only_a = [query for query in a if query not in in_b]
    only_b = [query for query in b if query not in in_a]
    if not only_a and not only_b:
        fact = "in another order" if len(a) == len(b) else "some of them repeated"
        raise CompareError(f"the runs hold the same queries {fact} ({len(a)} and {len(b)})")
    names = ", ".join((only_a + only_b)[:3])
    raise CompareError(
        f"the runs hold {len(a)} and {len(b)} queries: {len(only_a)} only in the first, "
        f"{len(only_b)} only in the second ({names}{', …' if len(only_a) + len(only_b) > 3 else ''})",
        hint="evaluate both runs on the same dataset, split and caption policy",
    )


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: npt.ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[PairedDifference, ...]:
    """Return the mean difference b − a of each measure with its paired cluster-bootstrap intervals.

    a, b (Q,) or (Q, M): values of the same queries. clusters (Q,): integer image of each query. Both
    runs are resampled together, so what makes a query hard for both cancels.

    Raises ValueError for shapes that differ, values that are missing, or fewer than 2 clusters.
    """
    change = _change(a, b)
    sums, counts = cluster_sums(change, clusters)
    result = bootstrap(sums, counts, resamples, seed)
    bounds = zip(
        result.estimates,
        result.standard_errors,
        intervals(result, confidence, "percentile"),
        intervals(result, confidence, "bca"),
        strict=True,
    )
    return tuple(
        PairedDifference(float(delta), float(spread), plain, bca, len(change), len(sums))
        for delta, spread, plain, bca in bounds
    )


def paired_medians(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: npt.ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> PairedDifference:
    """Return the difference of the median ranks, b − a, of ranks (Q,), with its percentile interval.

    A negative difference is an improvement. The resamples are those of `paired_difference`.
    """
    left, right = _pair(a, b)
    if left.shape[1] != 1:
        raise ValueError(f"ranks are one per query, got shape {left.shape}")
    labels, count = cluster_positions(clusters)
    first, second = prepare(left[:, 0], labels, count), prepare(right[:, 0], labels, count)
    parts = []
    for block in weights(count, resamples, seed):
        medians = [weighted_medians(window, [block], len(block)) for window in (first, second)]
        parts.append(medians[1] - medians[0])
    drawn = np.concatenate(parts)
    delta = float(np.median(right[:, 0]) - np.median(left[:, 0]))
    spread = float(drawn.std(ddof=1))
    return PairedDifference(delta, spread, percentile_interval(drawn, confidence), None, len(left), count)


def randomisation_test(
    a: npt.ArrayLike, b: npt.ArrayLike, clusters: npt.ArrayLike, resamples: int = RESAMPLES, seed: int = 0
) -> Floats:
    """Return the two-sided p-value of each measure's mean difference, shape (M,).

    Under the null hypothesis the two runs' labels are exchangeable within each image, all queries of an
    image together. p = (1 + #{|Δ*| ≥ |Δ|}) / (1 + B), never 0, over B random relabellings.

    Sources: Edgington & Onghena 2007; Phipson & Smyth 2010 for the 1 +; Smucker, Allan & Carterette
    2007 for its use in retrieval.
    """
    sums, _ = cluster_sums(_change(a, b), clusters)
    observed = np.abs(sums.sum(axis=0))
    reached = np.zeros(sums.shape[1], dtype=np.int64)
    for block in swaps(len(sums), resamples, seed):
        reached += np.count_nonzero(relabelled(sums, block) >= observed - _slack(sums), axis=0)
    return (1 + reached) / (1 + resamples)


def relabelled(sums: Floats, swapped: Floats) -> Floats:
    """Return |Σ ± sums| (b, M) where rows of `swapped` (b, C) say 1.0 for a changed sign."""
    totals: Floats = np.abs(sums.sum(axis=0) - 2 * (swapped @ sums))
    return totals


def median_test(
    a: npt.ArrayLike, b: npt.ArrayLike, clusters: npt.ArrayLike, resamples: int = RESAMPLES, seed: int = 0
) -> float:
    """Return the two-sided p-value for a difference in the median of ranks (Q,).

    Mood's median test made paired and clustered: each rank is scored −1, 0 or 1 as it lies below, at or
    above the median m of both runs together, and the scores go through `randomisation_test`. Relabelling
    leaves m as it is. The difference of the two medians itself would be a poor statistic: runs that rank
    every query 1 and every query 9 keep medians of 1 and 9 under nearly every relabelling (p near .9).

    Where many queries share the median rank the test can find a difference that the two medians,
    rounded to that rank, do not show. Source: Mood 1950, section 16.5, for the scores.
    """
    left, right = _pair(a, b)
    if left.shape[1] != 1:
        raise ValueError(f"ranks are one per query, got shape {left.shape}")
    centre = np.median(np.concatenate([left, right]))
    if np.isnan(centre):
        raise ValueError("ranks are missing")
    return float(
        randomisation_test(np.sign(left - centre), np.sign(right - centre), clusters, resamples, seed)[0]
    )


def cluster_standard_error(values: npt.ArrayLike, clusters: npt.ArrayLike) -> Floats:
    """Return the cluster-robust standard error of the mean of each column of `values` (Q,) or (Q, M).

    se² = C/(C−1) · Σ_c (s_c − mean·n_c)² / N², the linearised variance of a ratio of cluster totals.

    Source: Cochran 1977, section 6.4; Liang & Zeger 1986.
    """
    sums, counts = cluster_sums(values, clusters)
    size = len(sums)
    if size < 2:
        raise ValueError(f"a standard error over images needs at least 2 of them, got {size}")
    residual = sums - sums.sum(axis=0) / counts.sum(axis=0) * counts
    error: Floats = np.sqrt(size / (size - 1) * np.sum(residual**2, axis=0)) / counts.sum(axis=0)
    return error


def minimum_detectable_difference(standard_error: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest true difference that a two-sided test at `alpha` finds with `power`.

    (z_{1−α/2} + z_{power}) · se, 2.80 · se by default. `standard_error` is that of the difference b − a
    (`PairedDifference.standard_error`, or `cluster_standard_error` of b − a). With k times as many
    images of the same kind it shrinks by √k.

    Source: Bloom 1995, Evaluation Review 19:547; Card et al. 2020 for its use in comparing models.
    """
    if standard_error < 0 or not math.isfinite(standard_error):
        raise ValueError(f"a standard error is a finite number from 0 up, got {standard_error}")
    if not 0 < power < 1:
        raise ValueError(f"a power lies between 0 and 1, got {power}")
    return (critical(1 - alpha) + NORMAL.inv_cdf(power)) * standard_error


def _change(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    left, right = _pair(a, b)
    return right - left


def _pair(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Floats, Floats]:
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape:
        raise ValueError(f"the runs differ in shape, {left.shape} and {right.shape}: queries are missing")
    if left.ndim == 1:
        return left[:, None], right[:, None]
    return left, right


def _slack(sums: Floats) -> Floats:
    bound: Floats = SLACK * np.abs(sums).sum(axis=0)
    return bound
