"""The libraries that encoders come from, by the prefix of `--model`. One module each; a new one is a line here.

A backend names a request cheaply (so that a stored encoder is found without loading it) and loads it. Knows no
store: vectors that were imported, and adapters on top of an encoder, are the business of `study`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clipbench.encoders.protocol import Encoder
from clipbench.encoders.request import ModelRequest
from clipbench.errors import EncoderError


@dataclass(frozen=True, slots=True)
class Backend:
    """One source of encoders.

    prefix: what `--model` begins with. usage: how it is typed, and what it means in a few words. signature: a key
    of the request, without loading. load: the encoder. Both raise EncoderError for whatever is wrong.
    """

    prefix: str
    usage: str
    meaning: str
    signature: Callable[[ModelRequest], str]
    load: Callable[[ModelRequest], Encoder]


def _open_clip_signature(request: ModelRequest) -> str:
    from clipbench.encoders.specification import signature, spec_of

    return signature(spec_of(request))


def _open_clip(request: ModelRequest) -> Encoder:
    from clipbench.encoders.loading import load
    from clipbench.encoders.specification import spec_of

    return load(spec_of(request))


def _transformers_signature(request: ModelRequest) -> str:
    from clipbench.encoders.transformers_files import signature

    return signature(request)


def _transformers(request: ModelRequest) -> Encoder:
    from clipbench.encoders.transformers_model import load

    return load(request)


def _function_signature(request: ModelRequest) -> str:
    from clipbench.encoders.python_function import signature

    return signature(request)


def _function(request: ModelRequest) -> Encoder:
    from clipbench.encoders.python_function import load

    return load(request)


OPEN_CLIP = Backend(
    "", "ViT-B-32-quickgelu", "an open_clip architecture, with --pretrained", _open_clip_signature, _open_clip
)
"""What takes every request without a prefix of its own; it knows `local-dir:` and `hf-hub:` itself."""

BACKENDS: Mapping[str, Backend] = {
    one.prefix: one
    for one in (
        OPEN_CLIP,
        Backend(
            "local-dir:",
            "local-dir:FOLDER",
            "an open_clip model in a folder",
            _open_clip_signature,
            _open_clip,
        ),
        Backend(
            "hf-hub:", "hf-hub:ORG/NAME", "an open_clip model of the hub", _open_clip_signature, _open_clip
        ),
        Backend(
            "hf:",
            "hf:NAME_OR_FOLDER",
            "a model in Hugging Face transformers' format",
            _transformers_signature,
            _transformers,
        ),
        Backend(
            "python:",
            "python:MODULE:FUNCTION",
            "an encoder of your own",
            _function_signature,
            _function,
        ),
    )
}


def backend_of(request: ModelRequest, others: Mapping[str, str] | None = None) -> Backend:
    """Return the backend that a request names by its prefix.

    others: prefixes that somebody else heeds, with their usage, for the message. Raises EncoderError for an
    unknown prefix, with the nearest known one.
    """
    word, colon, _ = request.model.partition(":")
    if not colon:
        return OPEN_CLIP
    known = BACKENDS.get(word + colon)
    if known is not None:
        return known
    usages = {prefix: one.usage for prefix, one in BACKENDS.items() if prefix} | dict(others or {})
    near = difflib.get_close_matches(word + colon, usages, n=1)
    hint = f"did you mean {usages[near[0]]}?" if near else f"use {', '.join(usages.values())}"
    raise EncoderError(f"{request.model!r} begins with an unknown prefix", hint)


def model_help(others: Mapping[str, str] | None = None) -> str:
    """Return what `--model` takes, in one sentence, for help texts."""
    parts = [f"{one.usage} ({one.meaning})" for one in BACKENDS.values()]
    return ", ".join([*parts, *(others or {}).values()])
