"""A run's worst failures: the captions whose own image lies farthest below the image found first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipbench.errors import StoreError
from clipbench.metrics.measures import best_ranks
from clipbench.records import Caption, Sample
from clipbench.store.engine import Store
from clipbench.study.comparing.rankings import first_items
from clipbench.study.comparing.texts import queried_texts
from clipbench.study.runs.loaded import LoadedRun

FIRST = 10
"""How many of the images found for a caption are shown."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One image found for a caption, with its score. right: whether it is one of the caption's own."""

    sample: Sample
    score: float
    right: bool


@dataclass(frozen=True, slots=True)
class WorstFailure:
    """One caption. text: as the run encoded it, None where that is not known. margin: below zero.

    own, found: the caption's image and the image found first, with their cosine similarities. first: the
    images found first, best first; empty where the run's ranking is not at hand.
    """

    caption: Caption
    text: str | None
    own: Sample
    found: Sample
    rank: float
    own_score: float
    found_score: float
    first: tuple[Retrieved, ...]

    @property
    def margin(self) -> float:
        """Score of the own image less that of the one found first."""
        return self.own_score - self.found_score


def worst_failures(store: Store, loaded: LoadedRun, count: int) -> tuple[WorstFailure, ...]:
    """Return up to `count` captions with the lowest margin, one per image found; none where t2i was not run.

    The same image is often found for many captions of another one; the first of them speaks for all.
    """
    ledger = loaded.ledgers.get("t2i")
    if ledger is None:
        return ()
    samples, images = loaded.gallery.samples, loaded.gallery.images
    margin = ledger.positive_score.astype(np.float64) - ledger.negative_score
    rows: list[int] = []
    seen: set[tuple[int, int]] = set()
    for row in np.argsort(margin, kind="stable").tolist():
        if len(rows) == count or margin[row] >= 0:
            break
        pair = (int(ledger.cluster[row]), int(ledger.top1[row]))
        if pair not in seen and pair[1] < len(images):  # an added item has no picture
            seen.add(pair)
            rows.append(row)
    ranks, texts = best_ranks(ledger, loaded.ties), queried_texts(store, loaded)
    return tuple(
        WorstFailure(
            loaded.gallery.captions[row],
            texts[row],
            samples[int(ledger.cluster[row])],
            images[int(ledger.top1[row])],
            float(ranks[row]),
            float(ledger.positive_score[row]),
            float(ledger.negative_score[row]),
            first,
        )
        for row, first in zip(rows, first_images(store, loaded, rows), strict=True)
    )


def first_images(store: Store, loaded: LoadedRun, rows: Sequence[int]) -> tuple[tuple[Retrieved, ...], ...]:
    """Return the images found first for captions of a run, by row; none where they are neither stored nor in vectors.

    Raises CompareError where the run has no t2i.
    """
    ledger, images = loaded.ledger("t2i"), loaded.gallery.images
    try:
        listed = tuple(first_items(store, loaded, "t2i", FIRST)(rows))
    except StoreError:  # of folds, say, or of vectors that stayed where the run was made: one image is known
        return ((),) * len(rows)
    retrieved = []
    for row, first in zip(rows, listed, strict=True):
        right = set(ledger.positive[ledger.offsets[row] : ledger.offsets[row + 1]].tolist())
        known = [
            (place, score) for place, score in first if place < len(images)
        ]  # an added item has no picture
        retrieved.append(tuple(Retrieved(images[place], score, place in right) for place, score in known))
    return tuple(retrieved)
