"""`clipbench robustness`: corrupt captions and photographs, and see what retrieval makes of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from clipbench.cli.console import note, notes, progress
from clipbench.cli.options import (
    Device,
    DeviceOption,
    Format,
    FormatOption,
    JsonOption,
    ModelOption,
    Precision,
    PrecisionOption,
    PretrainedOption,
    QuietOption,
    StoreOption,
)
from clipbench.cli.output import chosen, emit

app = typer.Typer(no_args_is_help=True, help="Corrupt captions and photographs, and measure what that costs.")


class Place(StrEnum):
    """Where an image corruption acts."""

    model_input = "model_input"
    source = "source"


@app.command("list")
def list_(
    family: Annotated[str | None, typer.Option(help="Only this family, e.g. word-order.")] = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """List every operation with its family, levels, source, and whether it keeps the meaning; then presets."""
    from clipbench.reports.operations import operation_list, preset_list

    emit(operation_list(family), chosen(form, json))
    emit(preset_list(), chosen(form, json))


@app.command()
def sweep(
    dataset: Annotated[str, typer.Argument(help="Name of a stored dataset.")],
    model: ModelOption,
    pretrained: PretrainedOption = None,
    perturb: Annotated[
        list[str] | None, typer.Option("--perturb", help="Operation, family:NAME, or several with commas.")
    ] = None,
    preset: Annotated[
        list[str] | None, typer.Option(help="source-study, mm-robustness, quick, or full.")
    ] = None,
    levels: Annotated[
        str | None, typer.Option(help="0:0.5:0.1 or 0.1,0.3. [default: the operations' own]")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How many seeds: 0, 1, ...")] = 1,
    apply: Annotated[Place, typer.Option(help="Image corruptions act here.")] = Place.model_input,
    directions: Annotated[str, typer.Option(help="t2i, i2t, or both.")] = "both",
    legacy_stream: Annotated[
        bool,
        typer.Option("--legacy-stream", help="The source study's single generator for dropout and shuffle."),
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the sweep. [default: by its content]")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count runs and strings, estimate, stop.")
    ] = False,
    reference: Annotated[str | None, typer.Option(help="Sweep that mCE is relative to.")] = None,
    allow_missing: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of photographs that may be unusable.")
    ] = 0.0,
    precision: PrecisionOption = Precision.fp32,
    device: DeviceOption = Device.auto,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Evaluate DATASET under every operation, level and seed that is named; the clean level is one run.

    Unique strings and pictures are encoded once. Killed at any time, the same command goes on where it stopped.
    """
    from clipbench.perturb.legacy import SOURCE_STUDY
    from clipbench.reports.sweep_report import sweep_tables
    from clipbench.study import estimate
    from clipbench.study.models import EncoderSource, ModelRequest
    from clipbench.study.opening import open_at
    from clipbench.study.protocol import Protocol, directions_of
    from clipbench.study.settings import SweepRequest, levels_of, selections
    from clipbench.study.sweep import plan, record
    from clipbench.study.sweep import sweep as run_sweep

    words = [*(perturb or []), *(preset or [])]
    if not words:
        raise typer.BadParameter(
            "name what to do with --perturb OPERATION or --preset NAME (robustness list)"
        )
    request = SweepRequest(
        selections=selections(words, levels_of(levels) if levels else None),
        seeds=tuple(range(seeds)),
        place=apply.value,
        legacy=SOURCE_STUDY if legacy_stream else None,
    )
    protocol = Protocol(directions=directions_of(directions))
    at = open_at(store)
    source = EncoderSource(at, ModelRequest(model, pretrained, precision, device))
    planned = plan(at, dataset, source, request, protocol)
    if not quiet:
        note(estimate.count_words(planned))
    if dry_run:
        typer.echo(estimate.words(estimate.estimate(planned, source)))
        return
    with progress(quiet) as bars:
        run_sweep(planned, source, protocol, bars, allow_missing)
    stored = record(at, planned, source, name, {"perturb": words, "levels": levels, "seeds": seeds})
    if not quiet:
        notes(source.notes)
    for table in sweep_tables(at, stored.name, reference):
        emit(table, chosen(form, json))
