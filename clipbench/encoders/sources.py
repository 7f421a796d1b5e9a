"""The files of a model on this machine: a `local-dir:` folder, a checkpoint, a config.

open_clip starts with random weights where a folder has none, with only a warning; everything is therefore
looked up here first, and a wrong folder is told what was found and what was expected. Reads no weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipbench.encoders.specification import ModelSpec, no_folder
from clipbench.errors import EncoderError
from clipbench.foreign_files import parsing, read_foreign

CONFIG = "open_clip_config.json"
LARGEST_CONFIG, LARGEST_SIZE = 16 << 20, 2_000_000
"""Bytes of a config, and the largest number in one; vocabularies reach a quarter of a million."""

WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""The names open_clip looks for in a hub repository, the first one preferred."""

# In a folder open_clip accepts these names first, then any single file of these kinds.
_FOLDER_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
_FOLDER_KINDS = (".safetensors", ".bin", ".pth")


def folder_files(folder: Path) -> tuple[Path, Path]:
    """Return the config and the weights of a `local-dir:` folder.

    Raises EncoderError that names what is there and what is expected.
    """
    expected = f"{CONFIG} and {WEIGHTS[0]} (or {WEIGHTS[1]})"
    if not folder.is_dir():
        raise no_folder(folder, f"local-dir: needs a folder with {expected}")
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    listing = ", ".join(names[:8]) + (", …" if len(names) > 8 else "") if names else "nothing"
    if CONFIG not in names:
        raise EncoderError(f"{folder} has no {CONFIG}; found {listing}", f"expected {expected}")
    known = [name for name in _FOLDER_WEIGHTS if name in names]
    others = [name for name in names if name.endswith(_FOLDER_KINDS)]
    if known:
        return folder / CONFIG, folder / known[0]
    if len(others) == 1:
        return folder / CONFIG, folder / others[0]
    fact = f"{len(others)} weight files and none of the expected name" if others else "no weights"
    raise EncoderError(f"{folder} has {fact}; found {listing}", f"expected {expected}")


def checkpoint_file(spec: ModelSpec) -> Path:
    """Return the local checkpoint that `--pretrained` names. Raises EncoderError where there is none."""
    path = Path(spec.pretrained or "")
    if path.is_file():
        return path
    if path.is_dir():
        raise EncoderError(f"{path} is a folder, not a checkpoint", f"type --model local-dir:{path}")
    raise EncoderError(f"{path} is not a file", "check the path after --pretrained")


def read_config(path: Path) -> Mapping[str, Any]:
    """Return an open_clip_config.json. Raises EncoderError where it is broken or would run foreign code."""
    data = read_foreign(path, LARGEST_CONFIG, error=EncoderError)
    with parsing(path, "JSON file", error=EncoderError, hint="save the model again"):
        config = json.loads(data.decode("utf-8"))
    model = config.get("model_cfg") if isinstance(config, dict) else None
    if not isinstance(model, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= model.keys():
        raise EncoderError(
            f"{path} is no open_clip config: model_cfg with embed_dim, vision_cfg and text_cfg is missing",
            "save the model with open_clip.push_to_hf_hub.save_for_hf or write the config by hand",
        )
    with parsing(path, "open_clip config", error=EncoderError, hint="save the model again"):
        refuse_remote_code(config, str(path))
        _refuse_sizes(config, path)
    return dict(config)


def _refuse_sizes(value: object, path: Path) -> None:
    """Raise EncoderError where a config asks for a size that no model has: memory is taken before weights are read."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _refuse_sizes(inner, path)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > LARGEST_SIZE:
        raise EncoderError(
            f"{path} asks for a size of {value:g}, at most {LARGEST_SIZE:,} is believed",
            "save the model again",
        )


def refuse_remote_code(config: object, name: str) -> None:
    """Raise EncoderError where a config asks for trust_remote_code, anywhere in it.

    open_clip hands tokenizer settings of a config on to transformers, which would then run downloaded code.
    """
    if _asks_for_remote_code(config):
        raise EncoderError(
            f"{name} asks for trust_remote_code: code of the model's author would run on this machine",
            "remove trust_remote_code from the config",
        )


def _asks_for_remote_code(value: object) -> bool:
    if isinstance(value, dict):
        return any(name == "trust_remote_code" or _asks_for_remote_code(v) for name, v in value.items())
    return isinstance(value, list) and any(map(_asks_for_remote_code, value))
