"""LoRA on the attention of a model: W + B A beside the frozen W, as a parametrisation of torch.

Torch computes the sum whenever the layer asks for its weight, so neither the layer nor its model is changed, and
taking the parametrisation off leaves plain weights under their plain names (Hu et al. 2021).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from clipbench.errors import ClipbenchError

PROJECTIONS = ("qkv", "q_proj", "k_proj", "v_proj", "query", "key", "value")
"""What towers call the linear layers that make queries, keys and values where these are no fused weight."""


class LowRankSum(nn.Module):
    """W ↦ W + B A, with B (out, r) at zero and A (r, in) at random: exactly W before any training."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.down = nn.Parameter(torch.randn(rank, columns, device=weight.device) / columns**0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight and its correction."""
        return weight + self.up @ self.down


def attention_weights(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Yield the layers that make queries, keys and values, each with the name of its weight, in order."""
    for name, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            if module.in_proj_weight is not None:
                yield module, "in_proj_weight"
        elif isinstance(module, nn.Linear) and name.rpartition(".")[2] in PROJECTIONS:
            yield module, "weight"


def add_low_rank(model: nn.Module, rank: int, seed: int) -> list[nn.Parameter]:
    """Put a correction of `rank` beside every attention weight and return what of it can learn.

    The same seed gives the same start. Raises ClipbenchError where there is no attention to correct, or the rank
    is not below every side of a weight: then it would be no low rank.
    """
    layers = list(attention_weights(model))
    if not layers:
        raise ClipbenchError("the model has no attention whose weights are known", "--unfreeze projection")
    smallest = min(min(getattr(layer, name).shape) for layer, name in layers)
    if not 1 <= rank < smallest:
        raise ClipbenchError(
            f"a rank of {rank} is no low rank of weights {smallest} wide", f"--rank {min(8, smallest - 1)}"
        )
    learned: list[nn.Parameter] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer, name in layers:
            correction = LowRankSum(getattr(layer, name), rank)
            parametrize.register_parametrization(layer, name, correction)
            learned += [correction.down, correction.up]
    return learned


def merge_low_rank(model: nn.Module) -> None:
    """Make every corrected weight a plain one again, with its correction in it."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]  # torch's own type is wider
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)


def plain_state(model: nn.Module) -> dict[str, Tensor]:
    """Return a model's tensors under their plain names, corrections added in; copies that share nothing."""
    plain: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        owner, inside, rest = name.partition("parametrizations.")
        if not inside:
            plain[name] = value.detach().clone()
        elif rest.endswith(".original"):
            weight = rest.removesuffix(".original")
            layer = model.get_submodule(owner.removesuffix("."))
            plain[owner + weight] = getattr(layer, weight).detach().clone()
    return plain
