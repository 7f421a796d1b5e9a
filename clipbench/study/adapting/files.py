"""Adapters as files for others: one safetensors file with the heads and how to build them, out and in."""

from __future__ import annotations

from pathlib import Path

from clipbench.adapters.training import Adapter
from clipbench.adapters.weights import adapter_bytes, built, read_bytes, recipe_json, recipe_of
from clipbench.encoders.weights import weights_digest
from clipbench.errors import ClipbenchError
from clipbench.foreign_files import read_foreign
from clipbench.keys import digest
from clipbench.store.adapters import AdapterRecord, load_adapter, load_weights, save_adapter
from clipbench.store.encoders import load_encoder, save_encoder
from clipbench.store.engine import Store
from clipbench.study.adapting.model_folders import is_model, model_folder
from clipbench.study.adapting.training import adapted_identity
from clipbench.study.output.whole_files import whole_file

LARGEST = 1 << 30
"""Bytes of a file that is read."""


def export_adapter(store: Store, word: str, out: Path, *, force: bool = False) -> AdapterRecord:
    """Write an adapter to one file. Raises ClipbenchError where it exists and `force` is False."""
    record = load_adapter(store, word)
    if is_model(record):
        raise ClipbenchError(
            f"{record.name} is a model of its own, in a folder that others can take as it is",
            f"copy {model_folder(store, record)}",
        )
    tensors, header = read_bytes(load_weights(store, record.key))
    told = {
        **header,
        "key": record.key,
        "request": record.request,
        "name": record.name,
        "log": list(record.log),
    }
    with whole_file(out, force=force) as partial:
        partial.write_bytes(adapter_bytes(tensors, told))
    return record


def import_adapter(store: Store, file: Path, name: str | None = None) -> AdapterRecord:
    """Store the adapter of a file that `export_adapter` wrote, under its own or another name.

    Its base has to be in the store, by content. Raises ClipbenchError for a file that is none, whose weights do
    not have the key they go by, or whose base is not here.
    """
    tensors, header = read_bytes(read_foreign(file, LARGEST))
    try:
        recipe, dimension = recipe_of(header["recipe"]), int(header["dimension"])
        request, told = str(header["request"]), str(header["key"])
        base_key, label = str(header["base"]["key"]), str(header["base"]["label"])
        log, own = list(header["log"]), str(header["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise ClipbenchError(
            f"{file} does not say what its tensors are: {error}", "clipbench adapt export"
        ) from error
    adapter: Adapter = built(tensors, recipe, dimension)
    if digest("adapter", [request, weights_digest(adapter.state_dict())]) != told:
        raise ClipbenchError(
            f"{file} was changed: its tensors do not have the key it names", "export it again"
        )
    try:
        base = load_encoder(store, base_key)
    except ClipbenchError as error:
        raise ClipbenchError(
            f"{file} stands on {label}, which this store does not hold",
            "clipbench embed run DATASET with that model first: its weights must be the same",
        ) from error
    encoder = adapted_identity(base, name or own, recipe, adapter)
    record = {k: v for k, v in header.items() if k not in {"key", "request", "name", "log"}}
    record["recipe"] = recipe_json(recipe)
    save_encoder(store, encoder, None)
    stored = AdapterRecord(told, request, name or own, encoder.key, base.key, record, log)
    return save_adapter(store, stored, adapter_bytes(tensors, record))
