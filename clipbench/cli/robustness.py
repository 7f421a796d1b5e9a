"""`clipbench robustness`: corrupt captions and photographs, and see what retrieval makes of it."""

from __future__ import annotations

from typing import Annotated

import typer

from clipbench.cli import robustness_gallery, robustness_inputs
from clipbench.cli.console import note, notes, progress
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
from clipbench.cli.output import chosen, emit, for_programs
from clipbench.cli.robustness_options import (
    ApplyOption,
    FiguresOption,
    FromFileOption,
    LabelOption,
    LegacyOption,
    LevelsOption,
    PerturbOption,
    Place,
    PresetOption,
    SeedsOption,
    SeveritiesOption,
    TemplateOption,
    WordnetOption,
)
from clipbench.records import Protocol

app = typer.Typer(no_args_is_help=True, help="Corrupt captions and photographs, and measure what that costs.")


@app.command("list")
def list_(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An operation, family or preset, to see it alone.")
    ] = None,
    family: Annotated[
        str | None, typer.Option(metavar="FAMILY", help="Only this family, e.g. word-order.")
    ] = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """List every operation with its family, levels and whether it keeps the meaning, then the presets.

    `clipbench robustness list NAME` shows all that is known of one.
    """
    from clipbench.reports.operations import (
        operation_list,
        operation_lists,
        operation_or_preset,
        preset_list,
    )

    asked = chosen(form, json)
    if name is not None:
        emit(operation_or_preset(name), asked)
        return
    chosen_ones = [operation_list(family)] if for_programs(asked) else operation_lists(family)
    emit([*chosen_ones, preset_list()], asked)


app.command("preview")(robustness_inputs.preview)


@app.command()
def sweep(
    dataset: DatasetArgument,
    model: ModelOption,
    pretrained: PretrainedOption = None,
    perturb: PerturbOption = None,
    preset: PresetOption = None,
    levels: LevelsOption = None,
    severities: SeveritiesOption = None,
    seeds: SeedsOption = 1,
    apply: ApplyOption = Place.model_input,
    directions: Annotated[str, typer.Option(metavar="WORD", help="t2i, i2t, or both.")] = "both",
    from_file: FromFileOption = None,
    label: LabelOption = None,
    wordnet: WordnetOption = None,
    template: TemplateOption = None,
    legacy_stream: LegacyOption = False,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the sweep. [default: by its content]")
    ] = None,
    dry_run: Annotated[
        bool, flag("--dry-run", says="Count runs and strings, estimate the time, stop.")
    ] = False,
    figures: FiguresOption = None,
    reference: Annotated[
        str | None, typer.Option(metavar="SWEEP", help="Sweep of the model that mCE is relative to.")
    ] = None,
    baselines: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SWEEP", help="Sweep of a baseline of effective robustness; eight or more are needed."
        ),
    ] = None,
    allow_missing: MissingOption = 0.0,
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
    from clipbench.reports.figures.style import require_matplotlib
    from clipbench.reports.sweeps.report import related_sweeps, sweep_tables, write_sweep_figures
    from clipbench.store.datasets import load_dataset
    from clipbench.study.models import EncoderSource, ModelRequest
    from clipbench.study.opening import open_at
    from clipbench.study.protocol import directions_of
    from clipbench.study.robustness import estimate
    from clipbench.study.robustness.asking import Asked, request_of
    from clipbench.study.robustness.sweep import plan
    from clipbench.study.robustness.sweep import sweep as run_sweep

    at = open_at(store)
    if figures is not None:
        require_matplotlib()
    related, fitted = related_sweeps(at, reference, baselines or ())
    collected = load_dataset(at, dataset)
    asked = Asked(
        words=(*(perturb or []), *(preset or [])),
        levels=levels,
        severities=severities,
        seeds=tuple(range(seeds)),
        place=apply.value,
        legacy=legacy_stream,
        wordnet=wordnet,
        template=template,
        files=tuple(from_file or []),
        labels=tuple(label or []),
    )
    protocol = Protocol(directions=directions_of(directions))
    source = EncoderSource(at, ModelRequest(model, pretrained, precision, device))
    with progress(quiet, source) as bars:
        planned = plan(source, collected, request_of(asked, collected), protocol, name, bars)
    if not quiet:
        note(estimate.count_words(planned))
    if dry_run:
        typer.echo(estimate.words(estimate.estimate(planned, source)))
        return
    with progress(quiet, source) as bars:
        stored = run_sweep(planned, source, protocol, bars, allow_missing)
    if not quiet:
        notes(source.notes)
    wanted = chosen(form, json)
    emit(sweep_tables(at, stored.name, related, fitted, wide=for_programs(wanted)), wanted)
    written = write_sweep_figures(at, stored.name, figures) if figures is not None else ()
    for path in () if quiet else written:
        note(f"wrote {path}")


app.command("gallery")(robustness_gallery.gallery)
app.command("export")(robustness_inputs.export)


@app.command()
def sweeps(store: StoreOption = None, form: FormatOption = Format.table, json: JsonOption = False) -> None:
    """List the stored sweeps; `clipbench report --sweep NAME` prints one again."""
    from clipbench.reports.sweeps.report import stored_sweeps
    from clipbench.study.opening import open_at

    emit(stored_sweeps(open_at(store, to_read=True)), chosen(form, json))
