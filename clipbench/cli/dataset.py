"""`clipbench dataset`: bring captioned image collections into the store, and look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from clipbench.cli.console import note, notes, progress
from clipbench.cli.expanding import expanded, option, switch
from clipbench.cli.opening import open_at
from clipbench.cli.options import (
    DatasetArgument,
    MissingOption,
    OutputOptions,
    QuietOption,
    StoreOption,
    YesOption,
    flag,
)
from clipbench.cli.output import emit
from clipbench.wording import plural

if TYPE_CHECKING:
    from clipbench.datasets.rows import Columns, ReadRequest, SplitPlan
    from clipbench.study.collecting.collect import Added

app = typer.Typer(no_args_is_help=True, help="Bring captioned image collections into the store.")

SAYS = (
    "flickr8k, coco, coco-frozen, karpathy, jsonl, csv, tsv, parquet, folder, webdataset, hf-disk, or scenes or "
    "catalogue (drawn, need no files)"
)


@dataclass(frozen=True)
class SourceOptions:
    """What a collection is read from, and what of it is taken."""

    captions: Path | None = option(
        "Caption file, or a folder or 'PATTERN' of tar or Parquet files. [default: what the --images folder holds]",
        "--captions",
        "-c",
        metavar="FILE",
    )
    form: str | None = option(f"{SAYS}. [default: told from the file]", "--format", metavar="FORMAT")
    images: Path | None = option(
        "Folder the image paths start from. [default: beside the captions]", metavar="FOLDER"
    )
    captions_only: bool = switch("Take no photographs.", "--captions-only")
    no_captions: bool = switch("Take the photographs of a folder alone, to search them.", "--no-captions")
    split: str | None = option("Take this split; several joined by +.", metavar="SPLIT")
    split_file: Path | None = option(
        "Take the images this file names, one per line, in its order.", metavar="FILE"
    )
    sample: int | None = option("Draw N images by a hash of seed and image id.", min=1, metavar="N")
    seed: int = option("Seed of --sample and --make-splits.", default=0, metavar="N")
    max_captions: int | None = option("Keep the first N captions of an image.", min=1, metavar="N")
    policy: str | None = option("Caption policy: all or first5 (as --max-captions 5).", metavar="WORD")
    meta: Path | None = option("Ids of a frozen caption list (coco-frozen).", metavar="FILE")
    image_column: str | None = option("Column of the image path.", metavar="COLUMN")
    caption_column: str | None = option("Column of the caption.", metavar="COLUMN")
    image_id_column: str | None = option("Column of the image id.", metavar="COLUMN")
    caption_id_column: str | None = option("Column of the caption id.", metavar="COLUMN")
    split_column: str | None = option("Column of the split.", metavar="COLUMN")
    caption_template: list[str] | None = option(
        "Compose captions from columns: '{type}, {color}. {description}'; again for another caption.",
        metavar="TEXT",
    )
    require: list[str] | None = option("Leave out rows in which this column is empty.", metavar="COLUMN")
    make_splits: str | None = option(
        "Cut it into NAME-train, NAME-val and NAME-test by these shares: 70/15/15.", metavar="SHARES"
    )
    group_by: str | None = option(
        "With --make-splits, keep together what has an equal image, text, or COLUMN. Equal photographs stay "
        "together anyhow. [default: image]",
        metavar="WORD",
    )
    no_quotes: bool = switch("Quotation marks in a table are plain characters.", "--no-quotes")
    file_names_only: bool = switch("Drop the folders from image paths.", "--file-names-only")
    follow_links: bool = switch(
        "Take photographs that are links out of the folder (HF, DVC, git-annex).", "--follow-links"
    )
    drop_uncaptioned: bool = switch("Leave out images without captions.", "--drop-uncaptioned")
    allow_missing: MissingOption = 0.0

    def request(self, name: str) -> ReadRequest:
        """Return the reading that is asked for. Raises BadParameter for options that contradict one another."""
        from clipbench.datasets.rows import ReadRequest, caption_limit
        from clipbench.study.collecting.drawn import DRAWN

        # A folder of photographs with .txt files beside them needs no other name.
        captions = self.images if self.captions is None and self.form not in DRAWN else self.captions
        if self.no_captions and captions is None:
            raise typer.BadParameter("--no-captions goes with --images FOLDER")
        if (captions is None) != (self.form in DRAWN):
            raise typer.BadParameter(
                "name the caption file with --captions, or a folder of photographs with .txt files with --images; "
                f"--format {' and --format '.join(DRAWN)} need neither"
            )
        if self.max_captions is not None and self.policy is not None:
            raise typer.BadParameter("--max-captions and --policy say the same thing; leave one out")
        return ReadRequest(
            captions=captions or Path(),
            format=self.form,
            name=name,
            images=self.images,
            captions_only=self.captions_only,
            split=self.split,
            split_file=self.split_file,
            max_captions=self.max_captions if self.policy is None else caption_limit(self.policy),
            sample=self.sample,
            seed=self.seed,
            columns=self._columns(),
            quoting="none" if self.no_quotes else "csv",
            meta=self.meta,
            file_names_only=self.file_names_only,
            follow_links=self.follow_links,
            drop_uncaptioned=self.drop_uncaptioned,
            allow_missing=self.allow_missing,
            splits=self._splits(),
            no_captions=self.no_captions,
        )

    def _columns(self) -> Columns:
        from clipbench.datasets.caption_template import parse_template
        from clipbench.datasets.rows import Columns

        return Columns(
            self.image_column,
            self.caption_column,
            self.image_id_column,
            self.caption_id_column,
            self.split_column,
            tuple(parse_template(text) for text in self.caption_template or ()),
            tuple(self.require or ()),
        )

    def _splits(self) -> SplitPlan | None:
        from clipbench.datasets.rows import IMAGE, SplitPlan
        from clipbench.datasets.splitting import parse_shares

        if self.make_splits is None:
            if self.group_by is not None:
                raise typer.BadParameter("--group-by goes with --make-splits, e.g. --make-splits 70/15/15")
            return None
        return SplitPlan(parse_shares(self.make_splits), self.seed, self.group_by or IMAGE)


@app.command()
@expanded
def add(
    name: Annotated[str, Argument(metavar="NAME", help="What to call it in this store, e.g. f8k-test.")],
    source: SourceOptions,
    replace: Annotated[
        bool, flag("--replace", says="Let NAME mean this from now on; old runs keep theirs.")
    ] = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Read a captioned image collection and store it under NAME, or its splits under NAME-train and so on.

    Nothing is stored unless everything could be read; all problems are shown together, with file and line.
    """
    from clipbench.demo import SCENES
    from clipbench.study.collecting.collect import collect
    from clipbench.study.collecting.drawn import DRAWN

    verb = DRAWN.get(source.form or "", collect)
    request = source.request(name)
    with progress(quiet) as bars:
        collected = verb(open_at(store, create=True), request, bars, replace_name=replace)
    if not quiet:
        notes(collected.notes)
    for one in collected.added:
        typer.echo(f"{one.stored.name}: {_described(one)}")
    if not quiet:
        bare = not any(one.dataset.captions for one in collected.added)
        names = [quote(one.stored.name) for one in collected.added]
        note(f"next: {_next(names, bare=bare, drawn=source.form == SCENES)}")


def _next(names: Sequence[str], *, bare: bool, drawn: bool) -> str:
    """Return what to do with datasets that were added.

    bare: they have no captions. drawn: they are the drawn scenes, of which alone the bundled model knows anything.
    """
    first, *others = names
    if bare:
        return f"clipbench embed {first} --model MODEL; clipbench search WORDS --dataset {first}"
    if others:
        return f"clipbench adapt train {first} --val {others[0]} --model MODEL --name mine; clipbench evaluate {others[-1]} --model adapter:mine"
    model = "demo" if drawn else "MODEL (clipbench models lists those on this machine)"
    return f"clipbench dataset lint {first}; clipbench evaluate {first} --model {model}"


def _described(added: Added) -> str:
    from clipbench.keys import short
    from clipbench.study.collecting.collect import captions_per_image

    dataset = added.dataset
    how = "added" if added.stored.created else "already stored with the same content"
    captions = (
        f"{plural(len(dataset.captions), 'caption')} ({captions_per_image(dataset)} an image)"
        if dataset.captions
        else "no captions"
    )
    return (
        f"{how}: {plural(len(dataset.samples), 'image')}, {captions}, split {dataset.split}, "
        f"fingerprint {short(dataset.fingerprint)}"
    )


@app.command()
def rename(
    name: DatasetArgument,
    new: Annotated[str, Argument(metavar="NEW", help="What to call it from now on.")],
    store: StoreOption = None,
) -> None:
    """Call a stored dataset otherwise. Its runs, vectors and labels are shown under the new name."""
    from clipbench.store.dataset_names import rename_dataset

    rename_dataset(open_at(store), name, new)
    typer.echo(f"{name} is called {new} now")


@app.command()
def remove(
    name: DatasetArgument,
    runs: Annotated[bool, flag("--runs", says="Delete the runs on it too.")] = False,
    yes: YesOption = False,
    store: StoreOption = None,
) -> None:
    """Take a dataset out of the store; its files stay. Vectors stay until `clipbench store gc`.

    What people labelled is kept with its images and captions, without the name.
    """
    from clipbench.reports.datasets import removal_words
    from clipbench.store.dataset_names import remove_dataset

    at = open_at(store)
    planned = remove_dataset(at, name, runs=runs, dry_run=True)
    if not yes:
        typer.confirm(f"Remove {removal_words(planned)}?", abort=True, err=True)
    typer.echo(f"removed {removal_words(remove_dataset(at, name, runs=runs))}")


@app.command("list")
@expanded
def list_(
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """List the datasets of this store."""
    from clipbench.reports.datasets import dataset_table

    emit(dataset_table(open_at(store, to_read=True), wide=output.for_programs), output)


@app.command()
@expanded
def show(
    name: DatasetArgument,
    captions: Annotated[int, Option(min=0, metavar="N", help="Show the captions of the first N images.")] = 3,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Show what a dataset holds, where it came from, and its first captions."""
    from clipbench.reports.datasets import dataset_facts

    emit(dataset_facts(open_at(store, to_read=True), name, captions), output)


@app.command()
@expanded
def lint(
    name: DatasetArgument,
    against: Annotated[
        list[str] | None,
        Option("--against", metavar="DATASET", help="Other splits that must share nothing with it."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        Option(
            "--allow",
            metavar="KIND=SHARE",
            help="Tolerate this share (0..1, or `any`) of a finding before exit 1.",
        ),
    ] = None,
    similar: Annotated[bool, flag("--similar", says="Look for near-identical photographs too.")] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Look for missing, broken, duplicate and leaking images and captions; exit 1 above the thresholds."""
    from clipbench.reports.lint import lint_table, thresholds
    from clipbench.study.collecting.collect import inspect

    limits = thresholds(allow or [])
    with progress(quiet) as bars:
        findings = inspect(open_at(store, to_read=True), name, against or [], bars, similar=similar)
    table, failed = lint_table(name, findings, limits)
    emit(table, output)
    if failed:
        raise typer.Exit(1)
