"""Which model a user asked for, as data. No torch here: planning a run must not load one.

`parse` turns the words of the command line into a ModelSpec; `signature` names a ModelSpec cheaply, so
that a store can remember which encoder it turned out to be and skip loading it. Whether the model exists
is for loading to find out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeAlias

from clipbench.encoders.hub_cache import cached_revision
from clipbench.encoders.request import ModelRequest
from clipbench.errors import EncoderError
from clipbench.keys import Json, digest

Precision: TypeAlias = Literal["fp32", "bf16", "fp16", "int8"]
Device: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
Source: TypeAlias = Literal["tag", "file", "hub", "folder", "random", "toy", "none"]

HUB_PREFIX = "hf-hub:"
FOLDER_PREFIX = "local-dir:"
RANDOM_PREFIX = "random:"
TOY = "toy"
CHECKPOINT_SUFFIXES = (".pt", ".pth", ".bin", ".safetensors", ".ckpt")

_PRECISIONS: dict[str, Precision] = {"fp32": "fp32", "bf16": "bf16", "fp16": "fp16", "int8": "int8"}
_DEVICES: dict[str, Device] = {"auto": "auto", "cpu": "cpu", "cuda": "cuda", "mps": "mps"}
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A request for an encoder.

    model: an open_clip architecture, `hf-hub:org/name`, `local-dir:<absolute path>` or `toy`.
    pretrained: a tag, an absolute checkpoint path or `random:SEED`; only with an architecture.
    quickgelu: True or False forces the activation; None lets the weights' own record decide.
    """

    model: str
    pretrained: str | None = None
    precision: Precision = "fp32"
    device: Device = "auto"
    quickgelu: bool | None = None

    @property
    def source(self) -> Source:
        """Where the weights come from; "none" where the request names no weights at all."""
        if self.model == TOY:
            return "toy"
        if self.model.startswith(HUB_PREFIX):
            return "hub"
        if self.model.startswith(FOLDER_PREFIX):
            return "folder"
        if self.pretrained is None:
            return "none"
        if self.pretrained.startswith(RANDOM_PREFIX):
            return "random"
        return "file" if _is_path(self.pretrained) else "tag"

    @property
    def folder(self) -> Path:
        """The folder of a `local-dir:` model."""
        return Path(self.model.removeprefix(FOLDER_PREFIX))

    @property
    def repository(self) -> str:
        """The `org/name` of an `hf-hub:` model."""
        return self.model.removeprefix(HUB_PREFIX)

    @property
    def seed(self) -> int:
        """The seed of `random:SEED` weights."""
        return int((self.pretrained or "").removeprefix(RANDOM_PREFIX))

    @property
    def words(self) -> str:
        """What `--model` and `--pretrained` said."""
        return self.model if self.pretrained is None else f"{self.model} {self.pretrained}"


def parse(
    model: str,
    pretrained: str | None = None,
    *,
    precision: str = "fp32",
    device: str = "auto",
    quickgelu: bool | None = None,
) -> ModelSpec:
    """Return the request that the words of a command line make.

    >>> parse("ViT-B/32", "openai").words
    'ViT-B-32 openai'

    Raises EncoderError where the words contradict one another or name nothing.
    """
    model = model.strip()
    pretrained = pretrained.strip() or None if pretrained is not None else None
    if pretrained and (":" in model or model == TOY):
        raise EncoderError(
            f"--pretrained {pretrained} would be ignored: {model} brings its own weights",
            f"drop --pretrained: --model {model}",
        )
    if model.startswith(FOLDER_PREFIX):
        model = FOLDER_PREFIX + _absolute(model.removeprefix(FOLDER_PREFIX), FOLDER_PREFIX)
    elif model.startswith(HUB_PREFIX):
        _check_hub_name(model)
    else:
        model = _architecture(model)
        pretrained = _weights(pretrained)
    spec = ModelSpec(model, pretrained, precision_named(precision), device_named(device), quickgelu)
    if spec.precision == "int8" and spec.device not in {"auto", "cpu"}:
        raise EncoderError(
            f"int8 runs on the CPU only, and --device says {device}", "--device cpu, or --precision fp16"
        )
    return spec


def spec_of(request: ModelRequest) -> ModelSpec:
    """Return the open_clip request behind unparsed words. Raises EncoderError as `parse` does."""
    return parse(
        request.model,
        request.pretrained,
        precision=request.precision,
        device=request.device,
        quickgelu=request.quickgelu,
    )


def signature(spec: ModelSpec) -> str:
    """Return a cheap key of the request: equal signatures mean the same encoder, without loading it.

    Local files enter by path, size and modification time; tags by name and the versions of open_clip and
    torch; hub models also by the cached revision. Take it again after loading where a model may have been
    downloaded meanwhile. The device is not part of it.

    Raises EncoderError where a local file or folder is missing.
    """
    content: dict[str, Json] = {
        "model": spec.model,
        "pretrained": spec.pretrained,
        "precision": spec.precision,
        "quickgelu": spec.quickgelu,
        "versions": [installed_version(name) for name in ("clipbench", "open_clip_torch", "torch", "timm")],
    }
    if spec.source == "folder":
        if not spec.folder.is_dir():
            raise no_folder(spec.folder, "check the path after local-dir:")
        content["files"] = [file_stamp(path) for path in sorted(spec.folder.iterdir()) if path.is_file()]
    elif spec.source == "file":
        path = Path(spec.pretrained or "")
        if not path.is_file():
            raise EncoderError(f"{path} is not a file", "check the path after --pretrained")
        content["files"] = [file_stamp(path)]
    elif spec.source == "hub":
        content["revision"] = cached_revision(spec.repository)
    return digest("spec", content)


def no_folder(folder: Path, hint: str) -> EncoderError:
    """Return the error for a folder that is not there, with those beside it whose names are near."""
    try:
        beside = [path.name for path in folder.parent.iterdir() if path.is_dir()]
    except OSError:
        beside = []
    near = get_close_matches(folder.name, beside, n=3)
    similar = f"; beside it: {', '.join(near)}" if near else ""
    return EncoderError(f"{folder} is not a folder{similar}", f"{hint}; clipbench models lists what is here")


def _is_path(word: str) -> bool:
    return "/" in word or "\\" in word or word.lower().endswith(CHECKPOINT_SUFFIXES)


def _absolute(path: str, prefix: str) -> str:
    if not path.strip():
        raise EncoderError(f"no path after {prefix}", f"type --model {prefix}PATH")
    return str(Path(path).expanduser().absolute())


def _check_hub_name(model: str) -> None:
    name = model.removeprefix(HUB_PREFIX)
    if not _HUB_NAME.fullmatch(name):
        raise EncoderError(
            f"{model!r} does not name a repository of the Hugging Face hub",
            f"type --model {HUB_PREFIX}ORGANISATION/NAME",
        )


def _architecture(model: str) -> str:
    if not model:
        raise EncoderError("--model is empty", "type --model ViT-B-32 --pretrained openai")
    if ":" in model:
        raise EncoderError(
            f"{model!r} begins with an unknown prefix",
            f"use {FOLDER_PREFIX}PATH, {HUB_PREFIX}ORG/NAME or an open_clip architecture",
        )
    if Path(model).expanduser().is_dir():
        raise EncoderError(f"{model} is a folder", f"type --model {FOLDER_PREFIX}{model}")
    return model.replace("/", "-")  # open_clip reads ViT-B/32 so, but its tokenizer look-up does not


def _weights(pretrained: str | None) -> str | None:
    if pretrained is None:
        return None
    if pretrained.startswith(RANDOM_PREFIX):
        if not re.fullmatch(r"\d{1,18}", pretrained.removeprefix(RANDOM_PREFIX)):
            raise EncoderError(f"{pretrained!r} has no seed", "type --pretrained random:0")
        return f"{RANDOM_PREFIX}{int(pretrained.removeprefix(RANDOM_PREFIX))}"
    if _is_path(pretrained):
        return _absolute(pretrained, "--pretrained ")
    return pretrained.lower().replace("-", "_")  # as open_clip compares tags


def precision_named(word: str) -> Precision:
    """Return the precision of this name. Raises EncoderError for another word."""
    if word not in _PRECISIONS:
        raise EncoderError(f"unknown precision {word!r}", "use --precision fp32, bf16, fp16 or int8")
    return _PRECISIONS[word]


def device_named(word: str) -> Device:
    """Return the device of this name. Raises EncoderError for another word."""
    if word not in _DEVICES:
        raise EncoderError(f"unknown device {word!r}", "use --device auto, cpu, cuda or mps")
    return _DEVICES[word]


def file_stamp(path: Path) -> Json:
    """Return path, size and modification time: what tells a file from its next version without reading it."""
    stat = path.stat()
    return [str(path), stat.st_size, stat.st_mtime_ns]


def installed_version(name: str) -> str | None:
    """Return the version of an installed package, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
