"""What is served: a gallery, how it is searched, and its columns; opened and proved fit before anybody is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np

from clipbench.errors import ClipbenchError, StoreError
from clipbench.keys import digest
from clipbench.store import clock
from clipbench.store.dataset_columns import DatasetColumns, load_columns
from clipbench.store.dataset_filters import ItemColumns
from clipbench.store.engine import Store
from clipbench.study.embedding.models import VectorSource
from clipbench.study.searching.gallery import Gallery, open_gallery
from clipbench.study.searching.search import Searcher, exact_searcher, search
from clipbench.study.workplace.progress import Progress

PROBES = 32
"""Photographs that an opened gallery has to find by their own vectors."""

LENGTH_ERROR = 1e-3
SCORE_ERROR = 1e-3


@dataclass(frozen=True, eq=False)
class Collection:
    """A gallery that is served. One is swapped for another in one step, and each request keeps the one it began with."""

    gallery: Gallery
    searcher: Searcher
    index: str
    filters: ItemColumns
    columns: DatasetColumns | None
    loaded_at: str = field(default_factory=clock.stamp)

    @cached_property
    def key(self) -> str:
        """Digest of what decides its answers: photographs, their vectors' encoder, the index."""
        gallery = self.gallery
        known = self.columns
        columns = None if known is None else digest("columns", [known.names, known.cells])
        return digest(
            "collection", [gallery.dataset.key, gallery.encoder.key, self.index, gallery.size, columns]
        )

    @cached_property
    def rows(self) -> dict[str, int]:
        """Photograph id -> its row in the columns, which go by the whole dataset."""
        return {sample.id: row for row, sample in enumerate(self.gallery.dataset.samples)}

    @cached_property
    def shown(self) -> dict[str, int]:
        """Photograph id as an answer can carry it -> item number."""
        return {whole(id_): number for id_, number in self.gallery.numbers.items()}

    def cells(self, id_: str) -> dict[str, str]:
        """Return the filled columns of a photograph by name."""
        if self.columns is None:
            return {}
        cells = self.columns.cells[self.rows[id_]]
        return {whole(n): whole(c) for n, c in zip(self.columns.names, cells, strict=True) if c}


def whole(text: str) -> str:
    """Return a text without halves of characters, which file names may hold and no answer can carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


Opener: TypeAlias = Callable[[], Collection]
"""Opens what is to be served, anew each time: names in the store may mean something else by now."""


def open_collection(store: Store, dataset: str, source: VectorSource, progress: Progress) -> Collection:
    """Return a dataset's gallery, searched exactly, as `open_gallery` has it, with its columns.

    Raises ClipbenchError where it cannot be opened.
    """
    gallery = open_gallery(store, dataset, source, progress)
    filters = ItemColumns(store, gallery.dataset)
    columns = load_columns(store, gallery.dataset.key)
    return Collection(gallery, exact_searcher(gallery), "exact", filters, columns)


def check_fit(collection: Collection, encoder: str) -> None:
    """Raise ClipbenchError where a collection would give wrong answers.

    encoder: key of the model whose queries it has to answer. Vectors have to be finite and of unit length, and
    photographs drawn from all over the gallery be found by their own vectors.
    """
    gallery = collection.gallery
    if gallery.encoder.key != encoder:
        raise ClipbenchError(
            f"{gallery.dataset.name} is embedded with another model than the one that runs",
            "start the service anew",
        )
    if not gallery.size:
        raise ClipbenchError(f"{gallery.dataset.name} has no photograph that can be found")
    lengths = np.linalg.norm(gallery.vectors, axis=1)
    if len(gallery.vectors) != gallery.size or not (np.abs(lengths - 1) < LENGTH_ERROR).all():
        raise StoreError(f"the vectors of {gallery.dataset.name} are damaged", "clipbench store verify")
    probes = np.unique(np.linspace(0, gallery.size - 1, PROBES).astype(int)).tolist()
    for number in probes:
        found = search(gallery, gallery.vectors[number], 1, searcher=collection.searcher).hits
        if not found or abs(found[0].score - 1) > SCORE_ERROR:
            raise StoreError(
                f"{collection.index} index of {gallery.dataset.name} does not find {gallery.samples[number].id}",
                "clipbench store verify",
            )
