"""What a run does with the labelled queries, category by category; `changes` knows what two runs do.

Categories are people's labels of the very failures, so whatever is told of one of them is an oracle's figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError, CompareError
from clipbench.failures.items import Failure
from clipbench.failures.merging import merge
from clipbench.failures.taxonomy import NAMES
from clipbench.keys import short
from clipbench.metrics.measures import best_ranks, measure
from clipbench.records import Direction, Ledger
from clipbench.statistics.bootstrap import RESAMPLES, bootstrap, cluster_sums, intervals
from clipbench.statistics.intervals import Interval, wilson
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, load_ledgers
from clipbench.study.annotation.labels import Scope, given
from clipbench.study.annotation.sampling import run_gallery
from clipbench.study.galleries import Gallery

LABELLED, EVERYTHING = "all labelled failures", "all queries"

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CategoryResult:
    """What a run does with the queries of one group. hits: (K, share, interval); median and mean of ranks.

    Intervals are Wilson's; of all queries, the cluster bootstrap's over images.
    """

    name: str
    n: int
    hits: tuple[tuple[int, float, Interval], ...]
    median: float
    mean: float


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
            if name == EVERYTHING:
                bounds = over_images(own, found.ledger.cluster, confidence)
            else:
                bounds = wilson(float(own.sum()), len(own), confidence)
            hits.append((k, float(own.mean()), bounds))
        own_ranks = ranks[places]
        results.append(
            CategoryResult(
                name, len(places), tuple(hits), float(np.median(own_ranks)), float(own_ranks.mean())
            )
        )
    return tuple(results)


def over_images(
    values: Floats, clusters: npt.NDArray[np.int32], confidence: float, resamples: int = RESAMPLES
) -> Interval:
    """Return the interval of a mean over all queries, of which those of one image share its fate."""
    if len(np.unique(clusters)) < 2:
        return wilson(float(values.sum()), len(values), confidence)
    (found,) = intervals(bootstrap(*cluster_sums(values, clusters), resamples), confidence)
    return found


def groups(found: Ranked, within: Scope, policy: str) -> dict[str, Places]:
    """Return the queries of each category that occurs, and of all labelled failures, as places in the run.

    With count-all a query may be in two categories. Raises CompareError for labelled queries that the run
    did not rank, ClipbenchError where the policy leaves none.
    """
    failures = {label.key: label.failure for label in within.labels}
    missing = sorted({query_of(f) for f in failures.values()} - set(found.place))
    if missing:
        raise CompareError(
            f"{len(missing)} labelled queries were not ranked by run {short(found.run.key)}, first {missing[0]}",
            "evaluate the run on the same dataset, without missing photographs",
        )
    merged = merge(given(within.labels), policy)
    by_name = {
        name: sorted({found.place[query_of(failures[g.item])] for g in merged.counted if g.category == name})
        for name in NAMES
    }
    every = sorted({found.place[query_of(failures[g.item])] for g in merged.counted})
    if not every:
        raise ClipbenchError(
            f"the merge policy {policy} leaves none of {len(failures)} labelled failures",
            "--policy count-all, or clipbench annotate adjudicate",
        )
    named = {name: np.array(places, dtype=np.int64) for name, places in by_name.items() if places}
    return {**named, LABELLED: np.array(every, dtype=np.int64)}


def _direction(within: Scope) -> Direction:
    directions = sorted({label.failure.direction for label in within.labels})
    if len(directions) > 1:
        raise CompareError("the labels are of both directions", "--sample KEY chooses one of them")
    return directions[0]


def query_of(failure: Failure) -> str:
    """Return the id of the query that failed: the caption, or for i2t the image."""
    return failure.caption_id if failure.direction == "t2i" else failure.retrieved_id
