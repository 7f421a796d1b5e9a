"""Between two sets of weights of one architecture: WiSE-FT (Wortsman et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from clipbench.errors import ClipbenchError


def interpolated(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """Return (1 − α) base + α tuned, tensor by tensor; at 0 and at 1 the ends themselves, to the bit.

    Counters, which are no weights, are those of the nearer end. Raises ClipbenchError for an α outside 0..1 and
    for states of two architectures.
    """
    if not 0 <= alpha <= 1:
        raise ClipbenchError(f"between two models lies alpha 0..1, not {alpha:g}", "--interpolate 0:1:0.25")
    if base.keys() != tuned.keys() or any(base[name].shape != tuned[name].shape for name in base):
        raise ClipbenchError("weights of two architectures have nothing between them")
    nearer = tuned if alpha >= 0.5 else base
    if alpha in {0, 1}:
        return {name: value.clone() for name, value in nearer.items()}
    return {
        name: torch.lerp(base[name], tuned[name], alpha)
        if base[name].is_floating_point()
        else nearer[name].clone()
        for name in base
    }
