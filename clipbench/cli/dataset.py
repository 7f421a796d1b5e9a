"""`clipbench dataset`: bring captioned image collections into the store, and look at them."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from clipbench.cli.console import note, notes, progress
from clipbench.cli.options import (
    DatasetArgument,
    Format,
    FormatOption,
    JsonOption,
    MissingOption,
    QuietOption,
    StoreOption,
    flag,
)
from clipbench.cli.output import chosen, emit

app = typer.Typer(no_args_is_help=True, help="Bring captioned image collections into the store.")

SAYS = "flickr8k, coco, coco-frozen, karpathy, jsonl, csv, tsv, parquet, folder, or scenes (drawn, needs no files)"

FOLDER = "folder"
"""The format of a folder of photographs, each with a .txt file of captions beside it."""


@app.command()
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What to call it in this store, e.g. f8k-test.")
    ],
    captions: Annotated[
        Path | None,
        typer.Option(
            "--captions",
            "-c",
            metavar="FILE",
            help="Caption file. [default: the .txt files in the --images folder]",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help=f"{SAYS}. [default: told from the file]"),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder the image paths start from. [default: beside the captions]"
        ),
    ] = None,
    captions_only: Annotated[bool, flag("--captions-only", says="Take no photographs.")] = False,
    split: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Take this split; several joined by +.")
    ] = None,
    split_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the images this file names, one per line, in its order."),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Draw N images by a hash of seed and image id.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of --sample.")] = 0,
    max_captions: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep the first N captions of an image.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="WORD", help="Caption policy: all or first5 (as --max-captions 5).")
    ] = None,
    meta: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ids of a frozen caption list (coco-frozen).")
    ] = None,
    image_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the image path.")
    ] = None,
    caption_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the caption.")
    ] = None,
    image_id_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the image id.")
    ] = None,
    caption_id_column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the caption id.")
    ] = None,
    split_column: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of the split.")] = None,
    no_quotes: Annotated[
        bool, flag("--no-quotes", says="Quotation marks in a table are plain characters.")
    ] = False,
    file_names_only: Annotated[
        bool, flag("--file-names-only", says="Drop the folders from image paths.")
    ] = False,
    allow_missing: MissingOption = 0.0,
    replace: Annotated[
        bool, flag("--replace", says="Let NAME mean this from now on; old runs keep theirs.")
    ] = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Read a captioned image collection and store it under NAME.

    Nothing is stored unless everything could be read; all problems are shown together, with file and line.
    """
    from clipbench.datasets.rows import Columns, ReadRequest, caption_limit
    from clipbench.keys import short
    from clipbench.study.collect import SCENES, captions_per_image, collect, collect_scenes
    from clipbench.study.opening import open_at

    if captions is None and form in {None, FOLDER}:
        captions = images  # a folder of photographs with .txt files beside them needs no other name
    if (captions is None) != (form == SCENES):
        raise typer.BadParameter(
            "name the caption file with --captions, or a folder of photographs with .txt files with --images; "
            "--format scenes needs neither"
        )
    if max_captions is not None and policy is not None:
        raise typer.BadParameter("--max-captions and --policy say the same thing; leave one out")
    request = ReadRequest(
        captions=captions or Path(),
        format=form,
        name=name,
        images=images,
        captions_only=captions_only,
        split=split,
        split_file=split_file,
        max_captions=caption_limit(policy) if policy is not None else max_captions,
        sample=sample,
        seed=seed,
        columns=Columns(image_column, caption_column, image_id_column, caption_id_column, split_column),
        quoting="none" if no_quotes else "csv",
        meta=meta,
        file_names_only=file_names_only,
        allow_missing=allow_missing,
    )
    verb = collect_scenes if form == SCENES else collect
    with progress(quiet) as bars:
        done = verb(open_at(store, create=True), request, bars, replace_name=replace)
    if not quiet:
        notes(done.notes)
    dataset = done.dataset
    how = "added" if done.stored.created else "already stored with the same content"
    typer.echo(
        f"{name}: {how}: {len(dataset.samples):,} images, {len(dataset.captions):,} captions "
        f"({captions_per_image(dataset)} an image), split {dataset.split}, fingerprint {short(dataset.fingerprint)}"
    )
    if not quiet:
        note(f"next: clipbench dataset lint {quote(name)}; clipbench evaluate {quote(name)} --model demo")


@app.command("list")
def list_(store: StoreOption = None, form: FormatOption = Format.table, json: JsonOption = False) -> None:
    """List the datasets of this store."""
    from clipbench.reports.datasets import dataset_table
    from clipbench.study.opening import open_at

    emit(dataset_table(open_at(store, to_read=True)), chosen(form, json))


@app.command()
def show(
    name: DatasetArgument,
    captions: Annotated[
        int, typer.Option(min=0, metavar="N", help="Show the captions of the first N images.")
    ] = 3,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Show what a dataset holds, where it came from, and its first captions."""
    from clipbench.reports.datasets import dataset_facts
    from clipbench.study.opening import open_at

    emit(dataset_facts(open_at(store, to_read=True), name, captions), chosen(form, json))


@app.command()
def lint(
    name: DatasetArgument,
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="DATASET", help="Other splits that must share nothing with it."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="KIND=SHARE",
            help="Tolerate this share (0..1, or `any`) of a finding before exit 1.",
        ),
    ] = None,
    similar: Annotated[bool, flag("--similar", says="Look for near-identical photographs too.")] = False,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Look for missing, broken, duplicate and leaking images and captions; exit 1 above the thresholds."""
    from clipbench.reports.lint import lint_table, thresholds
    from clipbench.study.collect import inspect
    from clipbench.study.opening import open_at

    limits = thresholds(allow or [])
    with progress(quiet) as bars:
        findings = inspect(open_at(store, to_read=True), name, against or [], bars, similar=similar)
    table, failed = lint_table(name, findings, limits)
    emit(table, chosen(form, json))
    if failed:
        raise typer.Exit(1)
