"""`clipbench store`: look after the experiment store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument

from clipbench.cli.expanding import expanded
from clipbench.cli.opening import open_at
from clipbench.cli.options import OutputOptions, StoreOption, YesOption, flag
from clipbench.cli.output import emit

app = typer.Typer(
    no_args_is_help=True, help="Look after the store: what is in it, is it whole, copy it, tidy it."
)


@app.command()
@expanded
def info(
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Print what is in the store, how much room it takes, and the schema's revision."""
    from clipbench.reports.stores import info_table
    from clipbench.store.maintenance import info as look

    emit(info_table(look(open_at(store, to_read=True))), output)


@app.command()
@expanded
def views(output: OutputOptions = OutputOptions()) -> None:
    """Describe the SQL views: every column of every view, for your own questions."""
    from clipbench.reports.stores import view_table

    emit(view_table(), output)


@app.command()
@expanded
def verify(
    deep: Annotated[bool, flag("--deep", says="Assemble every matrix and compare its checksum.")] = False,
    quick: Annotated[
        bool, flag("--quick", says="Only whether everything is there: seconds where the rest takes an hour.")
    ] = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Check every row, file and ledger, derive every metric again, and exit 1 if anything is wrong."""
    from clipbench.reports.stores import verify_table
    from clipbench.store.verify import verify as check
    from clipbench.store.verify import verify_quickly
    from clipbench.study.runs.run_kinds import derived

    if deep and quick:
        raise typer.BadParameter("--deep reads everything and --quick nothing: one of them")
    at = open_at(store, to_read=True)
    found = verify_quickly(at) if quick else check(at, deep=deep, recompute=derived)
    emit(verify_table(found), output)
    if not found.clean:
        raise typer.Exit(1)


@app.command()
def gc(
    dry_run: Annotated[bool, flag("--dry-run", says="Only tell what would be removed.")] = False,
    unused: Annotated[
        bool, flag("--unused", says="Also vectors of named datasets that no run uses.")
    ] = False,
    damaged: Annotated[
        bool, flag("--damaged", says="Also damaged vector files, so that they are encoded again.")
    ] = False,
    yes: YesOption = False,
    store: StoreOption = None,
) -> None:
    """Remove what nothing refers to: left-over files, vectors of deleted runs."""
    from clipbench.reports.stores import garbage_lines, things
    from clipbench.store.maintenance import gc as collect

    at = open_at(store)
    planned = collect(at, dry_run=True, unused=unused, damaged=damaged)
    typer.echo("\n".join(garbage_lines(planned)))
    if dry_run or not planned.garbage:
        return
    if not yes:
        typer.confirm("Remove these?", abort=True, err=True)
    done = collect(at, unused=unused, damaged=damaged)
    typer.echo(f"removed {things(done)}")


@app.command()
def recover(store: StoreOption = None) -> None:
    """List vector files again whose rows are lost or wrong: each file says itself what it holds."""
    from clipbench.store.recovery import recover as list_again

    done = list_again(open_at(store))
    for name in done.listed:
        typer.echo(f"listed again: {name}")
    for problem in done.problems:
        typer.echo(f"left: {problem}")
    typer.echo(f"{done.sound:,} sound vector files, {len(done.listed):,} of them listed again")


@app.command()
def backup(
    folder: Annotated[
        Path, Argument(metavar="FOLDER", help="New folder for the copy; it is a store itself.")
    ],
    store: StoreOption = None,
) -> None:
    """Copy the store to FOLDER, consistently, even while others write to it."""
    from clipbench.reports.stores import size
    from clipbench.store.maintenance import backup as copy

    done = copy(open_at(store, to_read=True), folder)
    typer.echo(
        f"{done.folder}: the database and {done.files:,} files of vectors and indexes, {size(done.bytes)}"
    )
