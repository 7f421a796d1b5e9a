"""Ledgers of consecutive galleries (COCO-1k folds), joined into one and cut apart again. Pure.

A joined ledger counts images and captions over the whole dataset; each query was ranked in its own fold
only. Every item of a gallery is a positive of some query, so a fold's gallery is where its positives lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clipbench.records import Ledger


def joined(parts: Sequence[Ledger]) -> Ledger:
    """Return one ledger of all parts in order; `gallery_size` is the largest part's."""
    if len(parts) == 1:
        return parts[0]
    shifted = []
    items = images = pairs = 0
    for part in parts:
        shifted.append(
            replace(
                part,
                offsets=part.offsets[1:] + np.int32(pairs),
                positive=part.positive + np.int32(items),
                top1=part.top1 + np.int32(items),
                cluster=part.cluster + np.int32(images),
            )
        )
        items += part.gallery_size
        images += int(part.cluster.max()) + 1
        pairs += len(part.positive)
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in shifted])
        for name in (
            "positive", "above", "tied", "tied_positives", "top1", "positive_score", "negative_score", "cluster",
        )
    }  # fmt: skip
    offsets = np.concatenate([np.zeros(1, np.int32), *(part.offsets for part in shifted)])
    largest = max(part.gallery_size for part in parts)
    return Ledger(direction=parts[0].direction, gallery_size=largest, offsets=offsets, **arrays)


def cut(ledger: Ledger, size: int | None) -> tuple[Ledger, ...]:
    """Return the ledgers of folds of `size` images that `joined` was given; the whole one where None."""
    if size is None:
        return (ledger,)
    fold = ledger.cluster // size
    return tuple(_part(ledger, np.flatnonzero(fold == number)) for number in range(int(fold.max()) + 1))


def _part(ledger: Ledger, queries: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Ledger:
    first, last = int(queries[0]), int(queries[-1]) + 1
    pairs = slice(int(ledger.offsets[first]), int(ledger.offsets[last]))
    positive = ledger.positive[pairs]
    start = int(positive.min())
    return Ledger(
        direction=ledger.direction,
        gallery_size=int(positive.max()) + 1 - start,
        offsets=ledger.offsets[first : last + 1] - ledger.offsets[first],
        positive=positive - np.int32(start),
        above=ledger.above[pairs],
        tied=ledger.tied[pairs],
        tied_positives=ledger.tied_positives[pairs],
        top1=ledger.top1[first:last] - np.int32(start),
        positive_score=ledger.positive_score[first:last],
        negative_score=ledger.negative_score[first:last],
        cluster=ledger.cluster[first:last] - ledger.cluster[first:last].min(),
    )
