"""Runs the blocks of open_clip's causal text tower over many short windows at once: what each looks at, and no more.

The rows of all windows go through a linear layer as one product, which is faster than many small ones; attention
goes window by window. Of the last block only the rows that are pooled are computed. Weights are read from the
modules at every call, so that a model whose weights change gives its new vectors. Knows rows, no texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

Linear: TypeAlias = "Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]"
"""Rows (n, inputs), weight (outputs, inputs), bias (outputs,) to rows (n, outputs)."""

_QUICK = 1.702
"""The factor inside open_clip's QuickGELU."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Who looks at whom: window by window, some rows ask and some are seen.

    keys  int64 (windows, k)            the rows that are seen
    mask  float (windows, 1, q, k)      added to the scores of the q rows that ask in each window
    """

    keys: torch.Tensor
    mask: torch.Tensor


def plain_linear(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Return torch's own linear layer of rows (n, inputs)."""
    from torch.nn.functional import linear

    return linear(rows, weight, bias)


def onednn_linear(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Return the same by oneDNN, which takes all of a processor's vector units where torch's MKL may not.

    On an AMD EPYC with AVX-512 it takes .9 of the time. It has no public name in torch for float32.
    """
    import torch

    product = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001
    outputs: torch.Tensor = product(rows, weight, bias, "none", [], "")
    return outputs


def linears(number_format: torch.dtype, device: str) -> tuple[Linear, ...]:
    """Return the ways to compute a linear layer that may work here, the fastest first."""
    import torch

    found = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    fast = device == "cpu" and number_format == torch.float32 and found
    return (onednn_linear, plain_linear) if fast else (plain_linear,)


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


def pooled_states(
    blocks: Any, states: torch.Tensor, within: Sight, pooled: torch.Tensor, asking: Sight, linear: Linear
) -> torch.Tensor:
    """Return the states after the last block of the rows `pooled` (windows × q,), from the first one's inputs (n, width).

    within: how all rows look, in order, so that n is windows × q. asking: how the pooled rows look.
    """
    *first, last = blocks.resblocks
    width = states.shape[1]
    for block in first:
        weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
        inner = linear(block.ln_1(states), weight, bias)
        mixed = _attention(inner[:, :width], inner[:, width:], within, block.attn.num_heads)
        states = _after(block, states, mixed, linear)
    weight, bias = last.attn.in_proj_weight, last.attn.in_proj_bias
    normed = last.ln_1(states)
    queries = linear(normed[pooled], weight[:width], bias[:width])
    seen = linear(normed, weight[width:], bias[width:])
    mixed = _attention(queries, seen, asking, last.attn.num_heads)
    return _after(last, states[pooled], mixed, linear)


def _attention(queries: torch.Tensor, seen: torch.Tensor, sight: Sight, heads: int) -> torch.Tensor:
    """Return what the rows that ask (windows × q, width) take from the keys and values of all (n, 2 × width)."""
    from torch.nn.functional import scaled_dot_product_attention

    windows, count = sight.keys.shape
    asking = queries.reshape(windows, len(queries) // windows, heads, -1).transpose(1, 2)
    pairs = seen.index_select(0, sight.keys.flatten()).reshape(windows, count, 2, heads, -1)
    keys, values = pairs.permute(2, 0, 3, 1, 4).unbind()
    mixed = scaled_dot_product_attention(asking, keys, values, attn_mask=sight.mask)
    return mixed.transpose(1, 2).reshape(queries.shape)


def _after(block: Any, states: torch.Tensor, mixed: torch.Tensor, linear: Linear) -> torch.Tensor:
    """Return a block's states from its inputs and from what attention mixed, both (n, width)."""
    inner, mlp = block.attn.out_proj, block.mlp
    states = states + block.ls_1(linear(mixed, inner.weight, inner.bias))
    wide = _activated(mlp.gelu, linear(block.ln_2(states), mlp.c_fc.weight, mlp.c_fc.bias))
    narrow: torch.Tensor = block.ls_2(linear(wide, mlp.c_proj.weight, mlp.c_proj.bias))
    return states + narrow


def _activated(activation: Any, rows: torch.Tensor) -> torch.Tensor:
    """Return the activation of rows that nobody else looks at."""
    from open_clip.transformer import QuickGELU

    if type(activation) is QuickGELU:
        # In place: three arrays of a megabyte each took longer than the arithmetic.
        return rows.mul_((rows * _QUICK).sigmoid_())
    activated: torch.Tensor = activation(rows)
    return activated
