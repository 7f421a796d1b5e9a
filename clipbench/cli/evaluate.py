"""`clipbench evaluate`: retrieval in both directions, with intervals and a ledger."""

from __future__ import annotations

from enum import StrEnum
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
from clipbench.records import Protocol


class Ties(StrEnum):
    """How equal scores count."""

    expected = "expected"
    optimistic = "optimistic"
    pessimistic = "pessimistic"


def evaluate(
    dataset: DatasetArgument,
    model: ModelOption,
    pretrained: PretrainedOption = None,
    k: Annotated[
        list[int] | None,
        typer.Option(
            "--k", min=1, metavar="K", help="Cutoff of R@K; several times for several. [default: 1 5 10]"
        ),
    ] = None,
    duplicate_aware: Annotated[
        bool, flag("--duplicate-aware", says="Captions that say the same share their images.")
    ] = False,
    fold: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Average over galleries of N images (COCO 1k: --fold 1000)."),
    ] = None,
    ties: Annotated[
        Ties,
        typer.Option(metavar="POLICY", help="expected, optimistic, pessimistic: how equal scores count."),
    ] = Ties.expected,
    resamples: Annotated[
        int, typer.Option(min=100, metavar="N", help="Resamples of the cluster bootstrap.")
    ] = 2000,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the resamples.")] = 0,
    confidence: Annotated[
        float, typer.Option(min=0.51, max=0.999, metavar="SHARE", help="Confidence of intervals.")
    ] = 0.95,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Hang this tag on the run.")] = None,
    allow_missing: MissingOption = 0.0,
    precision: PrecisionOption = Precision.fp32,
    device: DeviceOption = Device.auto,
    store: StoreOption = None,
    form: FormatOption = Format.table,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure text→image and image→text retrieval of DATASET, and store the run with its ledger.

    What is not embedded yet is embedded first. A request that was stored before is shown, not computed again.
    """
    from clipbench.reports.runs import run_table
    from clipbench.study.evaluate import evaluate as evaluate_dataset
    from clipbench.study.models import EncoderSource, ModelRequest
    from clipbench.study.opening import open_at
    from clipbench.study.tagging import checked, tagged

    protocol = Protocol(
        ks=tuple(sorted(set(k or (1, 5, 10)))),
        ties=ties.value,
        positives="equal-captions" if duplicate_aware else "own",
        fold=fold,
        resamples=resamples,
        seed=seed,
        confidence=confidence,
    )
    at, tags = open_at(store, to_read=True), checked(tag)  # what is stored can be read anywhere
    source = EncoderSource(at, ModelRequest(model, pretrained, precision, device))
    with progress(quiet, source) as bars:
        done = evaluate_dataset(at, dataset, source, protocol, bars, allow_missing=allow_missing)
    if not quiet:
        notes(source.notes)
        if not done.created:
            note("note: this run was stored before; nothing was computed again")
    asked = chosen(form, json)
    emit(run_table(at, tagged(at, done.run, tags), wide=for_programs(asked)), asked)
