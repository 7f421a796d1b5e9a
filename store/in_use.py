"""Which groups of items some embedding set names: shards that serve one, texts that are one.

A large store's sets name the same items many times over. So an item is looked up only where it may be of a group that
none has named yet, which a table of one byte for a slot of hashes tells at little more than the cost of reading it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from clipbench.store.columns import items_from
from clipbench.store.shard_index import Keys

FULL = 255
"""A count of the table that is this many or more, and is not counted down."""

_SLOTS = 8
"""Slots for an item, at least: so many times fewer items are looked up in vain."""


def named_groups(keys: Keys, starts: npt.NDArray[np.int64], orders: Iterable[bytes]) -> npt.NDArray[np.bool_]:
    """Return for each group whether one of its items is in any of the orders, shape (groups,).

    starts: the number of each group's first item, and of the item after the last, shape (groups + 1,). Of an item that
    several groups hold only the first is looked at. orders: item keys one after another, 16 bytes each; they are
    taken one at a time, and no more of them once every group is named.
    """
    named = np.zeros(len(starts) - 1, dtype=bool)
    waiting = _Waiting(keys)
    for order in orders:
        if named.all():
            break
        items = items_from(order)
        rows = keys.find(items[waiting.may_hold(items)])
        groups = np.unique(np.searchsorted(starts, rows[rows >= 0], side="right") - 1)
        new = groups[~named[groups]]
        named[new] = True
        waiting.leave_out(_rows(starts, new))
    return named


class _Waiting:
    """How many items of unnamed groups fall into each slot of their keys' first bits."""

    def __init__(self, keys: Keys) -> None:
        bits = max(1, int(_SLOTS * len(keys.high)).bit_length())
        self._shift = np.uint64(64 - bits)
        slots = (keys.high >> self._shift).astype(np.uint32 if bits < 32 else np.int64)
        # A key that was there before is never the one that is found; its slot is none.
        again = (keys.high[1:] == keys.high[:-1]) & (keys.low[1:] == keys.low[:-1])
        slots[1:][again] = 1 << bits
        self._slots = np.empty_like(slots)
        self._slots[keys.row] = slots
        slots.sort()
        begins = np.ones(len(slots), dtype=bool)
        begins[1:] = slots[1:] != slots[:-1]
        first = np.flatnonzero(begins)
        self._counts = np.zeros((1 << bits) + 1, dtype=np.uint8)
        self._counts[slots[first]] = np.minimum(np.diff(first, append=len(slots)), FULL)

    def may_hold(self, items: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Return which items may be of an unnamed group: all that are, and a few besides."""
        high = np.ascontiguousarray(items).view("<u8")[:, 0]
        return self._counts[(high >> self._shift).astype(np.int64)] > 0

    def leave_out(self, rows: npt.NDArray[np.int64]) -> None:
        """Take items out, each once."""
        slots = self._slots[rows]
        np.subtract.at(self._counts, slots[self._counts[slots] < FULL], 1)


def _rows(starts: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the numbers of the items of some groups."""
    sizes = starts[groups + 1] - starts[groups]
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts[groups] - before, sizes) + np.arange(int(sizes.sum()))
