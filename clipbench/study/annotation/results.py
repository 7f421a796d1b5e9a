"""What a run does with the labelled queries, and what changes between two runs, category by category.

Categories are people's labels of the very failures, so a gain on one of them is an oracle's figure: it is
shown beside as many queries that did not fail, and beside all queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError
from clipbench.failures.items import CONTROL, Failure
from clipbench.failures.merging import merge
from clipbench.failures.sampling import LEGACY_SEED, matched
from clipbench.failures.taxonomy import NAMES
from clipbench.keys import short
from clipbench.metrics.measures import best_ranks, measure
from clipbench.records import Direction, Ledger
from clipbench.statistics.flips import Flips, mcnemar
from clipbench.statistics.intervals import Interval, wilson
from clipbench.statistics.multiple import holm
from clipbench.statistics.paired import paired_difference
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, load_ledgers
from clipbench.study.annotation.labels import Scope, given
from clipbench.study.annotation.sampling import run_gallery
from clipbench.study.galleries import Gallery

LABELLED, CONTROLS, EVERYTHING = "all labelled failures", "matched non-failures", "all queries"

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CategoryResult:
    """What a run does with the queries of one group. hits: (K, share, interval); median and mean of ranks."""

    name: str
    n: int
    hits: tuple[tuple[int, float, Interval], ...]
    median: float
    mean: float


@dataclass(frozen=True)
class CategoryChange:
    """What changes between two runs on the queries of one group.

    before, after: share of hits. interval: of their difference, cluster bootstrap over images, None where
    there are fewer than two images. p: McNemar's, p_holm: corrected over the categories, None for the others.
    """

    name: str
    n: int
    before: float
    after: float
    interval: Interval | None
    flips: Flips
    p_holm: float | None = None


@dataclass(frozen=True)
class Ranked:
    """The queries of one direction of a run, in its order, with where each id stands."""

    run: StoredRun
    ledger: Ledger
    gallery: Gallery
    place: Mapping[str, int]

    def hits(self, k: int) -> Floats:
        """Return 1.0 for queries whose own item is among the first k, ties counted against it."""
        return measure(f"hit@{k}")(self.ledger, "pessimistic")


def ranked(store: Store, run: StoredRun, within: Scope) -> Ranked:
    """Return a run's queries in the direction of the labels.

    Raises CompareError where the run is on another dataset or lacks the direction.
    """
    if run.fingerprint != within.fingerprint:
        raise CompareError(
            f"run {short(run.key)} is on {run.dataset_name} ({short(run.fingerprint)}), the labels are of "
            f"{within.what} ({short(within.fingerprint)})",
            f"clipbench runs list --dataset {within.what}",
        )
    direction = _direction(within)
    ledgers = load_ledgers(store, run.key)
    if direction not in ledgers:
        raise CompareError(f"run {short(run.key)} has no direction {direction}, in which the labels are")
    gallery = run_gallery(store, run, load_dataset(store, run.spec.dataset))
    ids = [c.id for c in gallery.captions] if direction == "t2i" else [s.id for s in gallery.samples]
    return Ranked(run, ledgers[direction], gallery, {id_: place for place, id_ in enumerate(ids)})


def category_results(
    store: Store,
    run: StoredRun,
    within: Scope,
    policy: str,
    ks: Sequence[int] = (1, 5, 10),
    confidence: float = 0.95,
) -> tuple[CategoryResult, ...]:
    """Return hits and ranks of a run on each category, on all labelled failures, and on all queries."""
    found = ranked(store, run, within)
    ranks = best_ranks(found.ledger)
    results = []
    for name, places in {
        **groups(found, within, policy),
        EVERYTHING: np.arange(found.ledger.queries),
    }.items():
        hits = []
        for k in ks:
            own = found.hits(k)[places]
            hits.append((k, float(own.mean()), wilson(float(own.sum()), len(own), confidence)))
        own_ranks = ranks[places]
        results.append(
            CategoryResult(
                name, len(places), tuple(hits), float(np.median(own_ranks)), float(own_ranks.mean())
            )
        )
    return tuple(results)


def category_changes(
    store: Store,
    runs: tuple[StoredRun, StoredRun],
    within: Scope,
    policy: str,
    k: int = 1,
    resamples: int = 2000,
) -> tuple[CategoryChange, ...]:
    """Return what changes from the first run to the second: per category, on controls, and on all queries.

    Raises CompareError where the runs hold different queries.
    """
    first, second = (ranked(store, run, within) for run in runs)
    if list(first.place) != list(second.place):
        raise CompareError(
            f"the runs hold {len(first.place):,} and {len(second.place):,} queries, not the same ones",
            "evaluate both on the same dataset, without missing photographs",
        )
    by_name = dict(groups(first, within, policy))
    by_name[CONTROLS] = _controls(first, within, by_name[LABELLED])
    by_name[EVERYTHING] = np.arange(first.ledger.queries)
    before, after = first.hits(k), second.hits(k)
    changes = [
        _change(name, (before[places], after[places], first.ledger.cluster[places]), resamples)
        for name, places in by_name.items()
        if len(places)
    ]
    categories = [change for change in changes if change.name in NAMES]
    adjusted: dict[str, float] = {}
    if categories:
        corrected = holm([change.flips.p for change in categories]).tolist()
        adjusted = dict(zip((change.name for change in categories), corrected, strict=True))
    return tuple(
        CategoryChange(c.name, c.n, c.before, c.after, c.interval, c.flips, adjusted.get(c.name))
        for c in changes
    )


def groups(found: Ranked, within: Scope, policy: str) -> dict[str, Places]:
    """Return the queries of each category that occurs, and of all labelled failures, as places in the run.

    With count-all a query may be in two categories. Raises CompareError for labelled queries that the run
    did not rank.
    """
    failures = {label.key: label.failure for label in within.labels}
    missing = sorted({_query(f) for f in failures.values()} - set(found.place))
    if missing:
        raise CompareError(
            f"{len(missing)} labelled queries were not ranked by run {short(found.run.key)}, first {missing[0]}",
            "evaluate the run on the same dataset, without missing photographs",
        )
    merged = merge(given(within.labels), policy)
    by_name = {
        name: sorted({found.place[_query(failures[g.item])] for g in merged.counted if g.category == name})
        for name in NAMES
    }
    every = sorted({found.place[_query(failures[g.item])] for g in merged.counted})
    named = {name: np.array(places, dtype=np.int64) for name, places in by_name.items() if places}
    return {**named, LABELLED: np.array(every, dtype=np.int64)}


def _change(
    name: str, values: tuple[Floats, Floats, npt.NDArray[np.int32]], resamples: int
) -> CategoryChange:
    before, after, clusters = values
    interval = None
    if len(np.unique(clusters)) > 1:
        (difference,) = paired_difference(before, after, clusters, resamples)
        interval = difference.bca or difference.percentile
    return CategoryChange(
        name, len(before), float(before.mean()), float(after.mean()), interval, mcnemar(before, after)
    )


def _controls(found: Ranked, within: Scope, labelled: Places) -> Places:
    """Return the sample's stored controls, else as many successes of the run, each near a failure in length."""
    stored = [item.failure for item in within.sample.items if item.role == CONTROL] if within.sample else []
    known = [found.place[_query(f)] for f in stored if _query(f) in found.place]
    if known:
        return np.array(sorted(known), dtype=np.int64)
    names = list(found.place)
    hits = found.hits(1)
    sizes = _sizes(found)
    wanted = [(names[place], sizes[place]) for place in labelled.tolist()]
    offered = [(names[place], sizes[place]) for place in np.flatnonzero(hits == 1).tolist()]
    chosen = matched(wanted, offered, LEGACY_SEED)
    return np.array(sorted(found.place[id_] for id_ in chosen), dtype=np.int64)


def _sizes(found: Ranked) -> list[int]:
    if found.ledger.direction == "t2i":
        return [len(caption.text.split()) for caption in found.gallery.captions]
    return [0] * found.ledger.queries


def _direction(within: Scope) -> Direction:
    directions = sorted({label.failure.direction for label in within.labels})
    if len(directions) > 1:
        raise CompareError("the labels are of both directions", "--sample KEY chooses one of them")
    return directions[0]


def _query(failure: Failure) -> str:
    return failure.caption_id if failure.direction == "t2i" else failure.retrieved_id
