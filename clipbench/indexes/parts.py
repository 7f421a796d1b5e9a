"""An index in parts: each holds some of the items one after another, so that none takes more memory than one can.

Each part is an index of its own, built and written before the next one is begun. A search asks them all and merges
what they name by score, equal ones by item number, as the exact search orders them. A part is asked as deep as a whole
index would be, so at equal settings parts lose less and take longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.indexes.backends import backend
from clipbench.indexes.protocol import NOTHING, Answer, Index, IndexRecipe, Items, Settings, Vectors

HELD = 1 << 30
"""Bytes of memory that the building of a part may take where nobody says how large it is to be."""


def parts_of(recipe: IndexRecipe, items: int, dimension: int) -> int:
    """Return in how many parts a recipe makes an index of so many items.

    Raises ClipbenchError where the size of a part is asked for and the type knows none.
    """
    held = backend(recipe.type).held
    if held is None:
        if recipe.part_size is not None:
            raise ClipbenchError(
                f"an index of type {recipe.type} is not built in parts",
                "leave out --part-size",
            )
        return 1
    size = recipe.part_size or max(1, HELD // held(recipe, dimension))
    return max(1, -(-items // size))


def spans(items: int, parts: int) -> list[slice]:
    """Cut items into parts whose sizes differ by one at most.

    >>> spans(7, 3)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 7, None)]
    """
    return [slice(a, b) for a, b in pairwise(items * part // parts for part in range(parts + 1))]


@dataclass(frozen=True)
class PartedIndex:
    """Indexes of items one after another, searched as one."""

    parts: tuple[Index, ...]

    @property
    def size(self) -> int:
        """How many items all parts hold."""
        return sum(part.size for part in self.parts)

    @property
    def search_defaults(self) -> Settings:
        """The parameters that a search heeds, with their defaults."""
        return self.parts[0].search_defaults

    def search(self, queries: Vectors, k: int, settings: Settings, among: Items | None = None) -> Answer:
        """Return the first k items of each query, by score and then by number."""
        answers, start = [], 0
        for part in self.parts:
            own = None
            if among is not None:
                own = among[np.searchsorted(among, start) : np.searchsorted(among, start + part.size)] - start
            if own is None or len(own):
                answer = part.search(queries, k, settings, own)
                items = np.where(answer.items == NOTHING, NOTHING, answer.items + start)
                answers.append(Answer(items, answer.scores))
            start += part.size
        return merged(answers, len(queries), k)

    def save(self, path: Path) -> None:
        """Write nothing: each part is written by itself."""


def merged(answers: list[Answer], queries: int, k: int) -> Answer:
    """Return the first k of several answers to the same queries, equal scores by item number."""
    none = Answer(np.full((queries, k), NOTHING, np.int64), np.full((queries, k), -np.inf, np.float32))
    items, scores = (
        np.concatenate([getattr(one, name) for one in (*answers, none)], axis=1)
        for name in ("items", "scores")
    )
    numbers = np.where(items == NOTHING, np.iinfo(np.int64).max, items)
    order = np.lexsort((numbers, -scores), axis=1)[:, :k]
    return Answer(np.take_along_axis(items, order, axis=1), np.take_along_axis(scores, order, axis=1))
