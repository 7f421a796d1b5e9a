"""Re-ranking from scores: hubs, expansion, depth, reciprocal neighbours, fusion; each against a plain oracle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.rerank.depth import within_depth
from clipbench.rerank.expansion import augmented_gallery, expanded_queries, first_of, nearest
from clipbench.rerank.fusion import like_strength, linear, mean_ranks, reciprocal_ranks, z_scores
from clipbench.rerank.hubness import (
    Biased,
    csls_bias,
    dual_softmax_bias,
    first_items,
    hub_gate,
    softmax_bias,
)
from clipbench.rerank.reciprocal import Reciprocal


def unit(seed: int, rows: int, width: int = 12) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def order(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores, axis=1, kind="stable")


def test_csls_ranks_as_its_definition() -> None:
    queries, gallery, bank = unit(0, 30), unit(1, 40), unit(2, 25)
    plain = queries.astype(float) @ gallery.T.astype(float)
    around_item = np.sort(gallery.astype(float) @ bank.T.astype(float), axis=1)[:, -5:].mean(axis=1)
    around_query = np.sort(plain, axis=1)[:, -5:].mean(axis=1)
    published = 2 * plain - around_query[:, None] - around_item[None, :]
    biased = Biased(csls_bias(gallery, bank, 5)).apply(queries @ gallery.T, slice(0, 30))
    assert (order(biased) == order(published)).all()


def test_inverted_and_dual_softmax_rank_as_their_definitions() -> None:
    queries, gallery, bank, tau = unit(0, 30), unit(1, 40), unit(2, 25), 0.05
    plain = queries.astype(float) @ gallery.T.astype(float)
    over_bank = np.exp(bank.astype(float) @ gallery.T.astype(float) / tau).sum(axis=0)
    inverted = np.exp(plain / tau) / over_bank
    got = Biased(softmax_bias(gallery, bank, tau)).apply(queries @ gallery.T, slice(0, 30))
    assert (order(got) == order(inverted)).all()
    rows = np.exp(plain / tau) / np.exp(plain / tau).sum(axis=1, keepdims=True)
    columns = np.exp(plain / tau) / np.exp(plain / tau).sum(axis=0, keepdims=True)
    got = Biased(dual_softmax_bias(gallery, queries, tau)).apply(queries @ gallery.T, slice(0, 30))
    assert (order(got) == order(rows * columns)).all()


def test_a_bias_is_the_same_for_any_number_of_gallery_items_around() -> None:
    gallery, bank = unit(0, 600), unit(1, 50)
    whole = softmax_bias(gallery, bank, 0.02)
    np.testing.assert_allclose(whole[:10], softmax_bias(gallery[:10], bank, 0.02), atol=1e-6)
    assert whole.shape == (600,)


def test_one_query_as_its_own_bank_cannot_change_its_ranking_but_evens_it() -> None:
    query, gallery = unit(0, 1), unit(1, 20)
    scores = Biased(softmax_bias(gallery, query, 0.05)).apply(query @ gallery.T, slice(0, 1))
    np.testing.assert_allclose(scores, 0, atol=1e-6)


def test_the_gate_lets_only_queries_through_whose_first_item_is_a_hub() -> None:
    assert hub_gate(np.array([3, 4, 5]), np.array([5, 5, 3])).tolist() == [True, False, True]
    scores = np.zeros((2, 2), dtype=np.float32)
    gated = Biased(np.array([1.0, 2.0]), np.array([False, True])).apply(scores, slice(0, 2))
    assert gated.tolist() == [[0, 0], [-1, -2]]


def test_first_items_are_argmax_over_blocks() -> None:
    queries, gallery = unit(0, 700), unit(1, 33)
    assert (first_items(queries, gallery) == (queries @ gallery.T).argmax(axis=1)).all()


def test_parameters_that_mean_nothing_are_refused() -> None:
    gallery = unit(0, 5)
    with pytest.raises(ValueError, match="k nearest of 5"):
        csls_bias(gallery, gallery, 6)
    with pytest.raises(ValueError, match="above 0"):
        softmax_bias(gallery, gallery, 0)
    with pytest.raises(ValueError, match="gallery of 5"):
        nearest(gallery, gallery, 6)


@given(st.integers(0, 100), st.integers(1, 9))
@settings(max_examples=60)
def test_the_first_n_are_those_of_a_stable_sort_ties_included(seed: int, n: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 4, (6, 9)).astype(np.float32)
    items, values = first_of(scores, n)
    assert (items == order(scores)[:, :n]).all()
    assert (values == np.take_along_axis(scores, items, axis=1)).all()


def test_query_expansion_is_the_weighted_sum_of_the_first_items() -> None:
    queries, gallery = unit(0, 5), unit(1, 30)
    moved = expanded_queries(queries, gallery, n=3, alpha=2)
    for q in range(5):
        scores = gallery.astype(float) @ queries[q].astype(float)
        top = np.argsort(-scores)[:3]
        want = queries[q] + (np.clip(scores[top], 0, None) ** 2) @ gallery[top]
        np.testing.assert_allclose(moved[q], want / np.linalg.norm(want), atol=1e-6)


def test_augmentation_leaves_the_item_itself_out_even_among_equal_vectors() -> None:
    gallery = unit(0, 12)
    gallery[5] = gallery[2]
    moved = augmented_gallery(gallery, n=1, alpha=1)
    np.testing.assert_allclose(moved[5], gallery[5], atol=1e-6)  # its nearest other equals it
    np.testing.assert_allclose(moved[2], gallery[2], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-6)


@given(st.integers(0, 200), st.integers(1, 12))
@settings(max_examples=80)
def test_a_depth_moves_nothing_across_it(seed: int, depth: int) -> None:
    rng = np.random.default_rng(seed)
    plain = rng.integers(0, 6, (4, 10)).astype(np.float32)
    new = rng.integers(0, 6, (4, 10)).astype(np.float32)
    scores = within_depth(plain, new, depth)
    first = order(plain)[:, : min(depth, 10)]
    again = order(scores)[:, : min(depth, 10)]
    assert (np.sort(first, axis=1) == np.sort(again, axis=1)).all()
    for row in range(4):
        inside = first[row]
        assert np.array_equal(
            np.sign(np.subtract.outer(new[row, inside], new[row, inside])),
            np.sign(np.subtract.outer(scores[row, inside], scores[row, inside])),
        )
        rest = np.setdiff1d(np.arange(10), inside)
        assert np.array_equal(
            np.sign(np.subtract.outer(plain[row, rest], plain[row, rest])),
            np.sign(np.subtract.outer(scores[row, rest], scores[row, rest])),
        )


def test_jaccard_equals_sets() -> None:
    queries, gallery, k = unit(0, 6), unit(1, 25), 4
    near = [set(row) for row in order(gallery @ gallery.T)[:, :k].tolist()]
    mutual = [{j for j in near[i] if i in near[j]} | {i} for i in range(25)]
    own = [set(row) for row in order(queries @ gallery.T)[:, :k].tolist()]
    want = [[len(a & b) / len(a | b) for b in mutual] for a in own]
    reciprocal = Reciprocal(gallery, k)
    np.testing.assert_allclose(reciprocal.jaccard(queries), want, atol=1e-6)
    cosines = queries @ gallery.T
    assert (reciprocal.scores(cosines, queries, 0) == cosines).all()


def test_z_scores_have_mean_0_and_deviation_1_and_flat_rows_are_0() -> None:
    scores = np.vstack([unit(0, 3), np.full((1, 12), 0.1, np.float32)])
    z = z_scores(scores)
    np.testing.assert_allclose(z[:3].mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(z[:3].std(axis=1), 1, atol=1e-5)
    assert (z[3] == 0).all()


def test_weights_0_and_1_rank_as_one_ranker_alone() -> None:
    a, b = unit(0, 5, 20), unit(1, 5, 20)
    assert (linear(a, b, 0) == a).all()
    assert (order(linear(a, b, 1)) == order(b)).all()
    with pytest.raises(ValueError, match=r"0\.\.1"):
        linear(a, b, 1.5)


def test_rank_fusion_adds_reciprocal_ranks_by_hand() -> None:
    a, b = np.float32([[3, 2, 1]]), np.float32([[1, 3, 2]])
    np.testing.assert_allclose(
        reciprocal_ranks(a, b), [[1 / 61 + 1 / 63, 1 / 62 + 1 / 61, 1 / 63 + 1 / 62]], rtol=1e-6
    )
    assert mean_ranks(np.float32([[1, 1, 0]])).tolist() == [[1.5, 1.5, 3]]


def test_strength_is_like_up_to_a_factor_of_two() -> None:
    assert like_strength(0.5, 0.3)
    assert not like_strength(0.5, 0.2)
    assert not like_strength(0.5, 0)
