"""`clipbench index`: indexes of stored vectors, built, looked after, and judged by what they lose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from typer import Argument, Option

from clipbench.cli import completion
from clipbench.cli.console import note, notes
from clipbench.cli.engines import EngineOptions
from clipbench.cli.expanding import expanded, option
from clipbench.cli.opening import at_work, open_at
from clipbench.cli.options import (
    DatasetArgument,
    EncoderOptions,
    FiguresOption,
    MissingOption,
    ModelOption,
    OutputOptions,
    QuietOption,
    StoreOption,
    YesOption,
)
from clipbench.cli.output import emit

if TYPE_CHECKING:
    from clipbench.indexes.protocol import IndexRecipe
    from clipbench.store.engine import Store
    from clipbench.study.indexing.settings import TypedSettings
    from clipbench.study.indexing.sweep import IndexSweep

app = typer.Typer(no_args_is_help=True, help="Indexes of stored vectors, judged by what they lose.")

QueryName: TypeAlias = Literal["captions", "photographs"]
SideName: TypeAlias = Literal["images", "captions"]
TypeName: TypeAlias = Literal["exact", "hnsw", "ivf", "ivf-pq", "sq8", "milvus"]

IndexArgument = Annotated[
    str,
    Argument(
        metavar="INDEX",
        help="Name of a stored index, or the beginning of its name or key.",
        autocompletion=completion.indexes,
    ),
]
SideOption = Annotated[SideName, Option(help="images (found by captions) or captions.", metavar="SIDE")]


@dataclass(frozen=True)
class BuildOptions:
    """How an index is made; what is not typed is at the type's default."""

    m: int | None = option("Links of a node (hnsw, milvus). [default: 16]", "--m", min=2, metavar="N")
    ef_construction: int | None = option(
        "Width of the search while building (hnsw, milvus). [default: 200]", min=1, metavar="N"
    )
    lists: int | None = option("Lists (ivf, ivf-pq). [default: 4 √items]", min=1, metavar="N")
    bytes: int | None = option("Bytes a vector (ivf-pq). [default: 32]", min=1, metavar="N")
    seed: int | None = option("Seed of the clustering (ivf, ivf-pq). [default: 0]", min=0, metavar="N")

    part_size: int | None = option(
        "Items of a part (hnsw, ivf, ivf-pq, sq8): a larger index is built in parts. [default: some 1 GB of memory]",
        min=1,
        metavar="N",
    )
    uri: str | None = option("Address of the Milvus server that keeps it. [default: a file]", metavar="URI")

    def recipe(self, kind: str) -> IndexRecipe:
        """Return the recipe that is asked for."""
        from clipbench.indexes.protocol import IndexRecipe

        given = {
            "m": self.m,
            "ef_construction": self.ef_construction,
            "lists": self.lists,
            "bytes": self.bytes,
            "seed": self.seed,
        }
        if self.uri is not None and kind != "milvus":
            raise typer.BadParameter("--uri goes with --type milvus")
        build = {name: value for name, value in given.items() if value is not None}
        return IndexRecipe(kind, build, self.uri, self.part_size)


@app.command()
@expanded
def build(
    dataset: DatasetArgument,
    model: ModelOption,
    side: SideOption = "images",
    kind: Annotated[
        TypeName, Option("--type", metavar="TYPE", help="exact, hnsw, ivf, ivf-pq, sq8 or milvus.")
    ] = "exact",
    name: Annotated[
        str | None, Option(metavar="NAME", help="What to call it. [default: of what it is]")
    ] = None,
    recipe: BuildOptions = BuildOptions(),
    encoder: EncoderOptions = EncoderOptions(),
    allow_missing: MissingOption = 0.0,
    engine: EngineOptions = EngineOptions(),
    quiet: QuietOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Build an index of one side of DATASET as MODEL sees it, or find the one that is stored."""
    from clipbench.reports.indexing.tables import index_facts
    from clipbench.study.indexing.building import BuildRequest, build_index

    request = BuildRequest(dataset, recipe.recipe(kind), side, name, allow_missing)
    with at_work(open_at(store), model, encoder, quiet, dataset, engine) as (source, bars):
        done = build_index(source, request, bars)
    if not quiet:
        notes(done.notes)
        if not done.created:
            note("note: this index was stored before; nothing was built again")
    emit(index_facts(done.record), output)


@app.command("list")
@expanded
def list_(store: StoreOption = None, output: OutputOptions = OutputOptions()) -> None:
    """List the stored indexes."""
    from clipbench.reports.indexing.tables import index_table

    emit(index_table(open_at(store, to_read=True)), output)


@app.command()
@expanded
def show(index: IndexArgument, store: StoreOption = None, output: OutputOptions = OutputOptions()) -> None:
    """Show what an index is of, how it was made, what it is kept as, and what runs through it came to."""
    from clipbench.reports.indexing.tables import index_tables

    emit(index_tables(open_at(store, to_read=True), index), output)


@app.command()
@expanded
def verify(
    index: Annotated[
        str | None, Argument(metavar="[INDEX]", help="Name or key of one index; all where none is named.")
    ] = None,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Check an index: its file, its order, that it finds its own items and hears its parameter; exit 1 if not."""
    from clipbench.reports.indexing.tables import check_table
    from clipbench.study.indexing.checking import check_indexes

    found = check_indexes(open_at(store, to_read=True), index)
    emit(check_table(found), output)
    if any(one.problem for one in found):
        raise typer.Exit(1)


@app.command()
def delete(index: IndexArgument, yes: YesOption = False, store: StoreOption = None) -> None:
    """Delete an index and its file. Runs through it stay."""
    from clipbench.store.indexes import load_index
    from clipbench.study.indexing.building import remove_index

    at = open_at(store)
    record = load_index(at, index)
    if not yes:
        typer.confirm(f"delete index {record.name}?", abort=True, err=True)
    remove_index(at, record)
    typer.echo(f"deleted index {record.name}")


@dataclass(frozen=True)
class SweepOptions:
    """Which settings a sweep tries."""

    recipe: list[str] | None = option(
        "Type with values: hnsw, ivf:lists=215,nprobe=1/4; several times for several. [default: hnsw ivf sq8]",
        metavar="RECIPE",
    )
    ef: str | None = option("Values of ef (hnsw). [default: 10,32,64,128]", "--ef", metavar="N,...")
    m: str | None = option("Values of m (hnsw). [default: 16]", "--m", metavar="N,...")
    nprobe: str | None = option("Values of nprobe (ivf, ivf-pq). [default: 1,4,16]", metavar="N,...")
    refine: str | None = option("Values of refine (sq8, ivf-pq). [default: 1,4]", metavar="N,...")

    def typed(self) -> TypedSettings:
        """Return what was typed. Raises ClipbenchError for values that are no numbers."""
        from clipbench.study.indexing.settings import TypedSettings, numbers

        given = {"ef": self.ef, "m": self.m, "nprobe": self.nprobe, "refine": self.refine}
        values = {n: numbers(text, f"--{n} {text}", ",") for n, text in given.items() if text is not None}
        return TypedSettings(tuple(self.recipe or ()), values)


@app.command()
@expanded
def sweep(
    dataset: DatasetArgument,
    model: ModelOption,
    side: SideOption = "images",
    queries: Annotated[
        QueryName,
        Option(help="captions, or photographs: what asks; no run is stored of these.", metavar="WHAT"),
    ] = "captions",
    options: SweepOptions = SweepOptions(),
    max_loss: Annotated[
        float, Option("--max-loss", min=0.0, metavar="POINTS", help="Points of R@1 that an index may lose.")
    ] = 0.1,
    figures: FiguresOption = None,
    encoder: EncoderOptions = EncoderOptions(),
    allow_missing: MissingOption = 0.0,
    quiet: QuietOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Try settings of indexes on DATASET's own queries: what each loses, what it costs, and which to take.

    Every setting is a stored run: clipbench report --compare takes them. A stopped command goes on.
    """
    from clipbench.study.indexing.sweep import SweepRequest, swept

    request = SweepRequest(
        dataset, options.typed(), side, queries == "photographs", allow_missing=allow_missing
    )
    at = open_at(store)
    with at_work(at, model, encoder, quiet, dataset) as (source, bars):
        done = swept(source, request, bars)
    _show(done, max_loss, figures, output, at if queries == "photographs" else None, quiet)


def _show(
    done: IndexSweep,
    max_loss: float,
    figures: Path | None,
    output: OutputOptions,
    keep: Store | None,
    quiet: bool,
) -> None:
    """Print a sweep. keep: the store whose artifacts keep what no run does, None for a sweep of runs."""
    from clipbench.reports.indexing.figures import sweep_figures
    from clipbench.reports.indexing.sweep import kept, sweep_tables
    from clipbench.study.indexing.advice import advice

    tables = sweep_tables(done, advice(done, max_loss))
    emit(tables, output)
    written = [] if keep is None else [kept(keep, done, tables)]
    written += [] if figures is None else sweep_figures(done, figures, max_loss)
    if not quiet:
        notes(f"wrote {path}" for path in written)
