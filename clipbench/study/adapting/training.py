"""Training an adapter in a store: found where it was trained before, gone on with where it was stopped.

Two keys: the request (base, data, recipe, noise) finds the same training again, the identity holds the trained
weights as well. The test set is no business of training and is not seen here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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
from clipbench.adapters.weights import adapter_bytes, log_json, recipe_json
from clipbench.encoders.weights import weights_digest
from clipbench.errors import StoppedError
from clipbench.keys import Json, digest, short
from clipbench.records import Dataset, EncoderIdentity
from clipbench.store.adapters import AdapterRecord, find_by_request, save_adapter
from clipbench.store.encoders import save_encoder
from clipbench.study.adapting.noise import TRAINING_SEEDS, VALIDATION_SEED, Noise, Noisy, under
from clipbench.study.adapting.splits import (
    Split,
    load_split,
    refuse_shared,
    scores,
    seen_before,
    shared_texts,
)
from clipbench.study.adapting.unfinished import Unfinished
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Progress


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


@dataclass(frozen=True)
class Material:
    """What trainings of one base on the same data share: both splits, their texts under the noise, what to know.

    learned, chosen: the vectors of both under the noise; their own where there is none.
    familiar: R@1 on the training and the validation set where the base has most likely seen the first.
    """

    training: Split
    validation: Split
    noise: Noise | None
    learned: Noisy
    chosen: Noisy
    familiar: tuple[float, float] | None
    notes: tuple[str, ...]


def train_adapter(
    source: VectorSource, request: TrainRequest, progress: Progress, listen: Listen = lambda _e, _b: None
) -> Trained:
    """Train an adapter on top of a source of vectors and store it, or find it where it was trained before.

    Raises DatasetError where the datasets share an image, StoppedError on Ctrl-C: the best epoch so far is then
    stored as an adapter of its own, and the same command goes on after the last finished epoch.
    """
    return train_on(source, material(source, request, progress), request, progress, listen)


def material(source: VectorSource, request: TrainRequest, progress: Progress) -> Material:
    """Return what a training learns from and is chosen by, encoding what is lacking.

    Raises DatasetError where the datasets share an image.
    """
    training, validation = (
        load_split(source, name, progress, request.allow_missing)
        for name in (request.train, request.validation)
    )
    refuse_shared(training.dataset, validation.dataset)
    familiar = seen_before(training, validation)
    return Material(
        training,
        validation,
        request.noise,
        under(source, training, request.noise, TRAINING_SEEDS, progress),
        under(source, validation, request.noise, (VALIDATION_SEED,), progress),
        familiar,
        split_notes(training, validation, familiar),
    )


def train_on(
    source: VectorSource,
    ground: Material,
    request: TrainRequest,
    progress: Progress,
    listen: Listen = lambda _e, _b: None,
    *,
    keep_stopped: bool = True,
) -> Trained:
    """Train on what `material` gave. keep_stopped: whether Ctrl-C stores the best epoch so far.

    Raises StoppedError on Ctrl-C.
    """
    if request.enough:
        epochs = enough_epochs(len(ground.training.texts), request.recipe.batch)
        request = replace(request, recipe=replace(request.recipe, epochs=epochs))
    key = request_key(source.identity, ground.training.dataset, ground.validation.dataset, request)
    known = find_by_request(source.store, key)
    if known is not None:
        return Trained(known, created=False, notes=ground.notes)
    unfinished = Unfinished(source.store, key)
    try:
        state = _trained(ground, request, unfinished, progress, listen)
    except KeyboardInterrupt:
        kept = _keep_best(source, ground, request, unfinished) if keep_stopped else ""
        raise StoppedError(
            f"interrupted: the finished epochs are kept{kept}",
            "the same command again goes on where this one stopped",
        ) from None
    stored = _store(source, ground, request, key, state)
    unfinished.remove()
    return Trained(stored, created=True, notes=(*ground.notes, *_nothing_learned(ground, state, stored)))


def _nothing_learned(ground: Material, state: State, stored: AdapterRecord) -> tuple[str, ...]:
    if state.best_epoch.number > 0:
        return ()
    name = ground.validation.dataset.name
    return (f"no epoch did better on {name} than no change: {stored.name} is as it was before training",)


def _keep_best(source: VectorSource, ground: Material, request: TrainRequest, unfinished: Unfinished) -> str:
    """Store the best epoch of a stopped training as an adapter of its own, and say so; nothing where none is better."""
    state = unfinished.load()
    if state is None or state.best_epoch.number == 0:
        return ""
    after = state.log[-1].number
    named = replace(request, name=f"{request.name or request.recipe.head}-after-{after}")
    key = digest("training", [unfinished.request, after])
    stored = find_by_request(source.store, key) or _store(source, ground, named, key, state)
    return f", and the best of them ({state.best_epoch.number}) is stored as adapter:{stored.name}"


def request_key(base: EncoderIdentity, training: Dataset, validation: Dataset, request: TrainRequest) -> str:
    """Return the key of a training: base encoder, both datasets, every hyper-parameter, the noise."""
    content: dict[str, Json] = {
        "base": base.key,
        "train": training.key,
        "validation": validation.key,
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


def split_notes(training: Split, validation: Split, seen: tuple[float, float] | None) -> tuple[str, ...]:
    """Return what to know of a training and a validation set. seen: as `seen_before` says of the encoder."""
    notes = []
    repeated = shared_texts(training.dataset, validation.dataset)
    if repeated:
        notes.append(
            f"{repeated:,} of {len(validation.dataset.captions):,} captions of {validation.dataset.name} stand in "
            f"{training.dataset.name} too: a split that keeps equal texts on one side is harder, and fairer "
            "(dataset add --make-splits 70/15/15 --group-by text)"
        )
    if seen is not None:
        notes.append(
            f"the encoder has most likely seen {training.dataset.name}: its R@1 there is {seen[0]:.3f}, on "
            f"{validation.dataset.name} {seen[1]:.3f} at equal gallery size; heads trained there gain nothing"
        )
    return tuple(notes)


def _trained(
    ground: Material, request: TrainRequest, unfinished: Unfinished, progress: Progress, listen: Listen
) -> State:
    def validate(adapter: Adapter) -> Mapping[str, float]:
        images = adapter.apply_to(ground.chosen.images, "image")
        return scores(images, adapter.apply_to(ground.chosen.texts[0], "text"), ground.validation.owners)

    state = unfinished.load()
    bar = progress.start("epochs", request.recipe.epochs + 1)
    if state is not None:
        progress.advance(bar, len(state.log))

    def finished(now: State) -> None:
        unfinished.save(now)
        progress.advance(bar)
        progress.say(bar, _words(now.log[-1], now.best_epoch))
        listen(now.log[-1], now.best_epoch)

    draws = ground.learned.texts
    data = TrainingVectors(
        lambda epoch: draws[epoch % len(draws)], ground.learned.images, ground.training.owners
    )
    return train(request.recipe, data, validate, finished, state)


def _words(epoch: Epoch, best: Epoch) -> str:
    """Return an epoch for a progress line."""
    loss = "" if epoch.loss is None else f"loss {epoch.loss:.3f}, "
    return (
        f"{loss}validation R@1 {epoch.scores['t2i hit@1']:.3f}, RSUM {epoch.scores['rsum']:.1f} "
        f"(best {best.scores['rsum']:.1f})"
    )


def _store(
    source: VectorSource, ground: Material, request: TrainRequest, key: str, state: State
) -> AdapterRecord:
    recipe, training, validation = request.recipe, ground.training.dataset, ground.validation.dataset
    adapter = best_adapter(recipe, source.identity.dimension, state)
    tensors = adapter.state_dict()
    identity = digest("adapter", [key, weights_digest(tensors)])
    name = request.name or f"{recipe.head}-{short(identity, 6)}"
    encoder = adapted_identity(source.identity, name, recipe, adapter)
    record: dict[str, Json] = {
        "recipe": recipe_json(recipe),
        "dimension": source.identity.dimension,
        "train": {"key": training.key, "name": training.name},
        "validation": {"key": validation.key, "name": validation.name},
        "noise": request.noise.as_json() if request.noise else None,
        "base": {"key": source.identity.key, "label": source.identity.label, "spec": source.request.model},
        "best_epoch": state.best_epoch.number,
        "parameters": int(np.sum([value.numel() for value in tensors.values()])),
    }
    if ground.familiar is not None:
        record["seen"] = list(ground.familiar)
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
