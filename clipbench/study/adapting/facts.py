"""What a stored adapter says of its recipe, without loading torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipbench.store.adapters import AdapterRecord

DEFAULTS: Mapping[str, Any] = {
    "head": "residual",
    "side": "both",
    "loss": "masked",
    "epochs": 20,
    "batch": 256,
    "rate": 1e-3,
    "seed": 0,
    "order": "shuffled",
}
FINETUNING: Mapping[str, Any] = {"part": "norm", "epochs": 10, "batch": 64, "rate": 1e-3, "seed": 0}
ALPHA: Mapping[str, float] = {"alpha": 0.2}


def recipe_facts(one: AdapterRecord) -> Mapping[str, Any]:
    """Return the recipe with its defaults, which are not stored."""
    stored = one.record.get("recipe")
    if one.record.get("kind") == "finetuned":
        return finetuning_facts(stored if isinstance(stored, dict) else {}, str(one.record.get("folder")))
    recipe: dict[str, Any] = {**DEFAULTS, **(stored if isinstance(stored, dict) else {})}
    options = recipe.get("options") or {}
    blended = recipe["head"] in {"residual", "clip-adapter"}
    shown = {
        "head": recipe["head"],
        "side": recipe["side"],
        "alpha": {**ALPHA, **options}["alpha"] if blended else None,
        "hidden": options.get("hidden"),
        "loss": recipe["loss"],
        "epochs": recipe["epochs"],
        "batch": recipe["batch"],
        "rate": recipe["rate"],
        "seed": recipe["seed"],
        "order": recipe["order"] if recipe["order"] != DEFAULTS["order"] else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def finetuning_facts(stored: Mapping[str, Any], folder: str) -> Mapping[str, Any]:
    """Return the recipe of a fine-tuned model, under the names that a head's recipe has where it has the same."""
    recipe = {**FINETUNING, **stored}
    part, alpha = str(recipe.pop("part")), recipe.pop("alpha", None)
    unheeded = {"rate", "batch"} if part == "bn-stats" else set()
    return {
        "head": f"weights: {part}" if alpha is None else f"weights: {part} × {alpha:g}",
        "side": "both",
        "loss": "infonce",
        **{name: value for name, value in recipe.items() if value is not None and name not in unheeded},
        "folder": folder,
    }
