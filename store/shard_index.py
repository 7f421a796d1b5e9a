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

from clipbench.store import shards
from clipbench.store.columns import Items

Stamp: TypeAlias = tuple[int, int, int] | None
"""Size, time of the last change in ns, and inode of a file; None where it cannot be seen."""

KEPT_POOLS = 4
"""Indexes kept: captions and photographs of an encoder, and room for a second one. 24 bytes an item."""

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
class Index:
    """Where each item is.

    `high` is the sorted first half of every key, `low` the other half and `row` the number of that row.
    """

    shards: tuple[Shard, ...]
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    row: npt.NDArray[np.int64]

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """The number of each shard's first row, and of the row after the last."""
        return np.cumsum([0, *(shard.rows for shard in self.shards)], dtype=np.int64)

    def find(self, items: Items) -> npt.NDArray[np.int64]:
        """Return each item's row number, -1 where it is in no shard. Of several, the first finished."""
        high, low = _halves(items)
        order = np.argsort(high)  # in order, the searches below stay in cache
        at = np.empty(len(items), dtype=np.int64)
        at[order] = np.searchsorted(self.high, high[order])
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
    if not stamped:
        none = np.zeros(0, dtype=np.uint64)
        return Index((), none, none, np.zeros(0, dtype=np.int64))
    high, low = _halves(np.concatenate([_keys(shard.path, shard.rows, at) for shard, at in stamped]))
    # Stable, so that of equal keys the one of the shard finished first comes first.
    row = np.argsort(high, kind="stable")
    return Index(tuple(shard for shard, _ in stamped), high[row], low[row], row)


@lru_cache(maxsize=KEPT_SHARDS)
def _keys(path: Path, rows: int, _stamp: Stamp) -> Items:
    return shards.read_items(path, rows)


def _halves(items: Items) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    pairs = np.ascontiguousarray(items).view("<u8")
    return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)
