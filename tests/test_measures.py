"""Measures against their definitions, applied to every order that ties leave open; and folds."""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.metrics.folds import fold_slices, folds, spread
from clipbench.metrics.measures import (
    DEFAULT,
    PLAIN,
    best_ranks,
    chance_hit,
    hit_probability,
    measure,
    rsum,
    summary,
)
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.metrics.ties import POLICIES, tied_queries
from clipbench.records import Ledger

KS = (1, 2, 3, 10)
NAMES = (*(f"{family}@{k}" for family in ("hit", "frac_recall", "nDCG") for k in KS), *PLAIN)

Query = tuple[Sequence[int], Sequence[int]]
"""The scores of a gallery, and the positions of the positives."""


def ledger_of(*queries: Query) -> Ledger:
    """A ledger by plain counting, made without the code under test."""
    pairs = [(scores, mine, p) for scores, mine in queries for p in mine]
    ints = {"dtype": np.int32}
    return Ledger(
        direction="i2t",
        gallery_size=len(queries[0][0]),
        offsets=np.cumsum([0, *(len(mine) for _, mine in queries)], **ints),
        positive=np.array([p for _, _, p in pairs], **ints),
        above=np.array([sum(x > s[p] for x in s) for s, _, p in pairs], **ints),
        tied=np.array([sum(x == s[p] for x in s) for s, _, p in pairs], **ints),
        tied_positives=np.array([sum(s[m] == s[p] for m in mine) for s, mine, p in pairs], **ints),
        top1=np.array([int(np.argmax(s)) for s, _ in queries], **ints),
        positive_score=np.zeros(len(queries), dtype=np.float32),
        negative_score=np.zeros(len(queries), dtype=np.float32),
        cluster=np.arange(len(queries), **ints),
    )


def by_definition(places: Sequence[int]) -> dict[str, float]:
    """Every measure of a query whose positives stand at these 1-based ranks."""
    total, best = len(places), min(places)

    def precision(i: int) -> float:
        return sum(p <= i for p in places) / i

    values = {
        "MRR": 1 / best,
        "MedR": best,
        "MeanR": best,
        "R-Precision": precision(total),
        "mAP@R": sum(precision(p) for p in places if p <= total) / total,
        "AP": sum(precision(p) for p in places) / total,
    }
    for k in KS:
        ideal = sum(1 / math.log2(i + 1) for i in range(1, min(k, total) + 1))
        values[f"hit@{k}"] = float(best <= k)
        values[f"frac_recall@{k}"] = sum(p <= k for p in places) / total
        values[f"nDCG@{k}"] = sum(1 / math.log2(p + 1) for p in places if p <= k) / ideal
    return values


def orders(scores: Sequence[int], mine: Sequence[int]) -> list[list[int]]:
    """The ranks of the positives in every order of the gallery that the scores allow."""
    places = []
    for breaker in permutations(range(len(scores))):
        order = sorted(range(len(scores)), key=lambda j: (-scores[j], breaker[j]))
        places.append([order.index(p) + 1 for p in mine])
    return places


@st.composite
def queries(draw: st.DrawFn, least: int = 1, most: int = 6) -> Query:
    """A gallery of up to six items on up to three levels, with any positives."""
    size = draw(st.integers(least, most))
    scores = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    return scores, sorted(draw(st.sets(st.integers(0, size - 1), min_size=1)))


@settings(max_examples=40, deadline=None)
@given(queries())
def test_expected_is_the_mean_over_all_orders_of_the_tied(query: Query) -> None:
    ledger = ledger_of(query)
    all_orders = [by_definition(places) for places in orders(*query)]
    for name in NAMES:
        want = fmean(order[name] for order in all_orders)
        assert measure(name)(ledger).item() == pytest.approx(want, abs=1e-12), name


@settings(max_examples=40, deadline=None)
@given(queries())
def test_optimistic_and_pessimistic_are_the_best_and_worst_order(query: Query) -> None:
    ledger = ledger_of(query)
    all_orders = [by_definition(places) for places in orders(*query)]
    for name in NAMES:
        values = sorted(order[name] for order in all_orders)
        if measure(name).better == "lower":
            values.reverse()
        assert measure(name)(ledger, "pessimistic").item() == pytest.approx(values[0], abs=1e-12), name
        assert measure(name)(ledger, "optimistic").item() == pytest.approx(values[-1], abs=1e-12), name


@settings(max_examples=30, deadline=None)
@given(st.lists(queries(5, 5), min_size=2, max_size=5), st.sampled_from(POLICIES))
def test_queries_do_not_touch_one_another(several: list[Query], policy: str) -> None:
    for name in NAMES:
        together = measure(name)(ledger_of(*several), policy)
        alone = [measure(name)(ledger_of(query), policy).item() for query in several]
        assert together.tolist() == pytest.approx(alone, abs=1e-12), name


def test_without_ties_the_policies_agree() -> None:
    ledger = ledger_of(([5, 4, 3, 2, 1], [1, 3]), ([1, 2, 3, 4, 5], [0]))
    for name in NAMES:
        values = [measure(name)(ledger, policy).tolist() for policy in POLICIES]
        assert values[0] == values[1] == values[2]
    assert tied_queries(ledger) == 0


def test_the_measures_of_a_query_worked_out_by_hand() -> None:
    """Positives at ranks 2, 3 and 6 of eight."""
    ledger = ledger_of(([8, 7, 6, 5, 4, 3, 2, 1], [1, 2, 5]))
    want = {
        "hit@1": 0,
        "hit@2": 1,
        "frac_recall@3": 2 / 3,
        "MRR": 1 / 2,
        "MeanR": 2,
        "R-Precision": 2 / 3,
        "mAP@R": (1 / 2 + 2 / 3) / 3,
        "AP": (1 / 2 + 2 / 3 + 3 / 6) / 3,
        "nDCG@2": (1 / math.log2(3)) / (1 + 1 / math.log2(3)),
    }
    for name, value in want.items():
        assert measure(name).value(ledger) == pytest.approx(value, abs=1e-15), name


def test_large_tie_groups_keep_their_precision() -> None:
    """5,000 tied items with 5 positives, against exact rational arithmetic."""
    size, hits = 5_000, 5
    scores = [1, *[0] * size]
    ledger = ledger_of((scores, range(1, hits + 1)))
    left, first = Fraction(hits, size), []
    for j in range(1, size - hits + 2):  # left is P(the first positive is the j-th of the tied)
        first.append(float(left) / (1 + j))
        left *= Fraction(size - hits - j + 1, size - j)
    assert measure("MRR").value(ledger) == pytest.approx(math.fsum(first), rel=1e-12)
    assert measure("MeanR").value(ledger) == pytest.approx(1 + (size + 1) / (hits + 1), rel=1e-15)
    chance = 1 - Fraction(math.comb(size - hits, 9), math.comb(size, 9))
    assert measure("hit@10").value(ledger) == pytest.approx(float(chance), rel=1e-10)


# Chance, and K beyond the gallery.


@pytest.mark.parametrize(
    ("gallery", "positives", "k"), [(1000, 1, 1), (25, 5, 10), (5, 5, 1), (7, 2, 6), (6, 3, 9)]
)
def test_chance_is_hypergeometric(gallery: int, positives: int, k: int) -> None:
    want = 1 - Fraction(math.comb(gallery - positives, k), math.comb(gallery, k)) if k <= gallery else 1
    assert chance_hit(gallery, positives, k) == pytest.approx(float(want), abs=1e-15)


def test_chance_of_ragged_positives_is_the_mean() -> None:
    assert chance_hit(10, [1, 3], 1) == pytest.approx(0.2)


@settings(max_examples=60)
@given(st.integers(0, 20), st.integers(1, 30), st.data(), st.integers(1, 60))
def test_a_hit_is_a_probability_that_grows_with_k(above: int, size: int, data: st.DataObject, k: int) -> None:
    hits = data.draw(st.integers(1, size))
    now, then = (hit_probability(above, size, hits, x).item() for x in (k, k + 1))
    assert 0 <= now <= then <= 1
    assert hit_probability(above, size, hits, above).item() == 0
    assert hit_probability(above, size, hits, above + size).item() == 1


def test_constant_embeddings_score_chance_exactly() -> None:
    one = np.full((3 + 7, 4), 0.5, dtype=np.float32)
    owners = [0, 0, 0, 1, 1, 2, 2]
    ledgers = rank(one[:3], one[3:], own(owners, 3), owners)
    for k in KS:
        assert measure(f"hit@{k}").value(ledgers["t2i"]) == chance_hit(3, [1] * 7, k)
        assert measure(f"hit@{k}").value(ledgers["i2t"]) == chance_hit(7, [3, 2, 2], k)
    assert tied_queries(ledgers["t2i"]) == 7


def test_a_k_beyond_the_gallery_finds_everything() -> None:
    ledger = ledger_of(([1, 2, 2], [0, 1]))
    assert measure("hit@100")(ledger).tolist() == [1]
    assert measure("frac_recall@100")(ledger).tolist() == [1]


# Names and summaries.


def test_one_hit_of_five_suffices_for_a_hit_but_not_for_recall() -> None:
    ledger = ledger_of((range(20, 0, -1), [0, 11, 12, 13, 14]))
    assert summary(ledger, ["hit@10", "frac_recall@10"]) == {"hit@10": 1.0, "frac_recall@10": 0.2}


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    scores = [5, 4, 3, 2, 1]
    ledger = ledger_of((scores, [0]), (scores, [1]), (scores, [2]), (scores, [4]))
    assert best_ranks(ledger).tolist() == [1, 2, 3, 5]
    assert summary(ledger, ["MedR", "MeanR"]) == {"MedR": 2.5, "MeanR": 2.75}


def test_rsum_is_six_hundred_times_perfection() -> None:
    eye = np.eye(11, dtype=np.float32)
    ledgers = rank(eye, eye, own(range(11), 11), range(11))
    assert rsum(ledgers) == 600
    with pytest.raises(ValueError, match="i2t was not ranked"):
        rsum({"t2i": ledgers["t2i"]})


def test_ties_are_counted_where_they_leave_a_rank_open() -> None:
    among_positives = ([3, 3, 1], [0, 1])
    with_another = ([3, 3, 1], [0, 2])
    among_others = ([3, 1, 1], [0])
    assert tied_queries(ledger_of(among_positives, with_another, among_others)) == 1


@pytest.mark.parametrize(
    ("said", "name", "label"),
    [
        ("hit@5", "hit@5", "R@5"),
        ("R@5", "hit@5", "R@5"),
        ("mrr", "MRR", "MRR"),
        ("NDCG@010", "nDCG@10", "nDCG@10"),
        ("map@r", "mAP@R", "mAP@R"),
        ("frac_recall@1", "frac_recall@1", "frac_recall@1"),
    ],
)
def test_a_measure_has_one_name_however_it_is_written(said: str, name: str, label: str) -> None:
    assert (measure(said).name, measure(said).label) == (name, label)


@pytest.mark.parametrize(
    "name", ["recall@5", "hit@0", "hit@", "hit@-1", "hit@1.5", "hit", "", "MRR@5", "hit@99999999999"]
)
def test_a_name_that_is_no_measure_is_refused(name: str) -> None:
    with pytest.raises(ClipbenchError, match="no measure is called"):
        measure(name)


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ClipbenchError) as caught:
        measure("ngcg@5")
    assert caught.value.hint == "did you mean nDCG@K?"


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="expected, optimistic, pessimistic"):
        measure("MRR")(ledger_of(([1], [0])), "hopeful")


def test_a_summary_has_the_default_measures() -> None:
    assert tuple(summary(ledger_of(([2, 1], [0])))) == DEFAULT


def test_every_measure_is_documented_by_its_definition() -> None:
    assert all(m.definition.__doc__ and name in m.definition.__doc__ for name, m in PLAIN.items())


# Folds.


def test_folds_are_consecutive_and_complete() -> None:
    owners = np.repeat(np.arange(6), 2)[::-1]
    parts = folds(owners, images=6, size=2)
    assert [p.images for p in parts] == [slice(0, 2), slice(2, 4), slice(4, 6)]
    assert sorted(np.concatenate([p.captions for p in parts])) == list(range(12))
    for part in parts:
        np.testing.assert_array_equal(part.owners + part.images.start, owners[part.captions])


def test_a_fold_is_ranked_as_a_gallery_of_its_own() -> None:
    """The second fold repeats the first: each is perfect alone, together every query is tied."""
    eye = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    owners = np.arange(6)
    whole = rank(eye, eye, own(owners, 6), owners)["t2i"]
    assert summary(whole, ["hit@1"]) == {"hit@1": 0.5}
    rows = []
    for fold in folds(owners, images=6, size=3):
        both = rank(eye[fold.images], eye[fold.captions], own(fold.owners, 3), fold.owners)
        rows.append(summary(both["t2i"], ["hit@1"]))
    assert spread(rows)["hit@1"].mean == 1
    assert spread(rows)["hit@1"].sd == 0


def test_the_spread_is_the_sample_deviation_and_one_fold_has_none() -> None:
    values = spread([{"hit@1": 0.1}, {"hit@1": 0.2}, {"hit@1": 0.6}])["hit@1"]
    assert values.mean == pytest.approx(0.3)
    assert values.sd == pytest.approx(math.sqrt((0.2**2 + 0.1**2 + 0.3**2) / 2))
    assert spread([{"hit@1": 0.1}])["hit@1"].sd is None


@pytest.mark.parametrize(("images", "size"), [(5000, 999), (10, 0), (3, 5), (0, 1)])
def test_folds_that_leave_a_rest_are_refused(images: int, size: int) -> None:
    with pytest.raises(ValueError, match="without a rest"):
        fold_slices(images, size)


def test_folds_with_different_measures_are_not_averaged() -> None:
    with pytest.raises(ValueError, match="same measures"):
        spread([{"MRR": 1.0}, {"MedR": 1.0}])
    with pytest.raises(ValueError, match="summary"):
        spread([])


def test_a_tie_below_the_best_positive_leaves_the_best_rank_closed() -> None:
    scores_of_one_query = ([3, 2, 2], [0, 1])
    assert tied_queries(ledger_of(scores_of_one_query)) == 0
