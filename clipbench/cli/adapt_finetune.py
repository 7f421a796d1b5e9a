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
    flag,
)
from clipbench.cli.output import emit
from clipbench.errors import ClipbenchError

if TYPE_CHECKING:
    from clipbench.adapters.finetuning import FinetuneRecipe
    from clipbench.adapters.training import Epoch
    from clipbench.reports.tables import Table
    from clipbench.study.adapting.finetune import FinetuneRequest
    from clipbench.study.embedding.models import VectorSource
    from clipbench.study.workplace.progress import Progress

PartName: TypeAlias = Literal["norm", "projection", "last-block", "full", "bn-stats", "lora"]


@dataclass(frozen=True)
class FinetuneOptions:
    """How weights are fine-tuned."""

    epochs: int | None = option(
        "Times every image is shown, with one of its captions. [default: 10; 1 of bn-stats]",
        min=0,
        metavar="N",
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
            epochs=(1 if part == "bn-stats" else 10) if self.epochs is None else self.epochs,
            batch=self.batch,
            rate=RATES[part] if self.rate is None else self.rate,
            decay=self.decay,
            rank=self.rank,
            probe=self.lp_ft,
            patience=self.patience,
            seed=seed,
        )


def alphas_of(word: str | None) -> tuple[float, ...]:
    """Return the alphas that --interpolate names. Raises ClipbenchError for one outside 0..1."""
    from clipbench.study.robustness.levels import levels_of

    alphas = levels_of(word) if word is not None else ()
    if any(not 0 <= alpha <= 1 for alpha in alphas):
        raise ClipbenchError(f"between two models lies alpha 0..1, not {word}", "--interpolate 0:1:0.25")
    return alphas


@dataclass(frozen=True)
class Asked:
    """What to fine-tune on what, and what to see of it."""

    train: str
    validation: str
    name: str | None
    allow_missing: float
    origin: str | None
    alphas: tuple[float, ...]

    def request(self, recipe: FinetuneRecipe) -> FinetuneRequest:
        """Return the request of the fine-tuning itself."""
        from clipbench.study.adapting.finetune import FinetuneRequest

        return FinetuneRequest(self.train, self.validation, recipe, self.name, self.allow_missing)

    def plan(self, source: VectorSource, recipe: FinetuneRecipe) -> list[Table]:
        """Return what would be done."""
        from clipbench.reports.adapting.finetuned import plan_finetuning_table
        from clipbench.study.adapting.finetune_plan import plan_finetuning

        return [plan_finetuning_table(plan_finetuning(source, self.request(recipe), self.alphas))]

    def done(self, source: VectorSource, recipe: FinetuneRecipe, bars: Progress, quiet: bool) -> list[Table]:
        """Fine-tune, interpolate and evaluate the origin, as far as it was not done before; return the tables."""
        from clipbench.reports.adapting.finetuned import standing_table
        from clipbench.reports.adapting.tables import adapter_tables
        from clipbench.study.adapting.finetune import finetune_model
        from clipbench.study.adapting.interpolate import interpolate, refuse_shared_origin, standings

        refuse_shared_origin(source, self.train, self.origin)
        made = finetune_model(source, self.request(recipe), bars, _silent if quiet else _told)
        if not quiet:
            notes(made.notes)
            if not made.created:
                note("note: this fine-tuning was stored before; nothing was learned again")
            note(f"next: clipbench evaluate TEST --model adapter:{made.adapter.name}")
        tables = adapter_tables(made.adapter)
        if self.origin is not None or self.alphas:
            between = interpolate(source, made.adapter, self.alphas, bars)
            rows = standings(source, made.adapter, between, self.origin, bars)
            tables.append(standing_table(source.store, rows, self.validation, self.origin))
        return tables


def _told(epoch: Epoch, best: Epoch) -> None:
    """Say how an epoch went."""
    loss = "" if epoch.loss is None else f"loss {epoch.loss:.3f}, "
    note(
        f"epoch {epoch.number}: {loss}validation R@1 {epoch.scores['t2i hit@1']:.4f}, "
        f"RSUM {epoch.scores['rsum']:.1f} (best {best.scores['rsum']:.1f} of epoch {best.number})"
    )


def _silent(_epoch: Epoch, _best: Epoch) -> None:
    """Say nothing."""


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
    origin: Annotated[
        str | None, Option(metavar="DATASET", help="Dataset on which to see what was forgotten.")
    ] = None,
    interpolate: Annotated[
        str | None,
        Option(metavar="ALPHAS", help="Store models between the base (0) and the result (1): 0:1:0.25."),
    ] = None,
    seed: Annotated[int, Option(metavar="N", help="Seed of batches and corrections.")] = 0,
    name: Annotated[str | None, Option(metavar="NAME", help="What to call it: --model adapter:NAME.")] = None,
    training: FinetuneOptions = FinetuneOptions(),
    encoder: EncoderOptions = EncoderOptions(),
    allow_missing: MissingOption = 0.0,
    dry_run: Annotated[bool, flag("--dry-run", says="Count, estimate the time, stop.")] = False,
    quiet: QuietOption = False,
    store: StoreOption = None,
    output: OutputOptions = OutputOptions(),
) -> None:
    """Fine-tune an open_clip model's own weights on TRAIN, keep the best epoch by validation, and store the model.

    No change at all is a candidate. The result is a folder that local-dir: takes, and adapter:NAME too. The same
    fine-tuning is found, not repeated; a stopped one goes on.
    """
    recipe = training.recipe(unfreeze, seed)
    asked = Asked(dataset, val, name, allow_missing, origin, alphas_of(interpolate))
    with at_work(open_at(store), model, encoder, quiet, dataset) as (source, bars):
        tables = asked.plan(source, recipe) if dry_run else asked.done(source, recipe, bars, quiet)
    emit(tables, output)
