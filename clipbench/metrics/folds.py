"""Folds: a gallery cut into consecutive parts that are ranked on their own and averaged.

COCO 1k is the mean over five folds of 1,000 images of the 5k test set (Karpathy & Fei-Fei 2015). A
fold's vectors are `images[fold.images]` and `texts[fold.captions]`; ranking them is the caller's part:

    for fold in folds(owners, images=5_000, size=1_000):
        both = rank(images[fold.images], texts[fold.captions], own(fold.owners, 1_000), fold.owners)
        rows.append(summary(both["t2i"]))
    spread(rows)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Fold:
    """One part: its run of images, its captions' positions int64 (m,), and their owners within the fold."""

    images: slice
    captions: npt.NDArray[np.int64]
    owners: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Spread:
    """A measure over folds. `sd` is the sample deviation (n - 1), None for a single fold."""

    mean: float
    sd: float | None
    folds: int


def fold_slices(images: int, size: int) -> tuple[slice, ...]:
    """Return consecutive runs of `size` images.

    >>> fold_slices(4, size=2)
    (slice(0, 2, None), slice(2, 4, None))

    Raises ValueError where `size` does not divide `images`: a rest would be left out in silence.
    """
    if size < 1 or images < 1 or images % size:
        raise ValueError(f"{images} images cannot be cut into folds of {size} without a rest")
    return tuple(slice(start, start + size) for start in range(0, images, size))


def folds(owners: npt.ArrayLike, images: int, size: int) -> tuple[Fold, ...]:
    """Cut images and their captions into folds of `size` images; captions keep their order.

    >>> [fold.captions.tolist() for fold in folds([0, 1, 1, 2, 3], images=4, size=2)]
    [[0, 1, 2], [3, 4]]

    Raises ValueError as `fold_slices` does, and for an owner that is no image.
    """
    owner = np.asarray(owners, dtype=np.int64)
    if len(owner) and (owner.min() < 0 or owner.max() >= images):
        raise ValueError(f"owners reach from {owner.min()} to {owner.max()}, but there are {images} images")
    cut = []
    for part in fold_slices(images, size):
        captions = np.flatnonzero((owner >= part.start) & (owner < part.stop))
        cut.append(Fold(part, captions, (owner[captions] - part.start).astype(np.int32)))
    return tuple(cut)


def spread(summaries: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Return mean and deviation over folds of every measure, given each fold's summary.

    >>> spread([{"hit@1": 0.25}, {"hit@1": 0.75}])["hit@1"].mean
    0.5

    Raises ValueError where there is no fold, or the folds have different measures.
    """
    if not summaries or any(set(s) != set(summaries[0]) for s in summaries):
        raise ValueError("folds need a summary each, all with the same measures")
    out = {}
    for name in summaries[0]:
        values = np.array([s[name] for s in summaries])
        sd = float(values.std(ddof=1)) if len(values) > 1 else None
        out[name] = Spread(float(values.mean()), sd, len(values))
    return out
