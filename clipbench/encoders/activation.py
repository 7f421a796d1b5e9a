"""Which activations a built model really has, read from its modules. A configuration is only a claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_HOMES = ("torch.nn.modules.activation", "timm.layers.activation", "transformers.activations")
_NOT_POINTWISE = {"MultiheadAttention", "Softmax", "Sigmoid", "Softmax2d", "LogSoftmax"}


def activation_record(model: torch.nn.Module) -> str:
    """Return the activations of both towers, such as "image QuickGELU, text QuickGELU".

    Several kinds in one tower are joined by "+", sorted; "none" where it has no activation modules.
    """
    image = {name: module for name, module in model.named_modules() if name.startswith("visual.")}
    text = {
        name: module
        for name, module in model.named_modules()
        if not name.startswith(("visual.", "text_decoder."))
    }
    return f"image {_kinds(image)}, text {_kinds(text)}"


def _kinds(modules: dict[str, torch.nn.Module]) -> str:
    kinds = {kind for module in modules.values() if (kind := _kind(module))}
    return "+".join(sorted(kinds)) or "none"


def _kind(module: torch.nn.Module) -> str:
    name, home = type(module).__name__, type(module).__module__
    if name in _NOT_POINTWISE:
        return ""
    if not home.startswith(_HOMES) and name != "QuickGELU":
        return ""
    tanh = getattr(module, "approximate", "none") == "tanh"
    return f"{name}(tanh)" if tanh else name
