"""Drawing failures: by a hash of seed and query, so that one near-tie cannot shift the rest.

An item's place depends on its own id alone: an item that joins or leaves the population moves at most
one other in or out. Position in a list decides nothing, except in `legacy_positions`, which repeats how
the source study drew. Knows ids, strata and counts; knows no pictures, ranks or files.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Literal, TypeAlias

Allocation: TypeAlias = Literal["equal", "proportional"]

LEGACY_SEED = 42
RANK_EDGES = (2, 6, 11, 101)
"""First ranks of the buckets 2-5, 6-10, 11-100 and 101 on."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One part of the population: how many failures it holds, and how many of them were drawn."""

    name: str
    population: int
    drawn: int

    @property
    def weight(self) -> float:
        """How many failures of the population each drawn one stands for."""
        return self.population / self.drawn if self.drawn else 0.0


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn: ids in hash order, the stratum of each, and the strata."""

    ids: tuple[str, ...]
    stratum: tuple[str, ...]
    strata: tuple[Stratum, ...]


def place(seed: int, id_: str) -> bytes:
    """Return where an id stands among all others under a seed: its 16-byte hash, to sort by."""
    text = f"clipbench failure\n{seed}\n{id_}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def in_hash_order(ids: Sequence[str], seed: int) -> list[str]:
    """Return the ids in the order of their hashes. Raises ValueError where one comes twice."""
    if len(set(ids)) != len(ids):
        raise ValueError(f"{len(ids)} ids, but only {len(set(ids))} different ones")
    return sorted(ids, key=lambda id_: place(seed, id_))


def draw(strata_of: Mapping[str, str], n: int, seed: int, allocation: Allocation = "equal") -> Draw:
    """Draw n of the ids that `strata_of` maps to their strata; all of them where there are fewer.

    The first of each stratum in hash order are taken, and the drawn ones are given in hash order, strata
    mixed, so that every beginning of the list is a random sample of it.
    """
    members: dict[str, list[str]] = {}
    for id_ in in_hash_order(list(strata_of), seed):
        members.setdefault(strata_of[id_], []).append(id_)
    names = sorted(members)
    sizes = {name: len(members[name]) for name in names}
    shares = allocate(sizes, n, allocation)
    chosen = {id_ for name in names for id_ in members[name][: shares[name]]}
    ids = in_hash_order(sorted(chosen), seed)
    strata = tuple(Stratum(name, sizes[name], shares[name]) for name in names)
    return Draw(tuple(ids), tuple(strata_of[id_] for id_ in ids), strata)


def allocate(sizes: Mapping[str, int], n: int, allocation: Allocation) -> dict[str, int]:
    """Return how many to draw from each stratum: n in all, or everything where n is larger.

    equal: the same from each, what a small stratum cannot give going to the others. proportional: by
    size, rounded by largest remainder. Left-over places go to strata in the order of their names.

    >>> allocate({"a": 2, "b": 50, "c": 50}, 20, "equal")
    {'a': 2, 'b': 9, 'c': 9}
    >>> allocate({"a": 10, "b": 30}, 20, "proportional")
    {'a': 5, 'b': 15}
    """
    total = sum(sizes.values())
    left = min(n, total)
    if allocation == "proportional":
        return _proportional(sizes, left, total)
    shares = dict.fromkeys(sizes, 0)
    while left:
        open_ = [name for name in sizes if shares[name] < sizes[name]]
        step = max(1, left // len(open_))
        for name in open_:
            more = min(step, sizes[name] - shares[name], left)
            shares[name] += more
            left -= more
    return shares


def _proportional(sizes: Mapping[str, int], n: int, total: int) -> dict[str, int]:
    shares = {name: n * size // total for name, size in sizes.items()} if total else dict.fromkeys(sizes, 0)
    rest = n - sum(shares.values())
    by_remainder = sorted(sizes, key=lambda name: (-(n * sizes[name] % total), name)) if total else []
    for name in by_remainder[:rest]:
        shares[name] += 1
    return shares


def rank_bucket(rank: float) -> str:
    """Return the bucket of a rank, from 1; a tied rank may be a fraction.

    >>> [rank_bucket(r) for r in (2, 5.5, 6, 100, 101)]
    ['rank 002-005', 'rank 002-005', 'rank 006-010', 'rank 011-100', 'rank 101+']
    """
    if rank < RANK_EDGES[0]:
        return "rank 001"
    for low, high in pairwise(RANK_EDGES):
        if rank < high:
            return f"rank {low:03d}-{high - 1:03d}"
    return f"rank {RANK_EDGES[-1]}+"


def margin_edges(margins: Sequence[float], parts: int = 4) -> tuple[float, ...]:
    """Return the inner edges of `parts` equally full margin buckets, rounded to 4 decimals.

    Rounded, so that one margin more or less hardly ever moves an edge across a margin.
    """
    ranked = sorted(margins)
    edges = [ranked[len(ranked) * part // parts] for part in range(1, parts)] if ranked else []
    return tuple(sorted({round(edge, 4) for edge in edges}))


def margin_bucket(margin: float, edges: Sequence[float]) -> str:
    """Return the bucket of a margin by its inner edges, 1 the narrowest failures' last.

    >>> margin_bucket(-0.02, (-0.05, -0.01))
    'margin 2: -0.05 to -0.01'
    """
    number = sum(margin >= edge for edge in edges)
    low = f"{edges[number - 1]:g}" if number else ""
    high = f"{edges[number]:g}" if number < len(edges) else ""
    words = (
        f"{low} to {high}" if low and high else f"below {high}" if high else f"from {low}" if low else "all"
    )
    return f"margin {number + 1}: {words}"


def legacy_positions(count: int, n: int, seed: int = LEGACY_SEED) -> tuple[int, ...]:
    """Return the positions that the source study drew from the ascending list of `count` failures.

    It is `random.Random(seed).sample(range(count), n)`: fragile, since one failure more shifts every later
    pick; only for repeating a published draw. Raises ValueError where there are fewer than n.
    """
    if n > count:
        raise ValueError(f"{n} positions were asked for, and there are {count}")
    return tuple(random.Random(seed).sample(range(count), n))  # noqa: S311, a published draw, no secret


def matched(
    wanted: Sequence[tuple[str, int]], offered: Sequence[tuple[str, int]], seed: int
) -> tuple[str, ...]:
    """Return one of `offered` for each of `wanted`, all different: the nearest in size, then in hash order.

    Both are (id, size) pairs, the size being the length of a caption in words, say. Where `offered` runs
    out, the result is shorter.
    """
    queues: dict[int, list[str]] = {}
    sizes = dict(offered)
    for id_ in reversed(in_hash_order([id_ for id_, _ in offered], seed)):
        queues.setdefault(sizes[id_], []).append(id_)
    chosen: list[str] = []
    for _, size in wanted:
        open_ = [found for found, queue in queues.items() if queue]
        if not open_:
            break
        nearest = min(open_, key=lambda found: (abs(found - size), found))
        chosen.append(queues[nearest].pop())
    return tuple(chosen)
