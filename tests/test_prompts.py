"""Prompt templates and pooling: what a template does to a caption, and what K scores become."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.failures.taxonomy import CATEGORIES
from clipbench.prompts.pooling import POOLS, Pooling, averaged, pool
from clipbench.prompts.templates import SETS, category_set, fill, fill_all, parse_templates, template_set

captions = st.text(max_size=40)


def blocks(seed: int, k: int = 5, rows: int = 4, columns: int = 7) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).uniform(-1, 1, (k, rows, columns)).astype(np.float32))


@given(captions)
def test_the_plain_template_changes_nothing(caption: str) -> None:
    assert fill("{}", caption) == caption


@given(captions)
def test_a_template_that_ends_with_the_caption_keeps_it_as_it_is(caption: str) -> None:
    assert fill("a photo of {}", caption) == "a photo of " + caption


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog.", "A dog, seen"),
        ("A dog. ", "A dog, seen"),
        ("A dog", "A dog, seen"),
        ("A dog...", "A dog..., seen"),
        ("A dog!", "A dog!, seen"),
        (".", ", seen"),
    ],
)
def test_one_final_full_stop_goes_where_the_sentence_goes_on(caption: str, expected: str) -> None:
    assert fill("{}, seen", caption) == expected


@given(captions)
def test_a_caption_with_braces_is_not_filled_again(caption: str) -> None:
    assert fill("x {}", "{}" + caption) == "x {}" + caption


def test_every_set_has_distinct_templates_with_one_place() -> None:
    for one in SETS.values():
        assert len(set(one.templates)) == len(one.templates)
        assert all(template.count("{}") == 1 for template in one.templates)
        assert one.idea


def test_every_category_but_ambiguous_has_a_set_of_ten_with_the_plain_caption() -> None:
    names = {c.name for c in CATEGORIES} - {"Ambiguous"}
    assert {one.category for one in SETS.values() if one.category} == names
    assert all(len(category_set(name).templates) == 10 for name in names)
    assert all("{}" in category_set(name).templates for name in names)
    assert len(template_set("object+attribute").templates) == 15
    with pytest.raises(ClipbenchError):
        category_set("Ambiguous")


def test_an_unknown_set_is_told_with_the_names_there_are() -> None:
    with pytest.raises(ClipbenchError, match="there are plain, photo, general"):
        template_set("genral")


def test_a_file_of_templates_is_refused_with_every_bad_line() -> None:
    with pytest.raises(ClipbenchError) as refused:
        parse_templates("a photo\n{}\n{} and {}\n{}\n", "mine.txt")
    message = str(refused.value)
    assert "line 1 has 0" in message
    assert "line 3 has 2" in message
    assert "line 4 repeats line 2" in message


def test_templates_times_captions_keep_both_orders() -> None:
    assert fill_all(("{}", "a {}"), ("x", "y")) == (("x", "y"), ("a x", "a y"))


@pytest.mark.parametrize("tau", [0.01, 0.1, 1.0])
def test_pooling_equals_its_definition_in_float64(tau: float) -> None:
    parts = blocks(1)
    scores = np.stack(parts).astype(np.float64)
    weights = np.exp((scores - scores.max(axis=0)) / tau)
    weights /= weights.sum(axis=0)
    expected = {
        "mean": scores.mean(axis=0),
        "max": scores.max(axis=0),
        "logsumexp": tau * np.log(np.exp((scores - 1) / tau).mean(axis=0)) + 1,
        "softmax": (weights * scores).sum(axis=0),
    }
    for name, want in expected.items():
        pooling = Pooling(name, tau if name in {"logsumexp", "softmax"} else None)
        np.testing.assert_allclose(pool(parts, pooling), want, atol=2e-6)


@given(st.integers(0, 50), st.integers(1, 6), st.sampled_from([0.003, 0.05, 1.0]))
def test_the_same_scores_k_times_are_left_where_they_are(seed: int, k: int, tau: float) -> None:
    one = blocks(seed, k=1)[0]
    for name in ("mean", "max", "logsumexp", "softmax"):
        pooling = Pooling(name, tau if name in {"logsumexp", "softmax"} else None)
        np.testing.assert_allclose(pool([one] * k, pooling), one, atol=1e-6)


@given(st.integers(0, 50))
def test_small_and_large_temperatures_are_max_and_mean(seed: int) -> None:
    parts = blocks(seed)
    for name in ("logsumexp", "softmax"):
        np.testing.assert_allclose(pool(parts, Pooling(name, 1e-4)), pool(parts, Pooling("max")), atol=1e-3)
        np.testing.assert_allclose(pool(parts, Pooling(name, 1e3)), pool(parts, Pooling("mean")), atol=1e-3)


@given(st.integers(0, 50), st.permutations(range(5)))
def test_the_order_of_the_templates_does_not_matter(seed: int, order: list[int]) -> None:
    parts = blocks(seed)
    for name in ("mean", "max", "logsumexp", "softmax"):
        pooling = Pooling(name, 0.05 if name in {"logsumexp", "softmax"} else None)
        np.testing.assert_allclose(pool([parts[i] for i in order], pooling), pool(parts, pooling), atol=1e-6)


def test_the_blocks_that_are_pooled_stay_as_they_are() -> None:
    parts = blocks(3)
    copies = [block.copy() for block in parts]
    for name in ("mean", "max", "logsumexp", "softmax"):
        pool(parts, Pooling(name, 0.1 if name in {"logsumexp", "softmax"} else None))
    assert all((a == b).all() for a, b in zip(parts, copies, strict=True))


def unit(seed: int, *shape: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def test_the_mean_of_scores_is_the_score_of_the_averaged_vector() -> None:
    texts, images = unit(0, 4, 9, 16), unit(1, 20, 16)
    mean = pool([t @ images.T for t in texts], Pooling("mean"))
    np.testing.assert_allclose(averaged(texts, renormalise=False) @ images.T, mean, atol=1e-6)


def test_renormalising_changes_no_ranking_of_images_for_a_caption() -> None:
    texts, images = unit(0, 4, 9, 16), unit(1, 20, 16)
    rankings = [np.argsort(-(averaged(texts, renormalise=r) @ images.T), axis=1) for r in (False, True)]
    assert (rankings[0] == rankings[1]).all()
    np.testing.assert_allclose(np.linalg.norm(averaged(texts, renormalise=True), axis=1), 1, atol=1e-6)


def test_vectors_that_cancel_have_no_mean_direction() -> None:
    one = unit(0, 3, 8)
    with pytest.raises(ValueError, match="cancel"):
        averaged([one, -one], renormalise=True)


def test_poolings_that_mean_nothing_are_refused() -> None:
    for name, tau in (
        ("median", None),
        ("max", 0.1),
        ("logsumexp", None),
        ("softmax", 0.0),
        ("logsumexp", np.nan),
    ):
        with pytest.raises(ClipbenchError):
            Pooling(name, tau)
    with pytest.raises(ValueError, match="averages vectors"):
        pool(blocks(0), Pooling("vector"))
    assert len(POOLS) == 5


def test_nothing_to_pool_is_an_error() -> None:
    for name in ("mean", "max", "logsumexp"):
        with pytest.raises(ValueError, match="no block"):
            pool([], Pooling(name, 0.1 if name == "logsumexp" else None))
