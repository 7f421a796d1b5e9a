"""What an ablation scans: a grid of heads, losses, shares, rates and temperatures, each cell under every seed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from clipbench.adapters.heads import HEADS, STARTS_AT_RANDOM
from clipbench.adapters.losses import LOSSES, SCALELESS
from clipbench.adapters.training import Recipe
from clipbench.errors import ClipbenchError

BLENDED = frozenset({"residual", "clip-adapter"})
"""Heads that heed α."""

CONTROL = ("two-tower", "margin")
"""Head and loss of the control that stands beside every ablation."""

AXES = ("alpha", "share", "rate", "temperature")
"""What is scanned as numbers, the first the one that a figure prefers as its axis."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One setting of the grid. alpha: None where the head has none. temperature: None where the loss has none.

    share: of what was learned, how much is kept once it is trained; 1 for a head that replaces the vector.
    """

    head: str
    loss: str
    alpha: float | None
    rate: float
    temperature: float | None
    share: float = 1.0
    control: bool = False

    def recipe(self, base: Recipe, seed: int) -> Recipe:
        """Return the recipe of this cell under a seed; what the grid does not scan is the base's."""
        alpha = base.options.alpha if self.alpha is None else self.alpha
        return replace(
            base,
            head=self.head,
            side="both" if self.control else base.side,
            loss=self.loss,
            rate=self.rate,
            temperature=base.temperature if self.temperature is None else self.temperature,
            options=replace(base.options, alpha=alpha),
            epochs=0 if self.is_base(base) else base.epochs,
            seed=seed,
        )

    def is_base(self, base: Recipe) -> bool:
        """Whether nothing can be learned here: the identity, and a share of 0 that stays there."""
        fixed = self.head == "residual" and self.alpha == 0 and not base.options.learn_alpha
        return fixed or self.head == "identity"


@dataclass(frozen=True, slots=True)
class Grid:
    """Every value that is scanned, and the number of seeds. control: whether the two-tower control stands beside it."""

    heads: tuple[str, ...] = ("residual",)
    losses: tuple[str, ...] = ("masked",)
    alphas: tuple[float, ...] = (0.2,)
    rates: tuple[float, ...] = (1e-3,)
    temperatures: tuple[float, ...] = (0.07,)
    shares: tuple[float, ...] = (1.0,)
    seeds: int = 1
    control: bool = True

    def __post_init__(self) -> None:
        """Raise ClipbenchError for words that name nothing, and for shares outside 0..1."""
        for what, given, known in (("head", self.heads, HEADS), ("loss", self.losses, LOSSES)):
            unknown = [word for word in given if word not in known]
            if unknown or not given:
                raise ClipbenchError(
                    f"there is no {what} {(unknown or [''])[0]!r}; there are {', '.join(known)}",
                    f"--{what} {next(iter(known))}",
                )
        for name, shares in (("--alpha", self.alphas), ("--interpolate", self.shares)):
            outside = [share for share in shares if not 0 <= share <= 1]
            if outside:
                raise ClipbenchError(f"{name} lies in 0..1, not at {outside[0]:g}", f"{name} 0:1:0.1")
        for name, numbers in (("--rate", self.rates), ("--temperature", self.temperatures)):
            if any(number <= 0 for number in numbers):
                raise ClipbenchError(f"{name} is above 0, not {min(numbers):g}", f"{name} 0.001,0.003")

    def cells(self) -> tuple[Cell, ...]:
        """Return every cell once, in the order of the words, the control last."""
        found = dict.fromkeys(self._scanned())
        if self.control and CONTROL[0] not in self.heads:
            found[Cell(*CONTROL, None, self.rates[0], None, 1.0, control=True)] = None
        return tuple(found)

    def _scanned(self) -> Iterator[Cell]:
        for head, loss in product(self.heads, self.losses):
            alphas = self.alphas if head in BLENDED else (None,)
            temperatures = (None,) if loss in SCALELESS else self.temperatures
            shares = (1.0,) if head in STARTS_AT_RANDOM else self.shares
            for rate, temperature, alpha, share in product(self.rates, temperatures, alphas, shares):
                yield Cell(head, loss, alpha, rate, temperature, share)

    @property
    def scanned(self) -> tuple[str, ...]:
        """Return what takes more than one value, of head, loss, alpha, share, rate and temperature."""
        counts = {
            "head": self.heads,
            "loss": self.losses,
            "alpha": self.alphas if BLENDED & set(self.heads) else (),
            "share": self.shares,
            "rate": self.rates,
            "temperature": self.temperatures,
        }
        return tuple(name for name, values in counts.items() if len(values) > 1)


def named(cell: Cell, scanned: tuple[str, ...]) -> str:
    """Return a cell by what tells it from the others.

    >>> named(Cell("residual", "masked", 0.5, 1e-3, 0.07), ("alpha",))
    'residual α 0.5'
    """
    words = [cell.head]
    if "loss" in scanned or cell.control:
        words.append(cell.loss)
    if cell.alpha is not None:
        words.append(f"α {cell.alpha:g}")
    if cell.share != 1:
        words.append(f"× {cell.share:g}")
    if "rate" in scanned:
        words.append(f"rate {cell.rate:g}")
    if "temperature" in scanned and cell.temperature is not None:
        words.append(f"τ {cell.temperature:g}")
    return " ".join(words)
