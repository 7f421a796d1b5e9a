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
ALPHA: Mapping[str, float] = {"alpha": 0.2}


def recipe_facts(one: AdapterRecord) -> Mapping[str, Any]:
    """Return the recipe with its defaults, which are not stored."""
    stored = one.record.get("recipe")
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
