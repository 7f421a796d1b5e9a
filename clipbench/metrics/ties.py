"""Tie groups: where a query's positives stand, and what a tie policy makes of it.

Gallery items of equal score form a group. A query's positives stand in one or several groups; a group
with more items than positives leaves its order open, and the policy says how it is closed. Knows the
ledger, no measure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.records import TIES, UNKNOWN, Ledger, TiePolicy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

POLICIES = TIES


@dataclass(frozen=True)
class Groups:
    """The tie groups that hold positives, in query order and best first; G groups of Q queries.

    query   int64 (G,)   whose group it is
    above   int64 (G,)   gallery items above the group
    size    int64 (G,)   items in it, positives among them
    hits    int64 (G,)   positives in it
    before  int64 (G,)   positives of the query above the group
    first   int64 (Q,)   each query's best group
    total   int64 (Q,)   each query's positives
    gallery              items ranked
    """

    query: Integers
    above: Integers
    size: Integers
    hits: Integers
    before: Integers
    first: Integers
    total: Integers
    gallery: int

    def sum(self, values: Floats) -> Floats:
        """Add up values of groups (G,) to values of queries (Q,)."""
        return np.add.reduceat(values, self.first)


def groups(ledger: Ledger, policy: TiePolicy = "expected") -> Groups:
    """Return the tie groups of a ledger as `policy` leaves them.

    Under "optimistic" and "pessimistic" every positive has a rank of its own, a group of size 1.

    Raises ValueError for an unknown policy.
    """
    if policy not in POLICIES:
        raise ValueError(f"the tie policy is one of {', '.join(POLICIES)}, not {policy!r}")
    total = np.diff(ledger.offsets).astype(np.int64)
    query = np.repeat(np.arange(len(total)), total)
    # A positive deeper than a ledger of limited depth stands behind the whole gallery, where no cutoff finds it.
    unknown = ledger.above == UNKNOWN
    placed = np.where(unknown, ledger.gallery_size, ledger.above).astype(np.int64)
    order = np.lexsort((placed, query))
    above = placed[order]
    size, hits = (
        np.where(unknown, 1, v)[order].astype(np.int64) for v in (ledger.tied, ledger.tied_positives)
    )
    fresh = (np.diff(above, prepend=-1) != 0) | (np.diff(query, prepend=-1) != 0)
    if policy != "expected":
        starts = np.flatnonzero(fresh)
        within = np.arange(len(above)) - np.repeat(starts, np.diff(starts, append=len(above)))
        above += within if policy == "optimistic" else size - hits + within
        size, hits = np.ones_like(size), np.ones_like(hits)
        fresh = np.ones_like(fresh)
    query, above, size, hits = query[fresh], above[fresh], size[fresh], hits[fresh]
    first = np.flatnonzero(np.diff(query, prepend=-1))
    running = np.cumsum(hits) - hits
    return Groups(
        query, above, size, hits, running - running[first][query], first, total, ledger.gallery_size
    )


def tied_queries(ledger: Ledger) -> int:
    """Return how many queries have their best positive tied with an item that is none: their rank is open."""
    above = np.where(ledger.above == UNKNOWN, ledger.gallery_size, ledger.above)
    best = np.repeat(np.minimum.reduceat(above, ledger.offsets[:-1]), np.diff(ledger.offsets))
    open_pairs = (above == best) & (ledger.tied > ledger.tied_positives)
    return int(np.count_nonzero(np.logical_or.reduceat(open_pairs, ledger.offsets[:-1])))


def known_queries(ledger: Ledger) -> npt.NDArray[np.bool_]:
    """Return which queries have a positive of known rank, bool (Q,): all of them, but where depth is limited."""
    return np.logical_or.reduceat(ledger.above != UNKNOWN, ledger.offsets[:-1])


def knows_ranks(ledger: Ledger) -> bool:
    """Return whether the rank of every query's best positive is known; not so where depth hides one."""
    return bool(known_queries(ledger).all())
