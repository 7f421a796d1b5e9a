"""Ranks by any scorer: pooled, biased, gated and by whole rows, each against a full sort of its own scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ranks import assert_same, drawn_vectors, larger_problem, problems, unit

from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank, rank_scores
from clipbench.metrics.row_ranks import RowQueries, rank_rows
from clipbench.metrics.scorers import Biased, Pooled, Product, Scorer
from clipbench.prompts.pooling import Pooling, pool

POOLINGS = (Pooling("mean"), Pooling("max"), Pooling("logsumexp", 0.01), Pooling("softmax", 0.05))


def pooled(images, texts, pooling: Pooling, seed: int = 0, k: int = 3) -> Pooled:
    rng = np.random.default_rng(seed)
    others = [unit(texts + 0.3 * rng.standard_normal(texts.shape)) for _ in range(k - 1)]
    return Pooled(images, [texts, *others], lambda b: pool(b, pooling), pooling.slope(k), pooling.noise(k))


def biased(images, texts, seed: int = 0, *, gate: bool = False) -> Biased:
    rng = np.random.default_rng(seed)
    chosen = rng.random((1, len(texts))) < 0.5 if gate else None
    return Biased(Product(images, texts), rng.random(len(images)), np.zeros(len(texts)), chosen)


def whole(scorer: Scorer) -> np.ndarray:
    rows, columns = (n.ravel() for n in np.indices(scorer.shape))
    return scorer.pairs(rows, columns).reshape(scorer.shape)


def assert_sorted(scorer: Scorer, owners) -> None:
    """Everything a ledger holds, by comparing whole rows of exact scores."""
    images, _ = scorer.shape
    positives, table = own(owners, images), whole(scorer)
    ledgers = rank_scores(scorer, positives, owners, block=(3, 5), threads=2)
    for direction, ledger in ledgers.items():
        rows = table if direction == "i2t" else table.T
        for q in range(ledger.queries):
            pairs = slice(ledger.offsets[q], ledger.offsets[q + 1])
            mine = positives[direction].of(q)
            assert ledger.above[pairs].tolist() == [(rows[q] > rows[q, m]).sum() for m in mine]
            assert ledger.tied[pairs].tolist() == [(rows[q] == rows[q, m]).sum() for m in mine]
            assert ledger.top1[q] == rows[q].argmax()
        by_rows = rank_rows(
            RowQueries(direction, positives[direction], rows.shape[1], ledger.cluster),
            lambda part, r=rows: r[part],
        )
        assert_same({direction: by_rows}, {direction: ledger})


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from(POOLINGS))
def test_pooled_ranks_equal_a_full_sort_of_pooled_scores(problem, pooling: Pooling) -> None:
    images, texts, owners = problem
    assert_sorted(pooled(images, texts, pooling), owners)


@settings(max_examples=40, deadline=None)
@given(problems(), st.booleans())
def test_biased_ranks_equal_a_full_sort_of_biased_scores(problem, gate) -> None:
    images, texts, owners = problem
    assert_sorted(biased(images, texts, gate=gate), owners)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_by_whole_rows_the_product_has_the_ranks_it_has_by_blocks(problem) -> None:
    images, texts, owners = problem
    assert_sorted(Product(images, texts), owners)


@pytest.mark.parametrize("kind", ["random", "binary", "close", "constant"])
def test_pooled_ledgers_are_the_same_bits_for_any_block_and_thread_count(kind: str) -> None:
    images, texts, owners = larger_problem(kind)
    positives = own(owners, len(images))
    for pooling in POOLINGS:
        scorer = pooled(images, texts, pooling)
        one, *others = (
            rank_scores(scorer, positives, owners, block=block, threads=threads)
            for block, threads in (((256, 2048), 2), ((7, 11), 1), ((70, 300), 3))
        )
        for other in others:
            assert_same(one, other)


@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
def test_one_template_ranks_as_the_plain_product_does(pooling: Pooling) -> None:
    images, texts, owners = larger_problem("random")
    scorer = Pooled(images, [texts], lambda b: pool(b, pooling), pooling.slope(1), pooling.noise(1))
    positives = own(owners, len(images))
    pooled_, plain = rank_scores(scorer, positives, owners), rank(images, texts, positives, owners)
    for direction in plain:
        np.testing.assert_array_equal(pooled_[direction].above, plain[direction].above)


@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
@pytest.mark.parametrize("kind", ["random", "close"])
def test_blocks_stay_within_their_band_of_the_exact_scores(kind: str, pooling: Pooling) -> None:
    rng = np.random.default_rng(0)
    images, texts = drawn_vectors(kind, rng, 60, 40), drawn_vectors(kind, rng, 90, 40)
    for scorer in (
        pooled(images, texts, pooling, k=12),
        Biased(pooled(images, texts, pooling), np.ones(60), np.ones(90)),
    ):
        exact, out = whole(scorer), np.empty(scorer.shape, dtype=np.float32)
        with scorer.blocks() as blocks:
            blocks(slice(0, 60), slice(0, 90), out)
        assert np.abs(out - exact).max() <= scorer.band(np.float32)
        assert np.abs(scorer.closer(slice(0, 60), slice(0, 90)) - exact).max() <= scorer.band(np.float64)
        np.testing.assert_array_equal(scorer.table(slice(3, 9), slice(5, 8)), exact[3:9, 5:8])


def test_a_bias_of_nothing_changes_nothing() -> None:
    images, texts, owners = larger_problem("binary")
    scorer = Biased(Product(images, texts), np.zeros(len(images)), np.zeros(len(texts)))
    positives = own(owners, len(images))
    assert_same(rank_scores(scorer, positives, owners), rank(images, texts, positives, owners))


def queries(scores: np.ndarray) -> RowQueries:
    return RowQueries(
        "i2t", own(np.arange(len(scores)), len(scores))["i2t"], len(scores), np.arange(len(scores))
    )


def test_infinite_scores_are_scores() -> None:
    scores = np.array([[np.inf, 1.0], [np.inf, -np.inf]])
    ledger = rank_rows(queries(scores), lambda part: scores[part])
    assert ledger.above.tolist() == [0, 1]
    assert ledger.top1.tolist() == [0, 0]


def test_a_score_that_is_no_number_is_refused_with_its_place() -> None:
    scores = np.zeros((3, 3))
    scores[2, 1] = np.nan
    with pytest.raises(ValueError, match="query 2 with item 1"):
        rank_rows(queries(scores), lambda part: scores[part], block=2)
    with pytest.raises(ValueError, match="a block of scores is"):
        rank_rows(queries(scores), lambda part: scores[part, :2])
