"""The files of a model in Hugging Face transformers' format: a folder, or a repository in the hub's cache.

Says cheaply which files those are and what is missing, before transformers is imported. Reads no weights.
"""

from __future__ import annotations

from pathlib import Path

from clipbench.encoders.hub_cache import cached_file, cached_revision, hub_folder, is_offline
from clipbench.encoders.network import hub_address, reachable
from clipbench.encoders.request import ModelRequest
from clipbench.encoders.specification import (
    device_named,
    file_stamp,
    installed_version,
    precision_named,
)
from clipbench.errors import EncoderError
from clipbench.keys import Json, digest

CONFIG = "config.json"
IMAGES = "preprocessor_config.json"
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Names transformers looks for; .bin files are opened as tensors only."""

KEYED = ("clipbench", "transformers", "torch")


def model_place(request: ModelRequest) -> str:
    """Return the folder or the ORG/NAME of a request.

    Raises EncoderError for an empty name, options that mean nothing here, or a folder that holds no model.
    """
    if request.pretrained or request.quickgelu is not None:
        raise EncoderError(f"{request.model} brings its own weights: --pretrained and quickgelu mean nothing")
    if precision_named(request.precision) == "int8":
        raise EncoderError("int8 is for models of open_clip, not for hf: ones", "--precision fp32")
    device_named(request.device)
    name = request.model.removeprefix("hf:").strip()
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        missing = [file for file in (CONFIG, IMAGES) if not (folder / file).is_file()]
        if not any((folder / file).is_file() for file in WEIGHTS):
            missing.append(f"{WEIGHTS[0]} (or {WEIGHTS[2]})")
        if missing:
            raise EncoderError(
                f"{folder} is no model of transformers: {', '.join(missing)} missing",
                "save it with model.save_pretrained(FOLDER) and processor.save_pretrained(FOLDER)",
            )
        return str(folder.absolute())
    if name.count("/") != 1 or not all(name.split("/")) or name.startswith((".", "~")):
        raise EncoderError(
            f"{name or request.model!r} is neither a folder nor ORG/NAME",
            "type --model hf:openai/clip-vit-base-patch32",
        )
    return name


def signature(request: ModelRequest) -> str:
    """Return a cheap key of the request, as the one of open_clip models: files by path, size and time."""
    place = model_place(request)
    content: dict[str, Json] = {
        "backend": "transformers",
        "place": place,
        "precision": request.precision,
        "versions": [installed_version(name) for name in KEYED],
    }
    if Path(place).is_dir():
        content["files"] = [file_stamp(path) for path in sorted(Path(place).iterdir()) if path.is_file()]
    else:
        content["revision"] = cached_revision(place)
    return digest("spec", content)


def must_stay_offline(place: str) -> bool:
    """Return whether the model has to be loaded from this machine alone.

    Raises EncoderError that says what is missing and how to fetch it, where that cannot work.
    """
    if Path(place).is_dir():
        return True
    if not is_offline() and reachable([hub_address()]):
        return False
    missing = [name for name in (CONFIG, IMAGES) if cached_file(place, name) is None]
    if all(cached_file(place, name) is None for name in WEIGHTS):
        missing.append(WEIGHTS[0])
    if missing:
        reason = "HF_HUB_OFFLINE is set" if is_offline() else "and there is no network"
        raise EncoderError(
            f"{place} is not on this machine ({reason}): missing {', '.join(missing)}; the cache is {hub_folder()}",
            f"with a network: hf download {place} — then copy the cache folder here, or --model hf:FOLDER",
        )
    return True
