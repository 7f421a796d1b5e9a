"""The sections of a page, each from what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipbench.reports.comparing.tables import Overview, Score, detail, overview
from clipbench.reports.comparing.words import run_labels, unlike_notes
from clipbench.reports.html.curves import panels_markup
from clipbench.reports.html.elements import Child, Markup, element, joined, quoted
from clipbench.reports.html.gallery import changed_cards, failure_cards, notes
from clipbench.reports.html.page import Section
from clipbench.reports.html.panels import sweep_panels
from clipbench.reports.html.pictures import Pictures
from clipbench.reports.html.tables import scrolling, table_markup
from clipbench.reports.html.words import data_table, runs_table
from clipbench.reports.runs import run_table
from clipbench.reports.sweeps.tables import effect_table, operation_table
from clipbench.reports.tables import Table
from clipbench.store.engine import Store
from clipbench.study.comparing.comparison import Comparison
from clipbench.study.comparing.failures import WorstFailure
from clipbench.study.comparing.flips import ChangedQuery
from clipbench.study.robustness.measures import SweepSummary
from clipbench.study.runs.loaded import LoadedRun

WHOLE_RUNS = 8
"""Runs of which every number is shown; of more, the newest."""


def runs_section(sides: Sequence[LoadedRun]) -> Section:
    """Return what was run and on what."""
    parts: list[Child] = [
        table_markup(runs_table(sides), heading="Runs"),
        table_markup(data_table(sides), heading="Data"),
    ]
    return Section("runs", "What was run", joined(parts))


def numbers_section(store: Store, sides: Sequence[LoadedRun]) -> Section:
    """Return every number of each run with its interval."""
    parts: list[Child] = []
    if len(sides) > WHOLE_RUNS:
        parts.append(element("p", {"class": "note"}, f"the newest {WHOLE_RUNS} of {len(sides)} runs"))
    parts += [table_markup(run_table(store, side.run)) for side in sides[-WHOLE_RUNS:]]
    return Section("numbers", "Every number", joined(parts))


def comparison_section(comparison: Comparison, left_out: Sequence[str]) -> Section:
    """Return the comparison: side by side, then every difference with its statistics."""
    forced = unlike_notes(comparison)
    parts: list[Child] = [element("p", {"class": "forced"}, note) for note in forced]
    parts.append(overview_markup(overview(comparison)))
    parts.append(table_markup(detail(comparison), heading="Every difference"))
    parts += [element("p", {"class": "note"}, f"not compared: {told}") for told in left_out]
    return Section("comparison", "Is the difference real?", joined(parts))


def overview_markup(told: Overview) -> Markup:
    """Return the runs side by side; a difference that is significant is green or red, beside its mark."""
    heads = [*(["group"] if told.has_groups else []), "run"]
    head = [element("th", {"scope": "col"}, name) for name in heads]
    head += [element("th", {"scope": "col", "class": "n"}, name) for name in told.columns]
    rows = []
    for group, label, scores in told.rows:
        lead = [
            element("th", {"scope": "row", "class": "k"}, quoted(name))
            for name in (group, label)[-len(heads) :]
        ]
        rows.append(element("tr", {}, *lead, *(element("td", {"class": "n"}, _score(one)) for one in scores)))
    return joined([element("h3", {}, "Side by side"), scrolling("Side by side", head, rows)])


def _score(score: Score | None) -> Child:
    if score is None:
        return "-"
    if not score.mark:
        return score.text
    kind = "better" if score.improves else "worse"
    return element("strong", {"class": kind}, score.text + score.mark)


def curves_section(groups: Sequence[Sequence[SweepSummary]]) -> Section | None:
    """Return the sweeps as curves and tables, those of one dataset together."""
    parts: list[Child] = []
    for summaries in groups:
        first = summaries[0]
        parts.append(element("h3", {}, f"{first.clean_run.dataset_name}: {_models(summaries)}"))
        parts += [
            panels_markup(
                one.panels,
                x_label=one.x_label,
                y_label=one.y_label,
                caption=f"{one.y_label}; band: 95 % cluster bootstrap over images; small dots: seeds",
            )
            for one in sweep_panels(summaries)
        ]
        for summary in summaries:
            parts.append(table_markup(effect_table(summary)))
            parts += [table_markup(operation_table(summary))] if summary.operations else []
    return Section("robustness", "How fast it breaks", joined(parts)) if parts else None


def _models(summaries: Sequence[SweepSummary]) -> str:
    return ", ".join(dict.fromkeys(one.clean_run.model for one in summaries))


def failures_section(failures: Sequence[WorstFailure], side: LoadedRun) -> Section:
    """Return the worst failures of a run."""
    run = side.run
    told = f"{run.dataset_name} × {run.model}, {run.perturbation.operation}"
    parts: list[Child] = [element("h3", {}, told)]
    if failures:
        parts += [notes(failures), failure_cards(failures, Pictures(side.dataset.image_folder))]
    else:
        parts.append(element("p", {"class": "note"}, "no caption finds another image first"))
    return Section("failures", "Where it fails", joined(parts))


def flips_section(
    changed: Mapping[int, Sequence[ChangedQuery]], sides: Sequence[LoadedRun], baseline: int
) -> Section:
    """Return the queries that changed most, for each run by its number."""
    labels = run_labels([side.run for side in sides])
    parts: list[Child] = []
    for number, queries in changed.items():
        pair = (sides[baseline], sides[number])
        albums = [Pictures(side.dataset.image_folder) for side in pair]
        names = (labels[baseline], labels[number])
        parts.append(element("h3", {}, f"{names[1]} against {names[0]}"))
        parts.append(changed_cards(queries, pair, names, albums))
    return Section("flips", "What changed most", joined(parts))


def anchors_section(table: Table) -> Section:
    """Return the runs held against published numbers."""
    return Section("anchors", "Beside published numbers", table_markup(table, heading=""))


def markup_of(text: str) -> Markup:
    """Return a paragraph of the page's lead."""
    return element("p", {"class": "lead"}, text)
