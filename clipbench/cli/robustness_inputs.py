"""`clipbench robustness preview` and `export`: see what an operation does, and take its output elsewhere."""

from __future__ import annotations

from pathlib import Path
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
    Precision,
    PrecisionOption,
    PretrainedOption,
    QuietOption,
    StoreOption,
    flag,
)
from clipbench.cli.output import chosen
from clipbench.cli.robustness_options import (
    ApplyOption,
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


def preview(
    dataset: DatasetArgument,
    perturb: PerturbOption = None,
    preset: PresetOption = None,
    level: Annotated[
        str | None,
        typer.Option(
            "--level",
            "--levels",
            metavar="LEVELS",
            help="Rates, e.g. 0.25 or 0.1,0.5. [default: the middle one]",
        ),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=1000, metavar="N", help="Captions, and sheets.")] = 5,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the operation.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Contact sheets of image operations go there.")
    ] = None,
    apply: ApplyOption = Place.model_input,
    from_file: FromFileOption = None,
    label: LabelOption = None,
    wordnet: WordnetOption = None,
    template: TemplateOption = None,
    legacy_stream: LegacyOption = False,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
) -> None:
    """Show captions of DATASET before and after with the changed words marked, photographs as contact sheets.

    Nothing is encoded and nothing is stored. A sheet shows every severity, whatever the level.
    """
    from clipbench.cli.marked import show_previews
    from clipbench.study.opening import open_at
    from clipbench.study.robustness.preview import preview_of
    from clipbench.study.robustness.requests import TypedRequest

    at = open_at(store, to_read=True)
    asked = TypedRequest(
        words=(*(perturb or []), *(preset or [])),
        levels=level,
        seeds=(seed,),
        place=apply.value,
        legacy=legacy_stream,
        wordnet=wordnet,
        template=template,
        files=tuple(from_file or []),
        labels=tuple(label or []),
    )
    show_previews(preview_of(at, dataset, asked, n), out, chosen(form, json))


def export(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write to.")],
    perturb: PerturbOption = None,
    preset: PresetOption = None,
    levels: LevelsOption = None,
    severities: SeveritiesOption = None,
    seeds: SeedsOption = 1,
    apply: ApplyOption = Place.model_input,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="Whose input to write, with --apply model_input."
        ),
    ] = None,
    pretrained: PretrainedOption = None,
    from_file: FromFileOption = None,
    label: LabelOption = None,
    wordnet: WordnetOption = None,
    template: TemplateOption = None,
    legacy_stream: LegacyOption = False,
    force: Annotated[bool, flag("--force", says="Overwrite what an earlier export left there.")] = False,
    precision: PrecisionOption = Precision.fp32,
    device: DeviceOption = Device.auto,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the perturbed captions and photographs of DATASET to files, so that others use exactly the same.

    Captions as JSONL (exact; `robustness sweep --from-file` reads it) and as CSV (for spreadsheets: cells that
    begin like a formula get a quotation mark), photographs as PNG, and a manifest with the perturbations' keys.
    """
    from clipbench.reports.perturbed_files import MANIFEST, write_inputs
    from clipbench.reports.sweeps.tables import source_notes
    from clipbench.store.datasets import load_dataset
    from clipbench.study.models import EncoderSource, ModelRequest
    from clipbench.study.opening import open_at
    from clipbench.study.robustness.requests import TypedRequest, request_of

    at = open_at(store, to_read=True)
    collected = load_dataset(at, dataset)
    asked = TypedRequest(
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
    source = EncoderSource(at, ModelRequest(model, pretrained, precision, device)) if model else None
    request = request_of(asked, collected)
    with progress(quiet, source) as bars:
        written = write_inputs(collected, request, out, bars, source, force=force)
    for path in (*written.captions, *written.pictures):
        typer.echo(path)
    typer.echo(out / MANIFEST)
    if not quiet:
        notes(source_notes(request.as_json()))
    if not quiet and written.unusable:
        note(f"note: {len(written.unusable):,} photographs cannot be used and are missing; see the manifest")
    if not quiet and written.captions:
        note(
            "note: .jsonl is exact, .csv is for spreadsheets; use them: robustness sweep --from-file FILE.jsonl"
        )
