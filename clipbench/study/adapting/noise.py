"""Vectors under noise: what heads learn from and are chosen by where captions or photographs shall be worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.keys import Json
from clipbench.perturb.apply_text import perturb_captions
from clipbench.perturb.operation import ImageOperation, Operation
from clipbench.perturb.registry import Selection, operation
from clipbench.records import Perturbation, text_key
from clipbench.store.embeddings import load_vectors
from clipbench.store.vectors import Pool
from clipbench.study.adapting.splits import Split, Vectors
from clipbench.study.embedding.models import VectorSource
from clipbench.study.robustness.settings import SweepRequest, settings
from clipbench.study.robustness.sweep import corrupted_images
from clipbench.study.workplace.progress import Progress

TRAINING_SEEDS = (1, 2, 3, 4)
"""Draws of a noise on captions that training goes through, epoch by epoch; photographs have the first alone."""

VALIDATION_SEED = 1_000_000
"""Seed of the noise that validation sees, which no epoch draws."""


@dataclass(frozen=True)
class Noise:
    """A perturbation of captions or photographs that is trained under."""

    operation: Operation
    level: float

    def setting(self, seed: int) -> Perturbation:
        """Return its setting under a seed."""
        request = SweepRequest((Selection(self.operation, (self.level,)),), seeds=(seed,))
        return settings(request)[-1].perturbation

    def as_json(self) -> dict[str, Json]:
        """Return what it is, as it enters the request's key."""
        setting = self.setting(0)
        return {"operation": setting.operation, "level": setting.level, "parameters": setting.parameters}


@dataclass(frozen=True)
class Noisy:
    """A split's vectors under noise. texts: of each draw (M, D). images (N, D)."""

    texts: tuple[Vectors, ...]
    images: Vectors


def noise_of(stored: Mapping[str, Json]) -> Noise:
    """Return the noise of `as_json`. Raises ClipbenchError for an operation that there is not."""
    return Noise(operation(str(stored["operation"])), float(str(stored["level"])))


def under(
    source: VectorSource, split: Split, noise: Noise | None, seeds: Sequence[int], progress: Progress
) -> Noisy:
    """Return the vectors of a split under draws of a noise, encoding what is lacking; its own where there is none."""
    if noise is None:
        return Noisy((split.texts,), split.images)
    chosen = noise.operation
    if isinstance(chosen, ImageOperation):
        return Noisy((split.texts,), _images(source, split, (chosen, noise.setting(seeds[0])), progress))
    draws = (perturb_captions(split.gallery.captions, chosen, noise.level, seed) for seed in seeds)
    return Noisy(tuple(_texts(source, texts, progress) for texts in draws), split.images)


def _texts(source: VectorSource, texts: Sequence[str], progress: Progress) -> Vectors:
    source.ensure_texts(texts, progress)
    return Pool(source.store, source.identity.key, "text").gather([text_key(text) for text in texts])


def _images(
    source: VectorSource, split: Split, corrupted: tuple[ImageOperation, Perturbation], progress: Progress
) -> Vectors:
    """Return the images with captions, corrupted: a photograph that is unusable is so whatever is done to it."""
    allowed = 1.0  # the split itself was held to what is allowed
    found = corrupted_images(source, split.dataset, corrupted, progress, allowed)
    return load_vectors(source.store, found)[split.gallery.image_rows[: len(split.gallery.samples)]]
