"""Runs the matrix products of a model in 8-bit integers on a CPU: another encoder, faster and a little coarser.

The weights of a linear layer keep 8 bits and one scale for each output, its inputs 8 bits and one scale for each
token, taken from that token alone; products are summed exactly, in 32-bit integers. So, unlike torch's own dynamic
quantisation, which takes one scale from the whole batch, what a text or photograph becomes does not depend on its
neighbours. Attention between tokens, norms and convolutions stay in fp32.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from clipbench.errors import EncoderError

LEVELS = 127
"""Largest 8-bit integer used, on both sides of zero."""

SMALLEST = 64
"""Layers with fewer inputs or outputs stay in fp32: they cost nothing, and lose most."""


class IntegerLinear(nn.Module):
    """A linear layer in 8-bit integers. weights: int8 (inputs, outputs). scales: float32 (outputs,)."""

    int8_original_dtype = (
        torch.float32
    )  # by this name open_clip asks a layer without float weights for their type

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        weight = weight.detach().float()
        scales = weight.abs().amax(dim=1).clamp_(min=torch.finfo(torch.float32).tiny) / LEVELS
        self.weights = (weight / scales[:, None]).round_().to(torch.int8).t().contiguous()
        self.scales = scales
        self.bias = None if bias is None else bias.detach().float()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return float32 (..., outputs) for float32 (..., inputs)."""
        rows = inputs.reshape(-1, inputs.shape[-1])
        scales = rows.abs().amax(dim=1, keepdim=True).clamp_(min=torch.finfo(torch.float32).tiny) / LEVELS
        sums = torch._int_mm((rows / scales).round_().to(torch.int8), self.weights)  # noqa: SLF001, has no public name
        outputs = sums.float().mul_(scales).mul_(self.scales)
        if self.bias is not None:
            outputs += self.bias
        return outputs.reshape(*inputs.shape[:-1], -1)


class IntegerAttention(nn.Module):
    """A self-attention whose projections are in 8-bit integers; takes and gives (batch, tokens, width)."""

    def __init__(self, own: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads = own.num_heads
        self.batch_first = True
        self.inputs = IntegerLinear(own.in_proj_weight, own.in_proj_bias)
        self.outputs = IntegerLinear(own.out_proj.weight, own.out_proj.bias)

    def forward(
        self,
        states: torch.Tensor,
        _keys: torch.Tensor,
        _values: torch.Tensor,
        *,
        attn_mask: torch.Tensor | None = None,
        **_: Any,
    ) -> tuple[torch.Tensor, None]:
        """Return the new states, and no weights."""
        batch, tokens, width = states.shape
        parts = self.inputs(states).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts.unbind()
        mixed = scaled_dot_product_attention(queries, keys, values, attn_mask=attn_mask)
        return self.outputs(mixed.transpose(1, 2).reshape(batch, tokens, width)), None


def to_integers(model: nn.Module) -> int:
    """Turn the linear layers and self-attentions of open_clip's and timm's blocks into integers; return how many.

    Raises EncoderError where this processor does not sum 8-bit products exactly, or nothing of the model is linear.
    """
    _check_sums()
    places = list(_places(model))
    for owner, name, layer in places:
        setattr(owner, name, layer)
    if not places:
        raise EncoderError("the model has no linear layer to run in 8-bit integers", "use --precision fp32")
    return len(places)


def _places(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """Yield what is to be put where."""
    from open_clip.transformer import ResidualAttentionBlock

    for name, inner in module.named_children():
        if isinstance(inner, nn.MultiheadAttention):
            # Others than the blocks' own may attend to something else than themselves.
            if (
                isinstance(module, ResidualAttentionBlock)
                and not hasattr(module, "ln_1_kv")
                and inner.batch_first
            ):
                yield module, name, IntegerAttention(inner)
        elif type(inner) is nn.Linear:
            if min(inner.in_features, inner.out_features) >= SMALLEST and not _read_by(module):
                yield module, name, IntegerLinear(inner.weight, inner.bias)
        else:
            yield from _places(inner)


def _read_by(owner: nn.Module) -> bool:
    """Whether a module reads the weights of its linear layers instead of calling them."""
    from open_clip.modified_resnet import AttentionPool2d

    return isinstance(owner, AttentionPool2d)


def _check_sums() -> None:
    """Raise EncoderError where pairs of products are cut at 16 bits, as older processors' instructions do."""
    full = torch.full((64, 64), LEVELS, dtype=torch.int8)
    if not (torch._int_mm(full, full) == 64 * LEVELS * LEVELS).all():  # noqa: SLF001
        raise EncoderError("this processor does not sum 8-bit products exactly", "use --precision fp32")
