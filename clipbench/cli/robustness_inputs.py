"""`clipbench robustness preview` and `export`: see what an operation does, and take its output elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from clipbench.cli.console import notes, progress
from clipbench.cli.expanding import expanded
from clipbench.cli.opening import model_source, open_at
from clipbench.cli.options import (
    DatasetArgument,
    EncoderOptions,
    ForceOption,
    OutputOptions,
    QuietOption,
    StoreOption,
)
from clipbench.cli.robustness_options import LevelOptions, PerturbationOptions

if TYPE_CHECKING:
    from clipbench.reports.perturbed_files import Written


@expanded
def preview(
    dataset: DatasetArgument,
    perturbation: PerturbationOptions,
    level: Annotated[
        str | None,
        Option(
            "--level",
            "--levels",
            metavar="LEVELS",
            help="Rates, e.g. 0.25 or 0.1,0.5. [default: the middle one]",
        ),
    ] = None,
    n: Annotated[int, Option("--n", min=1, max=1000, metavar="N", help="Captions, and sheets.")] = 5,
    seed: Annotated[int, Option(metavar="N", help="Seed of the operation.")] = 0,
    out: Annotated[
        Path | None, Option(metavar="FOLDER", help="Contact sheets of image operations go there.")
    ] = None,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Show captions of DATASET before and after with the changed words marked, photographs as contact sheets.

    Nothing is encoded and nothing is stored. A sheet shows every severity, whatever the level.
    """
    from clipbench.cli.marked import show_previews
    from clipbench.study.robustness.preview import preview_of

    words = perturbation.words(LevelOptions(level), seeds=(seed,))
    show_previews(preview_of(open_at(store, to_read=True), dataset, words, n), out, output)


@expanded
def export(
    dataset: DatasetArgument,
    out: Annotated[Path, Option(metavar="FOLDER", help="Folder to write to.")],
    perturbation: PerturbationOptions,
    levels: LevelOptions,
    encoder: EncoderOptions,
    model: Annotated[
        str | None,
        Option("--model", "-m", metavar="MODEL", help="Whose input to write, with --apply model_input."),
    ] = None,
    force: ForceOption = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the perturbed captions and photographs of DATASET to files, so that others use exactly the same.

    Captions as JSONL (exact; `robustness sweep --from-file` reads it) and as CSV (for spreadsheets: cells that
    begin like a formula get a quotation mark, which --from-file takes off again), photographs as PNG, and a manifest with the perturbations' keys.
    """
    from clipbench.reports.perturbed_files import write_inputs
    from clipbench.reports.sweeps.tables import source_notes
    from clipbench.store.datasets import load_dataset
    from clipbench.study.robustness.requests import request_of

    at = open_at(store, to_read=True)
    collection = load_dataset(at, dataset)
    source = model_source(at, model, encoder) if model else None
    request = request_of(perturbation.words(levels), collection)
    with progress(quiet, source) as bars:
        written = write_inputs(collection, request, out, bars, source, force=force)
    _print_files(written, out)
    if not quiet:
        notes((*source_notes(request.as_json()), *_written_notes(written)))


def _print_files(written: Written, out: Path) -> None:
    from clipbench.reports.perturbed_files import MANIFEST

    for path in (*written.captions, *written.pictures, out / MANIFEST):
        typer.echo(path)


def _written_notes(written: Written) -> list[str]:
    notes = []
    if written.unusable:
        notes.append(
            f"{len(written.unusable):,} photographs cannot be used and are missing; see the manifest"
        )
    if written.captions:
        notes.append(
            ".jsonl is exact, .csv is for spreadsheets; use either: robustness sweep DATASET --from-file FILE"
        )
    return notes
