"""`clipbench robustness sweep`: retrieval under every operation, level and seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from clipbench.cli.console import note, notes, progress
from clipbench.cli.engines import EngineOptions, engine_of
from clipbench.cli.expanding import expanded
from clipbench.cli.opening import model_source, open_at, tell_of_demo
from clipbench.cli.options import (
    DatasetArgument,
    EncoderOptions,
    FiguresOption,
    MissingOption,
    ModelOption,
    OutputOptions,
    QuietOption,
    StoreOption,
    flag,
)
from clipbench.cli.output import emit
from clipbench.cli.robustness_options import LevelOptions, PerturbationOptions, RelatedOptions

if TYPE_CHECKING:
    from clipbench.records import Protocol
    from clipbench.store.engine import Store
    from clipbench.study.embedding.models import VectorSource
    from clipbench.study.robustness.requests import TypedRequest
    from clipbench.study.robustness.sweep import Plan


@expanded
def sweep(
    dataset: DatasetArgument,
    model: ModelOption,
    encoder: EncoderOptions,
    perturbation: PerturbationOptions,
    levels: LevelOptions,
    related: RelatedOptions,
    directions: Annotated[str, Option(metavar="WORD", help="t2i, i2t, or both.")] = "both",
    name: Annotated[
        str | None, Option(metavar="NAME", help="Name of the sweep. [default: by its content]")
    ] = None,
    dry_run: Annotated[
        bool, flag("--dry-run", says="Count runs and strings, estimate the time, stop.")
    ] = False,
    figures: FiguresOption = None,
    allow_missing: MissingOption = 0.0,
    engine: EngineOptions = EngineOptions(),
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
    quiet: QuietOption = False,
) -> None:
    """Evaluate DATASET under every operation, level and seed that is named; the clean level is one run.

    Unique strings and pictures are encoded once. Killed at any time, the same command goes on where it stopped.
    """
    from clipbench.records import Protocol
    from clipbench.reports.sweeps.report import sweep_tables
    from clipbench.study.evaluation.protocol import directions_of
    from clipbench.study.robustness.estimate import estimate, words
    from clipbench.study.robustness.named_sweeps import related_sweeps
    from clipbench.study.robustness.sweep import sweep as run_sweep

    at, protocol = open_at(store, to_read=dry_run), Protocol(directions=directions_of(directions))
    reference, baselines = related_sweeps(at, related.reference, related.baselines or ())
    source = model_source(at, model, encoder)
    if not quiet:
        tell_of_demo(at, dataset, model)
    planned = _planned(source, dataset, perturbation.words(levels), protocol, name, quiet)
    if dry_run:
        typer.echo(words(estimate(planned, source)))
        return
    with progress(quiet, source) as bars, engine_of(source, engine, quiet):
        stored = run_sweep(planned, source, protocol, bars, allow_missing)
    notes(() if quiet else source.notes)
    emit(sweep_tables(at, stored.name, reference, baselines, wide=output.for_programs), output)
    _draw(at, stored.name, figures, quiet)


def _planned(
    source: VectorSource,
    dataset: str,
    words: TypedRequest,
    protocol: Protocol,
    name: str | None,
    quiet: bool,
) -> Plan:
    from clipbench.store.datasets import load_dataset
    from clipbench.study.robustness.estimate import count_words
    from clipbench.study.robustness.requests import request_of
    from clipbench.study.robustness.sweep import plan

    collection = load_dataset(source.store, dataset)
    with progress(quiet, source) as bars:
        planned = plan(source, collection, request_of(words, collection), protocol, name, bars)
    if not quiet:
        note(count_words(planned))
    return planned


def _draw(at: Store, name: str, figures: Path | None, quiet: bool) -> None:
    from clipbench.reports.sweeps.report import write_sweep_figures

    written = write_sweep_figures(at, name, figures) if figures is not None else ()
    for path in () if quiet else written:
        note(f"wrote {path}")
