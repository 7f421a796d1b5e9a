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
from clipbench.store.dataset_columns import DatasetColumns
from clipbench.store.dataset_filters import ItemColumns
from clipbench.study.searching.gallery import Gallery
from clipbench.study.searching.search import Searcher, search

PROBES = 32
"""Photographs that an opened gallery has to find by their own vectors."""

MISSED = 0.25
"""Share of them that an index which looks at part of the gallery may miss."""

LENGTH_ERROR = 1e-3
SCORE_ERROR = 1e-3


@dataclass(frozen=True, eq=False)
class Collection:
    """A gallery that is served. index_key: of the stored index that searches it, "" for none.

    One is swapped for another in one step, and each request keeps the one it began with.
    """

    gallery: Gallery
    searcher: Searcher
    filters: ItemColumns
    columns: DatasetColumns | None
    index_key: str = ""
    loaded_at: str = field(default_factory=clock.stamp)

    @property
    def index(self) -> str:
        """How it is searched, in words."""
        return self.searcher.name or "exact search"

    @cached_property
    def key(self) -> str:
        """Digest of what decides its answers: photographs, their vectors' encoder, the index."""
        gallery = self.gallery
        known = self.columns
        columns = None if known is None else digest("columns", [known.names, known.cells])
        return digest(
            "collection", [gallery.dataset.key, gallery.encoder.key, self.index_key, gallery.size, columns]
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
    lost = [number for number in probes if not _finds(collection, number)]
    # An index that looks at some of it may miss one; what looks at all of it may not.
    if len(lost) > (0 if collection.searcher.exact else len(probes) * MISSED):
        raise StoreError(
            f"{collection.index} of {gallery.dataset.name} does not find {gallery.samples[lost[0]].id} by its own vector"
            f" ({len(lost)} of {len(probes)} are not found)",
            "clipbench store verify",
        )


def _finds(collection: Collection, number: int) -> bool:
    """Whether a photograph, or one with the same vector, is among the first by its own vector."""
    gallery = collection.gallery
    own = gallery.vectors[number]
    hits = search(gallery, own, 1, searcher=collection.searcher).hits
    # Its score alone would not tell an index of another order, which finds the right vector under a wrong name.
    return bool(hits) and float(gallery.vectors[gallery.numbers[hits[0].id]] @ own) > 1 - SCORE_ERROR
