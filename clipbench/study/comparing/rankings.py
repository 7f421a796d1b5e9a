"""The first items of every query of a stored run: for tools that count for themselves, and for people who look.

A ledger holds what every measure needs and no more. A plain run's first items are made again from its vectors,
as float64 products, equal scores by gallery order; a run whose method gives other scores has stored its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from clipbench.errors import StoreError
from clipbench.records import UNKNOWN, Direction
from clipbench.store.embeddings import load_vectors
from clipbench.store.engine import Store
from clipbench.store.shortlists import load_shortlists
from clipbench.study.methods import method_words
from clipbench.study.runs.loaded import LoadedRun, need_set

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
    ledger = loaded.ledger(direction)
    if loaded.run.spec.method:
        yield from _stored(store, loaded, direction, depth)
        return
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
    image_ids, caption_ids = [sample.id for sample in gallery.images], loaded.query_ids("t2i")
    asking = photos[: len(gallery.samples)]  # distractors ask for nothing
    queries, items = (words, photos) if direction == "t2i" else (asking, words)
    query_ids, item_ids = (caption_ids, image_ids) if direction == "t2i" else (image_ids, caption_ids)
    if ledger.gallery_size != len(items):
        raise StoreError(
            f"run {loaded.run.key} ranked {ledger.gallery_size:,} items, its dataset has {len(items):,}",
            "export an evaluation of the dataset itself",
        )
    for start in range(0, len(queries), BLOCK):
        scores = queries[start : start + BLOCK] @ items.T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        for row, (own, positions) in enumerate(zip(scores, order, strict=True)):
            number = start + row
            positives = ledger.positive[ledger.offsets[number] : ledger.offsets[number + 1]]
            yield Ranking(
                query_ids[number],
                tuple((item_ids[place], float(own[place])) for place in positions.tolist()),
                tuple(item_ids[place] for place in positives.tolist()),
            )


def _stored(store: Store, loaded: LoadedRun, direction: Direction, depth: int) -> Iterator[Ranking]:
    """Yield what a run with a method stored of its first items."""
    listed = load_shortlists(store, loaded.run.key).get(direction)
    if listed is None:
        raise StoreError(
            f"run {loaded.run.key} ranked by {method_words(loaded.run.spec.method)}, and its first items were not stored",
            "clipbench runs export RUN, which writes every query's rank",
        )
    ledger = loaded.ledger(direction)
    query_ids = loaded.query_ids(direction)
    item_ids = loaded.query_ids("i2t" if direction == "t2i" else "t2i")
    for number, (items, scores) in enumerate(zip(listed.items, listed.scores, strict=True)):
        positives = ledger.positive[ledger.offsets[number] : ledger.offsets[number + 1]]
        named = [
            (i, s)
            for i, s in zip(items[:depth].tolist(), scores[:depth].tolist(), strict=True)
            if i != UNKNOWN
        ]
        yield Ranking(
            query_ids[number],
            tuple((item_ids[item], score) for item, score in named),
            tuple(item_ids[item] for item in positives.tolist()),
        )
