"""Where each item of a pool is: finished shards one after another, all their rows numbered through.

Reading keys and sorting them is kept from one call to the next in this process. A finished shard never
changes, but its file may be gone, damaged or rewritten by another process: so what is kept is kept by
what the disk says of the file now (size, time, inode), and a file that differs is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.keys import ITEM_BYTES
from clipbench.store import shards
from clipbench.store.columns import Items

Stamp: TypeAlias = tuple[int, int, int] | None
"""Size, time of the last change in ns, and inode of a file; None where it cannot be seen."""

KEPT_POOLS = 4
"""Indexes kept: captions and photographs of an encoder, and room for a second one. 24 to 32 bytes an item."""

KEPT_SHARDS = 2048
"""Shards whose keys are kept: at 16 bytes an item and 1,024 items, 32 MB."""


@dataclass(frozen=True)
class Shard:
    """A finished shard: its id (in order of finishing), key, file and size."""

    id: int
    key: str
    path: Path
    rows: int


@dataclass(frozen=True)
class Keys:
    """Item keys to be found: `high` is the sorted first half of every key, `low` the other half, `row` its number."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    row: npt.NDArray[np.int64]

    @cached_property
    def _buckets(self) -> tuple[np.uint64, npt.NDArray[np.int64]]:
        """How far to shift a key's first half for its bucket, and where each bucket begins: about a key in each."""
        bits = max(1, len(self.high).bit_length() - 1)
        shift = np.uint64(64 - bits)
        starts = np.searchsorted(self.high, np.arange(1 << bits, dtype=np.uint64) << shift)
        return shift, np.append(starts, len(self.high))

    def _first(self, high: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Return where each first half would be put in, as `np.searchsorted` does, at a third of its time."""
        shift, starts = self._buckets
        bucket = (high >> shift).astype(np.int64)
        low, end = starts[bucket], starts[bucket + 1]
        left = np.flatnonzero(low < end)
        while len(left):
            middle = (low[left] + end[left]) >> 1
            below = self.high[middle] < high[left]
            low[left[below]] = middle[below] + 1
            end[left[~below]] = middle[~below]
            left = left[low[left] < end[left]]
        return low

    def find(self, items: Items) -> npt.NDArray[np.int64]:
        """Return each item's number, -1 where it is none of the keys. Of several, the lowest."""
        high, low = _halves(items)
        at = self._first(high)
        found = np.full(len(items), -1, dtype=np.int64)
        left = np.arange(len(items))
        while True:
            # Keys that share their first half are next to one another, so the search steps on.
            left = left[at[left] < len(self.high)]
            left = left[self.high[at[left]] == high[left]]
            if not len(left):
                return found
            hit = self.low[at[left]] == low[left]
            found[left[hit]] = self.row[at[left[hit]]]
            left = left[~hit]
            at[left] += 1


@dataclass(frozen=True)
class Index(Keys):
    """Where each item is: keys are numbered shard after shard, so of an item in several the first finished counts."""

    shards: tuple[Shard, ...]

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """The number of each shard's first row, and of the row after the last."""
        return np.cumsum([0, *(shard.rows for shard in self.shards)], dtype=np.int64)


def keys_of(items: Items) -> Keys:
    """Return the keys of an array (n, 16), to be found."""
    high, low = _halves(items)
    # Stable, so that of equal keys the one with the lowest number comes first.
    row = np.argsort(high, kind="stable")
    return Keys(high[row], low[row], row)


def index_of(finished: Sequence[Shard]) -> Index:
    """Return where every item of these shards is. Raises StoreError where a file is gone or damaged."""
    return _index(tuple((shard, _stamp(shard.path)) for shard in finished))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:  # reading the file says what is wrong
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=KEPT_POOLS)
def _index(stamped: tuple[tuple[Shard, Stamp], ...]) -> Index:
    found = [
        np.zeros((0, ITEM_BYTES), dtype=np.uint8),
        *(_keys(shard.path, shard.rows, at) for shard, at in stamped),
    ]
    keys = keys_of(np.concatenate(found))
    return Index(keys.high, keys.low, keys.row, tuple(shard for shard, _ in stamped))


@lru_cache(maxsize=KEPT_SHARDS)
def _keys(path: Path, rows: int, _stamp: Stamp) -> Items:
    return shards.read_items(path, rows)


def _halves(items: Items) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    pairs = np.ascontiguousarray(items).view("<u8")
    return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)
