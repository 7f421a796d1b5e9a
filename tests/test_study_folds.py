"""Ledgers of folds joined and cut apart again are the ledgers of each fold ranked alone."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.metrics.folds import folds
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.records import Direction, Ledger
from clipbench.study.evaluation.folds import cut, joined

DIRECTIONS: tuple[Direction, ...] = ("t2i", "i2t")


def ranked_alone(
    owners: np.ndarray, images: int, size: int, seed: int, axes: int
) -> list[dict[Direction, Ledger]]:
    """The ledgers of every fold. Few `axes` make many ties."""
    draws = np.random.default_rng(seed)
    pictures = np.eye(axes, dtype=np.float32)[draws.integers(0, axes, images)]
    texts = np.eye(axes, dtype=np.float32)[draws.integers(0, axes, len(owners))]
    return [
        rank(pictures[fold.images], texts[fold.captions], own(fold.owners, size), fold.owners)
        for fold in folds(owners, images, size)
    ]


def same(one: Ledger, other: Ledger) -> bool:
    for field in fields(Ledger):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            if not np.array_equal(a, b) or a.dtype != b.dtype:
                return False
        elif a != b:
            return False
    return True


@given(
    st.integers(1, 5).flatmap(
        lambda number: st.integers(1, 6).flatmap(
            lambda size: st.tuples(
                st.just(size), st.lists(st.integers(1, 4), min_size=number * size, max_size=number * size)
            )
        )
    ),
    st.integers(0, 9),
    st.integers(2, 8),
)
@settings(max_examples=60, deadline=None)
def test_cutting_undoes_joining(cutting: tuple[int, list[int]], seed: int, axes: int) -> None:
    size, captions = cutting
    owners = np.repeat(np.arange(len(captions), dtype=np.int32), captions)
    parts = ranked_alone(owners, len(captions), size, seed, axes)
    for direction in DIRECTIONS:
        whole = joined([part[direction] for part in parts])
        assert whole.queries == (len(owners) if direction == "t2i" else len(captions))
        assert np.array_equal(whole.cluster, owners if direction == "t2i" else np.arange(len(captions)))
        again = cut(whole, size)
        assert len(again) == len(parts)
        assert all(same(one, part[direction]) for one, part in zip(again, parts, strict=True))


def test_positions_count_the_whole_dataset() -> None:
    owners = np.repeat(np.arange(4, dtype=np.int32), [1, 2, 3, 1])
    parts = ranked_alone(owners, 4, 2, seed=0, axes=3)
    t2i = joined([part["t2i"] for part in parts])
    assert t2i.positive.tolist() == owners.tolist()
    i2t = joined([part["i2t"] for part in parts])
    assert i2t.positive.tolist() == list(range(7))
    assert i2t.offsets.tolist() == [0, 1, 3, 6, 7]
    assert (t2i.gallery_size, i2t.gallery_size) == (2, 4), "the largest fold's"


def test_one_gallery_is_one_part() -> None:
    owners = np.arange(3, dtype=np.int32)
    (part,) = ranked_alone(owners, 3, 3, seed=1, axes=4)
    whole = joined([part["t2i"]])
    assert whole is part["t2i"]
    assert cut(whole, None) == (whole,)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_every_query_is_in_one_fold(size: int) -> None:
    owners = np.repeat(np.arange(6, dtype=np.int32), 2)
    whole = joined([part["t2i"] for part in ranked_alone(owners, 6, size, seed=2, axes=3)])
    parts = cut(whole, size)
    assert sum(part.queries for part in parts) == 12
    assert all(part.gallery_size == size for part in parts)
    assert all(part.cluster.min() == 0 and part.cluster.max() == size - 1 for part in parts)
