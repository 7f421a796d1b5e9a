"""`clipbench report`: what the store knows, as a table for people, papers and programs.

One command with several ways to ask; each has a function below, and everything it does can be done from
Python.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clipbench.cli.options import Format, FormatOption, JsonOption, StoreOption
from clipbench.cli.output import chosen, emit, for_programs
from clipbench.cli.report_options import (
    AgainstOption,
    AnchorsOption,
    BaselineOption,
    BaselinesOption,
    ByOption,
    CompareOption,
    ConfidenceOption,
    Correction,
    CorrectionOption,
    DatasetOption,
    FiguresOption,
    FlipsOption,
    ForceOption,
    HtmlOption,
    KindOption,
    LimitOption,
    MetricOption,
    OverwriteOption,
    PerturbationOption,
    PolicyOption,
    QueryOption,
    ReferenceOption,
    ResamplesOption,
    RunsArgument,
    SeedOption,
    SinceOption,
    SweepOption,
    TagOption,
    TimeOption,
    WordsOption,
)
from clipbench.cli.report_ways import unheeded
from clipbench.errors import CompareError

if TYPE_CHECKING:
    from clipbench.reports.html.report import PageRequest
    from clipbench.reports.tables import Table
    from clipbench.store.engine import Store
    from clipbench.store.queries import RunFilter
    from clipbench.study.comparing.comparison import CompareRequest


def report(
    context: typer.Context,
    runs: RunsArgument = None,
    compare: CompareOption = False,
    baseline: BaselineOption = None,
    metric: MetricOption = None,
    by: ByOption = None,
    flips: FlipsOption = None,
    policy: PolicyOption = "majority",
    correction: CorrectionOption = Correction.auto,
    resamples: ResamplesOption = 10_000,
    seed: SeedOption = 0,
    confidence: ConfidenceOption = 0.95,
    html: HtmlOption = None,
    anchors: AnchorsOption = False,
    against: AgainstOption = None,
    query: QueryOption = None,
    time_limit: TimeOption = 30.0,
    overwrite: OverwriteOption = False,
    force: ForceOption = False,
    dataset: DatasetOption = None,
    model: WordsOption = None,
    kind: KindOption = None,
    perturbation: PerturbationOption = None,
    tag: TagOption = None,
    since: SinceOption = None,
    sweep: SweepOption = None,
    reference: ReferenceOption = None,
    baselines: BaselinesOption = None,
    figures: FiguresOption = None,
    limit: LimitOption = None,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Print stored runs with their metrics; CSV and JSON hold every metric with its interval.

    With --compare: is the difference between runs real? With --html: one page to read and pass on.
    Reads the store only: it never loads a model.
    """
    refuse_unheeded(context, by)
    from clipbench.store.queries import RunFilter
    from clipbench.study.comparing.comparison import CompareRequest
    from clipbench.study.opening import open_at

    asked, at, named = chosen(form, json), open_at(store, to_read=True), tuple(runs or ())
    request = CompareRequest(
        tuple(metric or ()), by, resamples, seed, confidence, correction.value, policy, force=force
    )
    moment = None if since is None else since.replace(tzinfo=UTC)
    filters = RunFilter(
        dataset=dataset, model=model, kind=kind, operation=perturbation, tag=tag, since=moment, limit=limit
    )
    if query is not None:
        _query(at, query, limit, time_limit, asked)
    elif anchors:
        from clipbench.reports.comparing.anchors import anchor_report

        emit(anchor_report(at, named, filters, against or (), wide=for_programs(asked)), asked)
    elif html is not None:
        from clipbench.reports.html.report import PageRequest

        page = PageRequest(named, filters, request if compare else None, baseline, flips)
        _page(at, page, html, figures, overwrite=overwrite)
    elif compare:
        _compare(at, named, baseline, request, flips, asked)
    elif sweep is not None:
        _sweep(at, sweep, reference, baselines or (), figures, asked)
    elif named:
        raise CompareError(
            f"{len(named)} runs are named, but not what to do with them",
            f"clipbench report --compare {' '.join(named)}, or clipbench runs show {named[0]}",
        )
    else:
        _list(at, filters, asked)


def refuse_unheeded(context: typer.Context, by: str | None) -> None:
    """Raise UsageError where something was typed that the report asked for would not look at."""
    sources = ((name, context.get_parameter_source(name)) for name in context.params)
    # By name: typer has a copy of click of its own, whose sources are not those of click.
    typed = [name for name, source in sources if source is not None and source.name == "COMMANDLINE"]
    fact = unheeded(typed, by)
    if fact is not None:
        context.fail(fact)


def _page(at: Store, request: PageRequest, out: Path, figures: Path | None, *, overwrite: bool) -> None:
    from clipbench.reports.html.report import write_page

    written, *drawn = write_page(at, request, out, figures, force=overwrite)
    typer.echo(f"wrote {written}")
    for path in drawn:
        typer.echo(path, err=True)


def _list(at: Store, filters: RunFilter, form: Format) -> None:
    from clipbench.reports.runs import run_list

    emit(run_list(at, filters, wide=for_programs(form)), form)


def _sweep(
    at: Store,
    names: Sequence[str],
    reference: str | None,
    baselines: Sequence[str],
    figures: Path | None,
    form: Format,
) -> None:
    from clipbench.reports.sweeps.report import sweep_tables, write_sweep_figures

    emit(sweep_tables(at, names, reference, baselines, wide=for_programs(form)), form)
    if figures is not None:
        for path in write_sweep_figures(at, names, figures):
            typer.echo(path, err=True)


def _query(at: Store, question: str, limit: int | None, seconds: float, form: Format) -> None:
    from clipbench.reports.stores import answer_table
    from clipbench.store.sql import ROWS

    emit(answer_table(at, question, rows=limit or ROWS, seconds=seconds), form)


def _compare(
    at: Store,
    references: Sequence[str],
    baseline: str | None,
    request: CompareRequest,
    flips: int | None,
    form: Format,
) -> None:
    from clipbench.reports.comparing.report import compared, comparison_tables, flip_tables, paper

    found = compared(at, references, request, baseline)
    changed = flip_tables(at, found, flips, full=for_programs(form)) if flips else ()
    if form is Format.latex:
        sys.stdout.write(paper(found, changed))
    else:
        emit_several((*comparison_tables(found, form.value), *changed), form)


def emit_several(tables: Sequence[Table], form: Format) -> None:
    """Print one table by itself, several as a list."""
    emit(tables[0] if len(tables) == 1 else tables, form)
