"""All intervals and p-values of a table of differences from one pass over the resamples. Pure.

`statistics` defines each of them for one pair of runs (`paired_difference`, `paired_medians`,
`randomisation_test`, `median_test`); here every pair and measure shares the draws, which cost as much as
all the sums. Same seed and images, same draws: the numbers are those of `statistics`, and a test holds
them equal. Images are resampled together over both directions, so RSUM has an interval too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.statistics.bootstrap import Bootstrap, cluster_sums, combine, intervals, leave_one_out
from clipbench.statistics.draws import swaps, weights
from clipbench.statistics.intervals import Interval, percentile_interval
from clipbench.statistics.medians import Window, medians_of_counts, prepare
from clipbench.statistics.paired import SLACK, relabelled
from clipbench.study.comparing.values import BOTH, MEDIAN, QueryValues
from clipbench.study.evaluation.protocol import RSUM, RSUM_HITS

Floats: TypeAlias = npt.NDArray[np.float64]
Key: TypeAlias = tuple[int, str, str]
"""Run number, direction and metric."""


DRAW_CELLS = 1 << 21
"""Cells of one block of draws, 16 MB: products of smaller ones spend their time handing out work."""


def rows(images: int) -> int:
    """Return how many resamples make a block."""
    return max(1, DRAW_CELLS // images)


@dataclass(frozen=True, slots=True)
class Draws:
    """How often, with which seed and for which confidence images are drawn."""

    resamples: int
    seed: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Tested:
    """What the resamples say of one difference; `bca` is None for medians, for which it does not exist."""

    standard_error: float
    percentile: Interval
    bca: Interval | None
    p: float


@dataclass(frozen=True)
class _Columns:
    """Columns of per-image sums side by side, and what each of them is.

    sums, counts  (C, K)  as `cluster_sums` gives them
    keys          whose difference each column is: (run number, direction, metric)
    """

    sums: Floats
    counts: Floats
    keys: tuple[Key, ...]


def tested(parts: Sequence[QueryValues], draws: Draws, *, rsum: bool) -> dict[Key, Tested]:
    """Return for every run but the first, every direction and metric, what the resamples say of run − first.

    parts: the directions, which share their images. rsum: whether RSUM is among the metrics; then both
    directions and the six hits are. Nothing is said of fewer than 2 images, which have no spread.
    """
    images = parts[0].images
    if images < 2 or len(parts[0].means) < 2:
        return {}
    columns = _changes(parts)
    windows = _windows(parts, images)
    replicates, medians = _bootstrapped(columns, windows, images, draws)
    table = Bootstrap(
        columns.sums.sum(axis=0) / columns.counts.sum(axis=0),
        replicates,
        leave_one_out(columns.sums, columns.counts),
    )
    signs = _sign_sums(parts, images)
    joint = _joint_sums(parts, columns) if rsum else {}
    p = _randomised(columns, signs, joint, images, draws)
    found = _means(columns, table, p, draws)
    found |= _medians(medians, p, draws)
    found |= {key: _rsum(key[0], columns, table, p[key], draws) for key in joint}
    return found


def _changes(parts: Sequence[QueryValues]) -> _Columns:
    sums, counts, keys = [], [], []
    for part in parts:
        for run in range(1, len(part.means)):
            change = part.means[run] - part.means[0]
            total, number = cluster_sums(change, part.clusters, part.images)
            sums.append(total)
            counts.append(number)
            keys += [(run, part.direction, name) for name in part.names]
    return _Columns(np.hstack(sums), np.hstack(counts), tuple(keys))


def _windows(parts: Sequence[QueryValues], images: int) -> dict[tuple[int, str], Window]:
    return {
        (run, part.direction): prepare(ranks, part.clusters, images)
        for part in parts
        if part.ranks is not None
        for run, ranks in enumerate(part.ranks)
    }


def _bootstrapped(
    columns: _Columns, windows: dict[tuple[int, str], Window], images: int, draws: Draws
) -> tuple[Floats, dict[tuple[int, str], Floats]]:
    """Return the replicates (B, K) of the columns and the medians (B,) of each run and direction."""
    distinct, which = np.unique(columns.counts, axis=1, return_inverse=True)
    tables = [np.column_stack([window.counts, window.cumulative]) for window in windows.values()]
    # One product for everything: each resample is read from memory once.
    together = np.hstack([columns.sums, distinct, *tables])
    cuts = np.cumsum([columns.sums.shape[1], distinct.shape[1], *(table.shape[1] for table in tables)])
    out = np.empty((draws.resamples, columns.sums.shape[1]))
    medians = {key: np.empty(draws.resamples) for key in windows}
    start = 0
    for block in weights(images, draws.resamples, draws.seed, rows(images)):
        stop = start + len(block)
        sums, counts, *reached = np.split(block @ together, cuts[:-1], axis=1)
        np.divide(sums, counts[:, which.ravel()], out=out[start:stop])
        for (key, window), found in zip(windows.items(), reached, strict=True):
            medians[key][start:stop] = medians_of_counts(window, block, found[:, 0], found[:, 1:])
        start = stop
    return out, medians


def _sign_sums(parts: Sequence[QueryValues], images: int) -> dict[Key, Floats]:
    """Return the per-image change of Mood's scores (C,) of each run: see `statistics.paired.median_test`."""
    found: dict[Key, Floats] = {}
    for part in parts:
        if part.ranks is None:
            continue
        for run in range(1, len(part.ranks)):
            pair = part.ranks[[0, run]]
            scores = np.sign(pair - np.median(pair))
            change = (scores[1] - scores[0])[:, None]
            found[run, part.direction, MEDIAN] = cluster_sums(change, part.clusters, images)[0][:, 0]
    return found


def _joint_sums(parts: Sequence[QueryValues], columns: _Columns) -> dict[Key, Floats]:
    """Return each image's share (C,) of the change in RSUM."""
    found = {}
    for run in range(1, len(parts[0].means)):
        chosen = _rsum_columns(columns, run)
        totals = columns.counts[:, chosen].sum(axis=0)
        found[run, BOTH, RSUM] = 100 * (columns.sums[:, chosen] / totals).sum(axis=1)
    return found


def _rsum_columns(columns: _Columns, run: int) -> list[int]:
    return [place for place, (own, _, name) in enumerate(columns.keys) if own == run and name in RSUM_HITS]


def _randomised(
    columns: _Columns,
    signs: dict[Key, Floats],
    joint: dict[Key, Floats],
    images: int,
    draws: Draws,
) -> dict[Key, float]:
    """Return the p-value of every difference: see `statistics.paired.randomisation_test`."""
    keys = (*columns.keys, *signs, *joint)
    extra = [one[:, None] for one in (*signs.values(), *joint.values())]
    sums = np.hstack([columns.sums, *extra])
    observed = np.abs(sums.sum(axis=0)) - SLACK * np.abs(sums).sum(axis=0)
    reached = np.zeros(sums.shape[1], dtype=np.int64)
    for block in swaps(images, draws.resamples, draws.seed, rows(images)):
        reached += np.count_nonzero(relabelled(sums, block) >= observed, axis=0)
    values = (1 + reached) / (1 + draws.resamples)
    return dict(zip(keys, values.tolist(), strict=True))


def _means(columns: _Columns, table: Bootstrap, p: dict[Key, float], draws: Draws) -> dict[Key, Tested]:
    both = zip(
        columns.keys,
        table.standard_errors.tolist(),
        intervals(table, draws.confidence, "percentile"),
        intervals(table, draws.confidence, "bca"),
        strict=True,
    )
    return {key: Tested(error, plain, bca, p[key]) for key, error, plain, bca in both}


def _medians(medians: dict[tuple[int, str], Floats], p: dict[Key, float], draws: Draws) -> dict[Key, Tested]:
    found = {}
    for (run, direction), drawn in medians.items():
        if run:
            change = drawn - medians[0, direction]
            key = (run, direction, MEDIAN)
            bounds = percentile_interval(change, draws.confidence)
            found[key] = Tested(float(change.std(ddof=1)), bounds, None, p[key])
    return found


def _rsum(run: int, columns: _Columns, table: Bootstrap, p: float, draws: Draws) -> Tested:
    total = _total(columns, table, run)
    plain = intervals(total, draws.confidence, "percentile")[0]
    bca = intervals(total, draws.confidence, "bca")[0]
    return Tested(float(total.standard_errors[0]), plain, bca, p)


def _total(columns: _Columns, table: Bootstrap, run: int) -> Bootstrap:
    """Return one run's six hits added up, resample by resample."""
    chosen = _rsum_columns(columns, run)
    hits = Bootstrap(table.estimates[chosen], table.replicates[:, chosen], table.jackknife[:, chosen])
    return combine(hits, [100.0] * len(chosen))


def run_intervals(parts: Sequence[QueryValues], draws: Draws, *, rsum: bool) -> dict[Key, Interval]:
    """Return the interval of every run's own value: BCa for means and RSUM, percentile for medians.

    parts and rsum are as in `tested`. Nothing is said of fewer than 2 images.
    """
    if parts[0].images < 2:
        return {}
    columns = _values(parts)
    windows = _windows(parts, parts[0].images)
    replicates, medians = _bootstrapped(columns, windows, parts[0].images, draws)
    estimates = columns.sums.sum(axis=0) / columns.counts.sum(axis=0)
    table = Bootstrap(estimates, replicates, leave_one_out(columns.sums, columns.counts))
    found = dict(zip(columns.keys, intervals(table, draws.confidence, "bca"), strict=True))
    for (run, direction), drawn in medians.items():
        found[run, direction, MEDIAN] = percentile_interval(drawn, draws.confidence)
    if rsum:
        for run in range(len(parts[0].means)):
            total = _total(columns, table, run)
            found[run, BOTH, RSUM] = intervals(total, draws.confidence, "bca")[0]
    return found


def _values(parts: Sequence[QueryValues]) -> _Columns:
    sums, counts, keys = [], [], []
    for part in parts:
        runs, queries, measures = part.means.shape
        side_by_side = part.means.transpose(1, 0, 2).reshape(queries, runs * measures)
        total, number = cluster_sums(side_by_side, part.clusters, part.images)
        sums.append(total)
        counts.append(number)
        keys += [(run, part.direction, name) for run in range(runs) for name in part.names]
    return _Columns(np.hstack(sums), np.hstack(counts), tuple(keys))
