"""Counting and finding what is true in a wide mask, eight bytes at a time. Knows no scores.

A mask's bytes are 0 or 1, so eight of them can be added as one word of 64 bits as long as no byte's sum exceeds
255. That is ten times as fast as counting booleans. Where little is true, whole words are skipped in the same way.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.metrics.scores import Positions

Mask: TypeAlias = npt.NDArray[np.bool_]
Counts: TypeAlias = npt.NDArray[np.int32]

LANES = 1024
"""A mask that is counted is this wide or a multiple: 128 words of 8 bytes, of which no byte can overflow in a sum."""

TALL = 255
"""Rows whose columns are added in one go at most, for the same reason."""


def padded(width: int) -> int:
    """Return the width of a mask for so many columns."""
    return -(-width // LANES) * LANES


def blank(height: int, width: int) -> Mask:
    """Return a mask (height, padded(width)) of nothing true, as it must stay beyond `width`."""
    return np.zeros((height, padded(width)), dtype=np.bool_)


def count_rows(mask: Mask) -> Counts:
    """Return how much is true in each row of a mask."""
    words = mask.view(np.uint64).reshape(len(mask), -1, LANES // 8)
    lanes = np.add.reduce(words, axis=2)
    counts: Counts = np.add.reduce(lanes.view(np.uint8), axis=1, dtype=np.int32)
    return counts


def count_columns(mask: Mask) -> npt.NDArray[np.uint8]:
    """Return how much is true in each column of a mask of at most `TALL` rows.

    >>> mask = blank(200, 3)
    >>> mask[:, 1] = True
    >>> count_columns(mask)[:4].tolist(), count_rows(mask)[:2].tolist()
    ([0, 200, 0, 0], [1, 1])
    """
    counts: npt.NDArray[np.uint8] = np.add.reduce(mask.view(np.uint64), axis=0).view(np.uint8)
    return counts


def true_places(mask: Mask, most: int) -> Positions | None:
    """Return where a flat mask is true, in order; None where that is more than `most` times. Its length: a multiple of 8.

    >>> true_places(np.arange(32) % 10 == 9, 3).tolist()
    [9, 19, 29]
    """
    words = mask.view(np.uint64)
    hot = np.flatnonzero(words != 0)
    held = words.take(hot).view(np.bool_)
    if np.count_nonzero(held) > most:
        return None
    byte = np.flatnonzero(held)
    skipped = (hot - np.arange(len(hot))) << 3  # bytes of words that hold nothing, before each that does
    places: Positions = byte + skipped.take(byte >> 3)
    return places
