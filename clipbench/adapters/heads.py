"""Heads: what a frozen vector goes through on one side, one small class each.

A head maps unit vectors (n, D) to vectors (n, D) of any length; whoever uses it normalises. Every head but the
MLP and the tower starts as the identity, so that training begins at the base model's own figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from clipbench.errors import ClipbenchError


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """Sizes and settings of a head; each head heeds those its docstring names.

    alpha: share of what the residual branch adds, fixed unless learn_alpha. hidden: width of the inner layer, None
    for the dimension (a residual: four times it; CLIP-Adapter: a quarter). rank: of the low-rank correction. dropout: share of the tower's inner units left out.
    """

    alpha: float = 0.2
    learn_alpha: bool = False
    hidden: int | None = None
    rank: int = 16
    dropout: float = 0.2


class Identity(nn.Module):
    """y = x; the side that is not adapted."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x itself."""
        return x


class Diagonal(nn.Module):
    """y = w ∘ x, w starting at 1: one factor a dimension."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dimension))

    def forward(self, x: Tensor) -> Tensor:
        """Return every dimension of x times its factor."""
        return x * self.weight


class Linear(nn.Module):
    """y = W x, W starting at the identity; no bias, which would move all vectors the same way."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dimension))

    def forward(self, x: Tensor) -> Tensor:
        """Return W x for every row."""
        return x @ self.weight.T


class LowRank(nn.Module):
    """y = x + U V x with U (D, r) starting at zero and V (r, D) at random, as in LoRA (Hu et al. 2021)."""

    def __init__(self, dimension: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, dimension) / dimension**0.5)
        self.up = nn.Parameter(torch.zeros(dimension, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Return x and its low-rank correction."""
        return x + x @ self.down.T @ self.up.T


class Mlp(nn.Module):
    """y = W2 ReLU(W1 x + b1) + b2, starting at random: it replaces the vector instead of correcting it."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(dimension, hidden)
        self.outer = nn.Linear(hidden, dimension)

    def forward(self, x: Tensor) -> Tensor:
        """Return the two layers' output."""
        y: Tensor = self.outer(torch.relu(self.inner(x)))
        return y


class Residual(nn.Module):
    """y = x + α f(x), f an MLP whose last layer starts at zero, so that y starts at x.

    α is fixed, or learned from where it is. α and the learning rate are one trade: with f free to grow, a
    small α asks for a large step.
    """

    alpha: Tensor

    def __init__(self, dimension: int, hidden: int, alpha: float, *, learn_alpha: bool) -> None:
        super().__init__()
        self.branch = Mlp(dimension, hidden)
        nn.init.zeros_(self.branch.outer.weight)
        nn.init.zeros_(self.branch.outer.bias)
        start = torch.tensor(float(alpha))
        if learn_alpha:
            self.alpha = nn.Parameter(start)
        else:
            self.register_buffer("alpha", start)

    def forward(self, x: Tensor) -> Tensor:
        """Return x and α times what the branch says of it."""
        y: Tensor = x + self.alpha * self.branch(x)
        return y


class ClipAdapter(nn.Module):
    """y = α f(x) + (1 − α) x with a bottleneck f, as in CLIP-Adapter (Gao et al. 2021).

    f is two layers with ReLU after both and no biases, D → D/4 → D. To start at the identity the last layer
    starts at zero, where the paper starts at random; a ReLU at zero passes no gradient, so the outer ReLU is
    left out.
    """

    alpha: Tensor

    def __init__(self, dimension: int, hidden: int, alpha: float) -> None:
        super().__init__()
        self.down = nn.Linear(dimension, hidden, bias=False)
        self.up = nn.Linear(hidden, dimension, bias=False)
        nn.init.zeros_(self.up.weight)
        self.register_buffer("alpha", torch.tensor(float(alpha)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the blend of x and its bottleneck."""
        correction: Tensor = self.up(torch.relu(self.down(x)))
        return self.alpha * correction + (1 - self.alpha) * x


class Tower(nn.Module):
    """y = W2 Dropout(ReLU(W1 x + b1)) + b2 from scratch: one side of the two-tower control.

    The published control is Linear D → D, ReLU, dropout .2, Linear D → D/2. It has no skip and starts at
    random, so the space of the base model is lost; it is here to be compared with.
    """

    def __init__(self, dimension: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(dimension, hidden)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(hidden, dimension // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tower's output, of half the dimension."""
        y: Tensor = self.outer(self.dropout(torch.relu(self.inner(x))))
        return y


WIDER = 4
"""Width of a residual's inner layer in dimensions, as in a transformer's blocks; half of it learns half as fast."""

Build: TypeAlias = Callable[[int, HeadOptions], nn.Module]

HEADS: Mapping[str, Build] = {
    "identity": lambda _d, _o: Identity(),
    "diagonal": lambda d, _o: Diagonal(d),
    "linear": lambda d, _o: Linear(d),
    "low-rank": lambda d, o: LowRank(d, o.rank),
    "mlp": lambda d, o: Mlp(d, o.hidden or d),
    "residual": lambda d, o: Residual(d, o.hidden or WIDER * d, o.alpha, learn_alpha=o.learn_alpha),
    "clip-adapter": lambda d, o: ClipAdapter(d, o.hidden or max(1, d // 4), o.alpha),
    "two-tower": lambda d, o: Tower(d, o.hidden or d, o.dropout),
}
"""Every head by the word of the command line."""

STARTS_AT_RANDOM = frozenset({"mlp", "two-tower"})
"""Heads whose untrained output is not the input."""


def build_head(name: str, dimension: int, options: HeadOptions, seed: int) -> nn.Module:
    """Return a new head for vectors of `dimension`; the same seed gives the same weights.

    Raises ClipbenchError for an unknown name or options that mean nothing.
    """
    if name not in HEADS:
        raise ClipbenchError(f"there is no head {name!r}; there are {', '.join(HEADS)}", "--head residual")
    if not 0 <= options.alpha <= 1 or not 0 <= options.dropout < 1 or options.rank < 1:
        raise ClipbenchError("alpha lies in 0..1, dropout in 0..1, and the rank is 1 or more", "--alpha 0.2")
    # Weights are drawn from the global generator, which is put back as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return HEADS[name](dimension, options)
