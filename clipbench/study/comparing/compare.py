"""Is the difference real? Two or more stored runs, every metric, with intervals and tests.

Reads ledgers and metrics; every number follows from them. Differences are run − baseline. Images are the
clusters throughout; the family that p-values are corrected over is the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from clipbench.errors import CompareError
from clipbench.keys import short
from clipbench.records import DIRECTIONS
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.common import common_queries
from clipbench.study.comparing.comparable import check_comparable, refusal
from clipbench.study.comparing.comparison import HOLM_UP_TO, CompareRequest, Comparison, Line
from clipbench.study.comparing.flips import ChangedQuery, changed_most
from clipbench.study.comparing.grouping import Grouping, Queries, grouping
from clipbench.study.comparing.groups import Categories, QueryGroup, group_notes, perturbation_pairs
from clipbench.study.comparing.lines import Block, corrected, lines_of
from clipbench.study.comparing.references import resolve_one, resolve_runs
from clipbench.study.comparing.values import (
    MEDIAN,
    QueryValues,
    check_stored,
    is_measure,
    metric_names,
    per_query,
    repeated,
    whole_hits,
)
from clipbench.study.evaluation.protocol import RSUM
from clipbench.study.runs.loaded import LoadedRun, load_runs

AT_ONCE = 40
"""Runs whose resamples are held at a time: some 150 MB with the usual metrics."""

GROUPED = ("hit@1", "hit@5", "hit@10", "MRR")
"""Metrics of a comparison by groups of queries where none are named."""

PERTURBATION = "perturbation"


def compare_named(
    store: Store, references: Sequence[str], request: CompareRequest, baseline: str | None = None
) -> Comparison:
    """Return the comparison of the runs that the references mean; the first is the baseline unless one is named.

    Raises StoreError for a reference that means nothing, CompareError for runs that do not compare.
    """
    runs = resolve_runs(store, references)
    number = 0
    if baseline is not None:
        base = resolve_one(store, baseline)
        keys = [run.key for run in runs]
        if base.key not in keys:
            runs, keys = (base, *runs), [base.key, *keys]
        number = keys.index(base.key)
    if len(runs) < 2:
        named = _meant(references, runs) if references else "no run is named"
        raise CompareError(
            f"a comparison needs 2 runs: {named}",
            "clipbench report --compare latest:clean latest:word-dropout=0.3",
        )
    return compare(store, runs, request, number)


def _meant(references: Sequence[str], runs: Sequence[StoredRun]) -> str:
    """Return in words that several names mean one run, or that one name does."""
    names = " and ".join(repr(one) for one in references[:2])
    more = f" and {len(references) - 2} more names" if len(references) > 2 else ""
    verb = "means" if len(references) == 1 else "mean"
    same = "the same run, " if len(references) > 1 else "one run, "
    return f"{names}{more} {verb} {same}{short(runs[0].key)}"


def compare(
    store: Store,
    runs: Sequence[StoredRun],
    request: CompareRequest,
    baseline: int = 0,
    categories: Categories | None = None,
) -> Comparison:
    """Return every difference of the runs from run number `baseline`.

    categories: for `by="category"`, which captions carry which, where that is not the store's. Raises CompareError for fewer than two
    runs, for unlike ones unless `request.allow_unlike`, and for metrics or groups that are not there.
    """
    if len(runs) < 2:
        raise CompareError(
            f"a comparison needs 2 runs, got {len(runs)}", "clipbench report --compare latest:clean RUN"
        )
    return compare_loaded(store, load_runs(store, runs), request, baseline, categories)


def compare_loaded(
    store: Store,
    loaded_runs: Sequence[LoadedRun],
    request: CompareRequest,
    baseline: int = 0,
    categories: Categories | None = None,
) -> Comparison:
    """Return what `compare` does of two or more runs that are loaded: who compares some of them often loads them once."""
    others = [loaded for number, loaded in enumerate(loaded_runs) if number != baseline]
    unlike = check_comparable(loaded_runs[baseline], others)
    if unlike and not request.allow_unlike:
        raise refusal(loaded_runs[baseline], others, unlike)
    names = _names(loaded_runs, request)
    common = common_queries(loaded_runs)
    needed = (*names, MEDIAN) if request.by == "rank-bucket" else names
    values = [per_query(loaded_runs, one, needed) for one in common]
    if not unlike:
        for part in values:
            for number, loaded in enumerate(loaded_runs):
                check_stored(loaded, part, number)
    lines: list[Line] = []
    grouped = Grouping((QueryGroup("", {}),), group_notes(request.by or ""))
    if request.by is not None and request.by != PERTURBATION:
        queries = Queries(loaded_runs, common, values, baseline)
        grouped = grouping(store, request.by, request.policy, queries, categories)
    for group in grouped.groups:
        for block in _blocks(group, _pairs(request, loaded_runs, baseline), loaded_runs, values, names):
            lines += lines_of(replace(block, stored=block.stored and not unlike), request)
    tests = sum(line.tested is not None for line in lines)
    correction = request.correction
    if correction == "auto":
        correction = "holm" if tests <= HOLM_UP_TO else "bh"
    return Comparison(
        request,
        tuple(loaded.run for loaded in loaded_runs),
        baseline,
        tuple(corrected(lines, correction)),
        correction,
        tests,
        unlike,
        (*_notes(loaded_runs, names), *grouped.notes),
        tuple({name: metric.value for name, metric in one.metrics.items()} for one in loaded_runs),
        _changed(store, loaded_runs, baseline, request.flips),
    )


def _changed(
    store: Store, loaded_runs: Sequence[LoadedRun], baseline: int, count: int
) -> dict[int, tuple[ChangedQuery, ...]]:
    """Return the queries of each run that changed most from the baseline, none where none are asked for."""
    if not count:
        return {}
    return {
        number: changed_most(store, loaded_runs[baseline], other, count)
        for number, other in enumerate(loaded_runs)
        if number != baseline
    }


def _names(loaded_runs: Sequence[LoadedRun], request: CompareRequest) -> tuple[str, ...]:
    """Return the metrics of the table; by groups of queries a few, and never RSUM, which is of whole runs."""
    by_query = request.by is not None and request.by != PERTURBATION
    found = metric_names(loaded_runs, request.metrics)
    if not by_query:
        return found
    if request.metrics:
        return tuple(name for name in found if name != RSUM)
    return tuple(name for name in found if name in GROUPED)


def _pairs(
    request: CompareRequest, loaded_runs: Sequence[LoadedRun], baseline: int
) -> list[tuple[str, int, tuple[int, ...]]]:
    """Return (name, baseline, others) of every comparison within the table."""
    if request.by == PERTURBATION:
        return perturbation_pairs(loaded_runs, baseline)
    return [("", baseline, tuple(number for number in range(len(loaded_runs)) if number != baseline))]


def _blocks(
    group: QueryGroup,
    pairs: Sequence[tuple[str, int, tuple[int, ...]]],
    loaded_runs: Sequence[LoadedRun],
    values: Sequence[QueryValues],
    names: tuple[str, ...],
) -> Iterator[Block]:
    """Yield what is resampled at a time: a few runs, and the directions that share their images."""
    # A mean of the folds' medians is no median of anything, so it is shown and not tested.
    keep_ranks = MEDIAN in names and all(loaded.fold is None for loaded in loaded_runs)
    for name, base, rest in pairs:
        for start in range(0, len(rest), AT_ONCE):
            chosen = (base, *rest[start : start + AT_ONCE])
            own = tuple(loaded_runs[number] for number in chosen)
            for parts in _parts(group, values, chosen, keep_ranks=keep_ranks):
                yield Block(group.name or name, chosen, own, parts, names, stored=not group.name)


def _parts(
    group: QueryGroup, values: Sequence[QueryValues], chosen: Sequence[int], *, keep_ranks: bool
) -> Iterator[tuple[QueryValues, ...]]:
    """Yield the directions of a group that resample the same images: all together, or one at a time."""
    own = [part.of(chosen) if keep_ranks else replace(part.of(chosen), ranks=None) for part in values]
    if not group.name:
        yield tuple(own)
        return
    for part in own:
        if part.direction in group.members:
            yield (part.part(group.members[part.direction]),)


def _notes(loaded_runs: Sequence[LoadedRun], names: Sequence[str]) -> tuple[str, ...]:
    notes = [
        f"{direction} {' and '.join(again)} are left out: with one right item a query they are R@1 again"
        for direction in DIRECTIONS
        if any(direction in loaded.ledgers for loaded in loaded_runs)
        and "hit@1" in names
        and (again := [name for name in repeated(loaded_runs, direction) if name in names])
    ]
    left_out = {
        name for loaded in loaded_runs for _, name in loaded.metrics if is_measure(name) and name not in names
    } - set(names)
    if len({frozenset(name for _, name in loaded.metrics if is_measure(name)) for loaded in loaded_runs}) > 1:
        told = ", ".join(sorted(left_out))
        notes.append(f"not every run has the same metrics; left out: {told}" if told else "")
    if len({loaded.run.spec.dataset for loaded in loaded_runs}) > len(
        {loaded.run.fingerprint for loaded in loaded_runs}
    ):
        notes.append("the runs saw other photographs under the same ids: the files' bytes differ")
    tied = sum(_tied(loaded) for loaded in loaded_runs)
    if tied:
        policies = {loaded.ties for loaded in loaded_runs}
        if policies == {"expected"}:
            notes.append(
                f"{tied:,} queries over all runs have a right item tied with a wrong one: R@K counts it by its "
                f"expected value, fixed and broken as a miss ({whole_hits('expected')})"
            )
        else:
            notes.append(
                f"{tied:,} queries over all runs have ties, counted as {' and '.join(sorted(policies))}"
            )
    return tuple(note for note in notes if note)


def _tied(loaded: LoadedRun) -> int:
    return int(
        sum(m.value for (d, name), m in loaded.metrics.items() if name == "tied-queries" and d in DIRECTIONS)
    )
