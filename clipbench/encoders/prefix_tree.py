"""Encodes texts that begin alike together: a causal tower's state of a token depends on its prefix alone.

Token sequences, sorted, form a tree in which every shared beginning stands once. The tree is packed into
sequences of some hundred nodes; a mask lets each node see its ancestors only, and positions go by depth, so
every node has the state it would have in its own text, to rounding. Whether that holds for a model is checked
on real texts when loading, as trimming is. Knows token ids and a tower, no strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipbench.encoders.batching import tell

if TYPE_CHECKING:
    import torch

from clipbench.encoders.text_trimming import CausalTower

Ids = npt.NDArray[np.int64]

NODES = 256
"""Nodes of a packed sequence: more would share more, but each node's attention looks at all of them."""


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


def features(tower: CausalTower, tokens: torch.Tensor, nodes: int = NODES) -> torch.Tensor:
    """Return what the tower's `features` gives for token ids (n, L), shared beginnings computed once."""
    import torch

    pooled = tower.pooled_positions(tokens)
    sequences = pack(tokens.cpu().numpy(), pooled.cpu().numpy() + 1, nodes)
    number_format = tower.blocks.get_cast_dtype()
    states = [torch.empty(0)] * len(tokens)
    for packed in sequences:
        ids, depths = (torch.from_numpy(part).to(tokens.device) for part in (packed.tokens, packed.depths))
        blocked = torch.zeros(len(ids), len(ids), dtype=tower.mask.dtype)
        blocked.masked_fill_(torch.from_numpy(~packed.mask()), float("-inf"))
        inputs = tower.embedding(ids[None]).to(number_format) + tower.positions[depths].to(number_format)
        outputs = tower.blocks(inputs, attn_mask=blocked.to(tokens.device))[0]
        for text, end in zip(packed.texts.tolist(), packed.ends.tolist(), strict=True):
            states[text] = outputs[end]
        tell(len(packed.texts))
    return tower.project(torch.stack(states))


def same_features(tower: CausalTower, tokens: torch.Tensor, tolerance: float) -> bool:
    """Return whether the tree gives the unit vectors that every text alone gives, to `tolerance`."""
    import torch
    from torch.nn.functional import normalize

    with torch.inference_mode():
        together = normalize(features(tower, tokens).float(), dim=-1)
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
