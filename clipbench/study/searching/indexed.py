"""Search through a stored index: its photographs, the model that it was built with, and how it is asked."""

from __future__ import annotations

from clipbench.errors import ClipbenchError
from clipbench.indexes.protocol import Settings, checked
from clipbench.records import Dataset
from clipbench.store.datasets import load_dataset
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store
from clipbench.store.indexes import IndexRecord, load_index
from clipbench.study.embedding.models import VectorSource
from clipbench.study.embedding.sources import open_source
from clipbench.study.indexing.opening import open_index
from clipbench.study.searching.choosing import embedding
from clipbench.study.searching.gallery import Gallery, gallery_of_set
from clipbench.study.searching.search import Searcher
from clipbench.study.searching.stored import StoredPlace

EXACT = "exact"
"""The type of index that looks at every item, so that where a score stands among all can be told."""


def index_source(
    store: Store, word: str, named: VectorSource | None = None, device: str = "auto"
) -> VectorSource:
    """Return the model that an index was built with.

    Raises StoreError where there is no such index, ClipbenchError where another model is named.
    """
    record = load_index(store, word)
    meant = embedding(store, record.encoder, device)
    if named is None:
        return open_source(store, meant.request)
    if named.identity.key != record.encoder:
        raise ClipbenchError(
            f"index {record.name} was built with {meant.identity.label}, not with {named.identity.label}",
            "leave --model out",
        )
    return named


def indexed_place(store: Store, word: str, source: VectorSource, settings: Settings) -> StoredPlace:
    """Return an index as a place to search. source: the model it was built with.

    Raises StoreError for an index that cannot be trusted, ClipbenchError for one of captions, or settings that it
    has not.
    """
    gallery, searcher = open_indexed(store, load_index(store, word), settings)
    return StoredPlace(gallery, source, searcher)


def open_indexed(store: Store, record: IndexRecord, settings: Settings) -> tuple[Gallery, Searcher]:
    """Return the photographs of an index, and the index as their searcher. Raises as `indexed_place` does."""
    if record.modality != "image":
        raise ClipbenchError(
            f"index {record.name} is of captions, and photographs are searched",
            f"clipbench index build {record.dataset_name} --model MODEL --side images",
        )
    opened = open_index(store, record)
    checked(settings, opened.index.search_defaults)
    identity = load_encoder(store, record.encoder)
    gallery = gallery_of_set(store, _dataset(store, record), identity, opened.vectors)
    name = f"index {record.name} ({record.content.type})"
    return gallery, Searcher(opened.index, settings, record.content.type == EXACT, name)


def _dataset(store: Store, record: IndexRecord) -> Dataset:
    """Return the dataset of an index under its name, whose photographs may have moved, else by its content."""
    named = load_dataset(store, record.dataset_name)
    return named if named.key == record.dataset else load_dataset(store, record.dataset)
