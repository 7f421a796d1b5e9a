"""A named stream of random numbers, the same on every platform and Python version.

Only `random.Random(int).random()` is used, whose numbers Python promises to keep; `choice`, `shuffle`
and `randrange` have changed between versions. This module knows nothing of scenes.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Stream:
    """Random numbers named by `parts`; equal names give equal numbers, whatever else was drawn.

    >>> Stream("scene", 1, "test", 0).below(100) == Stream("scene", 1, "test", 0).below(100)
    True
    """

    def __init__(self, *parts: str | int) -> None:
        name = "\n".join(str(part) for part in ("clipbench", *parts))
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
        self._random = random.Random(seed)  # noqa: S311 - pictures, not secrets

    def unit(self) -> float:
        """Return the next number in [0, 1)."""
        return self._random.random()

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * self._random.random()

    def below(self, count: int) -> int:
        """Return a whole number in 0..count-1."""
        return int(self._random.random() * count)

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._random.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """Return one of `items`, all equally likely."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in a random order (Fisher and Yates)."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed
