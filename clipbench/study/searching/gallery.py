"""What is searched: the photographs of one dataset as vectors of one encoder, with what is known of each.

Opened once, it is only read from then on: one gallery may serve any number of searches and threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from clipbench.errors import DatasetError
from clipbench.indexes.protocol import Items, Vectors
from clipbench.records import CLEAN, Dataset, EncoderIdentity, Sample, image_key
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, load_vectors
from clipbench.store.engine import Store
from clipbench.store.vectors import Pool
from clipbench.study.embedding.embed import embed_images, stored_set
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Progress

ALL_BUT_ONE = 1.0
"""Share of photographs that may be unusable: what cannot be read is left out and told, and the rest is found."""


@dataclass(frozen=True)
class Gallery:
    """The photographs of a dataset that can be found.

    samples: N photographs in dataset order. vectors: float32 (N, D), unit rows, read-only, row n that of
    sample n. left_out: id -> why a photograph of the dataset has no vector.
    """

    dataset: Dataset
    encoder: EncoderIdentity
    samples: tuple[Sample, ...]
    vectors: Vectors
    left_out: Mapping[str, str]

    @property
    def size(self) -> int:
        """How many photographs can be found."""
        return len(self.samples)

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Photograph id -> item number, which is its row in `vectors`."""
        return {sample.id: number for number, sample in enumerate(self.samples)}

    def number(self, id_: str) -> int:
        """Return the item number of a photograph: by its id, its path, or a file name that it alone has.

        Raises DatasetError where none or several answer to it.
        """
        if id_ in self.numbers:
            return self.numbers[id_]
        names = [n for n, sample in enumerate(self.samples) if id_ in _names(sample)]
        if len(names) == 1:
            return names[0]
        if id_ in self.left_out:
            raise DatasetError(f"{id_} of {self.dataset.name} has no vector: {self.left_out[id_]}")
        count = f"{len(names)} photographs are" if names else "no photograph is"
        raise DatasetError(
            f"{count} called {id_!r} in {self.dataset.name}", f"clipbench dataset show {self.dataset.name}"
        )

    def items(self, ids: Iterable[str]) -> Items:
        """Return the item numbers of photograph ids, ascending; ids of others are passed over."""
        numbers = self.numbers
        return np.array(sorted({numbers[id_] for id_ in ids if id_ in numbers}), dtype=np.int64)

    def file(self, sample: Sample) -> Path | None:
        """Return where the file of a photograph is, None where the dataset names none."""
        folder = self.dataset.image_folder
        return None if folder is None or sample.path is None else folder / sample.path


def open_gallery(store: Store, dataset: str, source: VectorSource, progress: Progress) -> Gallery:
    """Return the gallery of a stored dataset; photographs that have no vector yet are encoded first.

    Where all vectors are stored no model is loaded and no torch imported. Raises DatasetError for an unknown
    dataset or one without any usable photograph, EncoderError where a model is needed and cannot be loaded.
    """
    loaded = load_dataset(store, dataset)
    done = embed_images(store, loaded, source, progress, allow_missing=ALL_BUT_ONE)
    return gallery_of_set(store, loaded, source.identity, done.set)


def gallery_of_set(store: Store, dataset: Dataset, encoder: EncoderIdentity, images: EmbeddingSet) -> Gallery:
    """Return the gallery of an embedding set of a dataset's photographs. Raises StoreError where vectors are gone."""
    left_out = images.unreadable
    samples = tuple(sample for sample in dataset.samples if sample.id not in left_out)
    vectors = load_vectors(store, images)
    vectors.flags.writeable = False  # one matrix for all threads
    return Gallery(dataset, encoder, samples, vectors, left_out)


def lacking(store: Store, dataset: str, source: VectorSource) -> int:
    """Return how many photographs of a dataset `open_gallery` would encode first."""
    loaded = load_dataset(store, dataset)
    if stored_set(store, loaded, source, ("image", CLEAN)) is not None:
        return 0
    keys = [image_key(sample.digest, CLEAN, sample.id) for sample in loaded.samples if sample.digest]
    return len(Pool(store, source.identity.key, "image").missing(keys))


def _names(sample: Sample) -> set[str]:
    return set() if sample.path is None else {sample.path, sample.path.rpartition("/")[2]}
