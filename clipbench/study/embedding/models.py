"""Where vectors come from: what stands between a study and an encoder, loaded only when a vector is lacking.

The store remembers which encoder a request turned out to be (by a signature that is cheap to compute),
so a command whose vectors are all stored never loads torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from clipbench.encoders.backends import backend_of
from clipbench.encoders.precision import labelled
from clipbench.encoders.request import ModelRequest as ModelRequest  # noqa: PLC0414, commands take it from here
from clipbench.encoders.specification import precision_named
from clipbench.errors import EncoderError
from clipbench.records import CLEAN, EncoderIdentity, Perturbation
from clipbench.store.encoders import find_encoder, list_encoders, save_encoder
from clipbench.store.engine import Store
from clipbench.store.vectors import Pool
from clipbench.study.embedding.encode import (
    Encoded,
    Executor,
    Picture,
    Render,
    encode_images,
    encode_texts,
)
from clipbench.study.embedding.making import Here
from clipbench.study.embedding.model_words import DEMO, USAGES
from clipbench.study.workplace.progress import Progress, Silent

if TYPE_CHECKING:
    from clipbench.encoders.protocol import Encoder
    from clipbench.encoders.specification import ModelSpec


class Engine(Protocol):
    """Where shards are made, if not in this process: it is started once, and serves one model after another."""

    def executor(self, request: ModelRequest, identity: EncoderIdentity) -> Executor:
        """Return who makes the shards of a model; nothing is started before there is one to make."""


class VectorSource(Protocol):
    """Anything that has, or makes, the vectors of texts and photographs in one store.

    progress: who is told that a model is being loaded, which takes seconds; nobody unless it is set.
    engine: where shards are made; in this process unless it is set.
    """

    store: Store
    request: ModelRequest
    progress: Progress
    engine: Engine | None

    @property
    def identity(self) -> EncoderIdentity:
        """What the vectors are vectors of. Raises EncoderError where that cannot be found out."""

    @property
    def encoder(self) -> Encoder:
        """The model that prepares pixels and encodes; loaded now if it was not. Raises EncoderError."""

    @property
    def device(self) -> str | None:
        """Where the loaded model runs; None while it is not loaded."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how the model was loaded; empty while it is not."""

    def ensure_texts(self, texts: Iterable[str], progress: Progress) -> int:
        """Store the vector of every string that the store lacks; return how many strings that were."""

    def ensure_images(
        self,
        pictures: Sequence[Picture],
        progress: Progress,
        perturbation: Perturbation = CLEAN,
        render: Render | None = None,
    ) -> Encoded:
        """Store the vector of every photograph that the store lacks, as `encode_images` does."""

    def truncated(self, texts: Sequence[str]) -> int:
        """Return how many texts are longer than what is read of them."""

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of texts, float32 (n, D), encoded now and stored nowhere: those of queries."""

    def encode_pixels(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the vectors of prepared images (see `Encoder.prepare`), encoded now and stored nowhere."""


def model_spec(request: ModelRequest) -> ModelSpec:
    """Return the open_clip request behind the words.

    Raises EncoderError where the words contradict one another or name nothing.
    """
    from clipbench.encoders.specification import spec_of

    return spec_of(_named(request))


def _named(request: ModelRequest) -> ModelRequest:
    """Return the request with words of ours put into the backends' own."""
    if request.model != DEMO:
        return request
    from clipbench.demo import model_folder

    folder = f"local-dir:{model_folder()}"
    return ModelRequest(folder, request.pretrained, request.precision, request.device, request.quickgelu)


def load_model(request: ModelRequest) -> Encoder:
    """Return the model that a request names, loaded. Raises EncoderError."""
    named = _named(request)
    return backend_of(named, USAGES).load(named)


class EncoderSource:
    """One requested encoder in one store: its identity at once, its weights when they are needed."""

    def __init__(self, store: Store, request: ModelRequest) -> None:
        self.store = store
        self.request = request
        self.progress: Progress = Silent()
        self.engine: Engine | None = None
        self._loaded: Encoder | None = None

    @property
    def encoder(self) -> Encoder:
        """The loaded model. Raises EncoderError where it cannot be loaded, or not with certainty."""
        if self._loaded is None:
            bar = self.progress.start("loading the model", 1)
            self._loaded = load_model(self.request)  # torch alone takes seconds
            self.progress.advance(bar)
        return self._loaded

    @cached_property
    def identity(self) -> EncoderIdentity:
        """What the encoder is: remembered from an earlier load, else found by loading it."""
        request = _named(self.request)
        backend = backend_of(request, USAGES)
        remembered = find_encoder(self.store, backend.signature(request))
        if remembered is not None:
            return remembered
        identity = self.encoder.identity
        if self.request.model == DEMO:  # called as it was typed, not as its folder
            identity = replace(identity, label=labelled(DEMO, precision_named(self.request.precision)))
        # The signature is taken again: a model may have been downloaded in between.
        save_encoder(self.store, identity, backend.signature(request))
        return identity

    @property
    def notes(self) -> tuple[str, ...]:
        """What the loaded encoder has to say of itself; empty while it is not loaded."""
        return self._loaded.notes if self._loaded else ()

    @property
    def device(self) -> str | None:
        """Where the loaded encoder runs; None while it is not loaded."""
        return self._loaded.device if self._loaded else None

    def ensure_texts(self, texts: Iterable[str], progress: Progress) -> int:
        """Store the vector of every string that the store lacks, encoding it."""
        return encode_texts(Pool(self.store, self.identity.key, "text"), texts, self._executor(), progress)

    def ensure_images(
        self,
        pictures: Sequence[Picture],
        progress: Progress,
        perturbation: Perturbation = CLEAN,
        render: Render | None = None,
    ) -> Encoded:
        """Store the vector of every photograph that the store lacks, encoding it."""
        pool = Pool(self.store, self.identity.key, "image")
        return encode_images(pool, pictures, self._executor(), progress, perturbation, render)

    def _executor(self) -> Executor:
        if self.engine is None:
            return Here(lambda: self.encoder)
        return self.engine.executor(self.request, self.identity)

    def truncated(self, texts: Sequence[str]) -> int:
        """Return how many texts have more tokens than the encoder reads."""
        return int((self.encoder.count_tokens(texts) > self.encoder.text_limit).sum())

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of texts, stored nowhere."""
        return self.encoder.encode_texts(texts).vectors

    def encode_pixels(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the vectors of prepared images, stored nowhere."""
        return self.encoder.encode_images(pixels)


class ImportedSource(EncoderSource):
    """Vectors that were made elsewhere: all there are is in the store, and nothing can be encoded."""

    def _executor(self) -> Executor:
        return Here(lambda: self.encoder)  # no engine is started to be told that there is no model

    @property
    def encoder(self) -> Encoder:
        """None there is: raises EncoderError."""
        raise EncoderError(
            f"{self.identity.label} cannot encode: its vectors were made elsewhere",
            "clipbench embed import attaches the side that is lacking",
        )

    @cached_property
    def identity(self) -> EncoderIdentity:
        """What was declared when the vectors were attached. Raises EncoderError where none were."""
        known = {
            e.identity.label: e.identity for e in list_encoders(self.store) if e.identity.kind == "imported"
        }
        if self.request.model not in known:
            names = ", ".join(sorted(known)) or "none"
            raise EncoderError(
                f"no vectors were imported as {self.request.model!r}; there are: {names}",
                "clipbench embed import DATASET --model WORDS --images FILE",
            )
        return known[self.request.model]

    def truncated(self, texts: Sequence[str]) -> int:
        """Return 0: where vectors were made elsewhere, nothing is cut here."""
        del texts
        return 0
