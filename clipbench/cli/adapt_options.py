"""How adapters are trained, as options: one record for `adapt train` and `adapt ablate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from clipbench.cli.expanding import option, switch
from clipbench.errors import ClipbenchError

if TYPE_CHECKING:
    from clipbench.adapters.training import Recipe
    from clipbench.study.adapting.noise import Noise

HeadName: TypeAlias = Literal[
    "identity", "diagonal", "linear", "low-rank", "mlp", "residual", "clip-adapter", "two-tower"
]
LossName: TypeAlias = Literal[
    "infonce",
    "masked",
    "multi-positive",
    "multi-positive-in",
    "sigmoid",
    "margin",
    "margin-hard",
    "debiased",
    "hardness",
]
SideName: TypeAlias = Literal["text", "image", "both"]
OrderName: TypeAlias = Literal["shuffled", "grouped", "file"]


@dataclass(frozen=True)
class TrainingOptions:
    """Everything of a recipe but the head, the loss and what an ablation scans."""

    side: SideName = option("Which vectors get a head: text, image, both.", default="both", metavar="SIDE")
    epochs: int | None = option(
        "Times that every caption is shown. [default: 20, more where that makes few steps]",
        min=0,
        metavar="N",
    )
    batch: int = option("Captions of a batch.", default=256, min=2, metavar="N")
    decay: float = option("Weight decay of AdamW.", default=0.01, min=0, metavar="X")
    hidden: int | None = option("Width of the inner layer. [default: the dimension]", min=1, metavar="N")
    rank: int = option("Rank of a low-rank head.", default=16, min=1, metavar="N")
    learn_alpha: bool = switch("Learn the residual's share from where --alpha puts it.", "--learn-alpha")
    fixed_temperature: bool = switch("Keep the temperature where it is.", "--fixed-temperature")
    margin: float = option("Of the margin losses.", default=0.2, metavar="X")
    order: OrderName = option(
        "shuffled; grouped (an image's captions meet); file (as they stand).",
        default="shuffled",
        metavar="ORDER",
    )
    mine_every: int | None = option("Put hard negatives together every N epochs.", min=1, metavar="N")
    patience: int | None = option("Stop after N epochs without a better RSUM.", min=1, metavar="N")
    noise: str | None = option(
        "Train and choose under perturbed captions or photographs: word-dropout=0.2.",
        metavar="OPERATION=LEVEL",
    )

    def recipe(
        self, head: str, loss: str, alpha: float, rate: float, temperature: float, seed: int
    ) -> Recipe:
        """Return the recipe of one training. Raises ClipbenchError for one that means nothing."""
        from clipbench.adapters.heads import HeadOptions
        from clipbench.adapters.losses import LossOptions
        from clipbench.adapters.training import Recipe

        return Recipe(
            head=head,
            side=self.side,
            options=HeadOptions(alpha, self.learn_alpha, self.hidden, self.rank),
            loss=loss,
            loss_options=LossOptions(margin=self.margin),
            epochs=Recipe().epochs if self.epochs is None else self.epochs,
            batch=self.batch,
            rate=rate,
            decay=self.decay,
            temperature=temperature,
            learn_scale=not self.fixed_temperature,
            order=self.order,
            mine_every=self.mine_every,
            patience=self.patience,
            seed=seed,
        )

    def noise_of(self) -> Noise | None:
        """Return the perturbation that --noise names. Raises ClipbenchError for one that there is not, and for two."""
        if self.noise is None:
            return None
        from clipbench.study.adapting.noise import Noise
        from clipbench.study.robustness.levels import settings_of

        chosen = settings_of(self.noise)
        if len(chosen) != 1:
            raise ClipbenchError(
                f"--noise takes 1 perturbation, not {len(chosen)}", "--noise word-dropout=0.2"
            )
        return Noise(chosen[0].operation, chosen[0].levels[0])
