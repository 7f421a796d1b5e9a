"""What an index is to the rest of clipbench: a recipe, an answer, and three verbs.

An index holds item numbers 0..N-1, which are rows of the vectors it was built from; what they stand for is the
caller's business. Scores are cosines whatever a library computes inside: the candidates it names are scored
again from the vectors, so that a quantised or squared distance never leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.metrics.scores import pair_scores

Vectors: TypeAlias = npt.NDArray[np.float32]
Items: TypeAlias = npt.NDArray[np.int64]
Settings: TypeAlias = Mapping[str, int]

NOTHING = -1
"""Stands where an index names fewer items than asked for; it never stands before an item."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The first items of Q queries: items int64 (Q, K) and their cosines float32 (Q, K), best first.

    Where an index named fewer than K, the rest is `NOTHING` with the score -inf.
    """

    items: Items
    scores: Vectors

    @property
    def short(self) -> int:
        """How many queries got fewer items than asked for."""
        return int((self.items[:, -1] == NOTHING).sum()) if self.items.size else 0


@dataclass(frozen=True)
class IndexRecipe:
    """How an index is made. type: "exact", "hnsw", "ivf", "ivf-pq", "sq8", "milvus". build: its parameters.

    Parameters of the search are not in it: they are given with every search. place: address of the server that
    keeps it (milvus), None for a file; not part of what the index is. part_size: items of a part at most, None for
    as many as memory allows.
    """

    type: str
    build: Settings = field(default_factory=dict)
    place: str | None = None
    part_size: int | None = None


class Index(Protocol):
    """A gallery that can be searched."""

    @property
    def size(self) -> int:
        """How many items it holds."""

    @property
    def search_defaults(self) -> Settings:
        """The parameters that a search heeds, with their defaults; empty for an exact index."""

    def search(self, queries: Vectors, k: int, settings: Settings, among: Items | None = None) -> Answer:
        """Return the first k items of each query (unit vectors, float32 (Q, D)).

        settings: of the search; what is not said is at its default. among: only these items may be named,
        ascending. Raises ClipbenchError for an unknown setting or one out of range.
        """

    def save(self, path: Path) -> None:
        """Write the index to one file; the same index gives the same bytes."""


def checked(settings: Settings, defaults: Settings) -> dict[str, int]:
    """Return all settings, the given ones in place of the defaults.

    Raises ClipbenchError for one that is unknown or below 1.
    """
    unknown = sorted(set(settings) - set(defaults))
    if unknown:
        known = ", ".join(sorted(defaults)) or "none"
        raise ClipbenchError(f"this index has no parameter {unknown[0]!r}; there are: {known}")
    low = sorted(name for name, value in settings.items() if value < 1)
    if low:
        raise ClipbenchError(f"{low[0]} is 1 or more, got {settings[low[0]]}")
    return {**defaults, **settings}


def ordered(queries: Vectors, vectors: Vectors, candidates: Items, k: int) -> Answer:
    """Return the k candidates of highest cosine for each query, equal ones by item number.

    candidates: int64 (Q, C), `NOTHING` where there is none. vectors: (N, D), may be memory-mapped.
    """
    known = candidates != NOTHING
    query, place = np.nonzero(known)
    scores = np.full(candidates.shape, -np.inf, dtype=np.float32)
    # Pair by pair in float64, since a product's last bits depend on the block it was made in.
    scores[known] = pair_scores(queries, vectors, query, candidates[query, place])
    # Unknown ones sort last even among equals, since their number is larger than any item's.
    numbers = np.where(known, candidates, np.iinfo(np.int64).max)
    order = np.lexsort((numbers, -scores), axis=1)[:, :k]
    items = np.take_along_axis(candidates, order, axis=1)
    best = np.take_along_axis(scores, order, axis=1)
    if items.shape[1] < k:
        lacking = ((0, 0), (0, k - items.shape[1]))
        items = np.pad(items, lacking, constant_values=NOTHING)
        best = np.pad(best, lacking, constant_values=-np.inf)
    return Answer(items, best)
