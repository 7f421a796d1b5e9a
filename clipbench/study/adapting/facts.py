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
        return finetuning_facts(one.record, stored if isinstance(stored, dict) else {})
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


def finetuning_facts(record: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the recipe of a fine-tuned model, under the names that a head's recipe has where it has the same."""
    recipe = {**FINETUNING, **stored}
    part, told = str(recipe.pop("part")), record.get("interpolated") or {}
    unheeded = {"rate"} if part == "bn-stats" else set()
    return {
        "head": f"weights: {part} × {told['share']:g}" if "share" in told else f"weights: {part}",
        "side": "both",
        "loss": str(record.get("loss")),
        **{name: value for name, value in recipe.items() if value is not None and name not in unheeded},
        "folder": str(record.get("folder")),
    }
