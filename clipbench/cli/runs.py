"""`clipbench runs`: what was evaluated, one run whole, its per-query ledger, tags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from typer import Argument, Option

from clipbench.cli import completion
from clipbench.cli.console import notes
from clipbench.cli.expanding import expanded
from clipbench.cli.opening import open_at
from clipbench.cli.options import (
    RUN_WORDS,
    ForceOption,
    OutputOptions,
    RunArgument,
    StoreOption,
    YesOption,
    flag,
)
from clipbench.cli.output import emit
from clipbench.cli.report_options import FilterOptions
from clipbench.wording import plural

if TYPE_CHECKING:
    from clipbench.store.engine import Store
    from clipbench.store.runs import StoredRun

app = typer.Typer(
    no_args_is_help=True, help="Look at stored runs, export their ledgers, tag and delete them."
)


LedgerFormat: TypeAlias = Literal["csv", "parquet", "trec", "clip-benchmark"]
"""How a ledger is written."""

Directions: TypeAlias = Literal["both", "t2i", "i2t"]
"""Which queries of a ledger are written."""

ENDINGS: Mapping[str, LedgerFormat] = {".parquet": "parquet", ".csv": "csv", ".txt": "csv", "": "csv"}
"""What the ending of a file's name says of its format."""

STDOUT = Path("-")


@app.command("list")
@expanded
def list_(
    filters: FilterOptions,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """List runs, newest first (the same table as `clipbench report`)."""
    from clipbench.cli.report_modes import report_runs

    report_runs(filters, store=store, output=output)


@app.command()
@expanded
def show(
    run: RunArgument = "latest",
    by: Annotated[
        str | None,
        Option(
            "--by",
            metavar="GROUPS",
            help="Its queries by groups instead: column:NAME, missing or missing:NAME, caption-length, rank-bucket, "
            "word:WORD, category.",
        ),
    ] = None,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Show every number of a run with its interval, and where the run comes from; or where it is good and bad."""
    from clipbench.reports.runs import run_facts, run_table
    from clipbench.study.comparing.references import resolve_one

    at = open_at(store, to_read=True)
    stored, wide = resolve_one(at, run), output.for_programs
    if by is not None:
        _emit_groups(at, stored, by, output)
        return
    emit([run_table(at, stored, wide=wide), run_facts(stored, wide=wide)], output)


def _emit_groups(store: Store, run: StoredRun, by: str, output: OutputOptions) -> None:
    from clipbench.reports.run_groups import group_table
    from clipbench.study.comparing.by_group import by_group
    from clipbench.study.comparing.comparison import CompareRequest

    grouped = by_group(store, run, CompareRequest(by=by))
    emit(group_table(grouped, wide=output.for_programs), output)


@app.command()
def export(
    runs: Annotated[
        list[str],
        Argument(
            metavar="RUN",
            help=RUN_WORDS,
            autocompletion=completion.runs,
        ),
    ],
    out: Annotated[
        Path, Option("--out", "-o", metavar="FILE", help="File to write; - for stdout (CSV).")
    ] = STDOUT,
    direction: Annotated[
        Directions, Option(help="Captions as queries (t2i), images (i2t), or both.")
    ] = "both",
    form: Annotated[
        LedgerFormat | None,
        Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="csv, parquet, trec (a folder of runs and qrels), or clip-benchmark (JSON). "
            "[default: by the ending of --out, else csv]",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        Option(
            "--bundle", metavar="FILE", help="Write the runs whole, to check them elsewhere: no photographs."
        ),
    ] = None,
    top: Annotated[
        int | None,
        Option(min=1, metavar="N", help="Write every query's first N items instead, a row per item."),
    ] = None,
    metrics: Annotated[
        bool,
        flag(
            "--metrics",
            says="Write every metric of the runs instead, a row per run and metric, for data frames.",
        ),
    ] = False,
    mlflow: Annotated[
        str | None,
        Option(
            metavar="URI",
            help="Write the runs to MLflow instead (sqlite:///mlflow.db, or a server); a run is written there once.",
        ),
    ] = None,
    force: ForceOption = False,
    store: StoreOption = None,
) -> None:
    """Write a run's ledger: per query its rank, its top-1 item, the scores and the margin; or runs for others."""
    whole = {"--bundle": bundle is not None, "--mlflow": mlflow is not None}
    _check_asked({**whole, "--metrics": metrics, "--top": top is not None}, runs)
    if any(whole.values()) and (out, direction, form) != (STDOUT, "both", None):
        raise typer.BadParameter(
            f"{_only(whole)} writes whole runs in its own form: --out, --format and --direction are for ledgers"
        )
    form = form or _told_by_ending(out)
    if (metrics or top is not None) and form not in {"csv", "parquet"}:
        raise typer.BadParameter(
            "--metrics and --top are written as csv or parquet; trec has first items anyway"
        )
    if form == "clip-benchmark" and direction != "both":
        raise typer.BadParameter("CLIP_benchmark's JSON holds both directions: leave --direction out")
    at = open_at(store, to_read=True)
    if bundle is not None:
        _write_bundle(at, runs, bundle, force)
    elif mlflow is not None:
        _send_to_mlflow(at, runs, mlflow)
    elif metrics:
        _write_metrics(at, runs, out, form, force)
    elif top is not None:
        _write_top(at, runs[0], out, direction, form, top, force)
    else:
        _write_ledger(at, runs[0], out, direction, form, force)


def _check_asked(asked: Mapping[str, bool], runs: list[str]) -> None:
    """Refuse two exports at once, and a ledger of several runs."""
    chosen = [word for word, wanted in asked.items() if wanted]
    if len(chosen) > 1:
        raise typer.BadParameter(f"{' and '.join(chosen)} are different exports: ask for one")
    if len(runs) != 1 and chosen in ([], ["--top"]):
        raise typer.BadParameter(
            f"one run has a ledger to write, {len(runs)} are named; --bundle takes several, and so do --metrics and --mlflow"
        )


def _only(asked: Mapping[str, bool]) -> str:
    return next(word for word, wanted in asked.items() if wanted)


def _told_by_ending(out: Path) -> LedgerFormat:
    form = ENDINGS.get(out.suffix.lower())
    if form is None:
        raise typer.BadParameter(
            f"a ledger is no {out.suffix} file; --format says what it is whatever its name, "
            "and clip-benchmark is the one in JSON"
        )
    return form


def _write_bundle(at: Store, runs: list[str], bundle: Path, force: bool) -> None:
    from clipbench.reports.left_out import left_out_notes
    from clipbench.study.bundles.writing import write_bundle
    from clipbench.study.comparing.references import resolve_runs

    chosen = resolve_runs(at, runs)
    written = write_bundle(at, chosen, bundle, force=force)
    notes(left_out_notes(chosen))
    typer.echo(f"wrote {written.path}: {plural(written.runs, 'run')}, {written.name}")


def _send_to_mlflow(at: Store, runs: list[str], uri: str) -> None:
    from clipbench.reports.left_out import left_out_notes
    from clipbench.reports.mlflow_runs import send_runs
    from clipbench.study.comparing.references import resolve_runs

    chosen = resolve_runs(at, runs)
    sent = send_runs(at, chosen, uri)
    notes(left_out_notes(chosen))
    typer.echo(f"wrote to {uri}: {plural(len(sent.new), 'new run')}, {len(sent.known):,} known before")


def _write_metrics(at: Store, runs: list[str], out: Path, form: LedgerFormat, force: bool) -> None:
    from clipbench.reports.ledger import write_ledger
    from clipbench.reports.left_out import left_out_notes
    from clipbench.reports.tidy import metrics_table
    from clipbench.study.comparing.references import resolve_runs

    chosen = resolve_runs(at, runs)
    listed = metrics_table(at, chosen)
    write_ledger(listed, out, form=form, force=force)
    notes(left_out_notes(chosen))
    if out != STDOUT:
        typer.echo(f"wrote {out}: {plural(len(listed.rows), 'metric')} of {plural(len(chosen), 'run')}")


def _write_top(
    at: Store, run: str, out: Path, direction: Directions, form: LedgerFormat, depth: int, force: bool
) -> None:
    """Write the first items of one run's queries."""
    from clipbench.reports.ledger import top_table, write_ledger
    from clipbench.reports.left_out import left_out_notes
    from clipbench.study.comparing.references import resolve_one
    from clipbench.study.runs.loaded import load_run

    loaded = load_run(at, resolve_one(at, run))
    listed = top_table(at, loaded, depth, direction)
    write_ledger(listed, out, form=form, force=force)
    notes(left_out_notes([loaded.run]))
    if out != STDOUT:
        typer.echo(f"wrote {out}: {len(listed.rows):,} items")


def _write_ledger(
    at: Store, run: str, out: Path, direction: Directions, form: LedgerFormat, force: bool
) -> None:
    """Write one run's queries as a table, or as another tool reads them."""
    from clipbench.reports.bridges import write_clip_benchmark, write_trec
    from clipbench.reports.ledger import ledger_table, write_ledger
    from clipbench.reports.left_out import left_out_notes
    from clipbench.study.comparing.references import resolve_one
    from clipbench.study.evaluation.protocol import directions_of
    from clipbench.study.runs.loaded import load_run

    loaded = load_run(at, resolve_one(at, run))
    notes(left_out_notes([loaded.run]))
    if form == "trec":
        if out == STDOUT:
            raise typer.BadParameter("TREC runs and qrels go to a folder: --out FOLDER")
        for path in write_trec(at, loaded, out, directions=directions_of(direction), force=force):
            typer.echo(f"wrote {path}")
    elif form == "clip-benchmark":
        write_clip_benchmark(at, loaded, out, force=force)
        if out != STDOUT:
            typer.echo(f"wrote {out}")
    else:
        ledger = ledger_table(at, loaded, direction)
        write_ledger(ledger, out, form=form, force=force)
        if out != STDOUT:
            typer.echo(f"wrote {out}: {len(ledger.rows):,} queries")


@app.command("import")
def import_(
    file: Annotated[Path, Argument(metavar="FILE", help="A bundle that `runs export` wrote.")],
    expect: Annotated[
        str | None, Option(metavar="NAME", help="The bundle's name as its maker says it; another is refused.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Read runs from a bundle. Every key, ledger and metric is derived again; what was changed is refused."""
    from clipbench.keys import short
    from clipbench.study.bundles.importing import import_bundle

    done = import_bundle(open_at(store, create=True), file, expect)
    typer.echo(
        f"read {file}: {plural(len(done.new), 'new run')}, {len(done.known):,} known before, {done.name}"
    )
    for key in done.new:
        typer.echo(f"run {short(key)}")


@app.command()
def tag(
    run: RunArgument,
    words: Annotated[
        list[str], Argument(metavar="TAG", help="Tags to hang on it; with --remove, to take off.")
    ],
    remove: Annotated[bool, flag("--remove", says="Take the tags off.")] = False,
    store: StoreOption = None,
) -> None:
    """Hang tags on a run, or take them off."""
    from clipbench.keys import short
    from clipbench.store.runs import tag_run, untag_run
    from clipbench.study.comparing.references import resolve_one

    at = open_at(store)
    stored = resolve_one(at, run)
    for word in words:
        (untag_run if remove else tag_run)(at, stored.key, word)
    typer.echo(f"run {short(stored.key)}: {'removed' if remove else 'tagged'} {' '.join(words)}")


@app.command()
def delete(run: RunArgument, yes: YesOption = False, store: StoreOption = None) -> None:
    """Delete a run with its ledger and metrics. Vectors stay until `clipbench store gc`."""
    from clipbench.keys import short
    from clipbench.store.runs import delete_run
    from clipbench.study.comparing.references import resolve_one

    at = open_at(store)
    stored = resolve_one(at, run)
    what = f"run {short(stored.key)} ({stored.dataset_name} × {stored.model}, {stored.created_at:%Y-%m-%d %H:%M})"
    if not yes:
        typer.confirm(f"Delete {what}?", abort=True, err=True)
    delete_run(at, stored.key)
    typer.echo(f"deleted {what}")
