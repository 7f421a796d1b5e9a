"""`clipbench runs`: what was evaluated, one run whole, its per-query ledger, tags."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipbench.cli import completion
from clipbench.cli.options import (
    Format,
    FormatOption,
    JsonOption,
    RunArgument,
    StoreOption,
    YesOption,
    flag,
)
from clipbench.cli.output import chosen, emit, for_programs

if TYPE_CHECKING:
    from clipbench.store.engine import Store
    from clipbench.store.runs import StoredRun

RunsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Beginning of a run's key, a tag, `latest`, or latest:word-dropout=0.3.",
        autocompletion=completion.runs,
    ),
]

app = typer.Typer(
    no_args_is_help=True, help="Look at stored runs, export their ledgers, tag and delete them."
)


class LedgerFormat(StrEnum):
    """How a ledger is written."""

    csv = "csv"
    parquet = "parquet"
    trec = "trec"
    clip_benchmark = "clip-benchmark"


class Directions(StrEnum):
    """Which queries of a ledger are written."""

    both = "both"
    t2i = "t2i"
    i2t = "i2t"


def only(runs: list[str]) -> None:
    """Raise BadParameter where several runs are named and one is meant."""
    if len(runs) != 1:
        raise typer.BadParameter(
            f"one run has a ledger to write, {len(runs)} are named; --bundle takes several"
        )


@app.command("list")
def list_(
    dataset: Annotated[str | None, typer.Option(metavar="DATASET", help="Only runs on this dataset.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Only models whose name holds this.")
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only runs with this tag.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most this many, newest first.")
    ] = None,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """List runs, newest first (the same table as `clipbench report`)."""
    from clipbench.reports.runs import run_list
    from clipbench.store.queries import RunFilter
    from clipbench.study.opening import open_at

    filters = RunFilter(dataset=dataset, model=model, tag=tag, limit=limit)
    asked = chosen(form, json)
    emit(run_list(open_at(store, to_read=True), filters, wide=for_programs(asked)), asked)


@app.command()
def show(
    run: RunArgument = "latest",
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Show every number of a run with its interval, and where the run comes from."""
    from clipbench.reports.runs import run_facts, run_table
    from clipbench.store.queries import resolve_run
    from clipbench.study.opening import open_at

    at, asked = open_at(store, to_read=True), chosen(form, json)
    found, wide = resolve_run(at, run), for_programs(asked)
    emit([run_table(at, found, wide=wide), run_facts(found, wide=wide)], asked)


@app.command()
def export(
    runs: RunsArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="File to write; - for stdout (CSV).")
    ] = Path("-"),
    direction: Annotated[
        Directions, typer.Option(help="Captions as queries (t2i), images (i2t), or both.")
    ] = Directions.both,
    form: Annotated[
        LedgerFormat,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="csv, parquet, trec (a folder of runs and qrels), or clip-benchmark (JSON).",
        ),
    ] = LedgerFormat.csv,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", metavar="FILE", help="Write the runs whole, to check them elsewhere: no photographs."
        ),
    ] = None,
    force: Annotated[bool, flag("--force", says="Overwrite the file.")] = False,
    store: StoreOption = None,
) -> None:
    """Write a run's ledger: per query its rank, its top-1 item, the scores and the margin; or runs for others."""
    from clipbench.reports.ledger import ledger_table, write_ledger
    from clipbench.study.comparing.references import resolve_one, resolve_runs
    from clipbench.study.opening import open_at

    whole = direction is Directions.both
    if bundle is None:
        only(runs)
    elif not (whole and str(out) == "-" and form is LedgerFormat.csv):
        raise typer.BadParameter(
            "--bundle writes whole runs in its own form: --out, --format and --direction are for ledgers"
        )
    if form is LedgerFormat.clip_benchmark and not whole:
        raise typer.BadParameter("CLIP_benchmark's JSON holds both directions: leave --direction out")
    at = open_at(store, to_read=True)
    if bundle is not None:
        from clipbench.study.bundles.writing import write_bundle

        written = write_bundle(at, resolve_runs(at, runs), bundle, force=force)
        typer.echo(f"wrote {written.path}: {written.runs} runs, {written.name}")
        return
    found = resolve_one(at, runs[0])
    if form in {LedgerFormat.trec, LedgerFormat.clip_benchmark}:
        _bridge(at, found, out, direction, form, force)
        return
    ledger = ledger_table(at, found, direction.value)
    write_ledger(ledger, out, form=form.value, force=force)
    if str(out) != "-":
        typer.echo(f"wrote {out}: {len(ledger.rows):,} queries")


def _bridge(
    at: Store, run: StoredRun, out: Path, direction: Directions, form: LedgerFormat, force: bool
) -> None:
    """Write a run as another tool reads it."""
    from clipbench.reports.bridges import clip_benchmark_json, write_trec
    from clipbench.study.comparing.sides import load_sides
    from clipbench.study.protocol import directions_of
    from clipbench.study.whole_files import whole_file

    if form is LedgerFormat.trec:
        if str(out) == "-":
            raise typer.BadParameter("TREC runs and qrels go to a folder: --out FOLDER")
        [side] = load_sides(at, [run])
        for path in write_trec(at, side, out, directions=directions_of(direction.value), force=force):
            typer.echo(f"wrote {path}")
        return
    text = clip_benchmark_json(at, run)
    if str(out) == "-":
        typer.echo(text, nl=False)
        return
    with whole_file(out, force=force) as partial:
        partial.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {out}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle that `runs export` wrote.")],
    expect: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The bundle's name as its maker says it; another is refused."),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Read runs from a bundle. Every key, ledger and metric is derived again; what was changed is refused."""
    from clipbench.keys import short
    from clipbench.study.bundles.importing import import_bundle
    from clipbench.study.opening import open_at

    done = import_bundle(open_at(store, create=True), file, expect)
    typer.echo(f"read {file}: {len(done.new)} new runs, {len(done.known)} known before, {done.name}")
    for key in done.new:
        typer.echo(f"run {short(key)}")


@app.command()
def tag(
    run: RunArgument,
    words: Annotated[
        list[str], typer.Argument(metavar="TAG", help="Tags to hang on it; with --remove, to take off.")
    ],
    remove: Annotated[bool, flag("--remove", says="Take the tags off.")] = False,
    store: StoreOption = None,
) -> None:
    """Hang tags on a run, or take them off."""
    from clipbench.keys import short
    from clipbench.store.queries import resolve_run
    from clipbench.store.runs import tag_run, untag_run
    from clipbench.study.opening import open_at

    at = open_at(store)
    found = resolve_run(at, run)
    for word in words:
        (untag_run if remove else tag_run)(at, found.key, word)
    typer.echo(f"run {short(found.key)}: {'removed' if remove else 'tagged'} {' '.join(words)}")


@app.command()
def delete(run: RunArgument, yes: YesOption = False, store: StoreOption = None) -> None:
    """Delete a run with its ledger and metrics. Vectors stay until `clipbench store gc`."""
    from clipbench.keys import short
    from clipbench.store.queries import resolve_run
    from clipbench.store.runs import delete_run
    from clipbench.study.opening import open_at

    at = open_at(store)
    found = resolve_run(at, run)
    what = f"run {short(found.key)} ({found.dataset_name} × {found.model}, {found.created_at:%Y-%m-%d %H:%M})"
    if not yes:
        typer.confirm(f"Delete {what}?", abort=True, err=True)
    delete_run(at, found.key)
    typer.echo(f"deleted {what}")
