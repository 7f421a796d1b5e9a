"""Medians under resampling: the median rank of each of thousands of resamples, exactly and fast.

A resample's median needs only the counts of queries at or below a few ranks around the sample median:
one matrix product of weights × per-cluster counts. A resample whose median lies outside that window is
found out and computed in full, so the answer is exact for every one. Knows nothing of what is ranked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.statistics.bootstrap import RESAMPLES, Integers, cluster_positions
from clipbench.statistics.draws import weights
from clipbench.statistics.intervals import Floats

WINDOW_SDS = 4.0
"""Half-width of the window in standard deviations; about 1 resample in 10,000 falls outside."""

WINDOW_CELLS = 1 << 22
"""Largest per-cluster count table, 32 MB."""


@dataclass(frozen=True, eq=False)
class Window:
    """Ranks of one run, prepared for weighted medians.

    values      (U,)    the distinct ranks, ascending
    first               index in `values` of the first candidate for a resample's median
    cumulative  (C, V)  queries of each cluster below the window (column 0), then at or below each of
                        its candidates
    counts      (C,)    queries of each cluster
    codes       (Q,)    index in `values` of each query's rank, ascending
    labels      (Q,)    cluster of each query, in the order of `codes`
    """

    values: Floats
    first: int
    cumulative: Floats
    counts: Floats
    codes: Integers
    labels: Integers


def median_replicates(
    ranks: npt.ArrayLike,
    clusters: npt.ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
    size: int | None = None,
) -> Floats:
    """Return the median rank on every cluster resample, shape (B,).

    ranks (Q,), clusters (Q,) and `size` are as in `bootstrap.cluster_sums`; the resamples are those of
    `bootstrap.replicates` under the same seed and number of clusters. With an even number of queries
    the median is the mean of the two middle values (numpy's convention). Use the percentile interval:
    the jackknife, and with it BCa, fails for medians (Efron & Tibshirani 1993, section 11.6).
    """
    labels, count = cluster_positions(clusters, size)
    window = prepare(ranks, labels, count)
    return weighted_medians(window, weights(count, resamples, seed), resamples)


def prepare(ranks: npt.ArrayLike, labels: Integers, count: int) -> Window:
    """Return the tables for weighted medians of `ranks` (Q,) in clusters `labels` (Q,) of 0..count-1."""
    numbers = np.asarray(ranks, dtype=np.float64)
    if numbers.shape != labels.shape:
        raise ValueError(f"{numbers.size} ranks for {labels.size} queries")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(numbers))} of {numbers.size} ranks are missing")
    order = np.argsort(numbers, kind="stable")
    values, codes = np.unique(numbers[order], return_inverse=True)
    owners = labels[order]
    counts = np.bincount(owners, minlength=count).astype(np.float64)
    first, last = _candidates(codes, owners, counts)
    # Column of each query: 0 below the window, 1.. for its candidates; what lies above is left out.
    columns = np.clip(codes - first + 1, 0, None)
    inside = codes <= last
    width = last - first + 2
    cells = np.bincount(owners[inside] * width + columns[inside], minlength=count * width)
    cumulative = np.cumsum(cells.reshape(count, width), axis=1, dtype=np.float64)
    return Window(values, first, cumulative, counts, codes.astype(np.int64), owners)


def weighted_medians(window: Window, blocks: Iterable[Floats], rows: int) -> Floats:
    """Return the median under each row of integer weights; `blocks` hold `rows` rows of (b, C) in all.

    Raises ValueError where a row gives weight to no query.
    """
    out = np.empty(rows)
    start = 0
    for block in blocks:
        out[start : start + len(block)] = _block_medians(window, block)
        start += len(block)
    return out


def _block_medians(window: Window, block: Floats) -> Floats:
    return medians_of_counts(window, block, block @ window.counts, block @ window.cumulative)


def medians_of_counts(window: Window, block: Floats, totals: Floats, reached: Floats) -> Floats:
    """Return the median under each row of weights `block` (b, C), its counts multiplied out already.

    totals (b,): block @ window.counts. reached (b, V): block @ window.cumulative. For whoever multiplies
    the tables of several windows at once. Raises ValueError where a row gives weight to no query.
    """
    if not totals.all():
        raise ValueError("a resample holds no query")
    middle = np.zeros(len(block))
    outside = np.zeros(len(block), dtype=bool)
    for position in (np.floor((totals - 1) / 2), np.floor(totals / 2)):
        # The middle value is the first candidate whose count exceeds its position.
        column = np.count_nonzero(reached <= position[:, None], axis=1)
        outside |= (column == reached.shape[1]) | (reached[:, 0] > position)
        middle += window.values[np.minimum(window.first + column - 1, len(window.values) - 1)]
    middle /= 2
    for row in np.flatnonzero(outside):
        middle[row] = _full_median(window, block[row])
    return middle


def _full_median(window: Window, row: Floats) -> float:
    reached = np.cumsum(row[window.labels])
    total = reached[-1]
    middle = np.searchsorted(reached, [(total - 1) // 2, total // 2], side="right")
    return float(window.values[window.codes[middle]].mean())


def _candidates(codes: Integers, owners: Integers, counts: Floats) -> tuple[int, int]:
    """Return the first and last distinct rank that a resample's median is likely to be.

    The share of queries at or below the sample median has the cluster-robust standard deviation of a
    ratio; ranks whose share lies within WINDOW_SDS of one half are candidates.
    """
    total = len(codes)
    centre = int(codes[total // 2])
    share = np.bincount(codes).cumsum() / total
    hits = np.bincount(owners[codes <= centre], minlength=len(counts))
    half = WINDOW_SDS * np.sqrt(np.sum((hits - share[centre] * counts) ** 2)) / total + 2 / total
    first = int(np.searchsorted(share, 0.5 - half))
    last = min(int(np.searchsorted(share, 0.5 + half)), len(share) - 1)
    limit = max(1, WINDOW_CELLS // len(counts) // 2)
    return max(first, centre - limit), min(last, centre + limit)
