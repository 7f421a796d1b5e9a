"""Fine-tuned models: folders below the store that `local-dir:` takes, each with its row among the adapters.

A fine-tuned model is a whole model, too large for a row; the row says where its folder is and how it was made. The
folder is written first and the row last, as with vectors.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipbench.encoders.request import ModelRequest
from clipbench.errors import ClipbenchError, StoreError
from clipbench.keys import Json, digest, short
from clipbench.store.adapters import (
    AdapterRecord,
    check_adapter_name,
    list_adapters,
    load_adapter,
    save_adapter,
)
from clipbench.store.engine import Store
from clipbench.study.adapting.source import PREFIX, AdapterSource
from clipbench.study.embedding.models import EncoderSource, VectorSource
from clipbench.study.workplace.environment import command_line, environment

if TYPE_CHECKING:
    from torch import Tensor

KIND = "finetuned"
"""What the record of a fine-tuned model says it is; those of heads say nothing."""

PROVENANCE = "clipbench.json"
"""File of a model folder that says how the model came to be."""


@dataclass(frozen=True)
class NewModel:
    """A model to store. request: key of what was asked for. name: None for one made of `stem` and the weights' key.

    record: how it was made. log: one entry an epoch. tensors: its whole state.
    """

    request: str
    stem: str
    name: str | None
    record: Mapping[str, Json]
    log: Sequence[Mapping[str, Any]]
    tensors: Mapping[str, Tensor]


def is_model(one: AdapterRecord) -> bool:
    """Return whether a stored adapter is a fine-tuned model, and no head on another's vectors."""
    return one.record.get("kind") == KIND


def model_folder(store: Store, one: AdapterRecord) -> Path:
    """Return the folder of a fine-tuned model. Raises StoreError for one that is not where such folders are."""
    folder = store.home.root / str(one.record.get("folder"))
    if folder.parent != models_folder(store) or folder.name in {"", ".", ".."}:
        raise StoreError(
            f"{one.name} names a folder that is not the store's: {folder}", "clipbench store verify"
        )
    return folder


def models_folder(store: Store) -> Path:
    """Return the folder that holds all fine-tuned models of a store."""
    return store.home.artifacts / "models"


def model_request(store: Store, one: AdapterRecord, device: str = "auto") -> ModelRequest:
    """Return the request that loads a fine-tuned model. Raises StoreError where its folder is gone."""
    folder = model_folder(store, one)
    if not folder.is_dir():
        raise StoreError(
            f"the folder of {one.name} is gone: {folder}",
            f"clipbench adapt delete {one.name}, then the same adapt finetune again",
        )
    return ModelRequest(f"local-dir:{folder}", device=device)


def adapter_source(store: Store, request: ModelRequest) -> VectorSource:
    """Return the source that `adapter:NAME` means: a head on its base's vectors, or a model of its own."""
    try:
        one = load_adapter(store, request.model.removeprefix(PREFIX))
    except StoreError:
        return AdapterSource(store, request)  # which says so where it is used
    if not is_model(one):
        return AdapterSource(store, request)
    return EncoderSource(store, model_request(store, one, request.device))


def refuse_taken_name(store: Store, name: str | None, request: str) -> None:
    """Raise StoreError where a name is none, or means another adapter: before the work, not after it."""
    if name is None:
        return
    check_adapter_name(name)
    if Path(name).name != name or name.startswith("."):
        raise StoreError(f"{name!r} cannot name a folder", "--name NAME")
    taken = [one for one in list_adapters(store) if one.name == name and one.request != request]
    if taken:
        raise StoreError(
            f"the name {name!r} means another adapter ({short(taken[0].key)})",
            "--name takes a new one; clipbench adapt list",
        )


def save_model(store: Store, base: EncoderSource, new: NewModel) -> AdapterRecord:
    """Write a model's folder and its row, and return the row.

    The folder is loaded again in the ordinary way first: what it is must be the base but for its weights. Raises
    EncoderError where it is not, ClipbenchError where it cannot be written.
    """
    from clipbench.encoders.weights import weights_digest

    weights = weights_digest(new.tensors)
    key = digest("finetuned", [new.request, weights])
    name = new.name or f"{new.stem}-{short(key, 6)}"
    refuse_taken_name(store, name, new.request)
    folder = models_folder(store) / name
    relative = folder.relative_to(store.home.root).as_posix()
    record: dict[str, Json] = {"kind": KIND, **new.record, "folder": relative}
    told = {"name": name, "key": key, "request": new.request, "record": record, "log": list(new.log)}
    _write(folder, base, new.tensors, {**told, "command": command_line(), "environment": environment()})
    source = EncoderSource(store, ModelRequest(f"local-dir:{folder}", device=base.request.device))
    _check(source, base, weights)
    row = AdapterRecord(key, new.request, name, source.identity.key, base.identity.key, record, new.log)
    return save_adapter(store, row, b"")


def remove_folder(store: Store, one: AdapterRecord) -> None:
    """Delete the folder of a fine-tuned model, where it is still there."""
    shutil.rmtree(model_folder(store, one), ignore_errors=True)


def _write(
    folder: Path, base: EncoderSource, tensors: Mapping[str, Tensor], told: Mapping[str, object]
) -> None:
    """Write a folder whole or not at all; one of this name that no row names is what a kill left behind."""
    from clipbench.encoders.folder_writing import write_folder
    from clipbench.study.embedding.models import model_spec

    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
        write_folder(partial, model_spec(base.request), base.encoder.model, tensors)  # type: ignore[attr-defined]  # tunable() asked for an encoder with a model
        (partial / PROVENANCE).write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        raise ClipbenchError(
            f"cannot write {folder}: {error.strerror or error}", "make room and type the same command again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check(source: EncoderSource, base: EncoderSource, weights: str) -> None:
    found, wanted = source.identity, base.identity
    parts = ("architecture", "activation", "preprocessing", "tokenizer", "precision", "dimension")
    other = [part for part in parts if getattr(found, part) != getattr(wanted, part)]
    if found.weights != weights:
        other.append("weights")
    if other:
        raise ClipbenchError(
            f"the written folder reads as another model than was trained: its {', '.join(other)} differ",
            "clipbench doctor",
        )
