"""Vectors of queries that came before: people ask the same words again, and a page asks for more of the same."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

MOST = 4096
"""Vectors kept: 8 MB at 512 dimensions."""


@dataclass(frozen=True, eq=False, slots=True)
class QueryVector:
    """The unit vector of a text or picture, float32 (D,). truncated: whether the model read only its beginning."""

    vector: npt.NDArray[np.float32]
    truncated: bool = False


@dataclass
class QueryVectors:
    """The last `most` vectors by encoder key and what was asked. Used by one thread, that of the event loop."""

    most: int = MOST
    hits: int = 0
    misses: int = 0
    _kept: OrderedDict[tuple[str, str], QueryVector] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def find(self, encoder: str, asked: str) -> QueryVector | None:
        """Return the vector of what was asked, None where it is not kept."""
        found = self._kept.get((encoder, asked))
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end((encoder, asked))
        return found

    def keep(self, encoder: str, asked: str, vector: QueryVector) -> None:
        """Keep a vector, and let the one go that was not asked for the longest time."""
        self._kept[encoder, asked] = vector
        self._kept.move_to_end((encoder, asked))
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
