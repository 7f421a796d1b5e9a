"""One value per query, metric and run: what the statistics of a comparison work on. Pure.

Every value follows from a run's ledger under the run's own tie policy; a missing one cannot arise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError, StoreError
from clipbench.metrics.measures import AT_K, PLAIN, measure
from clipbench.metrics.ties import groups
from clipbench.records import METRIC_VERSION, Direction, Ledger, TiePolicy
from clipbench.study.comparing.common import CommonQueries, Rows
from clipbench.study.evaluation.protocol import RSUM, RSUM_HITS
from clipbench.study.runs.loaded import LoadedRun

Floats: TypeAlias = npt.NDArray[np.float64]
Booleans: TypeAlias = npt.NDArray[np.bool_]

MEDIAN = "MedR"
BOTH = "both"
TOLERANCE = 1e-9
"""How far a mean may be from the stored metric, relative to it, before the store is called damaged."""


@dataclass(frozen=True, eq=False)
class QueryValues:
    """One direction's values of all runs, on the queries they have in common.

    names           the measures that are means, M of them
    means  (R, Q, M)  one value per run, query and measure
    ranks  (R, Q)   the best positive's rank, None where the median is not asked for
    hits   per hit@K, (R, Q): hit or miss, a tied hit a miss unless the run's policy says otherwise
    clusters (Q,)   the image of each query, in 0..images-1
    """

    direction: Direction
    ids: tuple[str, ...]
    names: tuple[str, ...]
    means: Floats
    ranks: Floats | None
    hits: Mapping[str, Booleans]
    clusters: Rows
    images: int

    def part(self, members: Booleans) -> QueryValues:
        """Return the values of some queries (Q,), their images counted anew."""
        kept = np.flatnonzero(members)
        present, clusters = np.unique(self.clusters[kept], return_inverse=True)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in kept.tolist()),
            means=self.means[:, kept],
            ranks=None if self.ranks is None else self.ranks[:, kept],
            hits={name: hits[:, kept] for name, hits in self.hits.items()},
            clusters=clusters.astype(np.int64),
            images=len(present),
        )

    def of(self, runs: Sequence[int]) -> QueryValues:
        """Return the values of some runs."""
        chosen = list(runs)
        return replace(
            self,
            means=self.means[chosen],
            ranks=None if self.ranks is None else self.ranks[chosen],
            hits={name: hits[chosen] for name, hits in self.hits.items()},
        )


def metric_names(loaded_runs: Sequence[LoadedRun], wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the metrics to compare: those that every run stored, or the wanted ones among them.

    Raises CompareError for a wanted metric that a run has not.
    """
    stored = [
        list(
            dict.fromkeys(name for d, name in loaded.metrics if is_measure(name) or (d, name) == (BOTH, RSUM))
        )
        for loaded in loaded_runs
    ]
    shared = [name for name in stored[0] if all(name in names for names in stored)]
    if not wanted:
        return tuple(shared)
    asked = [RSUM if word.casefold() == RSUM else measure(word).name for word in wanted]
    lacking = [name for name in asked if name not in shared]
    if lacking:
        raise CompareError(
            f"not every run has {', '.join(lacking)}; all of them have {', '.join(shared)}",
            "clipbench evaluate DATASET --k K measures more cutoffs",
        )
    return tuple(dict.fromkeys(asked))


def is_measure(name: str) -> bool:
    """Whether a stored metric is one of the measures, not a chance level, count or deviation over folds."""
    family, _, cutoff = name.partition("@")
    return name in PLAIN or (family in AT_K and cutoff.isdigit())


SAME_AS_HIT = ("R-Precision", "mAP@R")
"""Measures that are hit@1 by definition where every query has one right item."""


def repeated(loaded_runs: Sequence[LoadedRun], direction: Direction) -> tuple[str, ...]:
    """Return the measures that would only say hit@1 again: each query of the direction has one right item."""
    ledgers = [loaded.ledgers[direction] for loaded in loaded_runs if direction in loaded.ledgers]
    return SAME_AS_HIT if all(len(one.positive) == one.queries for one in ledgers) else ()


def per_query(loaded_runs: Sequence[LoadedRun], common: CommonQueries, names: Sequence[str]) -> QueryValues:
    """Return the values of one direction under each run's own tie policy."""
    means = tuple(name for name in names if name not in {MEDIAN, RSUM})
    if "hit@1" in names:
        means = tuple(name for name in means if name not in repeated(loaded_runs, common.direction))
    ordered = means if RSUM not in names else tuple(dict.fromkeys((*means, *RSUM_HITS)))
    tables, ranks = [], []
    for loaded, rows in zip(loaded_runs, common.rows, strict=True):
        ledger = loaded.ledgers[common.direction]
        found = groups(ledger, loaded.ties)
        table = np.stack([measure(name).definition(found) for name in ordered], axis=1)
        if (fold := _shared_fold(loaded_runs)) is not None:
            table *= _fold_weights(ledger, fold)[:, None]
        tables.append(table[rows])
        if MEDIAN in names:
            ranks.append(measure(MEDIAN).definition(found)[rows])
    hits = {name: _hits(loaded_runs, common, name) for name in ordered if name.startswith("hit@")}
    return QueryValues(
        common.direction,
        common.ids,
        ordered,
        np.stack(tables),
        np.stack(ranks) if ranks else None,
        hits,
        common.clusters,
        common.images,
    )


def whole_hits(policy: TiePolicy) -> TiePolicy:
    """Return the policy under which a hit is whole: a hit that hangs on the order of ties is a miss."""
    return "pessimistic" if policy == "expected" else policy


def check_stored(loaded: LoadedRun, values: QueryValues, run: int) -> None:
    """Hold the means of run number `run` against its stored metrics.

    Raises StoreError where they differ: then ledger or metrics are not what they were.
    """
    if loaded.run.spec.metric_version != METRIC_VERSION or values.means.shape[1] == 0:
        return
    found = values.means[run].mean(axis=0)
    for name, value in zip(values.names, found.tolist(), strict=True):
        stored = loaded.metrics.get((values.direction, name))
        if stored is not None and abs(stored.value - value) > TOLERANCE * max(1.0, abs(value)):
            raise StoreError(
                f"{values.direction} {name} of run {loaded.run.key} is {value:.10g} by its ledger, "
                f"{stored.value:.10g} was stored",
                "clipbench store verify",
            )


def _hits(loaded_runs: Sequence[LoadedRun], common: CommonQueries, name: str) -> Booleans:
    definition = measure(name).definition
    rows = [
        definition(groups(loaded.ledgers[common.direction], whole_hits(loaded.ties)))[own] > 0.5
        for loaded, own in zip(loaded_runs, common.rows, strict=True)
    ]
    return np.stack(rows)


def _shared_fold(loaded_runs: Sequence[LoadedRun]) -> int | None:
    folds = {loaded.fold for loaded in loaded_runs}
    return folds.pop() if len(folds) == 1 else None


def _fold_weights(ledger: Ledger, size: int) -> Floats:
    """Return weights (Q,) under which a mean over queries is the mean over folds of each fold's mean."""
    fold = ledger.cluster // size
    counts = np.bincount(fold)
    weights: Floats = len(fold) / (len(counts) * counts[fold].astype(np.float64))
    return weights
