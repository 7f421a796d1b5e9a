"""`clipbench report`: what the store knows, as a table for people, papers and programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from clipbench.cli.options import Format, FormatOption, JsonOption, StoreOption
from clipbench.cli.output import chosen, emit, for_programs


def report(
    dataset: Annotated[str | None, typer.Option(help="Only runs on this dataset.")] = None,
    model: Annotated[str | None, typer.Option(help="Only models whose name holds this.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only runs of this kind, e.g. evaluate.")] = None,
    perturbation: Annotated[str | None, typer.Option(help="Only this operation, e.g. clean.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Only runs since then, UTC."),
    ] = None,
    sweep: Annotated[str | None, typer.Option(help="Print this sweep (a name, or latest) instead.")] = None,
    reference: Annotated[str | None, typer.Option(help="With --sweep: the sweep mCE is relative to.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many, newest first.")] = None,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Print stored runs with their metrics; CSV and JSON hold every metric with its interval.

    Reads the store only: it never loads a model.
    """
    from clipbench.reports.runs import run_list
    from clipbench.store.queries import RunFilter
    from clipbench.study.opening import open_at

    asked = chosen(form, json)
    if sweep is not None:
        from clipbench.reports.sweep_report import sweep_tables

        emit(sweep_tables(open_at(store), sweep, reference), asked)
        return
    moment = None if since is None else since.replace(tzinfo=UTC)
    filters = RunFilter(
        dataset=dataset, model=model, kind=kind, operation=perturbation, tag=tag, since=moment, limit=limit
    )
    emit(run_list(open_at(store), filters, wide=for_programs(asked)), asked)
