"""`clipbench adapt`: small heads on stored vectors, trained, looked at, and passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from clipbench.cli.adapt_ablate import ablate
from clipbench.cli.adapt_finetune import finetune
from clipbench.cli.adapt_options import HeadName, LossName, TrainingOptions
from clipbench.cli.console import note, notes
from clipbench.cli.expanding import expanded
from clipbench.cli.opening import at_work, open_at
from clipbench.cli.options import (
    EncoderOptions,
    ForceOption,
    MissingOption,
    ModelOption,
    OutputOptions,
    QuietOption,
    StoreOption,
    YesOption,
)
from clipbench.cli.output import emit

app = typer.Typer(no_args_is_help=True, help="Train small heads on stored vectors, and see what they bring.")

AdapterArgument = Annotated[
    str, Argument(metavar="ADAPTER", help="Name of a stored adapter, or the beginning of its key.")
]
ValidationOption = Annotated[
    str, Option("--val", metavar="DATASET", help="Dataset that chooses the best epoch; never the test set.")
]


@app.command()
@expanded
def train(
    dataset: Annotated[str, Argument(metavar="TRAIN", help="Name of the stored dataset to learn from.")],
    val: ValidationOption,
    model: ModelOption,
    head: Annotated[HeadName, Option(help="What stands on the vectors.", metavar="HEAD")] = "residual",
    loss: Annotated[LossName, Option(help="What is learned.", metavar="LOSS")] = "masked",
    alpha: Annotated[float, Option(min=0, max=1, metavar="X", help="Share of the residual.")] = 0.2,
    rate: Annotated[float, Option("--rate", "--lr", metavar="X", help="Learning rate of AdamW.")] = 1e-3,
    temperature: Annotated[float, Option(metavar="X", help="Where the temperature starts.")] = 0.07,
    seed: Annotated[int, Option(metavar="N", help="Seed of weights and batches.")] = 0,
    name: Annotated[str | None, Option(metavar="NAME", help="What to call it: --model adapter:NAME.")] = None,
    training: TrainingOptions = TrainingOptions(),
    encoder: EncoderOptions = EncoderOptions(),
    allow_missing: MissingOption = 0.0,
    quiet: QuietOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Train a head on TRAIN's vectors, keep the best epoch by validation, and store it as an encoder.

    No change at all is a candidate. The same training is found, not repeated; a stopped one goes on. The towers
    never run for it twice: heads work on stored vectors.
    """
    from clipbench.reports.adapting.tables import adapter_tables
    from clipbench.study.adapting.training import TrainRequest, train_adapter

    recipe = training.recipe(head, loss, alpha, rate, temperature, seed)
    request = TrainRequest(
        dataset, val, recipe, training.noise_of(), name, allow_missing, training.epochs is None
    )
    at = open_at(store)
    with at_work(at, model, encoder, quiet, dataset) as (source, bars):
        done = train_adapter(source, request, bars)
    if not quiet:
        notes(done.notes)
        if not done.created:
            other = "" if name in {None, done.adapter.name} else f" under the name {done.adapter.name}"
            note(f"note: this training was stored before{other}; nothing was computed again")
    emit(adapter_tables(done.adapter, brief=not output.for_programs), output)
    if not quiet:
        note(f"next: clipbench evaluate TEST --model adapter:{done.adapter.name}")


app.command()(ablate)
app.command()(finetune)


@app.command("list")
@expanded
def list_(store: StoreOption = None, output: OutputOptions = OutputOptions()) -> None:
    """List the stored adapters."""
    from clipbench.reports.adapting.tables import adapter_list

    emit(adapter_list(open_at(store, to_read=True)), output)


@app.command()
@expanded
def show(
    adapter: AdapterArgument, store: StoreOption = None, output: OutputOptions = OutputOptions()
) -> None:
    """Show what an adapter is, every epoch of its training, and stored runs of it at other α or shares."""
    from clipbench.reports.adapting.tables import stored_adapter_tables

    emit(stored_adapter_tables(open_at(store, to_read=True), adapter), output)


@app.command()
@expanded
def interpolate(
    adapter: AdapterArgument,
    at: Annotated[
        str, Option("--at", metavar="X,...", help="0:1:0.25 (from, to, step) or 0.5: 0 the base, 1 the head.")
    ] = "0:1:0.25",
    encoder: EncoderOptions = EncoderOptions(),
    quiet: QuietOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Keep a share of what a trained head learned: each share is an adapter of its own, and nothing is trained.

    The dial between what it learned and what it forgot. RSUM is of the validation set: to see what the origin keeps,
    evaluate there.
    """
    from clipbench.reports.adapting.tables import interpolated_table
    from clipbench.study.adapting.shrinking import between
    from clipbench.study.robustness.levels import levels_of

    with at_work(open_at(store), f"adapter:{adapter}", encoder, quiet) as (source, bars):
        done = between(source, levels_of(at), bars)
    emit(interpolated_table(adapter, done), output)


@app.command()
def export(
    adapter: AdapterArgument,
    out: Annotated[Path, Option("--out", "-o", metavar="FILE", help="File to write (.safetensors).")],
    force: ForceOption = False,
    store: StoreOption = None,
) -> None:
    """Write an adapter to one safetensors file, which ten lines of Python can load (docs/adapt.md)."""
    from clipbench.study.adapting.files import export_adapter

    done = export_adapter(open_at(store, to_read=True), adapter, out, force=force)
    typer.echo(f"wrote {out}: adapter {done.name}")


@app.command("import")
def import_(
    file: Annotated[Path, Argument(metavar="FILE", help="A file that `adapt export` wrote.")],
    name: Annotated[str | None, Option(metavar="NAME", help="What to call it here.")] = None,
    store: StoreOption = None,
) -> None:
    """Store an adapter of a file. Its base model has to be in the store, by content."""
    from clipbench.study.adapting.files import import_adapter

    done = import_adapter(open_at(store), file, name)
    typer.echo(f"adapter {done.name}: --model adapter:{done.name}")


@app.command()
def delete(adapter: AdapterArgument, yes: YesOption = False, store: StoreOption = None) -> None:
    """Delete an adapter, a fine-tuned model with its folder. Vectors and runs stay."""
    from clipbench.store.adapters import delete_adapter, load_adapter
    from clipbench.study.adapting.model_folders import is_model, remove_folder

    at = open_at(store)
    record = load_adapter(at, adapter)
    if not yes:
        typer.confirm(f"delete adapter {record.name}?", abort=True, err=True)
    delete_adapter(at, record.key)
    if is_model(record):
        remove_folder(at, record)
    typer.echo(f"deleted adapter {record.name}")
