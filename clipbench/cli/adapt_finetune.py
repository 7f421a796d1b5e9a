"""`clipbench adapt finetune`: a model's own weights, changed and measured as they were before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from typer import Argument, Option

from clipbench.cli.console import note, notes
from clipbench.cli.expanding import expanded, option, switch
from clipbench.cli.opening import at_work, open_at
from clipbench.cli.options import (
    EncoderOptions,
    MissingOption,
    ModelOption,
    OutputOptions,
    QuietOption,
    StoreOption,
)
from clipbench.cli.output import emit

if TYPE_CHECKING:
    from clipbench.adapters.finetuning import FinetuneRecipe

PartName: TypeAlias = Literal["norm", "projection", "last-block", "full", "bn-stats", "lora"]


@dataclass(frozen=True)
class FinetuneOptions:
    """How weights are fine-tuned."""

    epochs: int = option(
        "Times every image is shown, with one of its captions.", default=10, min=0, metavar="N"
    )
    batch: int = option("Images of a batch.", default=64, min=2, metavar="N")
    rate: float | None = option(
        "Learning rate of AdamW. [default: by what learns]", "--rate", "--lr", metavar="X"
    )
    decay: float = option("Weight decay of matrices.", default=0.0, min=0, metavar="X")
    rank: int = option("Rank of --unfreeze lora.", default=8, min=1, metavar="N")
    lp_ft: bool = switch("Learn the projections alone first, then go on from the best of them.", "--lp-ft")
    patience: int | None = option("Stop after N epochs without a better RSUM.", min=1, metavar="N")

    def recipe(self, part: PartName, seed: int) -> FinetuneRecipe:
        """Return the recipe of one fine-tuning. Raises ClipbenchError for one that means nothing."""
        from clipbench.adapters.finetuning import RATES, FinetuneRecipe

        return FinetuneRecipe(
            part=part,
            epochs=self.epochs,
            batch=self.batch,
            rate=RATES[part] if self.rate is None else self.rate,
            decay=self.decay,
            rank=self.rank,
            probe=self.lp_ft,
            patience=self.patience,
            seed=seed,
        )


@expanded
def finetune(
    dataset: Annotated[str, Argument(metavar="TRAIN", help="Name of the stored dataset to learn from.")],
    val: Annotated[
        str,
        Option("--val", metavar="DATASET", help="Dataset that chooses the best epoch; never the test set."),
    ],
    model: ModelOption,
    unfreeze: Annotated[
        PartName,
        Option(metavar="PART", help="What learns: norm, projection, last-block, full, bn-stats, lora."),
    ],
    seed: Annotated[int, Option(metavar="N", help="Seed of batches and corrections.")] = 0,
    name: Annotated[str | None, Option(metavar="NAME", help="What to call it: --model adapter:NAME.")] = None,
    training: FinetuneOptions = FinetuneOptions(),
    encoder: EncoderOptions = EncoderOptions(),
    allow_missing: MissingOption = 0.0,
    quiet: QuietOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Fine-tune an open_clip model's own weights on TRAIN, keep the best epoch by validation, and store the model.

    No change at all is a candidate. The result is a folder that local-dir: takes, and adapter:NAME too. The same
    fine-tuning is found, not repeated; a stopped one goes on.
    """
    from clipbench.reports.adapting.tables import adapter_tables
    from clipbench.study.adapting.finetune import FinetuneRequest, finetune_model

    request = FinetuneRequest(dataset, val, training.recipe(unfreeze, seed), name, allow_missing)
    with at_work(open_at(store), model, encoder, quiet, dataset) as (source, bars):
        done = finetune_model(source, request, bars)
    if not quiet:
        notes(done.notes)
        if not done.created:
            note("note: this fine-tuning was stored before; nothing was computed again")
    emit(adapter_tables(done.adapter), output.chosen)
    if not quiet:
        note(f"next: clipbench evaluate TEST --model adapter:{done.adapter.name}")
