"""`clipbench runs`: what was evaluated, one run whole, its per-query ledger, tags."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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

app = typer.Typer(
    no_args_is_help=True, help="Look at stored runs, export their ledgers, tag and delete them."
)


class LedgerFormat(StrEnum):
    """How a ledger is written."""

    csv = "csv"
    parquet = "parquet"


class Directions(StrEnum):
    """Which queries of a ledger are written."""

    both = "both"
    t2i = "t2i"
    i2t = "i2t"


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
    emit(run_list(open_at(store), filters, wide=for_programs(asked)), asked)


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

    at, asked = open_at(store), chosen(form, json)
    found, wide = resolve_run(at, run), for_programs(asked)
    emit([run_table(at, found, wide=wide), run_facts(found, wide=wide)], asked)


@app.command()
def export(
    run: RunArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="File to write; - for stdout (CSV).")
    ] = Path("-"),
    direction: Annotated[
        Directions, typer.Option(help="Captions as queries (t2i), images (i2t), or both.")
    ] = Directions.both,
    form: Annotated[LedgerFormat, typer.Option("--format", "-f", help="csv or parquet.")] = LedgerFormat.csv,
    force: Annotated[bool, flag("--force", says="Overwrite the file.")] = False,
    store: StoreOption = None,
) -> None:
    """Write a run's ledger: per query its rank, its top-1 item, the scores and the margin."""
    from clipbench.reports.ledger import ledger_table, write_ledger
    from clipbench.store.queries import resolve_run
    from clipbench.study.opening import open_at

    at = open_at(store)
    ledger = ledger_table(at, resolve_run(at, run), direction.value)
    write_ledger(ledger, out, form=form.value, force=force)
    if str(out) != "-":
        typer.echo(f"wrote {out}: {len(ledger.rows):,} queries")


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
