"""What changes between two runs on the labelled failures, and how much of that is their choice alone.

Failures of the first run can only get better and its successes only worse, whatever the second run is worth
(regression to the mean). So the change is shown on failures, on successes and on all queries, and beside
each choice of queries stands a placebo: what the same choice, made from the second run, gives going back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError
from clipbench.failures.items import CONTROL
from clipbench.failures.sampling import LEGACY_SEED, matched
from clipbench.failures.taxonomy import NAMES
from clipbench.metrics.measures import best_ranks
from clipbench.statistics.bootstrap import bootstrap, cluster_sums, combine, intervals
from clipbench.statistics.flips import Flips, mcnemar
from clipbench.statistics.intervals import Interval
from clipbench.statistics.multiple import holm
from clipbench.statistics.paired import paired_difference
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun
from clipbench.study.annotation.categories import query_of
from clipbench.study.annotation.labels import Scope
from clipbench.study.annotation.results import (
    ALL_QUERIES,
    LABELLED,
    Floats,
    LabelledRun,
    Rows,
    labelled_run,
    rows_by_category,
)

CONTROLS = "matched non-failures"

FEWEST_IMAGES = 20
"""With fewer images on either side a resample may hold none of them: no interval then."""


@dataclass(frozen=True)
class Placebo:
    """The change that the choice of queries makes by itself.

    n: queries that the second run ranks as the first ranks the group's. change: their share of hits in the
    first run less that in the second. beyond: the group's change less this one. interval: of `beyond`,
    None where either side has fewer than FEWEST_IMAGES images.
    """

    n: int
    change: float
    beyond: float
    interval: Interval | None


@dataclass(frozen=True)
class CategoryChange:
    """What changes between two runs on the queries of one group.

    before, after: share of hits. interval: of their difference, cluster bootstrap over images, None where
    there are fewer than two images. p_holm: McNemar's p corrected over the categories, None for the others.
    placebo: None for all queries, among which nothing was chosen.
    """

    name: str
    n: int
    before: float
    after: float
    interval: Interval | None
    flips: Flips
    placebo: Placebo | None
    p_holm: float | None = None


@dataclass(frozen=True)
class Changes:
    """Every group's change. controls: how the matched non-failures were chosen, in words.

    drawn_from_first: whether the labelled failures were drawn from the first run; None where unknown.
    """

    rows: tuple[CategoryChange, ...]
    controls: str
    drawn_from_first: bool | None


def category_changes(
    store: Store,
    runs: tuple[StoredRun, StoredRun],
    within: Scope,
    policy: str,
    k: int = 1,
    resamples: int = 2000,
) -> Changes:
    """Return what changes from the first run to the second: per category, on controls, and on all queries.

    Raises CompareError where the runs hold different queries.
    """
    first, second = (labelled_run(store, run, within) for run in runs)
    if list(first.row) != list(second.row):
        raise CompareError(
            f"the runs hold {len(first.row):,} and {len(second.row):,} queries, not the same ones",
            "evaluate both on the same dataset, without missing photographs",
        )
    by_name = rows_by_category(first, within, policy)
    by_name[CONTROLS], how = _controls(first, within, by_name[LABELLED])
    by_name[ALL_QUERIES] = np.arange(first.ledger.queries)
    rows = [
        _change(name, (first, second), places, k, resamples)
        for name, places in by_name.items()
        if len(places)
    ]
    drawn = None if within.sample is None else within.sample.run == first.key
    return Changes(tuple(_corrected(rows)), how, drawn)


def _corrected(rows: Sequence[CategoryChange]) -> list[CategoryChange]:
    """Return the rows with McNemar's p-values of the categories corrected for their number."""
    categories = [row for row in rows if row.name in NAMES]
    adjusted = holm([row.flips.p for row in categories]).tolist() if categories else []
    of = dict(zip((row.name for row in categories), adjusted, strict=True))
    return [
        CategoryChange(r.name, r.n, r.before, r.after, r.interval, r.flips, r.placebo, of.get(r.name))
        for r in rows
    ]


def _change(
    name: str, runs: tuple[LabelledRun, LabelledRun], places: Rows, k: int, resamples: int
) -> CategoryChange:
    before, after = (run.hits(k)[places] for run in runs)
    clusters = runs[0].ledger.cluster[places]
    interval = None
    if len(np.unique(clusters)) > 1:
        (difference,) = paired_difference(before, after, clusters, resamples)
        interval = difference.bca or difference.percentile
    return CategoryChange(
        name=name,
        n=len(before),
        before=float(before.mean()),
        after=float(after.mean()),
        interval=interval,
        flips=mcnemar(before, after),
        placebo=None if name == ALL_QUERIES else placebo(runs, places, k, resamples),
    )


def placebo(runs: tuple[LabelledRun, LabelledRun], places: Rows, k: int, resamples: int) -> Placebo:
    """Return what happens, going back, to queries that the second run ranks as the first ranks these.

    Were the two runs equally good, either could be called the first: going back must then gain as much as
    going on. What is gained beyond that is not owed to the choice of the queries.
    """
    first, second = runs
    names = list(first.row)
    mine, others = (np.ceil(best_ranks(run.ledger)).astype(int).tolist() for run in runs)
    wanted = [(names[place], mine[place]) for place in places.tolist()]
    offered = list(zip(names, others, strict=True))
    back = np.array(sorted(first.row[id_] for id_ in matched(wanted, offered, LEGACY_SEED)), dtype=np.int64)
    change = second.hits(k) - first.hits(k)
    on, returned = change[places], -change[back]
    gained = float(returned.mean())
    clusters = first.ledger.cluster
    interval = _interval_of_difference((on, clusters[places]), (returned, clusters[back]), resamples)
    return Placebo(len(back), gained, float(on.mean()) - gained, interval)


def _interval_of_difference(
    one: tuple[Floats, npt.NDArray[np.int32]], other: tuple[Floats, npt.NDArray[np.int32]], resamples: int
) -> Interval | None:
    """Return the interval of mean(one) − mean(other), images resampled once for both; None for few images."""
    images = [np.unique(clusters) for _, clusters in (one, other)]
    if min(map(len, images)) < FEWEST_IMAGES:
        return None
    every = np.union1d(*images)
    tables = [cluster_sums(values, np.searchsorted(every, own), len(every)) for values, own in (one, other)]
    sums, counts = (np.hstack(parts) for parts in zip(*tables, strict=True))
    (found,) = intervals(combine(bootstrap(sums, counts, resamples), [1.0, -1.0]))
    return found


def _controls(found: LabelledRun, within: Scope, labelled: Rows) -> tuple[Rows, str]:
    """Return the sample's stored controls, else as many successes, each near a failure in length; and which."""
    stored = [item.failure for item in within.sample.items if item.role == CONTROL] if within.sample else []
    t2i = found.ledger.direction == "t2i"
    words = "each of about as many words as a failure" if t2i else "drawn by hash"
    alike = f"{words}, and alike in nothing else"
    known = sorted(found.row[query_of(f)] for f in stored if query_of(f) in found.row)
    worse = "; by chance alone they can only get worse"
    if known:
        own = within.sample is not None and within.sample.run == found.key
        how = f"successes that were drawn with the sample, {alike}{worse if own else ''}"
        return np.array(known, dtype=np.int64), how
    names = list(found.row)
    sizes = (
        [len(caption.text.split()) for caption in found.loaded.gallery.captions]
        if t2i
        else [0] * found.ledger.queries
    )
    wanted = [(names[place], sizes[place]) for place in labelled.tolist()]
    offered = [(names[place], sizes[place]) for place in np.flatnonzero(found.hits(1) == 1).tolist()]
    chosen = matched(wanted, offered, LEGACY_SEED)
    places = np.array(sorted(found.row[id_] for id_ in chosen), dtype=np.int64)
    return places, f"successes of the first run, {alike}{worse}"
