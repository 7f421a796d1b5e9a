"""One run by groups of its queries: where is it good, where is it bad? Reads ledgers, computes nothing else anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipbench.errors import CompareError
from clipbench.records import Direction
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.common import common_queries
from clipbench.study.comparing.comparison import CompareRequest, Estimate
from clipbench.study.comparing.grouping import Queries, grouping
from clipbench.study.comparing.groups import QueryGroup
from clipbench.study.comparing.resampling import Draws, run_intervals
from clipbench.study.comparing.values import MEDIAN, QueryValues, metric_names, per_query
from clipbench.study.runs.loaded import LoadedRun, load_run

METRICS = ("hit@1", "hit@5", "hit@10", "MRR")
"""What is told of each group where the run has it."""

PERTURBATION, RANKS = "perturbation", "rank-bucket"


@dataclass(frozen=True, slots=True)
class GroupValues:
    """One group's queries of one direction: how many, of how many images, and each metric with its interval."""

    group: str
    direction: Direction
    queries: int
    images: int
    values: tuple[tuple[str, Estimate], ...]


@dataclass(frozen=True)
class GroupedRun:
    """A run by groups; the group "" is all queries. notes: what a reader must know of the groups."""

    run: StoredRun
    by: str
    groups: tuple[GroupValues, ...]
    notes: tuple[str, ...]


def by_group(store: Store, run: StoredRun, request: CompareRequest) -> GroupedRun:
    """Return the metrics of one run on all of its queries and within each group by `request.by`.

    Raises CompareError where there is no such grouping of one run's queries, or no query in it.
    """
    by = request.by or ""
    if by == PERTURBATION:
        raise CompareError(
            "one run is under one perturbation", "clipbench report --compare RUN RUN --by perturbation"
        )
    loaded = load_run(store, run)
    names = tuple(name for name in metric_names([loaded]) if name in METRICS)
    common = common_queries([loaded])
    needed = (*names, MEDIAN) if by == RANKS else names
    values = [per_query([loaded], one, needed) for one in common]
    grouped = grouping(store, by, request.policy, Queries([loaded], common, values))
    draws = Draws(request.resamples, request.seed, float(str(loaded.protocol["confidence"])))
    whole = QueryGroup("", {part.direction: np.ones(len(part.ids), dtype=np.bool_) for part in values})
    found = [_as_stored(row, loaded) for row in _rows(whole, values, names, draws)]
    found += [row for group in grouped.groups for row in _rows(group, values, names, draws)]
    # What a rank in the baseline does to differences is nothing to one run.
    notes = () if by == RANKS else grouped.notes
    return GroupedRun(run, by, tuple(found), notes)


def _as_stored(row: GroupValues, loaded: LoadedRun) -> GroupValues:
    """Return the values of all queries with the run's own intervals, as every other table shows them."""
    stored = [(name, loaded.metrics[row.direction, name]) for name, _ in row.values]
    return replace(row, values=tuple((name, Estimate(m.value, m.low, m.high)) for name, m in stored))


def _rows(
    group: QueryGroup, values: Sequence[QueryValues], names: Sequence[str], draws: Draws
) -> list[GroupValues]:
    rows = []
    for whole in values:
        if whole.direction not in group.members:
            continue
        part = whole.part(group.members[whole.direction])
        bounds = run_intervals((part,), draws, rsum=False)
        shown = []
        for place, name in enumerate(part.names):
            if name in names:
                bound = bounds.get((0, part.direction, name))
                mean = float(part.means[0, :, place].mean())
                shown.append(
                    (name, Estimate(mean) if bound is None else Estimate(mean, bound.low, bound.high))
                )
        rows.append(GroupValues(group.name, part.direction, len(part.ids), part.images, tuple(shown)))
    return rows
