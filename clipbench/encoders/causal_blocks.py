"""Runs the blocks of open_clip's causal text tower over many short windows at once: what each looks at, and no more.

The rows of all windows go through a linear layer as one product, which is faster than many small ones; attention
goes window by window. Of the last block only the rows that are pooled are computed. Weights are read from the
modules at every call, so that a model whose weights change gives its new vectors. Knows rows, no texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

Rows: TypeAlias = "Callable[[torch.Tensor], torch.Tensor]"
"""What makes rows (n, outputs) of rows (n, inputs)."""

Layers: TypeAlias = "Callable[..., Rows]"
"""A way to compute linear layers: of a `Linear`, and of the activation that follows it if one does."""

WIDE = 256
"""Width from which oneDNN pays: it lays weights out at every call, which a narrow tower waits longer for than it gains."""

_QUICK = 1.702
"""The factor inside open_clip's QuickGELU."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Part of a linear layer. weight: (outputs, inputs). bias: (outputs,)."""

    weight: torch.Tensor
    bias: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class Sight:
    """Who looks at whom: window by window, some rows ask and some are seen.

    keys    int64 (windows, k)           the rows that are seen
    mask    float (windows, 1, q, k)     added to the scores of the q rows that ask in each window
    asking  int64 (windows × q,)         the rows that ask, None where it is all of them in order
    """

    keys: torch.Tensor
    mask: torch.Tensor
    asking: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One of open_clip's residual attention blocks with its linear layers as they are computed. pairs: keys and values."""

    own: Any
    queries: Rows
    pairs: Rows
    outputs: Rows
    widening: Rows
    narrowing: Rows


def torch_layers(layer: Linear, activation: torch.nn.Module | None = None) -> Rows:
    """Return torch's own linear layer."""
    from torch.nn.functional import linear

    return lambda inputs: _activated(activation, linear(inputs, layer.weight, layer.bias))


def onednn_layers(layer: Linear, activation: torch.nn.Module | None = None) -> Rows:
    """Return the same layer by oneDNN, where torch takes MKL, which is no match for it on every processor.

    On an AMD EPYC with AVX-512 it takes .9 of the time, and GELU next to none. torch has no public name for it in
    float32.
    """
    import torch

    product = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001, see above
    if type(activation) is torch.nn.GELU:
        return lambda inputs: product(inputs, layer.weight, layer.bias, "gelu", [], activation.approximate)
    return lambda inputs: _activated(activation, product(inputs, layer.weight, layer.bias, "none", [], ""))


def ways(number_format: torch.dtype, device: str, width: int) -> tuple[Layers, ...]:
    """Return the ways to compute linear layers of a tower that may work here, the fastest first."""
    import torch

    there = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    fast = device == "cpu" and number_format == torch.float32 and width >= WIDE and there
    return (onednn_layers, torch_layers) if fast else (torch_layers,)


def are_known(blocks: Any) -> bool:
    """Whether every block of an open_clip Transformer is of the kind that is run here."""
    from open_clip.transformer import ResidualAttentionBlock
    from torch import nn

    return all(
        type(block) is ResidualAttentionBlock
        and not hasattr(block, "ln_1_kv")
        and type(block.attn) is nn.MultiheadAttention
        and block.attn.in_proj_weight is not None
        and block.attn.bias_k is None
        and not block.attn.add_zero_attn
        and [name for name, _ in block.mlp.named_children()] == ["c_fc", "gelu", "c_proj"]
        for block in blocks.resblocks
    )


def ready(blocks: Any, layers: Layers) -> list[Block]:
    """Return the blocks of an open_clip Transformer as they are run here."""
    return [_ready(block, layers) for block in blocks.resblocks]


def _ready(own: Any, layers: Layers) -> Block:
    attention, width = own.attn, own.attn.embed_dim
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    return Block(
        own,
        queries=layers(Linear(weight[:width], bias[:width])),
        pairs=layers(Linear(weight[width:], bias[width:])),
        outputs=layers(attention.out_proj),
        widening=layers(own.mlp.c_fc, own.mlp.gelu),
        narrowing=layers(own.mlp.c_proj),
    )


def pooled_states(
    blocks: Sequence[Block], states: torch.Tensor, within: Sight, pooled: Sight
) -> torch.Tensor:
    """Return the states after the last block of the rows that ask in `pooled`, from the first one's inputs (n, width).

    within: how all rows look at each other.
    """
    for block in blocks[:-1]:
        states = _states(block, states, within)
    return _states(blocks[-1], states, pooled)


def _states(block: Block, states: torch.Tensor, sight: Sight) -> torch.Tensor:
    """Return what a block makes of the rows that ask."""
    own = block.own
    normed = asking = own.ln_1(states)
    pairs = block.pairs(normed)
    if sight.asking is not None:
        states, asking = states[sight.asking], normed[sight.asking]
    mixed = _attention(block.queries(asking), pairs, sight, own.attn.num_heads)
    states = states + own.ls_1(block.outputs(mixed))
    narrow: torch.Tensor = own.ls_2(block.narrowing(block.widening(own.ln_2(states))))
    return states + narrow


def _attention(queries: torch.Tensor, pairs: torch.Tensor, sight: Sight, heads: int) -> torch.Tensor:
    """Return what the rows that ask (windows × q, width) take from the keys and values of all (n, 2 × width)."""
    from torch.nn.functional import scaled_dot_product_attention

    windows, count = sight.keys.shape
    asking = queries.reshape(windows, len(queries) // windows, heads, -1).transpose(1, 2)
    seen = pairs.index_select(0, sight.keys.flatten()).reshape(windows, count, 2, heads, -1)
    keys, values = seen.permute(2, 0, 3, 1, 4).unbind()
    mixed = scaled_dot_product_attention(asking, keys, values, attn_mask=sight.mask)
    return mixed.transpose(1, 2).reshape(queries.shape)


def _activated(activation: torch.nn.Module | None, rows: torch.Tensor) -> torch.Tensor:
    """Return the activation of rows that nobody else looks at."""
    if activation is None:
        return rows
    from open_clip.transformer import QuickGELU

    if type(activation) is QuickGELU:
        # In place: another array of some megabytes takes longer than the arithmetic.
        return rows.mul_((rows * _QUICK).sigmoid_())
    activated: torch.Tensor = activation(rows)
    return activated
