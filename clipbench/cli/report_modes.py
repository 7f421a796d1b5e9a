"""The reports that `clipbench report` gives: each a function with its own options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clipbench.cli.console import note, renamed
from clipbench.cli.opening import open_at
from clipbench.cli.options import OutputOptions, StoreOption
from clipbench.cli.output import emit, emit_several
from clipbench.cli.report_options import (
    AgainstOption,
    BoardOptions,
    ComparisonOptions,
    FilterOptions,
    PageFileOptions,
    QueryOptions,
    ReplaceOption,
    RunsArgument,
    SweepOptions,
)
from clipbench.errors import CompareError

if TYPE_CHECKING:
    from clipbench.study.comparing.page_content import PageRequest


def report_runs(
    filters: FilterOptions,
    runs: RunsArgument = None,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print stored runs, newest first."""
    from clipbench.reports.runs import run_list

    if runs:
        raise CompareError(
            f"{len(runs)} runs are named, but not what to do with them",
            f"clipbench report --compare {' '.join(runs)}, or clipbench runs show {runs[0]}",
        )
    table = run_list(open_at(store, to_read=True), filters.filters(), wide=output.for_programs)
    emit(table, output)


def report_comparison(
    comparison: ComparisonOptions,
    runs: RunsArgument = None,
    force: ReplaceOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print every difference between the runs and a baseline, with intervals and tests."""
    from clipbench.reports.comparing.report import comparison_tables
    from clipbench.study.comparing.compare import compare_named

    request = comparison.request(allow_unlike=renamed(force, "--force", "--allow-unlike"))
    compared = compare_named(open_at(store, to_read=True), runs or (), request, comparison.baseline)
    emit_several(comparison_tables(compared, output.chosen), output)


def report_page(
    filters: FilterOptions, file: PageFileOptions, runs: RunsArgument = None, store: StoreOption = None
) -> None:
    """Write one page about the runs."""
    from clipbench.study.comparing.page_content import PageRequest

    _write(store, PageRequest(tuple(runs or ()), filters.where_unnamed(runs)), file)


def report_comparison_page(
    comparison: ComparisonOptions,
    filters: FilterOptions,
    file: PageFileOptions,
    runs: RunsArgument = None,
    store: StoreOption = None,
) -> None:
    """Write one page about the runs with a comparison of them."""
    from clipbench.study.comparing.page_content import PageRequest

    if file.force and not comparison.allow_unlike:
        note("note: --force replaces the page; what compares unlike runs is called --allow-unlike now")
    chosen, request = filters.where_unnamed(runs), comparison.request()
    page = PageRequest(tuple(runs or ()), chosen, request, comparison.baseline, comparison.flips)
    _write(store, page, file)


def _write(store: Path | None, page: PageRequest, file: PageFileOptions) -> None:
    from clipbench.reports.html.report import write_page

    at = open_at(store, to_read=True)
    written, *drawn = write_page(at, page, file.html, file.figures, force=file.replace)
    typer.echo(f"wrote {written}")
    for path in drawn:
        typer.echo(path, err=True)


def report_published(
    filters: FilterOptions,
    runs: RunsArgument = None,
    against: AgainstOption = None,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print the runs beside published numbers, each with its source."""
    from clipbench.reports.comparing.published import published_table
    from clipbench.study.comparing.published import compare_with_published, runs_to_compare
    from clipbench.study.comparing.published_files import read_clip_benchmark

    at = open_at(store, to_read=True)
    chosen = runs_to_compare(at, runs or (), filters.where_unnamed(runs))
    sources = [read_clip_benchmark(path) for path in against or ()]
    table = published_table(compare_with_published(at, chosen, sources), wide=output.for_programs)
    emit(table, output)


def report_sweep(
    sweeps: SweepOptions,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print stored sweeps again; several models' side by side."""
    from clipbench.reports.sweeps.report import sweep_tables, write_sweep_figures

    at, names, baselines = open_at(store, to_read=True), sweeps.sweep, sweeps.baselines or ()
    emit(sweep_tables(at, names, sweeps.reference, baselines, wide=output.for_programs), output)
    for path in () if sweeps.figures is None else write_sweep_figures(at, names, sweeps.figures):
        typer.echo(path, err=True)


def report_leaderboard(
    board: BoardOptions,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print the newest clean run of every model and method on the same queries, best first."""
    from clipbench.reports.comparing.leaderboard import leaderboard_table
    from clipbench.study.comparing.leaderboard import leaderboards

    at = open_at(store, to_read=True)
    boards = leaderboards(at, board.filters(), board.request(), direction=board.direction)
    emit_several([leaderboard_table(one, wide=output.for_programs) for one in boards], output)


def report_transfer(
    filters: FilterOptions, store: StoreOption = None, output: OutputOptions = OutputOptions()
) -> None:
    """Print every model and adapter on every dataset, clean and perturbed."""
    from clipbench.reports.adapting.transfer import transfer_table

    at = open_at(store, to_read=True)
    emit(transfer_table(at, filters.filters(), wide=output.for_programs), output)


def report_query(
    question: QueryOptions,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print the answer to a question in SQL."""
    from clipbench.reports.stores import answer_table
    from clipbench.store.sql import ROWS

    at, rows = open_at(store, to_read=True), question.limit or ROWS
    emit(answer_table(at, question.query, rows=rows, seconds=question.time_limit), output)
