"""Between the base and a trained head: the same head, of which a share is kept. Nothing is trained.

A head that starts at the identity is y = x + what it learned; kept is y = x + s · what it learned, exactly, by
its own weights. It is to a head what WiSE-FT (Wortsman et al. 2022) is to a model: a dial between origin and target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from clipbench.adapters.heads import STARTS_AT_RANDOM
from clipbench.adapters.training import Recipe
from clipbench.errors import ClipbenchError


def shrunk(tensors: Mapping[str, Tensor], recipe: Recipe, share: float) -> tuple[dict[str, Tensor], Recipe]:
    """Return the weights and the recipe of an adapter of which `share` (0: the base, 1: all of it) is kept.

    Raises ClipbenchError for a share outside 0..1, and for heads that replace the vector instead of correcting it.
    """
    if not 0 <= share <= 1:
        raise ClipbenchError(f"between the base and a head lie 0..1, not {share:g}", "--interpolate 0:1:0.25")
    if recipe.head in STARTS_AT_RANDOM:
        raise ClipbenchError(
            f"a {recipe.head} head replaces the vector: there is nothing between it and the base",
            "--head residual",
        )
    kept = {name: _shrunk(recipe.head, name, value, share) for name, value in tensors.items()}
    return kept, replace(recipe, options=replace(recipe.options, alpha=recipe.options.alpha * share))


def _shrunk(head: str, name: str, value: Tensor, share: float) -> Tensor:
    own = name.rpartition(".")[2]
    if head in {"residual", "clip-adapter"}:
        return value * share if own == "alpha" else value.clone()
    if head == "low-rank":
        return value * share if own == "up" else value.clone()
    identity = torch.eye(len(value)) if head == "linear" else torch.ones(len(value))
    return torch.lerp(identity, value, share)
