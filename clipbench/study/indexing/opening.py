"""A stored index opened to search: its file checked before a library reads it, its numbers held against ids.

What a number means is an id of the dataset; the index's own row has a digest of them in order, so an index of another
order is refused and no wrong item is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from clipbench.errors import StoreError
from clipbench.indexes.backends import backend
from clipbench.indexes.parts import PartedIndex, spans
from clipbench.indexes.protocol import Answer, Index, Items, Settings, Vectors
from clipbench.records import Dataset
from clipbench.store.dataset_filters import item_ids_where
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, find_set, load_vectors
from clipbench.store.engine import Store
from clipbench.store.index_files import listed_parts
from clipbench.store.indexes import IndexRecord, checked_file, ids_of, order_digest
from clipbench.study.indexing.building import recipe_of


@dataclass(frozen=True)
class OpenIndex:
    """An index that answers. ids: of its items, by number: of images, or of captions.

    image_ids: the image that each item is or belongs to.
    """

    record: IndexRecord
    index: Index
    dataset: Dataset
    vectors: EmbeddingSet
    ids: tuple[str, ...]

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        """For each item the id of its image."""
        if self.record.modality == "image":
            return self.ids
        return tuple(self.dataset.samples[owner].id for owner in self.dataset.owners.tolist())

    def numbers(self, image_ids: Iterable[str]) -> Items:
        """Return the numbers of the items that are or belong to some images, ascending; int64."""
        wanted = set(image_ids)
        kept = [number for number, image in enumerate(self.image_ids) if image in wanted]
        return np.array(kept, dtype=np.int64)

    def numbers_where(self, store: Store, where: str) -> Items:
        """Return the numbers of the items whose image a condition on its columns holds for, ascending; int64."""
        return self.numbers(item_ids_where(store, self.dataset, where))

    def search(self, queries: Vectors, k: int, settings: Settings, among: Items | None = None) -> Answer:
        """Return the first k items of each query (unit vectors, float32 (Q, D)), as `Index.search`.

        Raises StoreError for vectors of another length.
        """
        if queries.ndim != 2 or queries.shape[1] != self.record.dimension:
            raise StoreError(
                f"index {self.record.name} holds vectors of {self.record.dimension} dimensions, "
                f"the queries have {queries.shape[-1]}",
                "search with the model that the index was built for: clipbench index show",
            )
        return self.index.search(queries, k, settings, among)


def open_index(store: Store, record: IndexRecord) -> OpenIndex:
    """Return an index ready to search.

    Raises StoreError where its file is not the one that was stored, its vectors or its order are not those it was
    built from, or another version of the library is installed.
    """
    content = record.content
    if content.key != record.key:
        raise StoreError(
            f"index {record.name} says of itself what is another index's: its key is {record.key}, of what it "
            f"says {content.key}",
            "clipbench store verify",
        )
    vectors = find_set(store, content.embedding_set)
    if vectors is None or vectors.checksum != content.vectors:
        raise StoreError(
            f"index {record.name} is of other vectors than the store has", "clipbench store verify"
        )
    library = backend(content.type)
    if library.version() != content.library:
        raise StoreError(
            f"index {record.name} was built by {content.library}, and {library.version()} is installed",
            "clipbench index build again makes one for this version",
        )
    dataset = load_dataset(store, record.dataset)
    ids = ids_of(dataset, vectors)
    if order_digest(ids) != record.order:
        raise StoreError(
            f"index {record.name} numbers its items in another order than its vectors stand in",
            "clipbench index delete, then build it again",
        )
    path = checked_file(store, record)
    return OpenIndex(record, _read(record, path, load_vectors(store, vectors)), dataset, vectors, ids)


def _read(record: IndexRecord, path: Path, matrix: Vectors) -> Index:
    library, recipe = backend(record.content.type), recipe_of(record)
    files = listed_parts(path, record.content.parts)
    if not files:
        return library.read(recipe, path, matrix)
    parts = zip(files, spans(len(matrix), len(files)), strict=True)
    return PartedIndex(tuple(library.read(recipe, part, matrix[span]) for (part, _, _), span in parts))
