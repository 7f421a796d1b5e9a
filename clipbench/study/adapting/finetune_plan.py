"""What a fine-tuning would do and about how long it would take, before anything is done or stored."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clipbench.adapters.finetuning import TrainingPairs, finetune
from clipbench.adapters.unfreezing import unfreeze
from clipbench.records import Dataset, Sample
from clipbench.store.adapters import find_by_request
from clipbench.store.datasets import load_dataset
from clipbench.study.adapting.finetune import FinetuneRequest, request_key, resumed, unfinished_file
from clipbench.study.adapting.prepared import changeable, prepared_pixels, towers_of, tunable
from clipbench.study.adapting.splits import refuse_shared
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Silent

if TYPE_CHECKING:
    from clipbench.encoders.openclip import OpenClipEncoder

TIMED = 16
"""Images of the batch that is timed."""

FORWARD = 1 / 3
"""Cost of seeing an image without learning from it, in those of learning: the way back costs twice the way there."""


@dataclass(frozen=True)
class FinetunePlan:
    """A fine-tuning to come.

    stored: name of the model that is there already, None where there is none. done: epochs that a stopped run has
    finished. learned, parameters: numbers that learn, and all of the model's. images, validation: with captions.
    batches: of an epoch. models, bytes: folders to be written and their size. seconds: about how long, None where
    nothing is left to do.
    """

    stored: str | None
    done: int
    epochs: int
    learned: int
    parameters: int
    images: int
    validation: int
    batches: int
    models: int
    bytes: int
    seconds: float | None


def plan_finetuning(source: VectorSource, request: FinetuneRequest, alphas: Sequence[float]) -> FinetunePlan:
    """Return what a request would do. One batch is learned from, on a copy of the model, to time it.

    Raises what `finetune_model` raises for a request that cannot be done.
    """
    store, recipe = source.store, request.recipe
    train, validation = (load_dataset(store, name) for name in (request.train, request.validation))
    refuse_shared(train, validation)
    key = request_key(source.identity.key, train, validation, recipe)
    known = find_by_request(store, key)
    state = None if known else resumed(unfinished_file(store, key))
    encoder = tunable(source)
    copy = changeable(encoder)
    samples, others = _captioned(train), _captioned(validation)
    learned = unfreeze(copy.model, recipe.part, rank=recipe.rank).parameters
    done = len(state.log) - 1 if state else 0
    left = max(0, recipe.total - done)
    seconds = _step(changeable(encoder), train, samples[:TIMED], request) / min(TIMED, len(samples))
    shown = left * (len(samples) + FORWARD * len(others)) + FORWARD * (len(samples) + 2 * len(others))
    tensors = list(encoder.model.state_dict().values())
    models = len({alpha for alpha in alphas if 0 < alpha < 1}) + (known is None)
    return FinetunePlan(
        stored=known.name if known else None,
        done=done,
        epochs=recipe.total,
        learned=learned,
        parameters=sum(value.numel() for value in encoder.model.parameters()),
        images=len(samples),
        validation=len(others),
        batches=max(1, round(len(samples) / recipe.batch)),
        models=models,
        bytes=models * sum(value.numel() * value.element_size() for value in tensors),
        seconds=None if known else seconds * shown,
    )


def _captioned(dataset: Dataset) -> list[Sample]:
    return [sample for sample in dataset.samples if sample.captions and sample.problem is None]


def _step(
    encoder: OpenClipEncoder, dataset: Dataset, samples: Sequence[Sample], request: FinetuneRequest
) -> float:
    """Return the seconds that learning from a few images takes, the second time: the first makes room."""
    pixels = prepared_pixels(encoder, dataset, samples, "a few photographs", Silent())
    tokens = encoder.tokenizing([sample.captions[0].text for sample in samples]).ids
    pairs = TrainingPairs(lambda rows: pixels[rows], tokens, np.arange(len(samples)))
    recipe = replace(request.recipe, epochs=2, batch=max(2, len(samples)), probe=False, patience=None)
    ends: list[float] = []

    def stepped() -> None:
        ends.append(time.monotonic())

    finetune(recipe, towers_of(encoder), pairs, lambda: {"rsum": 0.0}, lambda _: None, stepped)
    return ends[-1] - ends[-2]
