"""Which weights of a model learn, by a word: the norms, the projections, the last block, all, or a low rank.

Knows the names under which open_clip's towers keep their parts, and nothing of data or of training.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from clipbench.adapters.low_rank import add_low_rank, attention_weights
from clipbench.errors import ClipbenchError

Part: TypeAlias = Literal["norm", "projection", "last-block", "full", "bn-stats", "lora"]
PARTS: tuple[Part, ...] = get_args(Part)

PROJECTION = re.compile(
    r"visual\.(proj|attnpool\.c_proj\.\w+|head\.\w+\..+|trunk\.(head|classifier|fc)\..+)"
    r"|(text\.)?text_projection(\.\w+)?|text\.proj(\.\w+)*"
)
"""Names of the weights that take a tower's last vector into the space that both towers share."""

BLOCKS = {
    "image": ("visual.transformer.resblocks", "visual.layer4", "visual.trunk.blocks", "visual.trunk.stages"),
    "text": (
        "transformer.resblocks",
        "text.transformer.resblocks",
        "text.transformer.encoder.layer",
        "text.transformer.encoder.layers",
    ),
}
"""Where a tower keeps its blocks, the last one last."""

BEHIND = re.compile(
    r"visual\.(ln_post|attn_pool|attnpool|trunk\.(norm|conv_head|bn2|head|fc_norm))\b.*|(text\.)?ln_final\..+"
)
"""Names of what stands between a tower's last block and its projection."""

SCALE = ("logit_scale", "logit_bias")
"""What the loss multiplies and shifts cosines with: it belongs to no tower and learns with whatever learns."""

NORMS = (nn.LayerNorm, nn.GroupNorm, _BatchNorm)


@dataclass(frozen=True)
class Unfrozen:
    """What of a model can change: parameters by name, and the BatchNorm layers that count their batches.

    scope: names of every tensor of the model's state that may differ afterwards, corrections added in.
    """

    learned: dict[str, nn.Parameter]
    counting: tuple[nn.Module, ...]
    scope: frozenset[str]

    @property
    def parameters(self) -> int:
        """How many numbers learn."""
        return sum(one.numel() for one in self.learned.values())


def unfreeze(model: nn.Module, part: Part, *, rank: int = 8, seed: int = 0) -> Unfrozen:
    """Freeze a model but for one part, and return that part.

    norm: weights of all normalisation layers. projection: what maps into the shared space. last-block: the last
    block of each tower and what is behind it. full: everything. bn-stats: no weight; means and variances of the
    BatchNorm layers. lora: a low-rank correction of the attention's weights. A BatchNorm layer whose own weights
    learn takes the statistics of its batches; every other one keeps the model's.

    Raises ClipbenchError where the model has no such part, or not on both sides where it must.
    """
    model.requires_grad_(requires_grad=False)
    if part == "bn-stats":
        return _statistics(model)
    names = set(_chosen(model, part))
    if not names:
        raise ClipbenchError(
            f"the model has no part that --unfreeze {part} names", "--unfreeze full, or another part"
        )
    if part == "lora":
        learned = set(map(id, add_low_rank(model, rank, seed)))
    else:
        learned = {id(value) for name, value in model.named_parameters() if name in names}
    scales = {name: value for name, value in model.named_parameters() if name in SCALE}
    learned |= set(map(id, scales.values()))
    counting = tuple(
        (name, module) for name, module in _batch_norms(model) if part == "full" or f"{name}.weight" in names
    )
    for value in model.parameters():
        value.requires_grad = id(value) in learned
    return Unfrozen(
        {name: value for name, value in model.named_parameters() if id(value) in learned},
        tuple(module for _, module in counting),
        frozenset({*names, *scales, *_buffers(counting)}),
    )


def _statistics(model: nn.Module) -> Unfrozen:
    layers = tuple(_batch_norms(model))
    if not layers:
        raise ClipbenchError("the model has no BatchNorm layer with statistics", "--unfreeze norm")
    return Unfrozen({}, tuple(module for _, module in layers), frozenset(_buffers(layers)))


def _chosen(model: nn.Module, part: Part) -> Iterator[str]:
    """Yield the names of the parameters that a part means, the scale not among them."""
    named = [name for name, _ in model.named_parameters() if name not in SCALE]
    if part == "full":
        yield from named
    elif part == "norm":
        for name, module in model.named_modules():
            if isinstance(module, NORMS) or type(module).__name__.endswith("Norm"):
                yield from (f"{name}.{own}" for own, _ in module.named_parameters(recurse=False))
    elif part == "lora":
        paths = {id(module): name for name, module in model.named_modules()}
        yield from (f"{paths[id(layer)]}.{weight}" for layer, weight in attention_weights(model))
    elif part == "projection":
        yield from filter(PROJECTION.fullmatch, named)
    elif part == "last-block":
        blocks = tuple(f"{block}." for block in _last_blocks(model))
        yield from (
            name
            for name in named
            if name.startswith(blocks) or PROJECTION.fullmatch(name) or BEHIND.fullmatch(name)
        )


def _last_blocks(model: nn.Module) -> Iterator[str]:
    modules = dict(model.named_modules())
    for side, places in BLOCKS.items():
        place = next((name for name in places if name in modules), None)
        inner = list(modules[place].named_children()) if place else []
        if not inner:
            raise ClipbenchError(
                f"the {side} tower keeps its blocks where clipbench does not know them",
                "--unfreeze projection",
            )
        yield f"{place}.{inner[-1][0]}"


def _batch_norms(model: nn.Module) -> Iterator[tuple[str, _BatchNorm]]:
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats:
            yield name, module


def _buffers(layers: Iterable[tuple[str, _BatchNorm]]) -> Iterator[str]:
    for name, module in layers:
        yield from (f"{name}.{own}" for own, _ in module.named_buffers(recurse=False))
