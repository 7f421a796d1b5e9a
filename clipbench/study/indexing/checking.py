"""Does an index do what it says? Its bytes, its order, whether it finds its own items, whether it hears its parameter.

A graph whose file is whole may still be of no use: one that was never told its parameter, or that answers by brute
force, gives good figures that mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.indexes.protocol import Vectors
from clipbench.store.embeddings import load_vectors
from clipbench.store.engine import Store
from clipbench.store.indexes import IndexRecord, list_indexes, load_index
from clipbench.study.indexing.opening import OpenIndex, open_index

PROBES = 200
"""Items that an index is asked for by their own vectors."""

FOUND = 0.9
"""Share of them that it has to find first."""

FEW = 2_000
"""Items below which the narrowest search may well find everything."""

HEARING: Mapping[str, tuple[str, int]] = {
    "hnsw": ("ef", 200),
    "ivf": ("nprobe", 1_000_000),
    "milvus": ("ef", 200),
}
"""Types whose answers change with a parameter: which, and a high value of it."""


@dataclass(frozen=True)
class IndexCheck:
    """What was found out about one index. problem: what is wrong, None for nothing.

    found: share of its own items that it names first, None where it could not be asked. hears: whether its answers
    change with its parameter, None for a type without one or too few items to tell.
    """

    record: IndexRecord
    problem: str | None
    found: float | None = None
    hears: bool | None = None


def check_indexes(store: Store, word: str | None = None) -> tuple[IndexCheck, ...]:
    """Check one index, or all. Raises StoreError for a word that names none."""
    records: Sequence[IndexRecord] = list_indexes(store) if word is None else [load_index(store, word)]
    return tuple(check_index(store, record) for record in records)


def check_index(store: Store, record: IndexRecord) -> IndexCheck:
    """Check one index; whatever cannot be looked at is a problem."""
    try:
        opened = open_index(store, record)
        vectors = load_vectors(store, opened.vectors)
        found = _finds_its_own(opened, vectors)
        hears = hears_parameter(opened)
    except ClipbenchError as error:
        return IndexCheck(record, error.message)
    problem = None
    if found < FOUND:
        problem = f"it finds {found:.0%} of its own items first"
    elif hears is False:
        problem = f"it does not hear its parameter {HEARING[record.content.type][0]}"
    return IndexCheck(record, problem, found, hears)


def _finds_its_own(opened: OpenIndex, vectors: Vectors) -> float:
    """Return the share of probes for which the first item has the probe's own vector's score."""
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(PROBES, len(vectors))).astype(np.int64))
    answer = opened.search(vectors[rows], 1, {})
    # An equal photograph stored under another id is as good an answer.
    return float((answer.scores[:, 0] > 1 - 1e-5).mean())


def hears_parameter(opened: OpenIndex) -> bool | None:
    """Whether answers change with the search parameter, None where there is none or nothing to tell by."""
    hearing = HEARING.get(opened.record.content.type)
    if hearing is None:
        return None
    name, high = hearing
    queries = _far_queries(opened.record.dimension)
    k = min(10, opened.record.rows)
    low, rich = (opened.search(queries, k, {name: value}) for value in (1, high))
    if not (low.items != rich.items).any():
        # On few items the narrowest search finds everything too; then there is nothing to hear.
        return None if opened.record.rows < FEW else False
    return bool(_total(rich.scores) >= _total(low.scores))


def _total(scores: Vectors) -> float:
    return float(np.where(np.isfinite(scores), scores, 0).sum())


def _far_queries(dimension: int) -> Vectors:
    """Return random queries: far from everything, where an index that hears its parameter differs most."""
    drawn = np.random.default_rng(0).normal(size=(50, dimension))
    unit: Vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return unit
