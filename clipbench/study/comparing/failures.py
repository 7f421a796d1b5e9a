"""A run's worst failures: the captions whose own image lies farthest below the image found first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipbench.metrics.measures import best_ranks
from clipbench.records import Caption, Sample
from clipbench.store.engine import Store
from clipbench.study.comparing.texts import queried_texts
from clipbench.study.runs.loaded import LoadedRun


@dataclass(frozen=True, slots=True)
class WorstFailure:
    """One caption. text: as the run encoded it, None where that is not known. margin: below zero.

    own, found: the caption's image and the image found first, with their cosine similarities.
    """

    caption: Caption
    text: str | None
    own: Sample
    found: Sample
    rank: float
    own_score: float
    found_score: float

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
    margin = ledger.positive_score.astype(np.float64) - ledger.negative_score
    ranks, texts = best_ranks(ledger, loaded.ties), queried_texts(store, loaded)
    found: list[WorstFailure] = []
    seen: set[tuple[int, int]] = set()
    for row in np.argsort(margin, kind="stable").tolist():
        if len(found) == count or margin[row] >= 0:
            break
        own, first = int(ledger.cluster[row]), int(ledger.top1[row])
        if (own, first) in seen or first >= len(loaded.gallery.images):  # an added item has no picture
            continue
        seen.add((own, first))
        gallery = loaded.gallery
        found.append(
            WorstFailure(
                gallery.captions[row],
                texts[row],
                gallery.samples[own],
                gallery.images[first],
                float(ranks[row]),
                float(ledger.positive_score[row]),
                float(ledger.negative_score[row]),
            )
        )
    return tuple(found)
