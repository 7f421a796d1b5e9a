"""A bank: another split whose captions (and photographs, where there are any) stand for queries to come."""

from __future__ import annotations

from dataclasses import dataclass

from clipbench.errors import DatasetError
from clipbench.records import Dataset
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import load_vectors
from clipbench.study.adapting.splits import Vectors, refuse_shared
from clipbench.study.embedding.embed import embed_images, embed_texts
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Progress


@dataclass(frozen=True)
class Bank:
    """texts: float32 (B, D), one for each caption in order. images: of its photographs, None where it has none."""

    dataset: Dataset
    texts: Vectors
    images: Vectors | None

    @property
    def captions(self) -> list[str]:
        """What its captions say, in the order of `texts`."""
        return [caption.text for caption in self.dataset.captions]


def load_bank(source: VectorSource, name: str, against: Dataset, progress: Progress) -> Bank:
    """Return a stored dataset as a bank; captions suffice, photographs are taken where all are there.

    Raises DatasetError where it shares images with the dataset it is to help with.
    """
    dataset = load_dataset(source.store, name)
    refuse_shared(dataset, against)
    texts = load_vectors(source.store, embed_texts(source.store, dataset, source, progress).set)
    try:
        images = load_vectors(source.store, embed_images(source.store, dataset, source, progress).set)
    except DatasetError:
        images = None  # captions alone are a bank for captions, which is what most have
    return Bank(dataset, texts, images)
