"""Training an adapter in a store: found where it was trained before, gone on with where it was stopped.

Two keys: the request (base, data, recipe, noise) finds the same training again, the identity holds the trained
weights as well. The test set is no business of training and is not seen here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clipbench.adapters.training import (
    Adapter,
    Epoch,
    Recipe,
    State,
    TrainingVectors,
    best_adapter,
    enough_epochs,
    train,
)
from clipbench.adapters.weights import adapter_bytes, log_json, recipe_json, state_bytes, state_of
from clipbench.encoders.weights import weights_digest
from clipbench.errors import ClipbenchError, StoppedError
from clipbench.keys import Json, digest, short
from clipbench.perturb.apply_text import perturb_captions, text_perturbation
from clipbench.perturb.operation import TextOperation
from clipbench.records import EncoderIdentity, text_key
from clipbench.store.adapters import AdapterRecord, find_by_request, save_adapter
from clipbench.store.encoders import save_encoder
from clipbench.store.vectors import Pool
from clipbench.study.adapting.splits import (
    Split,
    Vectors,
    load_split,
    refuse_shared,
    scores,
    seen_before,
    shared_texts,
)
from clipbench.study.embedding.models import VectorSource
from clipbench.study.output.whole_files import whole_file
from clipbench.study.workplace.progress import Progress

DRAWS = 4
"""Draws of a noise that training goes through, epoch by epoch; validation has one of its own."""

VALIDATION_SEED = 1_000_000
"""Seed of the noise that validation sees, which no epoch draws."""


@dataclass(frozen=True)
class Noise:
    """A perturbation of captions that is trained under."""

    operation: TextOperation
    level: float

    def as_json(self) -> dict[str, Json]:
        """Return what it is, as it enters the request's key."""
        setting = text_perturbation(self.operation, self.level, 0)
        return {"operation": setting.operation, "level": setting.level, "parameters": setting.parameters}


@dataclass(frozen=True)
class TrainRequest:
    """What to train: names of the stored datasets, the recipe, noise or None, and the adapter's name or None.

    enough: whether the epochs are counted by the training set's size, in place of the recipe's.
    """

    train: str
    validation: str
    recipe: Recipe
    noise: Noise | None = None
    name: str | None = None
    allow_missing: float = 0.0
    enough: bool = False


@dataclass(frozen=True)
class Trained:
    """A stored adapter; `created` is False where the same training had been stored. notes: what to know of it."""

    adapter: AdapterRecord
    created: bool
    notes: tuple[str, ...]


Listen = Callable[[Epoch, Epoch], None]
"""Told after every epoch: the epoch, and the best one so far."""


def train_adapter(
    source: VectorSource, request: TrainRequest, progress: Progress, listen: Listen = lambda _e, _b: None
) -> Trained:
    """Train an adapter on top of a source of vectors and store it, or find it where it was trained before.

    Raises DatasetError where the datasets share an image, StoppedError on Ctrl-C: the same command then goes on
    after the last finished epoch.
    """
    training, validation = (
        load_split(source, name, progress, request.allow_missing)
        for name in (request.train, request.validation)
    )
    refuse_shared(training.dataset, validation.dataset)
    if request.enough:
        epochs = enough_epochs(len(training.texts), request.recipe.batch)
        request = replace(request, recipe=replace(request.recipe, epochs=epochs))
    key = request_key(source.identity, training, validation, request)
    notes = split_notes(training, validation)
    known = find_by_request(source.store, key)
    if known is not None:
        return Trained(known, created=False, notes=notes)
    state = _trained(source, request, (training, validation), _Unfinished(source, key), progress, listen)
    adapter = best_adapter(request.recipe, training.images.shape[1], state)
    stored = _store(source, request, (training, validation), key, (adapter, state))
    _Unfinished(source, key).remove()
    return Trained(stored, created=True, notes=notes)


def request_key(base: EncoderIdentity, training: Split, validation: Split, request: TrainRequest) -> str:
    """Return the key of a training: base encoder, both datasets, every hyper-parameter, the noise."""
    content: dict[str, Json] = {
        "base": base.key,
        "train": training.dataset.key,
        "validation": validation.dataset.key,
        "recipe": recipe_json(request.recipe),
    }
    if request.noise is not None:
        content["noise"] = request.noise.as_json()
    return digest("training", content)


def adapted_identity(base: EncoderIdentity, name: str, recipe: Recipe, adapter: Adapter) -> EncoderIdentity:
    """Return what an adapter is as an encoder: its base with other vectors."""
    state = adapter.state_dict()
    dimension = base.dimension // 2 if recipe.head == "two-tower" else base.dimension
    head = {"head": recipe.head, "side": recipe.side, "weights": weights_digest(state)}
    return EncoderIdentity(
        kind="adapter",
        label=f"{base.label} + {name}",
        spec=f"adapter:{name}",
        architecture=f"{base.architecture}, {recipe.head} on {recipe.side}",
        pretrained=base.pretrained,
        weights=digest("weights", [base.key, head]),
        activation=base.activation,
        preprocessing=base.preprocessing,
        tokenizer=base.tokenizer,
        precision=base.precision,
        dimension=dimension,
        versions=base.versions,
    )


def split_notes(training: Split, validation: Split) -> tuple[str, ...]:
    """Return what to know of a training and a validation set, and of an encoder that has seen the first."""
    notes = []
    repeated = shared_texts(training.dataset, validation.dataset)
    if repeated:
        notes.append(
            f"{repeated:,} of {len(validation.dataset.captions):,} captions of {validation.dataset.name} stand in "
            f"{training.dataset.name} too: a split that keeps equal texts on one side is harder, and fairer"
        )
    seen = seen_before(training, validation)
    if seen is not None:
        notes.append(
            f"the encoder has most likely seen {training.dataset.name}: its R@1 there is {seen[0]:.3f}, on "
            f"{validation.dataset.name} {seen[1]:.3f} at equal gallery size; heads trained there gain nothing"
        )
    return tuple(notes)


@dataclass(frozen=True)
class _Unfinished:
    """The file in which a training that was stopped lies."""

    source: VectorSource
    request: str

    @property
    def path(self) -> Path:
        return self.source.store.home.artifacts / "training" / f"{short(self.request, 40)}.safetensors"

    def save(self, state: State) -> None:
        """Keep the state of the last finished epoch, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self.path, force=True) as partial:
            partial.write_bytes(state_bytes(state))

    def load(self) -> State | None:
        """Return where training stopped, None where it did not begin or the file is of no use."""
        try:
            return state_of(self.path.read_bytes())
        except (FileNotFoundError, ClipbenchError):
            return None  # it is begun again, which costs seconds and loses nothing

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _trained(
    source: VectorSource,
    request: TrainRequest,
    splits: tuple[Split, Split],
    unfinished: _Unfinished,
    progress: Progress,
    listen: Listen,
) -> State:
    training, validation = splits
    seen = _texts_under(source, validation, request.noise, VALIDATION_SEED, progress)

    def validate(adapter: Adapter) -> Mapping[str, float]:
        images = adapter.apply_to(validation.images, "image")
        return scores(images, adapter.apply_to(seen, "text"), validation.owners)

    draws = [_texts_under(source, training, request.noise, seed, progress) for seed in range(1, DRAWS + 1)]
    state = unfinished.load()
    bar = progress.start("epochs", request.recipe.epochs + 1)
    if state is not None:
        progress.advance(bar, len(state.log))

    def finished(now: State) -> None:
        unfinished.save(now)
        progress.advance(bar)
        listen(now.log[-1], now.best_epoch)

    data = TrainingVectors(lambda epoch: draws[epoch % DRAWS], training.images, training.owners)
    try:
        return train(request.recipe, data, validate, finished, state)
    except KeyboardInterrupt:
        raise StoppedError(
            "interrupted: the finished epochs are kept, the best of them too",
            "the same command again goes on where this one stopped",
        ) from None


def _texts_under(
    source: VectorSource, split: Split, noise: Noise | None, seed: int, progress: Progress
) -> Vectors:
    """Return the text vectors of a split under one draw of the noise; its own where there is none."""
    if noise is None:
        return split.texts
    texts = perturb_captions(split.gallery.captions, noise.operation, noise.level, seed)
    source.ensure_texts(texts, progress)
    return Pool(source.store, source.identity.key, "text").gather([text_key(text) for text in texts])


def _store(
    source: VectorSource,
    request: TrainRequest,
    splits: tuple[Split, Split],
    key: str,
    result: tuple[Adapter, State],
) -> AdapterRecord:
    (training, validation), (adapter, state) = splits, result
    recipe, tensors = request.recipe, adapter.state_dict()
    identity = digest("adapter", [key, weights_digest(tensors)])
    name = request.name or f"{recipe.head}-{short(identity, 6)}"
    encoder = adapted_identity(source.identity, name, recipe, adapter)
    record: dict[str, Json] = {
        "recipe": recipe_json(recipe),
        "dimension": training.images.shape[1],
        "train": {"key": training.dataset.key, "name": training.dataset.name},
        "validation": {"key": validation.dataset.key, "name": validation.dataset.name},
        "noise": request.noise.as_json() if request.noise else None,
        "base": {"key": source.identity.key, "label": source.identity.label, "spec": source.request.model},
        "best_epoch": state.best_epoch.number,
        "parameters": int(np.sum([value.numel() for value in tensors.values()])),
    }
    save_encoder(source.store, encoder, None)
    stored = AdapterRecord(
        identity,
        key,
        name,
        encoder.key,
        source.identity.key,
        record,
        log_json(state.log),  # type: ignore[arg-type]  # JSON objects
    )
    return save_adapter(source.store, stored, adapter_bytes(tensors, record))
