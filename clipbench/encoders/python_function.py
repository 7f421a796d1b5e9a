"""An encoder of the user's own: `python:MODULE:FUNCTION`, any object with two methods and a version.

FUNCTION is called without arguments and returns an object with

    version                 a word that changes whenever its vectors do; it is the identity
    encode_texts(texts)     list of str to (n, D)
    encode_images(images)   list of PIL images, RGB, to (n, D)

and, where the defaults do not fit,

    prepare(image)          PIL image to what encode_images gets, of one size for all: by default the middle
                            square at 224 × 224. Corruptions are applied to what it returns.
    text_limit              most words that are read, for counting truncated captions; none by default

Vectors are checked and brought to norm 1 here. What a version stands for is the user's promise: nothing else
about the code is known.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from clipbench.encoders.protocol import TextVectors
from clipbench.encoders.request import ModelRequest
from clipbench.errors import EncoderError, PhotographError
from clipbench.keys import digest
from clipbench.records import EncoderIdentity

SIDE = 224
NO_LIMIT = 1_000_000
"""Stands for no limit of a text's length."""

USAGE = "python:MODULE:FUNCTION, for example python:my_encoder:load"


def signature(request: ModelRequest) -> str:
    """Return a key of the request: module, function and the version it declares, so it has to be made once.

    The object is made anew each time (loading the user's weights is theirs to delay), since only it knows its
    version. Raises EncoderError as `load` does.
    """
    made = _made(request)
    return digest("spec", ["python", request.rest, _version(request, made)])


def load(request: ModelRequest) -> FunctionEncoder:
    """Return the user's encoder, tried once on a text and an image.

    Raises EncoderError where the module or function is not there, fails, or gives no vectors.
    """
    made = _made(request)
    version = _version(request, made)
    lacking = [name for name in ("encode_texts", "encode_images") if not callable(getattr(made, name, None))]
    if lacking:
        raise EncoderError(
            f"what {request.rest} returns has no method {' and no '.join(lacking)}",
            "docs/models.md shows an encoder in 20 lines",
        )
    first = FunctionEncoder(_identity(request, version, 0), made)
    text = first.encode_texts(["a photo"]).vectors
    try:
        pixels = first.prepare(Image.new("RGB", (SIDE, SIDE), "grey"))
    except PhotographError as error:  # of a plain grey one: no photograph is to blame
        raise EncoderError(error.message) from error
    dimensions = {text.shape[1], first.encode_images(pixels[None]).shape[1]}
    if len(dimensions) > 1:
        raise EncoderError(
            f"{request.rest} gives texts and images of different dimensions: {sorted(dimensions)}"
        )
    return FunctionEncoder(_identity(request, version, dimensions.pop()), made, size=pixels.shape)


@dataclass(frozen=True)
class FunctionEncoder:
    """The user's object as an Encoder. dimension 0 in the identity and an empty size stand for: not known yet."""

    identity: EncoderIdentity
    made: Any
    notes: tuple[str, ...] = ()
    trimmed: bool = True
    device: str = "cpu"
    size: tuple[int, ...] = ()

    @property
    def text_limit(self) -> int:
        """Most words of a text that are read."""
        return int(getattr(self.made, "text_limit", NO_LIMIT))

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return each text's number of words; shape (n,)."""
        return np.fromiter((len(text.split()) for text in texts), np.int32, len(texts))

    def encode_texts(self, texts: Sequence[str]) -> TextVectors:
        """Return the vectors of `texts`, checked and of norm 1."""
        counts = self.count_tokens(texts)
        if not texts:
            return TextVectors(np.empty((0, self.identity.dimension), np.float32), counts > 0, counts)
        vectors = self._checked(self._call("encode_texts", list(texts)), len(texts), "texts")
        return TextVectors(vectors, counts > self.text_limit, counts)

    def prepare(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the pixels the encoder will see, uint8 (H, W, 3).

        Raises PhotographError where the user's `prepare` fails on this picture, or makes another size of it.
        """
        if not callable(getattr(self.made, "prepare", None)):
            fitted = ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.BICUBIC)
            return np.asarray(fitted, dtype=np.uint8)
        label = self.identity.label
        try:
            image = self._call("prepare", image)
        except EncoderError as error:  # one photograph's problem, as with any other model
            raise PhotographError(error.message) from error
        if not isinstance(image, Image.Image):
            raise PhotographError(f"prepare of {label} returned {type(image).__name__}, no PIL image")
        pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
        if self.size and pixels.shape != self.size:
            made = f"{image.width} × {image.height}"
            raise PhotographError(
                f"prepare of {label} made {made} pixels, of others {self.size[1]} × {self.size[0]}"
            )
        return pixels

    def encode_images(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the vectors of prepared images, checked and of norm 1."""
        if not len(pixels):
            return np.empty((0, self.identity.dimension), np.float32)
        pictures = [Image.fromarray(one) for one in pixels]
        return self._checked(self._call("encode_images", pictures), len(pixels), "images")

    def _call(self, method: str, argument: object) -> Any:
        try:
            return getattr(self.made, method)(argument)
        except Exception as error:  # the user's code may raise anything
            raise EncoderError(
                f"{method} of {self.identity.label} failed: {type(error).__name__}: {str(error)[:160]}"
            ) from error

    def _checked(self, given: object, count: int, what: str) -> npt.NDArray[np.float32]:
        try:
            vectors = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise EncoderError(
                f"{self.identity.label} gave no numbers for {what}: {str(error)[:160]}"
            ) from error
        width = self.identity.dimension
        if vectors.ndim != 2 or len(vectors) != count or (width and vectors.shape[1] != width):
            raise EncoderError(
                f"{self.identity.label} gave an array of shape {vectors.shape} for {count} {what}, "
                f"not ({count}, {width or 'D'})"
            )
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        wrong = np.flatnonzero(~(np.isfinite(norms[:, 0]) & (norms[:, 0] > 0)))
        if len(wrong):
            raise EncoderError(
                f"{self.identity.label} gave no direction for {what[:-1]} {wrong[0]}: zero or NaN"
            )
        unit: npt.NDArray[np.float32] = (vectors / norms).astype(np.float32)
        return unit


def _made(request: ModelRequest) -> Any:
    module, _, function = request.rest.partition(":")
    if not module or not function:
        raise EncoderError(f"{request.model!r} names no function", f"type --model {USAGE}")
    if request.pretrained or request.quickgelu is not None:
        raise EncoderError(f"{request.model} brings its own weights: --pretrained and quickgelu mean nothing")
    here = str(os.getcwd())  # noqa: PTH109, a string is what sys.path takes
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python` itself would
    try:
        found = importlib.import_module(module)
    except Exception as error:  # importing runs the user's code, which may raise anything
        raise EncoderError(
            f"the module {module!r} cannot be imported: {type(error).__name__}: {str(error)[:160]}",
            f"it is looked for in {here} and where Python looks",
        ) from error
    make = getattr(found, function, None)
    if not callable(make):
        raise EncoderError(f"{module} has no function {function!r}", f"type --model {USAGE}")
    try:
        return make()
    except Exception as error:
        raise EncoderError(f"{request.rest}() failed: {type(error).__name__}: {str(error)[:160]}") from error


def _version(request: ModelRequest, made: Any) -> str:
    version = getattr(made, "version", None)
    if not isinstance(version, str) or not version.strip():
        raise EncoderError(
            f"what {request.rest} returns declares no version, and vectors of two versions must not be mixed",
            'give it an attribute: version = "1"; change it whenever the vectors change',
        )
    return version


def _identity(request: ModelRequest, version: str, dimension: int) -> EncoderIdentity:
    return EncoderIdentity(
        kind="python",
        label=f"{request.rest} {version}",
        spec=request.model,
        architecture=request.rest,
        pretrained=None,
        weights=digest("weights", ["python", request.rest, version]),
        activation="unknown",
        preprocessing={"by": "the encoder"},
        tokenizer={"by": "the encoder"},
        precision="fp32",
        dimension=dimension,
    )
