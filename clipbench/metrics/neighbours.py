"""How much of the exact first items a list names: recall of an approximate search, ties aside. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clipbench.records import UNKNOWN, Shortlist

TOLERANCE = 1e-6
"""How far below the exact k-th score an item may lie and count as tied with it: a rounding of float32 cosines."""

Floats = npt.NDArray[np.float64]


def neighbour_recall(listed: Shortlist, exact: Shortlist, k: int, tolerance: float = TOLERANCE) -> Floats:
    """Return for every query the share of the exact first k items that a list of true scores names, (Q,).

    An item counts where its score reaches the exact k-th one, less `tolerance`: which of several tied items are
    named is no error. Where the gallery holds fewer than k items all of them are the first k.

    Raises ValueError for lists of other queries or shorter than k and the gallery.

    >>> exact = Shortlist("t2i", np.array([[0, 1]], np.int32), np.array([[0.9, 0.5]], np.float32))
    >>> tied = Shortlist("t2i", np.array([[0, 7]], np.int32), np.array([[0.9, 0.5]], np.float32))
    >>> poor = Shortlist("t2i", np.array([[1, 3]], np.int32), np.array([[0.5, 0.4]], np.float32))
    >>> neighbour_recall(tied, exact, 2).tolist(), neighbour_recall(poor, exact, 2).tolist()
    ([1.0], [0.5])
    """
    if len(listed.items) != len(exact.items) or listed.direction != exact.direction:
        raise ValueError(
            f"lists of {len(listed.items)} and of {len(exact.items)} queries are not of the same"
        )
    if min(listed.depth, exact.depth) < k:
        raise ValueError(f"lists of {listed.depth} and {exact.depth} items do not tell the first {k}")
    there = (exact.items[:, :k] != UNKNOWN).sum(axis=1)
    last = exact.scores[np.arange(len(there)), np.maximum(there - 1, 0)]
    reached = (listed.items[:, :k] != UNKNOWN) & (listed.scores[:, :k] >= (last - tolerance)[:, None])
    shares: Floats = np.minimum(reached.sum(axis=1), there) / np.maximum(there, 1)
    return shares
