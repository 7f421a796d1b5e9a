"""Ledgers of limited depth and shortlists come back as they were saved, or are refused; texts are never wrong."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import (
    ENCODER,
    count,
    new_store,
    toy_dataset,
    toy_ledger,
    toy_metrics,
    toy_record,
    toy_run,
    toy_shortlist,
    unit_vectors,
)

from clipbench.errors import StoreError
from clipbench.records import UNKNOWN, Ledger, Shortlist, text_key
from clipbench.store.engine import Store, writing
from clipbench.store.item_texts import keep_texts, texts_of
from clipbench.store.ledgers import check_ledger
from clipbench.store.maintenance import gc, verify
from clipbench.store.runs import find_run, load_ledger, save_run
from clipbench.store.shortlists import check_shortlist, load_shortlists
from clipbench.store.vectors import Pool


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "store")


def shallow(depth: int = 1) -> Ledger:
    """The toy ledger as an index that returns `depth` items knows it."""
    ledger = toy_ledger("t2i")
    deep = ledger.above >= depth
    return replace(
        ledger,
        above=np.where(deep, UNKNOWN, ledger.above).astype(np.int32),
        tied=np.where(deep, 0, ledger.tied).astype(np.int32),
        tied_positives=np.where(deep, 0, ledger.tied_positives).astype(np.int32),
        positive_score=np.where(deep, -np.inf, ledger.positive_score).astype(np.float32),
        depth=depth,
    )


# -- What is stored ----------------------------------------------------------------------------------------


def test_a_run_with_a_method_comes_back_with_depth_and_shortlist(store: Store) -> None:
    plain = toy_run(store)
    spec = replace(plain, method={"name": "index", "cells": 4, "rate": 1e-5})
    shortlist = toy_shortlist("t2i")
    save_run(store, spec, toy_record(), {"t2i": shallow()}, toy_metrics(), {"t2i": shortlist})
    run = find_run(store, spec.key)
    assert run is not None
    assert run.spec == spec
    assert spec.key != plain.key
    found = load_ledger(store, spec.key, "t2i")
    assert (found.depth, found.above.tolist()) == (1, [0, -1, -1, 0, -1, -1])
    [(direction, back)] = load_shortlists(store, spec.key).items()
    assert direction == "t2i"
    assert np.array_equal(back.items, shortlist.items)
    assert np.array_equal(back.scores, shortlist.scores)
    assert (back.items.dtype, back.scores.dtype) == (np.int32, np.float32)
    assert verify(store).problems == ()


@given(st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1))
def test_methods_are_told_apart_by_every_digit(one: float, other: float) -> None:
    from clipbench.records import RunSpec

    keys = [RunSpec("evaluate", "d", "i", "t", {}, method={"rate": rate}).key for rate in (one, other)]
    assert (keys[0] == keys[1]) is (one == other)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(shallow(), depth=None),
        replace(shallow(), depth=0),
        replace(shallow(), tied=np.ones(6, np.int32)),
        replace(shallow(2), depth=1),
    ],
)
def test_a_ledger_that_knows_more_or_less_than_its_depth_is_refused(wrong: Ledger) -> None:
    check_ledger(shallow())
    with pytest.raises(ValueError, match="t2i ledger"):
        check_ledger(wrong)


@pytest.mark.parametrize(
    ("items", "scores"),
    [
        ([[0, 3]], [[0.5, 0.4]]),
        ([[0, 0]], [[0.5, 0.5]]),
        ([[0, 1]], [[0.4, 0.5]]),
        ([[-1, 1]], [[-np.inf, -np.inf]]),
        ([[1, -1]], [[0.5, 0.1]]),
        ([[1, 0]], [[0.5, np.nan]]),
        ([[1, 0], [1, 0]], [[0.5, 0.1], [0.5, 0.1]]),
        ([[]], [[]]),
    ],
)
def test_a_shortlist_that_cannot_be_is_refused(items: list[list[int]], scores: list[list[float]]) -> None:
    shortlist = Shortlist("t2i", np.array(items, np.int32), np.array(scores, np.float32))
    with pytest.raises(ValueError, match="shortlist"):
        check_shortlist(shortlist, 1, 3)
    check_shortlist(
        Shortlist("t2i", np.array([[2, -1]], np.int32), np.array([[0.1, -np.inf]], np.float32)), 1, 3
    )


def test_a_shortlist_without_its_ledger_is_refused(store: Store) -> None:
    spec = replace(toy_run(store), method={"name": "other"})
    with pytest.raises(ValueError, match="without its ledger"):
        save_run(store, spec, toy_record(), {"t2i": shallow()}, (), {"i2t": toy_shortlist("i2t")})
    assert find_run(store, spec.key) is None
    with pytest.raises(StoreError, match="not in the store"):
        load_shortlists(store, spec.key)


# -- Texts ---------------------------------------------------------------------------------------------------

TEXT = "half a pair \ud83d and\x00 a zero"


def test_texts_of_a_shard_are_kept_with_it_whatever_their_characters(store: Store) -> None:
    toy_run(store)
    pool = Pool(store, ENCODER.key, "text")
    pool.write([text_key(TEXT), text_key("b")], unit_vectors(2), [TEXT, "b"])
    assert texts_of(store, [text_key("b"), b"?" * 16, text_key(TEXT)]) == {
        text_key("b"): "b",
        text_key(TEXT): TEXT,
    }
    assert verify(store).problems == ()


def test_a_text_is_kept_under_its_own_key_only(store: Store) -> None:
    with pytest.raises(ValueError, match="does not have the item key"), writing(store) as connection:
        keep_texts(connection, {text_key("a"): "b"})
    assert count(store, "item_text") == 0
    with writing(store) as connection:
        connection.exec_driver_sql("INSERT INTO item_text VALUES (?, 'forged')", (text_key("true"),))
    [problem] = verify(store).problems
    assert "forged" in problem


def test_captions_are_known_where_nothing_was_kept(store: Store) -> None:
    toy_run(store)
    captions = [caption.text for caption in toy_dataset().captions]
    before = count(store, "item_text")
    keys = [text_key(text) for text in captions]
    assert list(texts_of(store, keys).values()) == captions
    assert count(store, "item_text") == before + len(captions)
    assert list(texts_of(store, keys).values()) == captions


def test_gc_takes_the_texts_that_nothing_uses(store: Store) -> None:
    toy_run(store)
    kept = count(store, "item_text")
    with writing(store) as connection:
        keep_texts(connection, {text_key("nothing's"): "nothing's"})
    assert [item.kind for item in gc(store, dry_run=True).garbage] == ["texts"]
    assert count(store, "item_text") == kept + 1
    gc(store)
    assert count(store, "item_text") == kept
    assert gc(store).garbage == ()
