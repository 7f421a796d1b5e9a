"""The first items of every query of a stored run: for tools that count for themselves, and for people who look.

A ledger holds what every measure needs and no more. A plain run's first items are made again from its vectors,
as float64 products, equal scores by gallery order; a run whose method gives other scores has stored its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from clipbench.errors import StoreError
from clipbench.records import UNKNOWN, Direction
from clipbench.store.embeddings import load_vectors
from clipbench.store.engine import Store
from clipbench.store.shortlists import load_shortlists
from clipbench.study.evaluation.methods import method_words
from clipbench.study.runs.loaded import LoadedRun, need_set

Shortlisted: TypeAlias = tuple[tuple[int, float], ...]
"""The first items of one query, best first: their positions in the gallery and their scores."""

FirstItems: TypeAlias = Callable[[Sequence[int]], Iterator[Shortlisted]]
"""The first items of queries, by their numbers."""

BLOCK = 256
"""Queries that are ranked at a time."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One query's first items, best first, and all that are right; ids as the dataset has them."""

    query: str
    items: tuple[tuple[str, float], ...]
    right: tuple[str, ...]


def rankings(store: Store, loaded: LoadedRun, direction: Direction, depth: int) -> Iterator[Ranking]:
    """Yield every query's first `depth` items, in the dataset's order.

    Raises CompareError for a run without this direction, StoreError for one over folds, or whose vectors (or stored
    first items) are not in the store.
    """
    ledger, first = loaded.ledger(direction), first_items(store, loaded, direction, depth)
    image_ids, caption_ids = [sample.id for sample in loaded.gallery.images], loaded.query_ids("t2i")
    item_ids = image_ids if direction == "t2i" else caption_ids
    query_ids = loaded.query_ids(direction)
    for start in range(0, len(query_ids), BLOCK):
        numbers = range(start, min(start + BLOCK, len(query_ids)))
        for number, found in zip(numbers, first(numbers), strict=True):
            positives = ledger.positive[ledger.offsets[number] : ledger.offsets[number + 1]]
            yield Ranking(
                query_ids[number],
                tuple((item_ids[place], score) for place, score in found),
                tuple(item_ids[place] for place in positives.tolist()),
            )


def first_items(store: Store, loaded: LoadedRun, direction: Direction, depth: int) -> FirstItems:
    """Return what gives the first `depth` items of queries, by position: as stored for a run with a method, else
    made again from vectors.

    Raises as `rankings`, before any query is asked.
    """
    if loaded.run.spec.method:
        return _stored(store, loaded, direction, depth)
    ledger = loaded.ledger(direction)
    if loaded.fold is not None:
        raise StoreError(
            f"run {loaded.run.key} ranked folds of {loaded.fold:,} images, so it has no one ranking",
            "clipbench evaluate without --fold",
        )
    images, texts = (
        need_set(store, loaded.run, key) for key in (loaded.run.spec.images, loaded.run.spec.texts)
    )
    gallery = loaded.gallery
    photos = load_vectors(store, images)[gallery.image_rows].astype(np.float64)
    words = load_vectors(store, texts)[gallery.caption_rows].astype(np.float64)
    asking = photos[: len(gallery.samples)]  # distractors ask for nothing
    queries, items = (words, photos) if direction == "t2i" else (asking, words)
    if ledger.gallery_size != len(items):
        raise StoreError(
            f"run {loaded.run.key} ranked {ledger.gallery_size:,} items, its dataset has {len(items):,}",
            "export an evaluation of the dataset itself",
        )

    def ranked(numbers: Sequence[int]) -> Iterator[Shortlisted]:
        scores = queries[np.asarray(numbers, dtype=np.int64)] @ items.T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        for own, places in zip(scores, order, strict=True):
            yield tuple((place, float(own[place])) for place in places.tolist())

    return ranked


def _stored(store: Store, loaded: LoadedRun, direction: Direction, depth: int) -> FirstItems:
    shortlist = load_shortlists(store, loaded.run.key).get(direction)
    if shortlist is None:
        raise StoreError(
            f"run {loaded.run.key} ranked by {method_words(loaded.run.spec.method)}, and its first items were not stored",
            "clipbench runs export RUN, which writes every query's rank",
        )

    def listed(numbers: Sequence[int]) -> Iterator[Shortlisted]:
        for number in numbers:
            items, scores = shortlist.items[number, :depth], shortlist.scores[number, :depth]
            pairs = zip(items.tolist(), scores.tolist(), strict=True)
            yield tuple((item, score) for item, score in pairs if item != UNKNOWN)

    return listed
