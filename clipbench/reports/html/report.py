"""The written report: what was run and on what, tables, curves, failures, the comparison, provenance.

Every number on the page is one that the other reports print; `study.comparing.page_content` chooses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.reports.comparing.published import published_table
from clipbench.reports.comparing.tables import detail, overview
from clipbench.reports.comparing.words import HEADLINE, metric_label, run_labels, unlike_notes
from clipbench.reports.html.curves import Curves, drawn_curves
from clipbench.reports.html.gallery import Card, changed_card, failure_card
from clipbench.reports.html.pictures import Pictures
from clipbench.reports.html.provenance import provenance
from clipbench.reports.html.rendering import rendered
from clipbench.reports.html.words import data_table, left_out, runs_table
from clipbench.reports.runs import run_table
from clipbench.reports.sweeps.figures import sweep_figures
from clipbench.reports.sweeps.lines import sweep_lines
from clipbench.reports.sweeps.tables import effect_table, operation_table
from clipbench.store.engine import Store
from clipbench.study.comparing.page_content import PageContent, PageRequest, gather
from clipbench.study.output.whole_files import whole_file
from clipbench.study.robustness.measures import Name, SweepSummary
from clipbench.study.workplace.environment import command_line

WHOLE_RUNS = 8
"""Runs of which every number is shown; of more, the newest."""

DRAWN: tuple[Name, ...] = (("t2i", "hit@1"), ("i2t", "hit@1"))
"""The metric of the curves: the first that all sweeps have."""

UNKNOWN_RANKS = "not told: every run here knows the first items of each query alone, as through an index"

LEVEL_NAMES = {"text": "share of words or characters", "image": "severity"}


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
    content = gather(store, request, [name for _, name in HEADLINE])
    text = rendered("report.html", {"page": page_values(store, content)})
    drawn = () if figures is None else _figures(content.sweeps, figures)
    with whole_file(out, force=force) as path:
        path.write_text(text, encoding="utf-8", newline="\n")
    return (out, *drawn)


def _figures(groups: Sequence[Sequence[SweepSummary]], folder: Path) -> tuple[Path, ...]:
    """Write the curves of sweeps; those of several datasets to a folder each."""
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


def page_values(store: Store, content: PageContent) -> Mapping[str, object]:
    """Return what the template shows, a value for each section; an empty one has no section."""
    runs = [loaded.run for loaded in content.runs]
    datasets = ", ".join(dict.fromkeys(run.dataset_name for run in runs))
    models = ", ".join(dict.fromkeys(run.model for run in runs))
    newest = max(run.created_at for run in runs)
    whole = runs[-WHOLE_RUNS:]
    return {
        "title": f"Retrieval on {datasets}",
        "lead": f"{len(runs)} runs of {models}; the newest stored on {newest:%Y-%m-%d %H:%M} UTC",
        "runs": [("Runs", runs_table(content.runs)), ("Data", data_table(content.runs))],
        "comparison": _comparison(content),
        "flips": _flips(content),
        "anchors": published_table(content.published) if content.published else None,
        "robustness": [_robustness(summaries) for summaries in content.sweeps],
        "failures": _failures(content),
        "numbers": {
            "note": f"the newest {WHOLE_RUNS} of {len(runs)} runs" if len(runs) > len(whole) else "",
            "tables": [run_table(store, run) for run in whole],
        },
        "provenance": provenance(runs, command_line()),
    }


def _comparison(content: PageContent) -> list[Mapping[str, object]]:
    several = len(content.comparisons) > 1
    return [
        {
            "of": f"{one.baseline.run.dataset_name}: " if several else "",
            "forced": unlike_notes(one.comparison),
            "overview": overview(one.comparison),
            "detail": detail(one.comparison),
            "left_out": left_out(content, one.chosen),
        }
        for one in content.comparisons
    ]


def _flips(content: PageContent) -> list[tuple[str, list[Card]]]:
    groups = []
    for one in content.comparisons:
        labels, base = run_labels([loaded.run for loaded in one.runs]), one.comparison.baseline
        for number, queries in one.changed.items():
            pair, names = (one.baseline, one.runs[number]), (labels[base], labels[number])
            pictures = [Pictures(loaded.dataset.image_folder) for loaded in pair]
            cards = [changed_card(query, pair, names, pictures) for query in queries]
            groups.append((f"{names[1]} against {names[0]}", cards))
    return groups


def _robustness(summaries: Sequence[SweepSummary]) -> tuple[str, list[Curves], list[object]]:
    """Return heading, curves and tables of the sweeps of one dataset, captions and photographs apart."""
    models = ", ".join(dict.fromkeys(one.clean_run.model for one in summaries))
    name = next((n for n in DRAWN if all(n in one.clean for one in summaries)), None)
    curves = []
    for target, x_label in LEVEL_NAMES.items():
        lines = sweep_lines(summaries, name, target) if name else {}
        if name and lines:
            curves.append(drawn_curves(lines, x_label, metric_label(*name)))
    tables: list[object] = []
    for summary in summaries:
        own = [effect_table(summary), *([operation_table(summary)] if summary.operations else [])]
        tables += [replace(one, title=f"{one.title}, {summary.sweep.name}") for one in own]
    return f"{summaries[0].clean_run.dataset_name}: {models}", curves, tables


def _failures(content: PageContent) -> Mapping[str, object] | None:
    if content.failing is None:
        ranked = any("t2i" in loaded.ledgers for loaded in content.runs)
        return {"heading": UNKNOWN_RANKS, "cards": None} if ranked else None
    run, pictures = content.failing.run, Pictures(content.failing.dataset.image_folder)
    return {
        "heading": f"{run.dataset_name} × {run.model}, {run.perturbation.operation}",
        "cards": [failure_card(failure, pictures) for failure in content.failures],
    }
