"""`clipbench annotate adjudicate | results | gallery | export`: settling, using and showing labels."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipbench.cli.annotate_draw import SampleArgument
from clipbench.cli.annotate_words import DatasetOption, Policy, SampleOption
from clipbench.cli.console import note, progress
from clipbench.cli.options import Format, FormatOption, JsonOption, QuietOption, StoreOption
from clipbench.cli.output import chosen, emit

if TYPE_CHECKING:
    from clipbench.failures.taxonomy import Choice

SKIP, QUIT = "s", "q"


class Export(StrEnum):
    """What labels and failures are written as."""

    csv = "csv"
    label_studio = "label-studio"


def adjudicate(
    sample: SampleOption = None,
    dataset: DatasetOption = None,
    annotator: Annotated[
        str, typer.Option(help="Under which name the decisions are stored.")
    ] = "adjudicator",
    only_list: Annotated[bool, typer.Option("--list", help="Only list the conflicts.")] = False,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Decide, one by one, what annotators disagree on. Every decision is stored at once.

    Decisions are an annotator of their own; the labels stay. In the browser: `annotate serve --conflicts`.
    """
    from clipbench.failures.taxonomy import choices
    from clipbench.reports.annotation.results import conflict_table
    from clipbench.study.annotation.adjudicate import decide, open_conflicts
    from clipbench.study.annotation.labels import dataset_of, scope
    from clipbench.study.opening import open_at

    at = open_at(store, to_read=only_list)
    within = scope(at, sample, dataset)
    found, of = open_conflicts(within), dataset_of(at, within)
    if only_list or not found:
        emit(conflict_table(found, of), chosen(form, json))
        return
    offered = {choice.key: choice for choice in choices()}
    for number, conflict in enumerate(found, start=1):
        failure = conflict.failure
        typer.secho(f"\n{number} of {len(found)}  {of.captions[failure.caption].text}", bold=True)
        typer.echo(f"  ground truth {failure.image_id}, retrieved {failure.retrieved_id}")
        for words in conflict.words:
            typer.echo(f"  {words}")
        typed = _asked(offered)
        if typed == QUIT:
            return
        if typed != SKIP:
            decide(at, of.key, conflict, annotator, offered[typed])
    note("next: clipbench annotate summary --policy adjudicated")


def _asked(offered: Mapping[str, Choice]) -> str:
    """Return what was typed: the key of a choice, "s" to skip, "q" to stop."""
    keys = "  ".join(f"{key} {choice.title}" for key, choice in offered.items())
    while True:
        typed = str(typer.prompt(f"  {keys}\n  s skip  q stop", prompt_suffix=" > ")).strip().lower()
        if typed in {QUIT, SKIP, *offered}:
            return typed
        typer.echo(f"  {typed!r} is none of them")


def results(
    run: Annotated[str, typer.Argument(help="Beginning of a run's key, a tag, or `latest`.")] = "latest",
    against: Annotated[
        str | None, typer.Option(help="A run to compare with: what changes from RUN to this one.")
    ] = None,
    sample: SampleOption = None,
    dataset: DatasetOption = None,
    policy: Annotated[
        Policy, typer.Option(help="How a failure with several labels counts.")
    ] = Policy.majority,
    k: Annotated[int, typer.Option("--k", min=1, help="With --against: the cutoff of R@K.")] = 1,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Print what a run does with the labelled queries of each category, or what changes between two runs."""
    from clipbench.reports.annotation.results import change_tables, result_table
    from clipbench.store.queries import resolve_run
    from clipbench.study.annotation.changes import category_changes
    from clipbench.study.annotation.labels import scope
    from clipbench.study.annotation.results import category_results
    from clipbench.study.opening import open_at

    at = open_at(store, to_read=True)
    found, within = resolve_run(at, run), scope(at, sample, dataset)
    if against is None:
        result = result_table(found, category_results(at, found, within, policy.value), policy.value)
        emit(result, chosen(form, json))
        return
    runs = (found, resolve_run(at, against))
    changes = category_changes(at, runs, within, policy.value, k)
    emit(change_tables(runs, changes, policy.value, k), chosen(form, json))


def gallery(
    sample: SampleArgument = "latest",
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")] = Path("failures.html"),
    side: Annotated[int, typer.Option(min=64, max=1024, help="Pixels of a picture's longer side.")] = 280,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write a sample as one HTML file to look through: by category, annotator and margin. It loads nothing."""
    from clipbench.reports.annotation.gallery import write_gallery
    from clipbench.store.failures import find_sample
    from clipbench.study.opening import open_at

    at = open_at(store, to_read=True)
    with progress(quiet) as bars:
        count = write_gallery(at, find_sample(at, sample), out, bars, side=side, force=force)
    typer.echo(f"{out}: {count} failures, {out.stat().st_size / 1e6:.1f} MB")


def export(
    sample: SampleArgument = "latest",
    form: Annotated[Export, typer.Option("--format", "-f", help="csv or label-studio.")] = Export.csv,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder to write to. [default: labels]", show_default=False),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Label Studio: what stands before a picture's file name.")
    ] = "/data/local-files/?d=",
    hints: Annotated[bool, typer.Option("--hints", help="Label Studio: hints as predictions.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the labels of every annotator as exchange tables, or the sample as Label Studio tasks."""
    from clipbench.study.annotation.exporting import export_label_studio, export_tables
    from clipbench.study.annotation.session import open_session
    from clipbench.study.opening import open_at

    session = open_session(open_at(store, to_read=True), sample, hints=hints)
    folder = out or Path("labels")
    if form is Export.csv:
        paths = export_tables(session, folder, force=force)
    else:
        with progress(quiet) as bars:
            paths = export_label_studio(session, folder, bars, prefix=prefix, force=force)
    for path in paths:
        typer.echo(f"  {path}")
