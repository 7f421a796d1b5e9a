"""Which shards serve a set and which texts are in one: as by the plain definition, however many times they are named."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_toys import DROPOUT, ENCODER, item_keys, new_store, toy_dataset, unit_vectors

from clipbench.records import Perturbation
from clipbench.store import embeddings, in_use
from clipbench.store.columns import items_array
from clipbench.store.datasets import save_dataset
from clipbench.store.embeddings import Encoding, list_sets, save_set_elsewhere
from clipbench.store.encoders import save_encoder
from clipbench.store.in_use import named_groups
from clipbench.store.maintenance import gc
from clipbench.store.shard_index import keys_of
from clipbench.store.vectors import Pool

NOW = timedelta(0)

ITEMS = st.integers(0, 11).map(lambda n: bytes(8) + bytes([n]) * 8) | st.integers(0, 30).map(
    lambda n: bytes([n]) * 16
)
"""Keys of which many share their first half, and as many are equal."""

GROUPS = st.lists(st.lists(ITEMS, max_size=6), max_size=8)
ORDERS = st.lists(st.lists(ITEMS, max_size=12), max_size=6)


def by_definition(groups: list[list[bytes]], orders: list[list[bytes]]) -> list[bool]:
    """A group is named where it is the first of some item of an order."""
    first: dict[bytes, int] = {}
    for number, items in enumerate(groups):
        for item in items:
            first.setdefault(item, number)
    named = {first[item] for order in orders for item in order if item in first}
    return [number in named for number in range(len(groups))]


@pytest.mark.parametrize("full", [1, 2, 255])
@given(GROUPS, ORDERS)
@settings(max_examples=150, deadline=None)
def test_groups_are_named_as_by_definition(
    full: int, groups: list[list[bytes]], orders: list[list[bytes]]
) -> None:
    keys = keys_of(items_array([item for items in groups for item in items]))
    starts = np.cumsum([0, *(len(items) for items in groups)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_use, "FULL", full)  # a slot may hold more items than are counted
        named = named_groups(keys, starts, [b"".join(order) for order in orders])
    assert named.tolist() == by_definition(groups, orders)


def test_no_more_is_read_once_all_is_named() -> None:
    keys = keys_of(items_array(item_keys(4)))
    blocks = iter([b"".join(item_keys(1)), b"".join(item_keys(1, 2)), b"", b""])
    assert named_groups(keys, np.array([0, 2, 4]), blocks).tolist() == [True, True]
    assert len(list(blocks)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_gc_takes_the_shards_that_serve_no_set_and_the_texts_of_nothing(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "ORDER_BLOCK", 7)
    random = np.random.default_rng(seed)
    store, dataset = new_store(tmp_path / "store"), toy_dataset()
    save_dataset(store, dataset)
    save_encoder(store, ENCODER, None)
    pool = Pool(store, ENCODER.key, "text")
    groups, orders = [], []
    for number in range(12):
        chosen = random.choice(60, random.integers(1, 9), replace=False).tolist()
        groups.append([item_keys(1, item)[0] for item in chosen])
        pool.write(groups[-1], unit_vectors(len(chosen), number), [f"item {item}" for item in chosen])
    for number in range(3):  # with items that are in no shard
        orders.append([item_keys(1, item)[0] for item in random.choice(80, 20).tolist()])
        setting = Perturbation(DROPOUT.operation, "text", DROPOUT.level, number)
        save_set_elsewhere(
            store, Encoding(dataset.key, ENCODER.key, setting, "text", orders[-1]), f"{number:064x}"
        )
    kept = by_definition(groups, orders)
    expected = {pool.path(pool.shard_key(g)) for g, named in zip(groups, kept, strict=True) if not named}
    held = {item for g, named in zip(groups, kept, strict=True) if named for item in g}
    named = held | {item for order in orders for item in order}
    needless = {item for g in groups for item in g} - named
    told = gc(store, grace=NOW, dry_run=True).garbage
    shards = {store.home.embeddings / item.name for item in told if item.kind == "vector shard"}
    assert shards == expected
    texts = [item.name for item in told if item.kind == "texts"]
    assert texts == ([f"{len(needless)} texts of no vector"] if needless else [])
    gc(store, grace=NOW)
    assert gc(store, grace=NOW).garbage == ()
    assert len(list_sets(store)) == 3
