"""`clipbench robustness gallery`: larger, stranger and misleading galleries for the same queries."""

from __future__ import annotations

from typing import Annotated

import typer

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
from clipbench.cli.robustness_options import FiguresOption


def gallery(
    dataset: DatasetArgument,
    model: ModelOption,
    pretrained: PretrainedOption = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Gallery sizes in images. [default: 10, 20, 50, 100, ... all]"),
    ] = None,
    distractors: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET", help="Add the images of this dataset to the gallery."),
    ] = None,
    no_fooling: Annotated[
        bool,
        flag("--no-fooling", says="Do not add meaning-changed copies of the captions."),
    ] = False,
    control: Annotated[
        list[str] | None,
        typer.Option(metavar="OPERATION", help="Copies by this operation only. [default: family:control]"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the copies.")] = 0,
    figures: FiguresOption = None,
    allow_missing: MissingOption = 0.0,
    precision: PrecisionOption = Precision.fp32,
    device: DeviceOption = Device.auto,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Stress the gallery of DATASET: its size, images of other datasets, captions that are nearly right.

    Hit rates at smaller galleries are expected values in closed form: nothing is drawn or encoded again.
    """
    from clipbench.reports.sweeps.stress import stress_figures, stress_tables
    from clipbench.study.models import EncoderSource, ModelRequest
    from clipbench.study.opening import open_at
    from clipbench.study.robustness.gallery_sizes import sizes_of
    from clipbench.study.robustness.gallery_stress import StressRequest, stress_gallery

    at = open_at(store)
    source = EncoderSource(at, ModelRequest(model, pretrained, precision, device))
    request = StressRequest(
        sizes=sizes_of(sizes) if sizes is not None else (),
        distractors=tuple(distractors or []),
        hard_negatives=not no_fooling,
        controls=tuple(control or []),
        seed=seed,
    )
    with progress(quiet, source) as bars:
        runs = stress_gallery(dataset, source, request, bars, allow_missing)
    if not quiet:
        notes(source.notes)
    asked = chosen(form, json)
    emit(stress_tables(at, runs, wide=for_programs(asked)), asked)
    written = stress_figures(at, runs, figures) if figures is not None else ()
    for path in () if quiet else written:
        note(f"wrote {path}")
