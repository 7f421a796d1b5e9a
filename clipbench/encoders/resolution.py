"""What a request for an architecture and weights really means: activation and preprocessing included.

The trap: `ViT-B-32` with the weights `openai` builds plain GELU although the weights were trained with
QuickGELU, and open_clip only warns. Here the record of the weights decides. A checkpoint file carries no
record; it is recognised by its SHA-256 where open_clip knows the published file, and otherwise taken as
named, with a note. Reads open_clip's registry and, for files, their bytes; builds no model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from typing import Any

from clipbench.encoders.sources import checkpoint_file
from clipbench.encoders.specification import FOLDER_PREFIX, ModelSpec
from clipbench.errors import EncoderError
from clipbench.keys import digest, file_digest, rounded

TWIN = "-quickgelu"
_PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What to hand to open_clip.

    model, pretrained: its two names. overrides: further arguments (activation, preprocessing).
    notes: what was decided and why, for the user.
    """

    model: str
    pretrained: str | None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def resolve(spec: ModelSpec) -> Resolution:
    """Return what `spec` means to open_clip.

    Raises EncoderError for an unknown architecture or tag, for missing `--pretrained`, and where weights
    need an activation that the architecture has no variant for.
    """
    if spec.source in {"hub", "folder"}:
        return Resolution(spec.model, None, _activation_override(spec))
    _check_architecture(spec)
    if spec.source == "tag":
        return _resolve_tag(spec)
    if spec.source == "file":
        return _resolve_file(spec)
    return Resolution(spec.model, None, _activation_override(spec))


def architecture_name(config: Mapping[str, Any], asked: str) -> str:
    """Return the name of a model config: open_clip's own where it has an equal one, else a digest.

    A folder that holds a ViT-B-32 is a ViT-B-32; content names a model, not the path it came by.
    """
    import open_clip

    wanted = _plain(config)
    equal = [name for name in open_clip.list_models() if _plain(open_clip.get_model_config(name)) == wanted]
    if asked in equal:
        return asked
    return (
        min(equal, key=lambda name: (len(name), name)) if equal else digest("architecture", rounded(wanted))
    )


def known_origin(path: Path, model: str) -> tuple[str, str] | None:
    """Return the (architecture, tag) whose published file has this SHA-256, None where none is known.

    Looks at `model` and its QuickGELU twin or base, in whose addresses open_clip keeps the hash.
    """
    import open_clip

    base = model.removesuffix(TWIN)
    expected = {
        prefix: (name, tag)
        for name in (base, base + TWIN)
        for tag in open_clip.list_pretrained_tags_by_model(name)
        if (prefix := _hash_in_address(open_clip.get_pretrained_cfg(name, tag).get("url", "")))
    }
    if not expected:
        return None
    found = file_digest(path)
    return next((origin for prefix, origin in expected.items() if found.startswith(prefix)), None)


def _check_architecture(spec: ModelSpec) -> None:
    import open_clip

    models = open_clip.list_models()
    if spec.model not in models:
        close = get_close_matches(spec.model, models, n=4)
        near = f"; similar: {', '.join(close)}" if close else ""
        raise EncoderError(
            f"open_clip has no architecture {spec.model!r} among its {len(models)}{near}",
            f"clipbench models {quote(spec.model)} lists names like it; a folder of your own is --model {FOLDER_PREFIX}PATH",
        )
    if spec.source == "none":
        raise EncoderError(
            f"{spec.model} without --pretrained would have random weights; {_known_tags(spec.model)}",
            f"type --model {spec.model} --pretrained TAG (random:0 for random weights on purpose)",
        )


def _resolve_tag(spec: ModelSpec) -> Resolution:
    import open_clip

    model, tag = spec.model, spec.pretrained or ""
    record = open_clip.get_pretrained_cfg(model, tag)
    if not record:
        base = model.removesuffix(TWIN)
        hint = f"clipbench models {model} lists what there is"
        if base != model and open_clip.get_pretrained_cfg(base, tag):
            hint = f"these weights were trained with plain GELU: --model {base} --pretrained {tag}"
        raise EncoderError(f"open_clip knows no weights {tag!r} for {model}; {_known_tags(model)}", hint)
    wants = bool(record.get("quick_gelu", False))
    if spec.quickgelu is not None:
        note = (
            f"{model}/{tag} is built with {_activation(spec.quickgelu)} as asked, but these weights "
            f"were trained with {_activation(wants)}: the figures are not the model's"
        )
        notes = () if spec.quickgelu == wants else (note,)
        return Resolution(model, tag, _activation_override(spec), notes)
    if not wants or _is_quick(model):
        return Resolution(model, tag)
    twin = model + TWIN
    if twin not in open_clip.list_models():
        raise EncoderError(
            f"{model}/{tag} was trained with QuickGELU, and open_clip has no {twin}",
            f'--model {FOLDER_PREFIX}FOLDER with "quick_gelu": true in its open_clip_config.json',
        )
    note = f"{tag} was trained with QuickGELU: {twin} is used in place of {model}"
    return Resolution(twin, tag, {}, (note,))


def _resolve_file(spec: ModelSpec) -> Resolution:
    path = checkpoint_file(spec)
    origin = known_origin(path, spec.model)
    if origin is not None:
        name, tag = origin
        known = _resolve_tag(ModelSpec(name, tag, quickgelu=spec.quickgelu))
        fact = f"{path.name} is the published file of {tag}"
        return Resolution(
            known.model, str(path), {**known.overrides, **_record_overrides(name, tag)}, (fact, *known.notes)
        )
    overrides, notes = _assumed_preprocessing(spec.model)
    if spec.quickgelu is None and _has_both(spec.model):
        other = spec.model.removesuffix(TWIN) if _is_quick(spec.model) else spec.model + TWIN
        activation = _activation(_is_quick(spec.model))
        note = (
            f"{path.name} does not say its activation: {spec.model} means {activation}; "
            f"if it was trained otherwise: --model {other}"
        )
        notes = (*notes, note)
    return Resolution(spec.model, str(path), {**_activation_override(spec), **overrides}, notes)


def _assumed_preprocessing(model: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Preprocessing for a checkpoint without a record: that of the architecture's published weights."""
    import open_clip

    base = model.removesuffix(TWIN)
    records: dict[str, dict[str, Any]] = {}
    for name in (base, base + TWIN):
        for tag in open_clip.list_pretrained_tags_by_model(name):
            arguments = _record_overrides(name, tag)
            records.setdefault(json.dumps(arguments, sort_keys=True), arguments)
    if not records:
        return {}, (f"nothing is published for {model}: CLIP's own preprocessing is assumed",)
    if len(records) == 1:
        return next(iter(records.values())), ()
    note = (
        f"published weights of {model} use {len(records)} kinds of preprocessing: CLIP's own is assumed; "
        "a local-dir: folder with an open_clip_config.json states it"
    )
    return {}, (note,)


def _record_overrides(model: str, tag: str) -> dict[str, Any]:
    """Preprocessing of a published tag, in the argument names of open_clip's loading functions."""
    import open_clip

    record = open_clip.get_pretrained_cfg(model, tag)
    return {f"image_{name}": record[name] for name in _PREPROCESSING if name in record}


def _activation_override(spec: ModelSpec) -> dict[str, Any]:
    return {} if spec.quickgelu is None else {"quick_gelu": spec.quickgelu}


def _is_quick(model: str) -> bool:
    import open_clip

    return bool((open_clip.get_model_config(model) or {}).get("quick_gelu", False))


def _has_both(model: str) -> bool:
    import open_clip

    base = model.removesuffix(TWIN)
    return {base, base + TWIN} <= set(open_clip.list_models())


def _activation(quick: bool) -> str:  # noqa: FBT001  # a choice of word, not an option
    return "QuickGELU" if quick else "plain GELU"


def _known_tags(model: str) -> str:
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(model)
    return f"known: {', '.join(tags)}" if tags else "it has none published"


def _hash_in_address(url: str) -> str:
    """The SHA-256, or its beginning, that the address of a published file carries."""
    if "openaipublic" in url:
        return url.split("/")[-2]
    if "mlfoundations" in url:
        return Path(url).stem.rpartition("-")[2]
    return ""


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without what does not change the model: start weights of towers, and False flags."""
    plain = json.loads(json.dumps(config))
    for tower, flag in (("vision_cfg", "timm_model_pretrained"), ("text_cfg", "hf_model_pretrained")):
        plain.get(tower, {}).pop(flag, None)
    for flag in ("quick_gelu", "custom_text"):
        if not plain.get(flag):
            plain.pop(flag, None)
    return dict(plain)
