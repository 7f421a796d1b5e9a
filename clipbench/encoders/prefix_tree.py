"""Encodes texts that begin alike together: a causal tower's state of a token depends on its prefix alone.

Token sequences, sorted, form a tree in which every shared beginning stands once. The tree is packed into
sequences of a thousand nodes, which go through the tower together; a mask lets each node see its ancestors only,
and positions go by depth, so every node has the state it would have in its own text, to rounding. Attention goes
by short windows: as a node's ancestors precede it, a window sees beside itself only what its first node descends
from. Whether that holds for a model is checked on real texts when loading, as trimming is. Knows token ids and a
tower, no strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipbench.encoders.batching import tell
from clipbench.encoders.causal_blocks import (
    Block,
    Layers,
    Sight,
    are_known,
    pooled_states,
    ready,
    torch_layers,
    ways,
)
from clipbench.encoders.specification import Precision

if TYPE_CHECKING:
    import torch

from clipbench.encoders.text_trimming import TOLERANCE, CausalTower

Ids = npt.NDArray[np.int64]

NODES = 1024
"""Nodes of a packed sequence: products of so many rows are fast, and what they make still fits a cache."""

WINDOW = 32
"""Nodes that attend together: more would look at more that they may not see, fewer make small products."""


@dataclass(frozen=True)
class Packed:
    """Part of the tree as one sequence.

    tokens, depths  int64 (n,)   the nodes' token ids and positions in their texts
    parents         int64 (n,)   the node before each in its text, -1 at a beginning
    texts, ends     int64 (m,)   which texts end here (their numbers), and at which node
    """

    tokens: Ids
    depths: Ids
    parents: Ids
    texts: Ids
    ends: Ids

    def mask(self) -> npt.NDArray[np.bool_]:
        """Return which nodes each node sees: its ancestors and itself; bool (n, n)."""
        count = len(self.tokens)
        sees = np.zeros((count, count), dtype=np.bool_)
        for node in range(count):
            if self.parents[node] >= 0:
                sees[node] = sees[self.parents[node]]
            sees[node, node] = True
        return sees


def pack(tokens: Ids, lengths: Ids, nodes: int = NODES) -> list[Packed]:
    """Return the tree of token rows (n, L) cut into sequences of about `nodes` nodes, every row in one of them.

    lengths: how many tokens of each row count. The order of the rows changes nothing but their numbers. A row
    that is longer than `nodes` has a sequence of its own.

    >>> two = pack(np.array([[1, 2, 3], [1, 2, 4]]), np.array([3, 3]))
    >>> two[0].tokens.tolist(), two[0].parents.tolist(), two[0].ends.tolist()
    ([1, 2, 3, 4], [-1, 0, 1, 1], [2, 3])
    """
    rows = [tokens[number, : lengths[number]].tolist() for number in range(len(tokens))]
    order = sorted(range(len(rows)), key=lambda number: (rows[number], number))
    sequences: list[Packed] = []
    growing = _Growing()
    for number in order:
        if growing.size and growing.size + growing.new_nodes(rows[number]) > nodes:
            sequences.append(growing.packed())
            growing = _Growing()
        growing.add(number, rows[number])
    if growing.size:
        sequences.append(growing.packed())
    return sequences


@dataclass(frozen=True)
class Windows:
    """A sequence cut into windows of equally many nodes, the last one filled up with nodes that see themselves alone.

    count, size  how many windows of how many nodes
    keys         int64 (count, k)          what each window sees: ancestors of its first node, then its own nodes
    sees         bool (count, size, k)     which of those each node sees
    """

    count: int
    size: int
    keys: Ids
    sees: npt.NDArray[np.bool_]

    @property
    def nodes(self) -> int:
        """All nodes, with those that fill the last window up."""
        return self.count * self.size

    def asked(self, ends: Ids) -> tuple[Ids, Ids]:
        """Return for each window which nodes of it are among `ends`, int64 (count, q), and where each end stands there.

        Where a window has fewer than others, its first node fills the row up. Places go by window × q + column.
        """
        window = ends // self.size
        most = int(np.bincount(window).max())
        order = np.argsort(window, kind="stable")
        column = np.arange(len(ends)) - np.searchsorted(window[order], window[order])
        asked = np.repeat(np.arange(self.count)[:, None] * self.size, most, axis=1)
        asked[window[order], column] = ends[order]
        places = np.empty(len(ends), dtype=np.int64)
        places[order] = window[order] * most + column
        return asked, places


def windows(packed: Packed, most: int = WINDOW) -> Windows:
    """Return a sequence cut into windows of at most `most` nodes.

    >>> cut = windows(pack(np.array([[1, 2, 3], [1, 2, 4]]), np.array([3, 3]))[0], 2)
    >>> cut.keys.tolist(), cut.sees[1].astype(int).tolist()
    ([[0, 0, 0, 1], [0, 1, 2, 3]], [[1, 1, 1, 0], [1, 1, 0, 1]])
    """
    nodes = len(packed.tokens)
    count = -(-nodes // most)
    size = -(-nodes // count)
    whole = np.eye(count * size, dtype=np.bool_)
    whole[:nodes, :nodes] = packed.mask()
    rows = np.arange(count * size).reshape(count, size)
    before = [np.flatnonzero(whole[row[0], : row[0]]) for row in rows]
    kept = max(map(len, before))
    keys = np.concatenate([np.zeros((count, kept), dtype=np.int64), rows], axis=1)
    filled = np.ones(keys.shape, dtype=np.bool_)
    for window, ancestors in enumerate(before):
        keys[window, : len(ancestors)] = ancestors
        filled[window, len(ancestors) : kept] = False
    sees = whole[rows[:, :, None], keys[:, None, :]] & filled[:, None, :]
    return Windows(count, size, keys, sees)


def features(
    tower: CausalTower, tokens: torch.Tensor, layers: Layers = torch_layers, nodes: int = NODES
) -> torch.Tensor:
    """Return what the tower's `features` gives for token ids (n, L), shared beginnings computed once.

    layers: how linear layers are computed.
    """
    import torch

    pooled = tower.pooled_positions(tokens)
    sequences = pack(tokens.cpu().numpy(), pooled.cpu().numpy() + 1, nodes)
    blocks = ready(tower.blocks, layers)
    number_format, width = tower.blocks.get_cast_dtype(), tower.positions.shape[1]
    states = torch.empty(len(tokens), width, dtype=number_format, device=tokens.device)
    for packed in sequences:
        states[torch.from_numpy(packed.texts)] = _ends(tower, blocks, packed, states)
        tell(len(packed.texts))
    return tower.project(states)


def _ends(tower: CausalTower, blocks: Sequence[Block], packed: Packed, like: torch.Tensor) -> torch.Tensor:
    """Return the states at a sequence's ends, (m, width), of the number format and device of `like`."""
    import torch

    cut = windows(packed)
    asked, places = cut.asked(packed.ends)
    filled = [np.pad(part, (0, cut.nodes - len(part))) for part in (packed.tokens, packed.depths)]
    ids, depths, keys, asking = (torch.from_numpy(x).to(like.device) for x in (*filled, cut.keys, asked))
    mask = torch.zeros(cut.sees.shape, dtype=like.dtype)
    mask = mask.masked_fill_(torch.from_numpy(~cut.sees), float("-inf")).to(like.device)
    first = torch.arange(cut.count, device=like.device)[:, None]
    within = Sight(keys, mask[:, None])
    pooled = Sight(keys, mask[first, asking - first * cut.size][:, None], asking.flatten())
    inputs = tower.embedding(ids).to(like.dtype) + tower.positions[depths].to(like.dtype)
    return pooled_states(blocks, inputs, within, pooled)[torch.from_numpy(places).to(like.device)]


def sharing(tower: CausalTower, tokens: torch.Tensor, precision: Precision) -> Layers | None:
    """Return how to compute linear layers so that the tree gives the unit vectors that every text alone gives.

    None where no way does, to rounding, on the token ids (n, L), or the tower's blocks are of another kind.
    """
    if not are_known(tower.blocks):
        return None
    some = ways(tower.blocks.get_cast_dtype(), tokens.device.type, tower.positions.shape[1])
    return next((layers for layers in some if _agrees(tower, tokens, layers, TOLERANCE[precision])), None)


def _agrees(tower: CausalTower, tokens: torch.Tensor, layers: Layers, tolerance: float) -> bool:
    import torch
    from torch.nn.functional import normalize

    with torch.inference_mode():
        try:
            together = normalize(features(tower, tokens, layers).float(), dim=-1)
        except RuntimeError:  # what has no public name may be called otherwise in another torch
            return False
        alone = normalize(torch.cat([tower.features(row[None]).float() for row in tokens]), dim=-1)
        return bool((together - alone).abs().max() <= tolerance)


class _Growing:
    """A sequence that rows are added to in sorted order, so that a row shares with the one before it alone."""

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._depths: list[int] = []
        self._parents: list[int] = []
        self._texts: list[int] = []
        self._ends: list[int] = []
        self._row: list[int] = []
        self._path: list[int] = []

    @property
    def size(self) -> int:
        """Nodes so far."""
        return len(self._tokens)

    def new_nodes(self, row: list[int]) -> int:
        """Return how many nodes a row would add."""
        return len(row) - self._shared(row)

    def add(self, number: int, row: list[int]) -> None:
        """Add a row, sharing what it has in common with the one before."""
        shared = self._shared(row)
        del self._path[shared:]
        for depth in range(shared, len(row)):
            self._parents.append(self._path[-1] if self._path else -1)
            self._path.append(len(self._tokens))
            self._tokens.append(row[depth])
            self._depths.append(depth)
        self._row = row
        self._texts.append(number)
        self._ends.append(self._path[-1])

    def packed(self) -> Packed:
        """Return what was added."""
        parts = (self._tokens, self._depths, self._parents, self._texts, self._ends)
        return Packed(*(np.array(part, dtype=np.int64) for part in parts))

    def _shared(self, row: list[int]) -> int:
        count = 0
        for mine, other in zip(row, self._row, strict=False):
            if mine != other:
                break
            count += 1
        return count
