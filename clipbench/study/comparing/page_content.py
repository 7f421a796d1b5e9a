"""What a written report is about: its runs, their comparison, sweeps, failures and published numbers.

Knows what belongs on a page and how to get it from the store; nothing of how a page looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from clipbench.errors import ClipbenchError
from clipbench.metrics.ties import knows_ranks
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter, list_runs
from clipbench.store.runs import StoredRun, find_run
from clipbench.store.sweeps import list_sweeps
from clipbench.study.comparing.comparable import Difference, differences
from clipbench.study.comparing.compare import compare, compare_named
from clipbench.study.comparing.comparison import CompareRequest, Comparison
from clipbench.study.comparing.failures import WorstFailure, worst_failures
from clipbench.study.comparing.flips import ChangedQuery, changed_most
from clipbench.study.comparing.published import PublishedComparison, compare_with_published
from clipbench.study.comparing.references import need_known, resolve_runs
from clipbench.study.robustness.measures import SweepSummary, summarise
from clipbench.study.runs.loaded import LoadedRun, load_runs
from clipbench.study.runs.run_kinds import is_plain

NEWEST = 24
"""Runs on a page where none are named."""

SWEEPS = 6
"""Sweeps on a page, the newest."""

COMPARED = 12
"""Runs that are compared where nobody says which."""

FAILURES = 12


@dataclass(frozen=True)
class PageRequest:
    """What goes on a page.

    references: the runs; () for the newest that pass `filters`. compare: how to compare them; None
    compares those that are like the newest clean run. baseline: a reference. flips: how many queries
    that changed most to show for each run.
    """

    references: tuple[str, ...] = ()
    filters: RunFilter = field(default_factory=RunFilter)
    compare: CompareRequest | None = None
    baseline: str | None = None
    flips: int | None = None
    failures: int = FAILURES


@dataclass(frozen=True)
class Chosen:
    """A comparison, None where there is nothing to compare, and what it leaves out.

    unlike: runs that may not be compared with `baseline`, each with the reasons. older: how many runs like
    it are left out for their age, of `alike`.
    """

    comparison: Comparison | None
    baseline: StoredRun | None = None
    unlike: tuple[tuple[StoredRun, tuple[Difference, ...]], ...] = ()
    older: int = 0
    alike: int = 0


@dataclass(frozen=True)
class Compared:
    """A comparison with its runs, in its order, and by their place there what changed most against the baseline."""

    chosen: Chosen
    comparison: Comparison
    runs: tuple[LoadedRun, ...]
    changed: Mapping[int, tuple[ChangedQuery, ...]]

    @property
    def baseline(self) -> LoadedRun:
        """The run that the others are compared with."""
        return self.runs[self.comparison.baseline]


@dataclass(frozen=True)
class PageContent:
    """Everything that a page shows.

    comparisons: one for each dataset that has two runs and more, where nobody says which. sweeps: those of one
    dataset together. failing: the run whose failures are shown, None where no run tells them.
    """

    runs: tuple[LoadedRun, ...]
    comparisons: tuple[Compared, ...]
    published: tuple[PublishedComparison, ...]
    sweeps: tuple[tuple[SweepSummary, ...], ...]
    failing: LoadedRun | None
    failures: tuple[WorstFailure, ...]


def gather(store: Store, request: PageRequest, headline: Sequence[str]) -> PageContent:
    """Return what a page shows. headline: the metrics compared where nobody says which.

    Raises ClipbenchError where no run is meant, CompareError where runs that were to be compared do not.
    """
    runs = _runs(store, request)
    if request.compare is not None:
        references = request.references or tuple(run.key for run in runs)
        chosen = [Chosen(compare_named(store, references, request.compare, request.baseline))]
    else:
        chosen = _alike(store, runs, headline)
    for one in chosen:  # the baseline may not have been among the runs
        named = one.comparison.runs if one.comparison else ()
        runs = (*(run for run in named if run.key not in {r.key for r in runs}), *runs)
    loaded_runs = load_runs(store, runs)
    by_key = {loaded.run.key: loaded for loaded in loaded_runs}
    comparisons = tuple(
        _compared(store, one, one.comparison, by_key, request.flips) for one in chosen if one.comparison
    )
    failing = _failing(loaded_runs, comparisons[0].baseline if comparisons else None)
    return PageContent(
        runs=loaded_runs,
        comparisons=comparisons,
        published=tuple(one for one in compare_with_published(store, runs) if one.published is not None),
        sweeps=_sweeps(store, runs),
        failing=failing,
        failures=worst_failures(store, failing, request.failures) if failing else (),
    )


def _compared(
    store: Store, chosen: Chosen, comparison: Comparison, by_key: Mapping[str, LoadedRun], flips: int | None
) -> Compared:
    runs = tuple(by_key[run.key] for run in comparison.runs)
    changed = {
        number: changed_most(store, runs[comparison.baseline], other, flips)
        for number, other in enumerate(runs)
        if flips and number != comparison.baseline
    }
    return Compared(chosen, comparison, runs, changed)


def _runs(store: Store, request: PageRequest) -> tuple[StoredRun, ...]:
    if request.references:
        return resolve_runs(store, request.references)
    summaries = list_runs(store, request.filters)
    if not summaries:
        need_known(store, request.filters)
        raise ClipbenchError("no run is stored that a report could be about", "clipbench evaluate DATASET")
    newest = summaries[: request.filters.limit or NEWEST]
    runs = [find_run(store, summary.key) for summary in reversed(newest)]
    return tuple(run for run in runs if run is not None)


def _alike(store: Store, runs: Sequence[StoredRun], headline: Sequence[str]) -> list[Chosen]:
    """Compare, for each dataset, what is like its newest clean run with that; the newest of all comes first.

    Runs that stand in no comparison are named beside the first one, with what keeps them out of it.
    """
    first = _base(runs)
    datasets: dict[str, list[LoadedRun]] = {first.fingerprint: []}
    for loaded in reversed(load_runs(store, runs)):
        datasets.setdefault(loaded.run.fingerprint, []).insert(0, loaded)
    found = [(own, _alike_there(store, own, headline)) for own in datasets.values()]
    compared = [one for _, one in found if one.comparison is not None]
    if not compared:
        return []
    alone = [loaded for own, one in found if one.comparison is None for loaded in own]
    [base] = [x for own, one in found if one is compared[0] for x in own if x.run is one.baseline]
    unlike = tuple((other.run, differences(base, other)) for other in alone)
    return [replace(compared[0], unlike=(*compared[0].unlike, *unlike)), *compared[1:]]


def _base(runs: Sequence[StoredRun]) -> StoredRun:
    """Return the newest clean run, which the others are seen against.

    Nor is a ranking by prompts, a re-ranker or an index what the others are seen against, unless all of them are.
    """
    clean = [run for run in runs if is_plain(run)]
    return ([run for run in clean if not run.spec.method] or clean or list(runs))[-1]


def _alike_there(store: Store, loaded_runs: Sequence[LoadedRun], headline: Sequence[str]) -> Chosen:
    """Compare what is like the newest clean run with it, of runs of one dataset."""
    base = _base([loaded.run for loaded in loaded_runs])
    [baseline] = [loaded for loaded in loaded_runs if loaded.run.key == base.key]
    others = [loaded for loaded in loaded_runs if loaded is not baseline]
    reasons = {other.run.key: differences(baseline, other) for other in others}
    unlike = tuple((other.run, reasons[other.run.key]) for other in others if reasons[other.run.key])
    alike = [other.run for other in others if not reasons[other.run.key]]
    if not alike:
        return Chosen(None, base, unlike)
    # The headline only: a page that was not asked for more should not correct for more.
    shared = set.intersection(*({name for _, name in loaded.metrics} for loaded in loaded_runs))
    names = tuple(name for name in dict.fromkeys(headline) if name in shared)
    comparison = compare(store, [base, *alike[-COMPARED:]], CompareRequest(metrics=names))
    return Chosen(comparison, base, unlike, max(0, len(alike) - COMPARED), len(alike))


def _sweeps(store: Store, runs: Sequence[StoredRun]) -> tuple[tuple[SweepSummary, ...], ...]:
    """Return the newest sweeps that hold a run of the page, those of one dataset together."""
    keys = {run.key for run in runs}
    chosen = [one for one in list_sweeps(store) if keys & set(one.runs)][:SWEEPS]
    groups: dict[str, list[SweepSummary]] = {}
    for sweep in reversed(chosen):
        if all(find_run(store, key) is not None for key in sweep.runs):
            summary = summarise(store, sweep)
            groups.setdefault(summary.clean_run.fingerprint, []).append(summary)
    return tuple(map(tuple, groups.values()))


def _failing(runs: Sequence[LoadedRun], baseline: LoadedRun | None) -> LoadedRun | None:
    """Return the run whose failures are shown: the baseline, else the newest clean one, else the newest.

    Only of those that know every rank: an index knows the first items of a query, and not where the right one is.
    """
    able = [loaded for loaded in runs if "t2i" in loaded.ledgers and knows_ranks(loaded.ledgers["t2i"])]
    if any(loaded is baseline for loaded in able):
        return baseline
    clean = [loaded for loaded in able if is_plain(loaded.run)]
    return (clean or able)[-1] if able else None
