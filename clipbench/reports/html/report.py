"""The written report: what was run and on what, tables, curves, failures, the comparison, provenance.

Reads the store and the photographs; every number on the page is one that the other reports print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.reports.comparing.published import published_table
from clipbench.reports.comparing.words import HEADLINE, run_labels
from clipbench.reports.html.page import Section, page
from clipbench.reports.html.provenance import provenance
from clipbench.reports.html.sections import (
    anchors_section,
    comparison_section,
    curves_section,
    failures_section,
    flips_section,
    markup_of,
    numbers_section,
    runs_section,
)
from clipbench.reports.sweeps.figures import sweep_figures
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter, list_runs
from clipbench.store.runs import StoredRun, find_run
from clipbench.store.sweeps import list_sweeps
from clipbench.study.comparing.comparable import differences
from clipbench.study.comparing.compare import compare, compare_named
from clipbench.study.comparing.comparison import CompareRequest, Comparison
from clipbench.study.comparing.failures import worst_failures
from clipbench.study.comparing.flips import changed_most
from clipbench.study.comparing.published import compare_with_published
from clipbench.study.comparing.references import resolve_runs
from clipbench.study.environment import command_line
from clipbench.study.robustness.measures import SweepSummary, summarise
from clipbench.study.run_kinds import is_plain
from clipbench.study.runs.loaded import LoadedRun, load_runs
from clipbench.study.whole_files import whole_file

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


def write_page(
    store: Store, request: PageRequest, out: Path, figures: Path | None = None, *, force: bool = False
) -> tuple[Path, ...]:
    """Write the page to `out`, and the curves of its sweeps to `figures`; return the files.

    Raises ClipbenchError where no run is meant, `out` exists and `force` is False, something cannot be
    written, or figures are asked for and no sweep holds a run of the page; CompareError where runs that were
    to be compared do not compare. Then there is no page.
    """
    if out.exists() and not force:
        raise ClipbenchError(f"{out} exists", "--force replaces it, --html names another file")
    text = report_page(store, request)
    drawn = () if figures is None else _figures(store, _runs(store, request), figures)
    with whole_file(out, force=force) as path:
        path.write_text(text, encoding="utf-8", newline="\n")
    return (out, *drawn)


def _figures(store: Store, runs: Sequence[StoredRun], folder: Path) -> tuple[Path, ...]:
    """Write the curves of the sweeps that hold one of the runs; those of several datasets to a folder each."""
    groups = _sweeps(store, runs)
    if not groups:
        raise ClipbenchError(
            "no sweep holds a run of this page, so there is no figure to write",
            "clipbench robustness sweep DATASET, or leave --figures out",
        )
    return tuple(
        path
        for number, group in enumerate(groups, 1)
        for path in sweep_figures(group, folder if len(groups) == 1 else folder / str(number))
    )


def report_page(store: Store, request: PageRequest) -> str:
    """Return the page as HTML."""
    runs = _runs(store, request)
    comparison, left_out = _comparison(store, runs, request)
    if comparison is not None:  # the baseline may not have been among the runs
        runs = (*(run for run in comparison.runs if run.key not in {r.key for r in runs}), *runs)
    sides = load_runs(store, runs)
    sections: list[Section | None] = [runs_section(sides)]
    if comparison is not None:
        sections.append(comparison_section(comparison, left_out))
        if request.flips:
            sections.append(_flips(store, comparison, request.flips))
    anchored = [one for one in compare_with_published(store, runs) if one.published is not None]
    if anchored:
        sections.append(anchors_section(published_table(anchored)))
    sections.append(curves_section(_sweeps(store, runs)))
    shown = _failing(sides, comparison)
    if shown is not None:
        sections.append(failures_section(worst_failures(store, shown, request.failures), shown))
    sections.append(numbers_section(store, sides))
    datasets = ", ".join(dict.fromkeys(run.dataset_name for run in runs))
    models = ", ".join(dict.fromkeys(run.model for run in runs))
    newest = max(run.created_at for run in runs)
    lead = markup_of(f"{len(runs)} runs of {models}; the newest stored on {newest:%Y-%m-%d %H:%M} UTC")
    kept = [section for section in sections if section is not None]
    return page(f"Retrieval on {datasets}", [lead], kept, provenance(runs, command_line()))


def _runs(store: Store, request: PageRequest) -> tuple[StoredRun, ...]:
    if request.references:
        return resolve_runs(store, request.references)
    found = list_runs(store, request.filters)
    if not found:
        raise ClipbenchError("no run is stored that a report could be about", "clipbench evaluate DATASET")
    newest = found[: request.filters.limit or NEWEST]
    runs = [find_run(store, summary.key) for summary in reversed(newest)]
    return tuple(run for run in runs if run is not None)


def _comparison(
    store: Store, runs: Sequence[StoredRun], request: PageRequest
) -> tuple[Comparison | None, tuple[str, ...]]:
    """Return the comparison, None where there is nothing to compare, and the runs it leaves out with the reasons."""
    if request.compare is not None:
        references = request.references or tuple(run.key for run in runs)
        return compare_named(store, references, request.compare, request.baseline), ()
    clean = [run for run in runs if is_plain(run)]
    base = (clean or list(runs))[-1]
    sides = load_runs(store, runs)
    [baseline] = [side for side in sides if side.run.key == base.key]
    told = {side.run.key: differences(baseline, side) for side in sides if side is not baseline}
    like = [run for run in runs if run.key != base.key and not told[run.key]]
    labels = dict(zip((run.key for run in runs), run_labels(runs), strict=True))
    unlike = tuple(
        f"{labels[key]}, which differs from {labels[base.key]} in {', '.join(d.what for d in found)}"
        for key, found in told.items()
        if found
    )
    if not like:
        return None, unlike
    # The headline only: a page that was not asked for more should not correct for more.
    names = tuple(dict.fromkeys(name for _, name in HEADLINE if name in _shared([baseline, *sides])))
    chosen = like[-COMPARED:]
    if len(chosen) < len(like):
        unlike = (*unlike, f"the oldest {len(like) - COMPARED} of {len(like)} runs like {labels[base.key]}")
    return compare(store, [base, *chosen], CompareRequest(metrics=names)), unlike


def _shared(sides: Sequence[LoadedRun]) -> set[str]:
    """Return the metrics that all runs have."""
    return set.intersection(*({name for _, name in side.metrics} for side in sides))


def _flips(store: Store, comparison: Comparison, count: int) -> Section:
    sides, base = load_runs(store, comparison.runs), comparison.baseline
    changed = {
        number: changed_most(store, sides[base], side, count)
        for number, side in enumerate(sides)
        if number != base
    }
    return flips_section(changed, sides, base)


def _sweeps(store: Store, runs: Sequence[StoredRun]) -> list[list[SweepSummary]]:
    """Return the newest sweeps that hold a run of the page, those of one dataset together."""
    keys = {run.key for run in runs}
    chosen = [one for one in list_sweeps(store) if keys & set(one.runs)][:SWEEPS]
    groups: dict[str, list[SweepSummary]] = {}
    for sweep in reversed(chosen):
        if all(find_run(store, key) is not None for key in sweep.runs):
            summary = summarise(store, sweep)
            groups.setdefault(summary.clean_run.fingerprint, []).append(summary)
    return list(groups.values())


def _failing(sides: Sequence[LoadedRun], comparison: Comparison | None) -> LoadedRun | None:
    """Return the run whose failures are shown: the baseline, else the newest clean one, else the newest."""
    able = [side for side in sides if "t2i" in side.ledgers]
    if comparison is not None:
        key = comparison.runs[comparison.baseline].key
        able = [side for side in able if side.run.key == key] or able
    clean = [side for side in able if is_plain(side.run)]
    chosen = clean or able
    return chosen[-1] if chosen else None
