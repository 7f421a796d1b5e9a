"""`clipbench annotate adjudicate | results | gallery | export`: settling, using and showing labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Option

from clipbench.cli.annotate_options import LabelOptions, PolicyOption, SampleArgument
from clipbench.cli.console import note, progress
from clipbench.cli.expanding import expanded
from clipbench.cli.opening import open_at
from clipbench.cli.options import ForceOption, OutputOptions, QuietOption, RunArgument, StoreOption, flag
from clipbench.cli.output import emit

if TYPE_CHECKING:
    from clipbench.failures.taxonomy import Choice
    from clipbench.records import Dataset
    from clipbench.store.engine import Store
    from clipbench.study.annotation.adjudicate import Conflict

SKIP, QUIT = "s", "q"


@expanded
def adjudicate(
    labels: LabelOptions,
    annotator: Annotated[str, Option(help="Under which name the decisions are stored.")] = "adjudicator",
    only_list: Annotated[bool, flag("--list", says="Only list the conflicts.")] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Decide, one by one, what annotators disagree on. Every decision is stored at once.

    Decisions are an annotator of their own; the labels stay. In the browser: `annotate serve --conflicts`.
    """
    from clipbench.reports.annotation.results import conflict_table
    from clipbench.study.annotation.adjudicate import open_conflicts
    from clipbench.study.annotation.labels import dataset_of

    at = open_at(store, to_read=only_list)
    within = labels.scope(at)
    conflicts, dataset = open_conflicts(within), dataset_of(at, within)
    if only_list or not conflicts:
        emit(conflict_table(conflicts, dataset), output)
    elif _decide(at, dataset, conflicts, annotator):
        note("next: clipbench annotate summary --policy adjudicated")


def _decide(at: Store, dataset: Dataset, conflicts: Sequence[Conflict], annotator: str) -> bool:
    """Ask for a decision on each conflict and store it; return whether all were shown."""
    from clipbench.failures.taxonomy import choices
    from clipbench.study.annotation.adjudicate import decide

    offered = {choice.key: choice for choice in choices()}
    for number, conflict in enumerate(conflicts, start=1):
        failure = conflict.failure
        typer.secho(f"\n{number} of {len(conflicts)}  {dataset.captions[failure.caption].text}", bold=True)
        typer.echo(f"  ground truth {failure.image_id}, retrieved {failure.retrieved_id}")
        for words in conflict.words:
            typer.echo(f"  {words}")
        typed = _typed_choice(offered)
        if typed == QUIT:
            return False
        if typed != SKIP:
            decide(at, dataset.key, conflict, annotator, offered[typed])
    return True


def _typed_choice(offered: Mapping[str, Choice]) -> str:
    """Return what was typed: the key of a choice, "s" to skip, "q" to stop."""
    keys = "  ".join(f"{key} {choice.title}" for key, choice in offered.items())
    while True:
        typed = str(typer.prompt(f"  {keys}\n  s skip  q stop", prompt_suffix=" > ")).strip().lower()
        if typed in {QUIT, SKIP, *offered}:
            return typed
        typer.echo(f"  {typed!r} is none of them")


@expanded
def results(
    labels: LabelOptions,
    run: RunArgument = "latest",
    against: Annotated[
        str | None, Option(help="A run to compare with: what changes from RUN to this one.")
    ] = None,
    policy: PolicyOption = "majority",
    k: Annotated[int, Option("--k", min=1, help="With --against: the cutoff of R@K.")] = 1,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print what a run does with the labelled queries of each category, or what changes between two runs."""
    from clipbench.reports.annotation.results import change_tables, result_table
    from clipbench.study.annotation.changes import category_changes
    from clipbench.study.annotation.results import category_results
    from clipbench.study.comparing.references import resolve_one

    at = open_at(store, to_read=True)
    stored, within = resolve_one(at, run), labels.scope(at)
    if against is None:
        categories = category_results(at, stored, within, policy)
        emit(result_table(stored, categories, policy), output)
        return
    runs = (stored, resolve_one(at, against))
    changes = category_changes(at, runs, within, policy, k)
    emit(change_tables(runs, changes, policy, k), output)


def gallery(
    sample: SampleArgument = "latest",
    out: Annotated[Path, Option("--out", "-o", help="File to write.")] = Path("failures.html"),
    side: Annotated[int, Option(min=64, max=1024, help="Pixels of a picture's longer side.")] = 280,
    force: ForceOption = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write a sample as one HTML file to look through: by category, annotator and margin. It loads nothing."""
    from clipbench.reports.annotation.gallery import write_gallery
    from clipbench.store.failures import find_sample

    at = open_at(store, to_read=True)
    with progress(quiet) as bars:
        count = write_gallery(at, find_sample(at, sample), out, bars, side=side, force=force)
    typer.echo(f"{out}: {count} failures, {out.stat().st_size / 1e6:.1f} MB")


def export(
    sample: SampleArgument = "latest",
    form: Annotated[
        Literal["csv", "label-studio"], Option("--format", "-f", help="csv or label-studio.")
    ] = "csv",
    out: Annotated[
        Path | None,
        Option("--out", "-o", help="Folder to write to. [default: labels]", show_default=False),
    ] = None,
    prefix: Annotated[
        str, Option(help="Label Studio: what stands before a picture's file name.")
    ] = "/data/local-files/?d=",
    hints: Annotated[bool, flag("--hints", says="Label Studio: hints as predictions.")] = False,
    force: ForceOption = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the labels of every annotator as exchange tables, or the sample as Label Studio tasks."""
    from clipbench.study.annotation.exporting import export_label_studio, export_tables
    from clipbench.study.annotation.session import open_session

    session = open_session(open_at(store, to_read=True), sample, hints=hints)
    folder = out or Path("labels")
    if form == "csv":
        paths = export_tables(session, folder, force=force)
    else:
        with progress(quiet) as bars:
            paths = export_label_studio(session, folder, bars, prefix=prefix, force=force)
    for path in paths:
        typer.echo(f"  {path}")
