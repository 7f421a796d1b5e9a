"""Whole rankings of a stored run, made again from its vectors: for tools that count for themselves.

A ledger holds what every measure needs and no more; who wants the first hundred items of each query has
to have the vectors. Scores are float64 products of the stored vectors; equal scores go by gallery order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from clipbench.errors import StoreError
from clipbench.records import Direction
from clipbench.store.embeddings import find_set, load_vectors
from clipbench.store.engine import Store
from clipbench.study.comparing.sides import Side

BLOCK = 256
"""Queries that are ranked at a time."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One query's first items, best first, and all that are right; ids as the dataset has them."""

    query: str
    items: tuple[tuple[str, float], ...]
    right: tuple[str, ...]


def rankings(store: Store, side: Side, direction: Direction, depth: int) -> Iterator[Ranked]:
    """Yield every query's first `depth` items, in the dataset's order.

    Raises StoreError for a run without this direction, over folds, or whose vectors are not in the store.
    """
    ledger = side.ledgers.get(direction)
    if ledger is None:
        raise StoreError(f"run {side.run.key} has no {direction}", "--direction names one that it has")
    if side.fold is not None:
        raise StoreError(
            f"run {side.run.key} ranked folds of {side.fold:,} images, so it has no one ranking",
            "clipbench evaluate without --fold",
        )
    images, texts = (find_set(store, key) for key in (side.run.spec.images, side.run.spec.texts))
    if images is None or texts is None:
        raise StoreError(f"an embedding set of run {side.run.key} is gone", "clipbench store verify")
    gallery = side.gallery
    photos = load_vectors(store, images)[gallery.image_rows].astype(np.float64)
    words = load_vectors(store, texts)[gallery.caption_rows].astype(np.float64)
    image_ids = [sample.id for sample in gallery.samples]
    caption_ids = [caption.id for caption in gallery.captions]
    queries, items = (words, photos) if direction == "t2i" else (photos, words)
    query_ids, item_ids = (caption_ids, image_ids) if direction == "t2i" else (image_ids, caption_ids)
    if ledger.gallery_size != len(items):
        raise StoreError(
            f"run {side.run.key} ranked {ledger.gallery_size:,} items, its dataset has {len(items):,}",
            "export an evaluation of the dataset itself",
        )
    for start in range(0, len(queries), BLOCK):
        scores = queries[start : start + BLOCK] @ items.T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        for row, (own, places) in enumerate(zip(scores, order, strict=True)):
            number = start + row
            positives = ledger.positive[ledger.offsets[number] : ledger.offsets[number + 1]]
            yield Ranked(
                query_ids[number],
                tuple((item_ids[place], float(own[place])) for place in places.tolist()),
                tuple(item_ids[place] for place in positives.tolist()),
            )
