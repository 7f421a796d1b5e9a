"""The queries that changed most from one run to another, with what each run found first.

Changed most is the largest change of the reciprocal rank of the best right item: from first to nowhere is
almost 1, from place 500 to place 1,000 almost nothing. Knows ids and texts; draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipbench.metrics.measures import best_ranks
from clipbench.records import Direction, Ledger
from clipbench.store.engine import Store
from clipbench.study.comparing.common import CommonQueries, common_queries
from clipbench.study.comparing.texts import queried_texts
from clipbench.study.runs.loaded import LoadedRun


@dataclass(frozen=True, slots=True)
class TopResult:
    """What one run made of one query.

    rank: of the best right item, expected where tied. top1: position of the item found first among the
    images (t2i) or captions (i2t) of the run's gallery, None for an item that is none of the dataset's, and
    its id and text (an image has none). right: whether that is a right one. text: the caption as this run encoded it, None for images and where it
    is not known. margin: score of the best right item less that of the best wrong one.
    """

    rank: float
    top1: int | None
    top1_id: str
    top1_text: str | None
    right: bool
    text: str | None
    margin: float


@dataclass(frozen=True, slots=True)
class ChangedQuery:
    """One query before (the baseline) and after. image: its own image's position in the first gallery.

    kind: "fixed", "broken", "up" or "down". caption: the query's clean text, None for an image.
    """

    direction: Direction
    kind: str
    query: str
    caption: str | None
    image: int
    image_id: str
    before: TopResult
    after: TopResult


def changed_most(
    store: Store, baseline: LoadedRun, other: LoadedRun, count: int, directions: Sequence[Direction] = ()
) -> tuple[ChangedQuery, ...]:
    """Return up to `count` queries of each direction, those that changed most first.

    Queries whose rank is the same in both are never among them; ties in the change go by the ranks'
    difference and then by the order of the dataset.
    """
    common = common_queries([baseline, other])
    texts = tuple(queried_texts(store, loaded) for loaded in (baseline, other))
    found: list[ChangedQuery] = []
    for one in common:
        if directions and one.direction not in directions:
            continue
        found += _direction(one, (baseline, other), texts, count)
    return tuple(found)


def _direction(
    common: CommonQueries,
    loaded_runs: tuple[LoadedRun, LoadedRun],
    texts: tuple[Sequence[str | None], ...],
    count: int,
) -> list[ChangedQuery]:
    ledgers = [loaded.ledgers[common.direction] for loaded in loaded_runs]
    ranks = [
        best_ranks(ledger, loaded.ties)[rows]
        for ledger, loaded, rows in zip(ledgers, loaded_runs, common.rows, strict=True)
    ]
    change = np.abs(1 / ranks[1] - 1 / ranks[0])
    order = np.lexsort((np.arange(len(change)), -np.abs(ranks[1] - ranks[0]), -change))
    chosen = [int(place) for place in order[:count] if ranks[0][place] != ranks[1][place]]
    return [
        _changed(common, place, loaded_runs, ledgers, texts, (float(ranks[0][place]), float(ranks[1][place])))
        for place in chosen
    ]


def _changed(
    common: CommonQueries,
    place: int,
    loaded_runs: tuple[LoadedRun, LoadedRun],
    ledgers: Sequence[Ledger],
    texts: tuple[Sequence[str | None], ...],
    ranks: tuple[float, float],
) -> ChangedQuery:
    results = [
        _top_result(loaded, ledger, int(rows[place]), rank, text)
        for loaded, ledger, rows, rank, text in zip(
            loaded_runs, ledgers, common.rows, ranks, texts, strict=True
        )
    ]
    gallery, row = loaded_runs[0].gallery, int(common.rows[0][place])
    image = int(ledgers[0].cluster[row])
    return ChangedQuery(
        common.direction,
        _kind(*results),
        common.ids[place],
        gallery.captions[row].text if common.direction == "t2i" else None,
        image,
        gallery.samples[image].id,
        *results,
    )


def _top_result(
    loaded: LoadedRun, ledger: Ledger, row: int, rank: float, texts: Sequence[str | None]
) -> TopResult:
    gallery, top1 = loaded.gallery, int(ledger.top1[row])
    positives = ledger.positive[ledger.offsets[row] : ledger.offsets[row + 1]]
    of_images = ledger.direction == "t2i"
    items = gallery.images if of_images else gallery.captions
    added = top1 >= len(items)  # a gallery under stress holds more than the dataset
    return TopResult(
        rank=rank,
        top1=None if added else top1,
        top1_id=f"added item {top1 - len(items)}" if added else items[top1].id,
        top1_text=None if added or of_images else texts[top1],
        right=bool((positives == top1).any()),
        text=texts[row] if of_images else None,
        margin=float(ledger.positive_score[row]) - float(ledger.negative_score[row]),
    )


def _kind(before: TopResult, after: TopResult) -> str:
    if before.right != after.right:
        return "fixed" if after.right else "broken"
    return "up" if after.rank < before.rank else "down"
