"""Adapters as bytes: a safetensors file with the tensors and, in its header, how they were made.

No pickle: a file of another's adapter can hold nothing but numbers and text. Also the recipe as JSON and back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from clipbench.adapters.heads import HeadOptions
from clipbench.adapters.losses import LossOptions
from clipbench.adapters.training import Adapter, Epoch, Recipe, State, new_adapter
from clipbench.errors import ClipbenchError
from clipbench.keys import Json

FORMAT = "adapter of clipbench, version 1"
"""Written into every file, so that another program's tensors are not taken for an adapter."""

LARGEST = 1 << 30
"""Bytes of a file that is read."""


def recipe_json(recipe: Recipe) -> dict[str, Json]:
    """Return a recipe as JSON; what is at its default is left out, so that a later field changes no key."""
    plain = asdict(recipe)
    return {
        name: {k: v for k, v in value.items() if v != asdict(type(getattr(recipe, name))())[k]}
        if isinstance(value, dict)
        else value
        for name, value in plain.items()
        if value != asdict(Recipe())[name]
    }


def recipe_of(stored: Mapping[str, Any]) -> Recipe:
    """Return the recipe of `recipe_json`. Raises ClipbenchError for one that means nothing."""
    values = dict(stored)
    try:
        options = HeadOptions(**values.pop("options", {}))
        losses = LossOptions(**values.pop("loss_options", {}))
        return Recipe(options=options, loss_options=losses, **values)
    except TypeError as error:
        raise ClipbenchError(f"the recipe of an adapter has a field that is not known: {error}") from error


def adapter_bytes(tensors: Mapping[str, Tensor], header: Mapping[str, Json]) -> bytes:
    """Return a safetensors file of an adapter's tensors; the same content gives the same bytes.

    header: JSON that says what the tensors are; "recipe" and "dimension" let anyone build the heads.
    """
    from safetensors.torch import save

    # Copies, since safetensors refuses tensors that share memory, as the best and the last state may.
    ordered = {name: tensors[name].detach().cpu().clone().contiguous() for name in sorted(tensors)}
    # One entry of metadata: safetensors writes several in an order of its own each time.
    return bytes(save(ordered, {"adapter": json.dumps({"format": FORMAT, **header}, sort_keys=True)}))


def read_bytes(data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the header of `adapter_bytes`.

    Raises ClipbenchError for anything that is no file of an adapter.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if len(data) > LARGEST:
        raise ClipbenchError(f"a file of {len(data):,} bytes is no adapter: the largest has {LARGEST:,}")
    try:
        tensors = load(data)
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        header = json.loads(metadata.get("adapter", "{}"))
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ClipbenchError(
            f"this is no file of an adapter: {str(error)[:120]}", "clipbench adapt export"
        ) from error
    if not isinstance(header, dict) or header.pop("format", None) != FORMAT:
        raise ClipbenchError(
            "these tensors are not an adapter that clipbench wrote", "clipbench adapt export"
        )
    return tensors, header


def built(tensors: Mapping[str, Tensor], recipe: Recipe, dimension: int) -> Adapter:
    """Return the adapter of a recipe with these weights. Raises ClipbenchError where they do not fit it."""
    adapter = new_adapter(recipe, dimension)
    try:
        adapter.load_state_dict(dict(tensors))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise ClipbenchError(
            f"the weights do not fit a {recipe.head} of {dimension} dimensions: {reason}"
        ) from error
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise ClipbenchError("the weights of the adapter hold values that are not finite")
    return adapter.eval()


def state_bytes(state: State) -> bytes:
    """Return a state of training as one file, to go on from after a kill."""
    tensors = {f"now.{k}": v for k, v in state.tensors.items()} | {
        f"best.{k}": v for k, v in state.best.items()
    }
    return adapter_bytes(tensors, {"log": log_json(state.log)})


def state_of(data: bytes) -> State:
    """Return the state of `state_bytes`. Raises ClipbenchError for anything else."""
    tensors, header = read_bytes(data)
    parts = {
        which: {k.removeprefix(which): v for k, v in tensors.items() if k.startswith(which)}
        for which in ("now.", "best.")
    }
    return State(parts["now."], parts["best."], log_of(header.get("log", [])))


def log_json(log: tuple[Epoch, ...]) -> list[Json]:
    """Return a training log as JSON."""
    return [
        {"epoch": one.number, "loss": one.loss, "scale": one.scale, "scores": dict(one.scores)} for one in log
    ]


def log_of(stored: list[dict[str, Any]]) -> tuple[Epoch, ...]:
    """Return the log of `log_json`."""
    return tuple(Epoch(one["epoch"], one["loss"], one["scale"], one["scores"]) for one in stored)
