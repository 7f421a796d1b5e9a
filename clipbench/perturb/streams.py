"""Random numbers that belong to an item: SplitMix64, keyed by operation, seed and item id.

The generator is written out here because its output is part of every published result: it must be the
same on every platform and Python version. It knows nothing about captions or images.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_MASK = 0xFFFFFFFFFFFFFFFF
_GAMMA = 0x9E3779B97F4A7C15
_UNIT = 2.0**-53


class Stream:
    """SplitMix64: a 64-bit counter through a mixing function; period 2^64, passes BigCrush.

    Source: Steele, Lea & Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014; the
    mixing constants are Stafford's variant 13, as in Vigna's published splitmix64.

    >>> Stream(1234567).next64()
    6457827717110365317
    """

    __slots__ = ("_state",)

    def __init__(self, state: int) -> None:
        self._state = state & _MASK

    def next64(self) -> int:
        """Return the next 64 bits as an integer."""
        self._state = z = (self._state + _GAMMA) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def uniform(self) -> float:
        """Return a number in [0, 1): the top 53 bits, so every value is exact."""
        return (self.next64() >> 11) * _UNIT

    def uniforms(self, count: int) -> list[float]:
        """Return `count` numbers in [0, 1), the same as that many calls of `uniform`, only faster."""
        state, drawn = self._state, []
        for _ in range(count):
            state = z = (state + _GAMMA) & _MASK
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
            drawn.append(((z ^ (z >> 31)) >> 11) * _UNIT)
        self._state = state
        return drawn

    def below(self, n: int) -> int:
        """Return an integer in 0..n-1: the high half of a 64 by 64 bit product (bias at most n/2^64).

        Raises ValueError where n is less than 1.
        """
        if n < 1:
            raise ValueError(f"there is no integer in 0..{n - 1}")
        return (self.next64() * n) >> 64

    def choice(self, items: Sequence[T]) -> T:
        """Return one item. Raises ValueError where there is none."""
        return items[self.below(len(items))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Shuffle in place, every order equally likely (Fisher-Yates from the end)."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """Return k different items in random order; a larger k only appends to a smaller one's.

        Raises ValueError where k exceeds the number of items.
        """
        if not 0 <= k <= len(items):
            raise ValueError(f"cannot draw {k} of {len(items)} items")
        pool = list(items)
        for first in range(k):
            other = first + self.below(len(pool) - first)
            pool[first], pool[other] = pool[other], pool[first]
        return pool[:k]

    def split(self) -> Stream:
        """Return a stream of its own, so that what it is used for leaves this one where it is."""
        return Stream(self.next64())


def item_seed(operation: str, seed: int, item_id: str) -> int:
    """Return the 64-bit BLAKE2b digest of the three, little-endian: an item's starting state."""
    name = f"{operation}\0{seed}\0{item_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little")


def stream(operation: str, seed: int, item_id: str) -> Stream:
    """Return the stream of one item under one operation and seed.

    It depends on nothing else: not on order, batch, subset, process, level or platform.
    """
    return Stream(item_seed(operation, seed, item_id))
