"""Batches: in which order an epoch shows its captions. Every caption comes once an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

Order: TypeAlias = Literal["shuffled", "grouped", "file"]
ORDERS: tuple[Order, ...] = get_args(Order)
"""shuffled: captions drawn freely. grouped: images shuffled, the captions of one together, so that they meet
in a batch. file: as they stand in the data, epoch after epoch."""

Positions: TypeAlias = npt.NDArray[np.int64]


def epoch_order(owners: Positions, order: Order, draws: np.random.Generator) -> Positions:
    """Return the caption positions of one epoch in the order they are shown; int64 (M,)."""
    if order == "file":
        return np.arange(len(owners))
    shuffled = draws.permutation(len(owners))
    if order == "shuffled":
        return shuffled
    place = draws.permutation(int(owners.max()) + 1)[owners]
    # Stable, so that the captions of an image keep the order in which they were shuffled.
    return shuffled[np.argsort(place[shuffled], kind="stable")]


def mined_order(owners: Positions, hardest: npt.NDArray[np.integer], draws: np.random.Generator) -> Positions:
    """Return an order in which every caption is followed by captions of its hardest negatives.

    hardest: for each caption the images that score highest for it and are not its own; int (M, k). A negative
    whose captions have all been shown is passed over. Raises ValueError for a negative that is the own image.
    """
    if (hardest == owners[:, None]).any():
        raise ValueError("a caption's own image is no negative of it")
    left: list[list[int]] = [[] for _ in range(int(owners.max()) + 1)]
    for caption in draws.permutation(len(owners)).tolist():
        left[owners[caption]].append(caption)
    shown = np.zeros(len(owners), dtype=np.bool_)
    order: list[int] = []

    def show(caption: int) -> None:
        shown[caption] = True
        order.append(caption)

    for caption in draws.permutation(len(owners)).tolist():
        if shown[caption]:
            continue
        show(caption)
        for image in hardest[caption].tolist():
            while left[image] and shown[left[image][-1]]:
                left[image].pop()
            if left[image]:
                show(left[image].pop())
    return np.array(order)


def cut(order: Positions, size: int) -> Sequence[Positions]:
    """Return the batches of an epoch; a last one of a single caption joins the one before.

    One caption alone has no negative, so its gradient would be none.
    """
    starts = list(range(0, len(order), size))
    if len(starts) > 1 and len(order) - starts[-1] == 1:
        starts.pop()
    return [order[a:b] for a, b in zip(starts, [*starts[1:], len(order)], strict=True)]
