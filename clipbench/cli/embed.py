"""`clipbench embed`: captions and photographs to vectors, and vectors from elsewhere into the store."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clipbench.cli.console import notes, progress
from clipbench.cli.groups import WithDefault
from clipbench.cli.options import (
    DatasetArgument,
    Device,
    DeviceOption,
    Format,
    FormatOption,
    JsonOption,
    MissingOption,
    ModelOption,
    Precision,
    PrecisionOption,
    PretrainedOption,
    QuietOption,
    StoreOption,
    flag,
)
from clipbench.cli.output import chosen, emit

app = typer.Typer(
    cls=WithDefault,
    no_args_is_help=True,
    help="""Turn a dataset into vectors: `clipbench embed DATASET --model MODEL`.

    The same as `clipbench embed run DATASET ...`, which `clipbench embed run --help` describes.""",
)


class Side(StrEnum):
    """One side of a dataset."""

    image = "image"
    text = "text"


@app.command("run")
def run(
    dataset: DatasetArgument,
    model: ModelOption,
    pretrained: PretrainedOption = None,
    precision: PrecisionOption = Precision.fp32,
    device: DeviceOption = Device.auto,
    only: Annotated[Side | None, typer.Option(help="Embed one side only.")] = None,
    allow_missing: MissingOption = 0.0,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Encode captions and photographs of DATASET; what is stored already is not encoded again.

    Stop it with Ctrl-C whenever you like: finished shards are stored, and the same command goes on.
    """
    from clipbench.reports.embeddings import embedded_table
    from clipbench.study.models import EncoderSource, ModelRequest
    from clipbench.study.opening import open_at
    from clipbench.study.sides import embed_sides, sides

    at = open_at(store)
    source = EncoderSource(at, ModelRequest(model, pretrained, precision, device))
    with progress(quiet, source) as bars:
        done = embed_sides(at, dataset, source, bars, sides(only), allow_missing=allow_missing)
    if not quiet:
        notes(source.notes)
    emit(embedded_table(dataset, source.identity, done), chosen(form, json))


@app.command("import")
def import_(
    dataset: DatasetArgument,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="WORDS", help="What made the vectors, in your words.")
    ],
    images: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Image vectors: .npy, .h5, or a clip-retrieval folder."),
    ] = None,
    image_ids: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Image ids, one per line, in vector order.")
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Caption vectors: .npy, .h5, or a clip-retrieval folder."),
    ] = None,
    text_ids: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Caption ids, one per line, in vector order.")
    ] = None,
    normalize: Annotated[
        bool, flag("--normalize", says="Scale vectors whose length is not 1 instead of refusing.")
    ] = False,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Attach ready-made vectors to DATASET under a declared encoder. Norms, order and ids are checked."""
    from clipbench.reports.embeddings import embedded_table
    from clipbench.study.importing import VectorFiles, import_vectors
    from clipbench.study.opening import open_at

    request = VectorFiles(model, images, image_ids, texts, text_ids, normalize=normalize)
    done = import_vectors(open_at(store), dataset, request)
    if not quiet:
        notes(done.notes)
    emit(embedded_table(dataset, done.identity, done.sets), chosen(form, json))


@app.command("export")
def export(
    dataset: DatasetArgument,
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="HDF5 file to write.")],
    pretrained: PretrainedOption = None,
    precision: PrecisionOption = Precision.fp32,
    force: Annotated[bool, flag("--force", says="Overwrite the file.")] = False,
    store: StoreOption = None,
) -> None:
    """Write the stored vectors of DATASET to one HDF5 file: ids, texts and vectors of the embedded sides."""
    from clipbench.study.exporting import export_vectors
    from clipbench.study.models import EncoderSource, ModelRequest
    from clipbench.study.opening import open_at

    at = open_at(store, to_read=True)
    source = EncoderSource(at, ModelRequest(model, pretrained, precision))
    written = export_vectors(at, dataset, source, out, force=force)
    typer.echo(f"wrote {out}: {', '.join(f'{rows:,} {side} vectors' for side, rows in written.items())}")
