"""`clipbench embed`: captions and photographs to vectors, and vectors from elsewhere into the store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from clipbench.cli.console import notes
from clipbench.cli.engines import EngineOptions
from clipbench.cli.expanding import expanded
from clipbench.cli.groups import WithDefault
from clipbench.cli.opening import at_work, model_source, open_at
from clipbench.cli.options import (
    DatasetArgument,
    EncoderOptions,
    ForceOption,
    MissingOption,
    ModelOption,
    OutputOptions,
    PrecisionOption,
    PretrainedOption,
    QuietOption,
    StoreOption,
    flag,
)
from clipbench.cli.output import emit
from clipbench.wording import plural

if TYPE_CHECKING:
    from clipbench.store.engine import Store
    from clipbench.study.embedding.parts import Part

app = typer.Typer(
    cls=WithDefault,
    no_args_is_help=True,
    help="""Turn a dataset into vectors: `clipbench embed DATASET --model MODEL`.

    The same as `clipbench embed run DATASET ...`, which `clipbench embed run --help` describes.""",
)


@app.command("run")
@expanded
def run(
    dataset: DatasetArgument,
    model: ModelOption,
    encoder: EncoderOptions,
    only: Annotated[
        Literal["image", "text"] | None, Option(help="Embed photographs or captions only.")
    ] = None,
    part: Annotated[
        str | None,
        Option(
            metavar="K/N", help="Encode the K-th of N parts only; N machines share the work (docs/scale.md)."
        ),
    ] = None,
    allow_missing: MissingOption = 0.0,
    dry_run: Annotated[
        bool, flag("--dry-run", says="Count what is lacking, estimate the time, stop.")
    ] = False,
    engine: EngineOptions = EngineOptions(),
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Encode captions and photographs of DATASET; what is stored already is not encoded again.

    Stop it with Ctrl-C whenever you like: finished shards are stored, and the same command goes on.
    """
    from clipbench.reports.embeddings import embedded_table
    from clipbench.study.embedding.modalities import embed_modalities, modalities

    if dry_run:
        _estimate(open_at(store, to_read=True), dataset, part, (model, encoder, engine), only)
        return
    if part is not None:
        asked = _part(part, allow_missing)
        _run_part(open_at(store), dataset, asked, (model, encoder, engine), only, output, quiet)
        return
    at = open_at(store)
    with at_work(at, model, encoder, quiet, dataset, engine) as (source, bars):
        done = embed_modalities(at, dataset, source, bars, modalities(only), allow_missing=allow_missing)
    emit(embedded_table(dataset, source.identity, done), output)


def _estimate(
    at: Store,
    dataset: str,
    part: str | None,
    model: tuple[str, EncoderOptions, EngineOptions],
    only: str | None,
) -> None:
    from clipbench.study.cluster.engine import threads_of
    from clipbench.study.cluster.estimate import effort, words
    from clipbench.study.embedding.modalities import modalities

    if part is not None:
        raise typer.BadParameter("--dry-run is of the whole set; give it without --part")
    asked = model[2].asked
    source = model_source(at, model[0], model[1])
    found = effort(source, dataset, modalities(only))
    threads = threads_of(source.identity) if asked else None
    typer.echo("\n".join(words(found, asked, threads)))


def _part(typed: str, allow_missing: float) -> Part:
    """Return the part that K/N means. Raises BadParameter for what is none."""
    from clipbench.study.embedding.parts import Part

    numbers = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", typed)
    if numbers is None or not 1 <= int(numbers[1]) <= int(numbers[2]):
        raise typer.BadParameter(f"--part {typed} is none; of 16 parts they are 1/16 to 16/16")
    if allow_missing:
        raise typer.BadParameter("--allow-missing is of the whole set; give it without --part, at the end")
    return Part(int(numbers[1]), int(numbers[2]))


def _run_part(
    at: Store,
    dataset: str,
    part: Part,
    model: tuple[str, EncoderOptions, EngineOptions],
    only: str | None,
    output: OutputOptions,
    quiet: bool,
) -> None:
    from clipbench.reports.embeddings import part_table
    from clipbench.study.embedding.modalities import modalities
    from clipbench.study.embedding.parts import embed_part

    with at_work(at, model[0], model[1], quiet, dataset, model[2]) as (source, bars):
        done = embed_part(at, dataset, source, bars, part, modalities(only))
    emit(part_table(dataset, source.identity, part, done), output)


@app.command("adopt")
@expanded
def adopt(
    dataset: DatasetArgument,
    folders: Annotated[
        list[Path],
        Argument(metavar="FOLDER...", help="Stores of the other machines, or copies of their embeddings."),
    ],
    model: ModelOption,
    encoder: EncoderOptions,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Take vectors of DATASET that other machines encoded (`embed --part`) from their stores, checked file by file."""
    from clipbench.reports.embeddings import adopted_table
    from clipbench.study.embedding.adopting import adopt_shards, check_none_refused

    at = open_at(store)
    with at_work(at, model, encoder, quiet, dataset) as (source, bars):
        done = adopt_shards(at, dataset, source, folders, bars)
    emit(adopted_table(dataset, done), output)
    check_none_refused(done)


@app.command("import")
@expanded
def import_(
    dataset: DatasetArgument,
    model: Annotated[
        str, Option("--model", "-m", metavar="WORDS", help="What made the vectors, in your words.")
    ],
    images: Annotated[
        Path | None, Option(metavar="FILE", help="Image vectors: .npy, .h5, or a clip-retrieval folder.")
    ] = None,
    image_ids: Annotated[
        Path | None, Option(metavar="FILE", help="Image ids, one per line, in vector order.")
    ] = None,
    texts: Annotated[
        Path | None, Option(metavar="FILE", help="Caption vectors: .npy, .h5, or a clip-retrieval folder.")
    ] = None,
    text_ids: Annotated[
        Path | None, Option(metavar="FILE", help="Caption ids, one per line, in vector order.")
    ] = None,
    normalize: Annotated[
        bool, flag("--normalize", says="Scale vectors whose length is not 1 instead of refusing.")
    ] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Attach ready-made vectors to DATASET under a declared encoder. Norms, order and ids are checked."""
    from clipbench.reports.embeddings import embedded_table
    from clipbench.study.embedding.importing import VectorFiles, import_vectors

    request = VectorFiles(model, images, image_ids, texts, text_ids, normalize=normalize)
    done = import_vectors(open_at(store), dataset, request)
    if not quiet:
        notes(done.notes)
    emit(embedded_table(dataset, done.identity, done.sets), output)


@app.command("export")
def export(
    dataset: DatasetArgument,
    model: ModelOption,
    out: Annotated[Path, Option("--out", "-o", metavar="FILE", help="HDF5 file to write.")],
    pretrained: PretrainedOption = None,
    precision: PrecisionOption = "fp32",
    force: ForceOption = False,
    store: StoreOption = None,
) -> None:
    """Write the stored vectors of DATASET to one HDF5 file: ids, texts and vectors of the embedded sides."""
    from clipbench.study.embedding.exporting import export_vectors

    at = open_at(store, to_read=True)
    source = model_source(at, model, EncoderOptions(pretrained, precision))
    written = export_vectors(at, dataset, source, out, force=force)
    typer.echo(f"wrote {out}: {', '.join(plural(rows, kind + ' vector') for kind, rows in written.items())}")
