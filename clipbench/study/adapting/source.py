"""An adapter as a source of vectors: it transforms the stored vectors of its base, and no tower runs for it twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from clipbench.errors import EncoderError
from clipbench.records import CLEAN, EncoderIdentity, Modality, Perturbation, image_key, text_key
from clipbench.store.adapters import AdapterRecord, load_adapter, load_weights
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store
from clipbench.store.vectors import Pool
from clipbench.study.embedding.encode import IMAGE_SHARD, TEXT_SHARD, Encoded, Picture, Render, shards
from clipbench.study.embedding.models import EncoderSource, Engine, ImportedSource, ModelRequest, VectorSource
from clipbench.study.workplace.progress import Progress

if TYPE_CHECKING:
    from clipbench.adapters.training import Adapter
    from clipbench.encoders.protocol import Encoder

PREFIX = "adapter:"


class AdapterSource:
    """The vectors of an adapter that is in the store, made of those of its base."""

    def __init__(self, store: Store, request: ModelRequest, base: VectorSource | None = None) -> None:
        """Stand on `base` where it is at hand already, so that its model is not loaded twice."""
        self.store = store
        self.request = request
        if base is not None:
            self.base = base

    @cached_property
    def record(self) -> AdapterRecord:
        """The stored adapter. Raises StoreError where there is none of this name."""
        return load_adapter(self.store, self.request.model.removeprefix(PREFIX))

    @cached_property
    def base(self) -> VectorSource:
        """Where the base's vectors come from.

        Raises EncoderError where what the base was called is another encoder today.
        """
        identity = load_encoder(self.store, self.record.base)
        # The words of an imported encoder may hold blanks; those of a backend are a model and its tag.
        model, _, pretrained = (
            (identity.label, "", "") if identity.kind == "imported" else identity.spec.partition(" ")
        )
        request = ModelRequest(model, pretrained or None, identity.precision, self.request.device)
        return _SOURCES.get(identity.kind, EncoderSource)(self.store, request)

    @cached_property
    def identity(self) -> EncoderIdentity:
        """What the adapted encoder is."""
        return load_encoder(self.store, self.record.encoder)

    @property
    def encoder(self) -> Encoder:
        """The base's model, which prepares pixels. Raises EncoderError where it is another one today."""
        self._check_base()
        return self.base.encoder

    @property
    def progress(self) -> Progress:
        """Who is told that the base's model is being loaded."""
        return self.base.progress

    @progress.setter
    def progress(self, listener: Progress) -> None:
        self.base.progress = listener

    @property
    def engine(self) -> Engine | None:
        """Who makes the base's shards; None for this process."""
        return self.base.engine

    @engine.setter
    def engine(self, engine: Engine | None) -> None:
        self.base.engine = engine

    @property
    def device(self) -> str | None:
        """Where the base's model runs; None while it is not loaded."""
        return self.base.device

    @property
    def notes(self) -> tuple[str, ...]:
        """What the base's model has to say of itself."""
        return self.base.notes

    def ensure_texts(self, texts: Iterable[str], progress: Progress) -> int:
        """Store the adapted vector of every string that lacks one; return how many the base had to encode."""
        unique = sorted(set(texts))
        keys = [text_key(text) for text in unique]
        lacking = [unique[i] for i in Pool(self.store, self.identity.key, "text").missing(keys)]
        if not lacking:
            return 0
        self._check_base()
        encoded = self.base.ensure_texts(lacking, progress)
        for part in shards(lacking, TEXT_SHARD):
            self._transform([text_key(text) for text in part], "text", part)
        return encoded

    def ensure_images(
        self,
        pictures: Sequence[Picture],
        progress: Progress,
        perturbation: Perturbation = CLEAN,
        render: Render | None = None,
    ) -> Encoded:
        """Store the adapted vector of every photograph that lacks one, encoding by the base what it lacks."""
        keys = {p.id: image_key(p.digest, perturbation, p.id) for p in pictures}
        pool = Pool(self.store, self.identity.key, "image")
        lacking = {pictures[i].id for i in pool.missing([keys[p.id] for p in pictures])}
        if not lacking:
            return Encoded(0, {})
        self._check_base()
        todo = [p for p in pictures if p.id in lacking]
        done = self.base.ensure_images(todo, progress, perturbation, render)
        unique = list(dict.fromkeys(keys[p.id] for p in todo if p.id not in done.unreadable))
        for part in shards(unique, IMAGE_SHARD):
            self._transform(part, "image")
        return done

    def truncated(self, texts: Sequence[str]) -> int:
        """Return how many texts have more tokens than the base reads."""
        return self.base.truncated(texts)

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the adapted vectors of texts, stored nowhere."""
        self._check_base()
        return self._adapter.apply_to(self.base.encode_texts(texts), "text")

    def encode_pixels(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the adapted vectors of prepared images, stored nowhere."""
        self._check_base()
        return self._adapter.apply_to(self.base.encode_pixels(pixels), "image")

    @cached_property
    def _adapter(self) -> Adapter:
        from clipbench.adapters.weights import built, read_bytes, recipe_of

        tensors, header = read_bytes(load_weights(self.store, self.record.key))
        return built(tensors, recipe_of(header["recipe"]), int(header["dimension"]))

    def _transform(
        self, keys: Sequence[bytes], modality: Literal["image", "text"], texts: Sequence[str] = ()
    ) -> None:
        pool = _pool(self.store, self.identity.key, modality)
        if not pool.adopt(keys, texts):
            vectors = _pool(self.store, self.record.base, modality).gather(keys)
            pool.write(keys, self._adapter.apply_to(vectors, modality), texts)

    def _check_base(self) -> None:
        found = self.base.identity
        if found.key != self.record.base:
            raise EncoderError(
                f"{self.base.request.model} is another encoder today than the one that {self.record.name} was trained on",
                "clipbench adapt train again, or bring the model's files back",
            )


def _pool(store: Store, encoder: str, modality: Modality) -> Pool:
    return Pool(store, encoder, modality)


_SOURCES: Mapping[str, Callable[[Store, ModelRequest], VectorSource]] = {
    "imported": ImportedSource,
    "adapter": AdapterSource,  # a head on a head
}
"""Where the vectors of a base come from, by its kind."""
