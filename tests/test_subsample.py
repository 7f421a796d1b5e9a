"""Expected hits in smaller and larger galleries equal the mean over every gallery that could be drawn."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.metrics.measures import measure
from clipbench.metrics.positives import Positives, own
from clipbench.metrics.ranks import rank
from clipbench.metrics.subsample import added_pool, expected_hits, whole_pool
from clipbench.records import Ledger

Scores = np.ndarray


def ledger_of(scores: Scores, positives: list[list[int]]) -> Ledger:
    """The ledger of a score table (queries, gallery), counted in the plainest way."""
    above, tied, both = [], [], []
    for row, right in zip(scores, positives, strict=True):
        for one in right:
            above.append(int((row > row[one]).sum()))
            tied.append(int((row == row[one]).sum()))
            both.append(int((row[right] == row[one]).sum()))
    queries = len(scores)
    return Ledger(
        direction="t2i",
        gallery_size=scores.shape[1],
        offsets=np.cumsum([0, *map(len, positives)]).astype(np.int32),
        positive=np.concatenate(positives).astype(np.int32),
        above=np.array(above, np.int32),
        tied=np.array(tied, np.int32),
        tied_positives=np.array(both, np.int32),
        top1=scores.argmax(axis=1).astype(np.int32),
        positive_score=np.zeros(queries, np.float32),
        negative_score=np.zeros(queries, np.float32),
        cluster=np.arange(queries, dtype=np.int32),
    )


def hit_in(row: Scores, right: list[int], gallery: list[int], k: int) -> float:
    """hit@K in one gallery, over random orders of the ties: 1 - C(t - p, K - g) / C(t, K - g)."""
    best = max(row[one] for one in right)
    g = sum(row[item] > best for item in gallery)
    t = sum(row[item] == best for item in gallery)
    p = sum(row[item] == best for item in right)
    if k <= g:
        return 0.0
    return 1.0 if k >= g + t else 1 - math.comb(t - p, k - g) / math.comb(t, k - g)


def by_hand(row: Scores, right: list[int], fixed: list[int], pool: list[int], drawn: int, k: int) -> float:
    """The mean over every way to draw `drawn` items of the pool."""
    found = [hit_in(row, right, [*fixed, *chosen], k) for chosen in combinations(pool, drawn)]
    return sum(found) / len(found)


# Few distinct scores, so that ties of every kind occur.
tables = st.integers(4, 8).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 3), min_size=n, max_size=n), min_size=1, max_size=3)
)


@settings(max_examples=60, deadline=None)
@given(tables, st.integers(1, 3), st.integers(1, 4), st.data())
def test_a_smaller_gallery_is_the_mean_over_all_that_could_be_drawn(
    table: list[list[int]], positives: int, k: int, data: st.DataObject
) -> None:
    scores = np.array(table, dtype=float)
    size = scores.shape[1]
    right = [
        sorted(
            data.draw(st.lists(st.integers(0, size - 1), min_size=positives, max_size=positives, unique=True))
        )
        for _ in scores
    ]
    drawn = data.draw(st.integers(0, size - positives))
    found = expected_hits(whole_pool(ledger_of(scores, right)), drawn, k)
    for row, own_items, value in zip(scores, right, found, strict=True):
        others = [item for item in range(size) if item not in own_items]
        assert value == pytest.approx(by_hand(row, own_items, own_items, others, drawn, k), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(tables, st.integers(1, 4), st.data())
def test_added_items_are_drawn_from_what_was_added_alone(
    table: list[list[int]], k: int, data: st.DataObject
) -> None:
    scores = np.array(table, dtype=float)
    size = scores.shape[1]
    kept = data.draw(st.integers(1, size - 1))
    right = [[data.draw(st.integers(0, kept - 1))] for _ in scores]
    drawn = data.draw(st.integers(0, size - kept))
    pool = added_pool(ledger_of(scores[:, :kept], right), ledger_of(scores, right))
    found = expected_hits(pool, drawn, k)
    added = list(range(kept, size))
    for row, own_items, value in zip(scores, right, found, strict=True):
        expected = by_hand(row, own_items, list(range(kept)), added, drawn, k)
        assert value == pytest.approx(expected, abs=1e-12)


def vectors(count: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_the_whole_gallery_gives_the_plain_hit_rate_exactly() -> None:
    owners = np.repeat(np.arange(40), 3)
    ledgers = rank(vectors(40, 0), vectors(120, 1), own(owners, 40), owners)
    for ledger in ledgers.values():
        pool = whole_pool(ledger)
        for k in (1, 5, 10):
            assert expected_hits(pool, pool.pool, k).tolist() == measure(f"hit@{k}")(ledger).tolist()


def test_a_thousand_images_need_no_drawing() -> None:
    # Rank 100 of 1,000, galleries of 10: no one of 9 drawn may be among the 99 better of 999.
    scores = -np.arange(1000, dtype=float)[None]
    found = expected_hits(whole_pool(ledger_of(scores, [[99]])), 9, 1)
    assert found[0] == pytest.approx(math.comb(900, 9) / math.comb(999, 9), rel=1e-10)


def test_constant_scores_give_chance_at_every_size() -> None:
    ledger = ledger_of(np.zeros((2, 50)), [[0], [7]])
    for drawn in (0, 4, 19, 49):
        assert expected_hits(whole_pool(ledger), drawn, 5).tolist() == pytest.approx(
            [min(1.0, 5 / (drawn + 1))] * 2, abs=1e-12
        )


def test_more_than_there_is_cannot_be_drawn() -> None:
    ledger = ledger_of(np.zeros((1, 5)), [[0]])
    with pytest.raises(ValueError, match="cannot draw 5 items from 4"):
        expected_hits(whole_pool(ledger), 5, 1)


def test_a_gallery_that_lost_items_is_no_larger_one() -> None:
    small, large = ledger_of(np.zeros((1, 3)), [[0]]), ledger_of(np.zeros((1, 5)), [[0]])
    with pytest.raises(ValueError, match="lacks items"):
        added_pool(large, small)
    with pytest.raises(ValueError, match="not of the same queries"):
        added_pool(ledger_of(np.zeros((1, 3)), [[0, 1]]), large)


def test_positives_of_several_captions_keep_their_best() -> None:
    positives = {"i2t": Positives(np.array([0, 2]), np.array([0, 1]))}
    texts = np.eye(4, dtype=np.float32)
    image = np.array([[0.1, 0.8, 0.5, 0.3]], dtype=np.float32)
    image /= np.linalg.norm(image)
    ledger = rank(image, texts, positives, np.zeros(4, np.int32))["i2t"]
    pool = whole_pool(ledger)
    assert (pool.hits[0], pool.pool[0], pool.pool_above[0], pool.pool_tied[0]) == (1, 2, 0, 0)
