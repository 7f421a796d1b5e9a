"""What an adapter is trained and chosen on: two datasets' vectors, which must share no image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError
from clipbench.metrics.measures import measure
from clipbench.metrics.positives import folded, own
from clipbench.metrics.ranks import rank
from clipbench.records import DIRECTIONS, Dataset
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import load_vectors
from clipbench.study.embedding.embed import embed_images, embed_texts
from clipbench.study.embedding.models import VectorSource
from clipbench.study.evaluation.galleries import Gallery, gallery_of
from clipbench.study.workplace.progress import Progress

Vectors: TypeAlias = npt.NDArray[np.float32]

SHOWN = 3
"""Shared images that a message names."""

SEEN = 1.5
"""A model whose R@1 on the training set is so many times that of the validation set has seen it, most likely."""


@dataclass(frozen=True)
class Split:
    """A dataset with what an encoder makes of it: images (N, D), texts (M, D), of norm 1, as they are ranked."""

    dataset: Dataset
    gallery: Gallery
    images: Vectors
    texts: Vectors

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """For each caption the position of its image; int64 (M,)."""
        return self.gallery.owners.astype(np.int64)


def load_split(source: VectorSource, name: str, progress: Progress, allow_missing: float = 0.0) -> Split:
    """Return a stored dataset with its vectors, encoding what is lacking."""
    store = source.store
    dataset = load_dataset(store, name)
    images = embed_images(store, dataset, source, progress, allow_missing=allow_missing).set
    texts = embed_texts(store, dataset, source, progress).set
    gallery = gallery_of(dataset, images.unreadable)
    # Nothing is learned from an image without captions, and nothing is chosen by it.
    captioned = gallery.image_rows[: len(gallery.samples)]
    return Split(
        dataset,
        gallery,
        load_vectors(store, images)[captioned],
        load_vectors(store, texts)[gallery.caption_rows],
    )


def shared_images(train: Dataset, other: Dataset) -> list[str]:
    """Return the ids of the images of `other` that `train` has too, by id or by the bytes of the file."""
    ids = {sample.id for sample in train.samples}
    files = {sample.digest for sample in train.samples if sample.digest}
    return [s.id for s in other.samples if s.id in ids or s.digest in files]


def refuse_shared(train: Dataset, other: Dataset) -> None:
    """Raise DatasetError where two datasets share an image, by id or by the bytes of its file."""
    shared = shared_images(train, other)
    if shared:
        named = ", ".join(shared[:SHOWN]) + (", …" if len(shared) > SHOWN else "")
        raise DatasetError(
            f"{train.name} and {other.name} share {len(shared):,} of {len(other.samples):,} images ({named}): "
            "what is learned from an image must not be measured on it",
            "clipbench dataset add with --split train and --split val, or with --make-splits 70/15/15",
        )


def shared_texts(train: Dataset, other: Dataset) -> int:
    """Return how many captions of `other` say what a caption of `train` says (case and punctuation aside)."""
    known = {folded(caption.text) for caption in train.captions}
    return sum(folded(caption.text) in known for caption in other.captions)


def scores(images: Vectors, texts: Vectors, owners: npt.ArrayLike) -> Mapping[str, float]:
    """Return R@1 and R@10 of both directions and RSUM, by exact ranks: what validation chooses by.

    Raises ValueError for vectors that are no unit vectors, and where an image has no caption.
    """
    ledgers = rank(images, texts, own(owners, len(images)), owners)
    found: dict[str, float] = {}
    for direction in DIRECTIONS:
        for k in (1, 5, 10):
            found[f"{direction} hit@{k}"] = measure(f"hit@{k}").value(ledgers[direction])
    total = 100 * sum(found.values())
    return {**found, "rsum": total}


def seen_before(train: Split, validation: Split, seed: int = 0) -> tuple[float, float] | None:
    """Return t2i R@1 on the training and on the validation set at equal gallery size, where the first is much higher.

    Then the encoder was trained on these photographs, and heads trained there gain nothing. None where it is not.
    The larger set is sampled by the seed, image by image with all its captions.
    """
    size = min(len(train.images), len(validation.images))
    first, second = (_hits(split, size, seed) for split in (train, validation))
    return (first, second) if first > SEEN * second and first - second > 0.05 else None


def _hits(split: Split, size: int, seed: int) -> float:
    chosen = np.sort(np.random.default_rng(seed).permutation(len(split.images))[:size])
    place = np.full(len(split.images), -1)
    place[chosen] = np.arange(size)
    kept = place[split.owners] >= 0
    owners = place[split.owners[kept]]
    found = scores(
        np.ascontiguousarray(split.images[chosen]), np.ascontiguousarray(split.texts[kept]), owners
    )
    return found["t2i hit@1"]
