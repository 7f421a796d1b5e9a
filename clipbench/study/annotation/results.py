"""What a run does with the labelled queries, category by category; `changes` knows what two runs do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError, CompareError
from clipbench.keys import short
from clipbench.metrics.measures import best_ranks, measure
from clipbench.records import Ledger
from clipbench.statistics.bootstrap import RESAMPLES, bootstrap, cluster_sums, intervals
from clipbench.statistics.intervals import Interval, wilson
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun
from clipbench.study.annotation.categories import categorised
from clipbench.study.annotation.labels import Scope
from clipbench.study.runs.loaded import LoadedRun, load_run

LABELLED, ALL_QUERIES = "all labelled failures", "all queries"

Rows = npt.NDArray[np.int64]
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
class LabelledRun:
    """A run in the direction of the labels. row: where the query of each id stands in the ledger."""

    loaded: LoadedRun
    ledger: Ledger
    row: Mapping[str, int]

    @property
    def key(self) -> str:
        """The run's key."""
        return self.loaded.run.key

    def hits(self, k: int) -> Floats:
        """Return 1.0 for queries whose own item is among the first k, ties counted against it."""
        return measure(f"hit@{k}")(self.ledger, "pessimistic")


def labelled_run(store: Store, run: StoredRun, within: Scope) -> LabelledRun:
    """Return a run in the direction of the labels.

    Raises CompareError where the run is on another dataset or lacks the direction, or labels are of both.
    """
    if run.fingerprint != within.fingerprint:
        raise CompareError(
            f"run {short(run.key)} is on {run.dataset_name} ({short(run.fingerprint)}), the labels are of "
            f"{within.what} ({short(within.fingerprint)})",
            f"clipbench runs list --dataset {within.what}",
        )
    directions = sorted({label.failure.direction for label in within.labels})
    if len(directions) > 1:
        raise CompareError("the labels are of both directions", "--sample KEY chooses one of them")
    loaded = load_run(store, run)
    row = {query: row for row, query in enumerate(loaded.query_ids(directions[0]))}
    return LabelledRun(loaded, loaded.ledger(directions[0]), row)


def category_results(
    store: Store,
    run: StoredRun,
    within: Scope,
    policy: str,
    ks: Sequence[int] = (1, 5, 10),
    confidence: float = 0.95,
) -> tuple[CategoryResult, ...]:
    """Return hits and ranks of a run on each category, on all labelled failures, and on all queries."""
    labelled = labelled_run(store, run, within)
    groups = rows_by_category(labelled, within, policy)
    chosen = tuple(_result(labelled, name, rows, ks, confidence) for name, rows in groups.items())
    return (*chosen, _result(labelled, ALL_QUERIES, np.arange(labelled.ledger.queries), ks, confidence))


def _result(
    labelled: LabelledRun, name: str, rows: Rows, ks: Sequence[int], confidence: float
) -> CategoryResult:
    ranks = best_ranks(labelled.ledger)[rows]
    hits = []
    for k in ks:
        own = labelled.hits(k)[rows]
        clusters = labelled.ledger.cluster[rows]
        if name == ALL_QUERIES and len(np.unique(clusters)) > 1:
            # Queries of one image share its fate. Among the labelled ones an image rarely has a second.
            (bounds,) = intervals(bootstrap(*cluster_sums(own, clusters), RESAMPLES), confidence)
        else:
            bounds = wilson(float(own.sum()), len(own), confidence)
        hits.append((k, float(own.mean()), bounds))
    return CategoryResult(name, len(rows), tuple(hits), float(np.median(ranks)), float(ranks.mean()))


def rows_by_category(labelled: LabelledRun, within: Scope, policy: str) -> dict[str, Rows]:
    """Return the queries of each category that occurs, and of all labelled failures, as rows of the ledger.

    With count-all a query may be in two categories. Raises CompareError for labelled queries that the run
    did not rank, ClipbenchError where the policy leaves none.
    """
    every = categorised(within.labels, "count-all").labelled
    missing = sorted(set(every) - set(labelled.row))
    if missing:
        raise CompareError(
            f"{len(missing)} labelled queries were not ranked by run {short(labelled.key)}, first {missing[0]}",
            "evaluate the run on the same dataset, without missing photographs",
        )
    counted = categorised(within.labels, policy)
    if not counted.labelled:
        raise ClipbenchError(
            f"the merge policy {policy} leaves none of {len({label.key for label in within.labels})} labelled "
            "failures",
            "--policy count-all, or clipbench annotate adjudicate",
        )
    groups = {**counted.by_category, LABELLED: counted.labelled}
    return {name: np.array(sorted(labelled.row[id_] for id_ in ids)) for name, ids in groups.items()}
