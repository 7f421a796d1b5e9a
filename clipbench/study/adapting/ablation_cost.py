"""What an ablation will cost on this machine: a short probe of one training step, scaled up; and what it leaves on disk."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from clipbench.adapters.training import Recipe, TrainingVectors, train
from clipbench.study.adapting.ablation import AblationPlan, Training
from clipbench.study.embedding.models import VectorSource
from clipbench.study.robustness.estimate import SECONDS_A_RUN, estimate
from clipbench.wording import plural

PROBE_BATCHES = 4
VALIDATION_PAIRS = 1e-8
"""Seconds that ranking takes for each pair of an image and a caption, both directions."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of encoding for the base, of training and of measuring, and the bytes of vectors that are stored."""

    encoding: float
    training: float
    runs: float
    bytes: int

    @property
    def words(self) -> str:
        """The cost for people."""
        seconds = self.encoding + self.training + self.runs
        size = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
        parts = f"encoding {self.encoding:.0f} s, training {self.training:.0f} s, runs {self.runs:.0f} s"
        return f"about {size} on this machine ({parts}) and {self.bytes / 1e6:,.0f} MB of vectors"


def count_words(planned: AblationPlan) -> str:
    """Return the size of an ablation for people: "33 trainings: 3 stored, 30 to do; ..."."""
    total, left = len(planned.trainings), len(planned.left)
    return (
        f"{plural(len(planned.cells), 'cell')}, {plural(total, 'training')}: {total - left:,} stored, {left:,} to do; "
        f"{plural(planned.runs, 'run')}: {planned.runs - planned.runs_left:,} stored, {planned.runs_left:,} to do"
    )


def cost(planned: AblationPlan, source: VectorSource) -> Cost:
    """Return what is left to pay. The probe trains a few batches of every head on vectors of noise."""
    bases = [estimate(base, source) for base in planned.bases.values()]
    pairs = len(planned.validation.samples) * len(planned.validation.captions)
    seconds: dict[tuple[str, str], float] = {}
    training = 0.0
    for one in planned.untrained(source.store):
        kind = (one.cell.head, one.cell.loss)
        if kind not in seconds:
            seconds[kind] = _seconds_a_batch(one.request.recipe, source.identity.dimension)
        epochs, batches = one.request.recipe.epochs, _batches(planned, one)
        training += epochs * batches * seconds[kind] + (epochs + 1) * pairs * VALIDATION_PAIRS
    encoding = sum(found.texts + found.images for found in bases)
    return Cost(encoding, training, planned.runs_left * SECONDS_A_RUN, _bytes(planned, source))


def _batches(planned: AblationPlan, one: Training) -> int:
    return math.ceil(len(planned.train.captions) / one.request.recipe.batch)


def _seconds_a_batch(recipe: Recipe, dimension: int) -> float:
    draws = np.random.default_rng(0)
    captions = PROBE_BATCHES * recipe.batch
    texts, images = (draws.normal(size=(captions, dimension)).astype(np.float32) for _ in range(2))
    texts, images = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (texts, images))
    data = TrainingVectors(lambda _: texts, images, np.arange(captions))
    times = []
    for _ in range(2):  # the first is a slow one
        began = time.monotonic()
        probe = replace(recipe, epochs=1, mine_every=None, patience=None)
        train(probe, data, lambda _: {"rsum": 0.0}, lambda _: None)
        times.append(time.monotonic() - began)
    return min(times) / PROBE_BATCHES


def _bytes(planned: AblationPlan, source: VectorSource) -> int:
    """Return the bytes of the adapted vectors of all trainings that are left."""
    strings = sum(len({text for run in base.runs for text in run.texts}) for base in planned.bases.values())
    images = sum(len(dataset.samples) for dataset in planned.places.values())
    return len(planned.left) * (strings + images) * source.identity.dimension * 4
