"""Agreement of annotators: published examples, oracles, and what is left undefined."""

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats import inter_rater

from clipbench.statistics.agreement import (
    ALPHA,
    Agreement,
    agreement,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
    raw_agreement,
    specific_agreement,
    with_interval,
)
from clipbench.statistics.ratings import Ratings, coincidences, confusion, ratings

# Krippendorff 2011, section C: four observers, twelve units, missing data.
FOUR_OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


def observers(*rows: str) -> Ratings:
    """Ratings of rows of labels, one row per observer, "." where a unit was left out."""
    columns = zip(*(row.split() for row in rows), strict=True)
    return ratings([[None if label == "." else label for label in column] for column in columns])


def from_counts(counts: list[list[int]]) -> Ratings:
    """Ratings of a table that says how many annotators chose each category; rows of equal total."""
    rows = [np.repeat(np.arange(len(row)), row) for row in counts]
    return Ratings(np.array(rows), tuple(f"c{k}" for k in range(len(counts[0]))))


TABLES = st.integers(2, 4).flatmap(
    lambda annotators: st.lists(
        st.lists(st.integers(-1, 3), min_size=annotators, max_size=annotators), min_size=2, max_size=25
    )
)


# Published examples


def test_krippendorffs_example_with_two_observers_and_binary_data() -> None:
    got = krippendorff_alpha(observers("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"))
    assert got == pytest.approx(0.095, abs=5e-4)


def test_krippendorffs_example_with_two_observers_and_nominal_data() -> None:
    got = krippendorff_alpha(observers("a a b b d c c c e d d a", "b a b b b c c c e d d d"))
    assert got == pytest.approx(0.692, abs=5e-4)


def test_krippendorffs_example_with_missing_data() -> None:
    source = observers(*FOUR_OBSERVERS)
    assert krippendorff_alpha(source) == pytest.approx(0.743, abs=5e-4)
    # Its coincidence matrix: 40 values on 11 units, margins 9 13 10 5 3.
    matrix = coincidences(source)
    assert matrix.sum(axis=0) == pytest.approx([9, 13, 10, 5, 3])
    assert matrix.diagonal() == pytest.approx([7, 10, 8, 4, 3])
    assert source.overlap == 11
    assert source.labels == 41


def test_the_same_example_by_gwet() -> None:
    # The 41 labels as Gwet's handbook and its companion software report them.
    source = observers(*FOUR_OBSERVERS)
    assert raw_agreement(source) == pytest.approx(0.81818, abs=5e-6)
    assert gwet_ac1(source) == pytest.approx(0.77544, abs=5e-6)
    assert fleiss_kappa(source) == pytest.approx(0.76117, abs=5e-6)


def test_fleiss_example_of_fourteen_raters() -> None:
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    source = from_counts(table)
    assert raw_agreement(source) == pytest.approx(0.378, abs=5e-4)
    assert fleiss_kappa(source) == pytest.approx(0.210, abs=5e-4)


def test_skewed_categories_where_kappa_fails_and_ac1_does_not() -> None:
    # 118 yes/yes, 5 yes/no, 2 no/yes of 125. Raw .944; Cohen p_e = (123·120 + 2·5)/125² = .94528;
    # AC1: π = (123 + 120)/250 = .972, p_e = 2·.972·.028 = .054432.
    pairs = [["yes", "yes"]] * 118 + [["yes", "no"]] * 5 + [["no", "yes"]] * 2
    source = ratings(pairs)
    assert raw_agreement(source) == pytest.approx(0.944)
    assert cohen_kappa(source) == pytest.approx((0.944 - 0.94528) / (1 - 0.94528))
    assert gwet_ac1(source) == pytest.approx((0.944 - 0.054432) / (1 - 0.054432))
    # Specific agreement: 2·118 of 243 labels met a yes, 0 of 7 a no.
    assert specific_agreement(source) == pytest.approx({"no": 0.0, "yes": 236 / 243})
    assert confusion(source).tolist() == [[0, 2], [5, 118]]


# Oracles


@given(TABLES)
@settings(max_examples=80, deadline=None)
def test_every_coefficient_is_its_definition(table: list[list[int]]) -> None:
    source = Ratings(np.array(table), tuple("abcd"))
    labels = [[code for code in row if code >= 0] for row in table]
    paired = [row for row in labels if len(row) >= 2]
    if not paired:
        assert raw_agreement(source) is krippendorff_alpha(source) is gwet_ac1(source) is None
        return
    agreed = [np.mean([x == y for x, y in itertools.permutations(row, 2)]) for row in paired]
    raw = float(np.mean(agreed))
    assert raw_agreement(source) == pytest.approx(raw)

    values = [code for row in paired for code in row]
    expected = np.mean([x != y for x, y in itertools.permutations(values, 2)])
    weights = [len(row) for row in paired]
    observed = np.average(1 - np.array(agreed), weights=weights)
    alpha = krippendorff_alpha(source)
    assert alpha is None if expected == 0 else alpha == pytest.approx(1 - observed / expected)

    shares = np.mean([[row.count(k) / len(row) for k in range(4)] for row in labels if row], axis=0)
    chance = np.sum(shares * (1 - shares)) / 3
    assert gwet_ac1(source) == pytest.approx((raw - chance) / (1 - chance))
    for k, got in enumerate(specific_agreement(source).values()):
        partners = [y == k for row in paired for x, y in itertools.permutations(row, 2) if x == k]
        assert got == (pytest.approx(np.mean(partners)) if partners else None)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_kappas_are_those_of_statsmodels(pairs: list[tuple[int, int]]) -> None:
    source = Ratings(np.array(pairs), tuple("abcd"))
    if len({code for pair in pairs for code in pair}) == 1:
        assert cohen_kappa(source) is fleiss_kappa(source) is None
        return
    table = confusion(source)
    assert table.sum() == len(pairs)
    assert cohen_kappa(source) == pytest.approx(inter_rater.cohens_kappa(table).kappa)
    assert fleiss_kappa(source) == pytest.approx(inter_rater.fleiss_kappa(source.counts))


@given(TABLES, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_neither_the_order_of_items_nor_of_annotators_nor_of_categories_matters(
    table: list[list[int]], random: Random
) -> None:
    codes = np.array(table)
    rows, columns, names = list(range(len(codes))), list(range(codes.shape[1])), [0, 1, 2, 3]
    for part in (rows, columns, names):
        random.shuffle(part)
    shuffled = np.array([*names, -1])[codes[rows][:, columns]]
    for coefficient in (raw_agreement, fleiss_kappa, krippendorff_alpha, gwet_ac1):
        one = coefficient(Ratings(codes, tuple("abcd")))
        other = coefficient(Ratings(shuffled, tuple("abcd")))
        assert one == (None if other is None else pytest.approx(other))


@given(TABLES)
@settings(max_examples=40, deadline=None)
def test_perfect_agreement_is_one_and_nothing_exceeds_it(table: list[list[int]]) -> None:
    codes = np.array(table)
    perfect = np.where(codes >= 0, codes.max(axis=1, keepdims=True), -1)
    for coefficient in (raw_agreement, fleiss_kappa, krippendorff_alpha, gwet_ac1):
        best, got = (coefficient(Ratings(part, tuple("abcd"))) for part in (perfect, codes))
        assert best is None or best == pytest.approx(1)
        assert got is None or got <= 1 + 1e-12


def test_random_labels_agree_by_chance_only() -> None:
    codes = np.random.default_rng(0).choice(3, size=(4000, 3), p=[0.6, 0.3, 0.1])
    for coefficient in (fleiss_kappa, krippendorff_alpha):
        assert coefficient(Ratings(codes, tuple("abc"))) == pytest.approx(0, abs=0.03)


# What does not exist


def by_name(source: Ratings) -> dict[str, Agreement]:
    return {one.name: one for one in agreement(source, resamples=200)}


def test_items_with_one_label_each_cannot_agree() -> None:
    got = by_name(ratings([["a", None], [None, "b"], ["a", None]]))
    assert {one.value for one in got.values()} == {None}
    assert {one.interval for one in got.values()} == {None}
    assert got["raw"].items == 0


def test_one_category_only_leaves_kappa_and_alpha_undefined() -> None:
    got = by_name(ratings([["a", "a"]] * 5, categories=["a", "b"]))
    assert (got["raw"].value, got["gwet_ac1"].value, got["agreement:a"].value) == (1, 1, 1)
    for name in ("cohen_kappa", "fleiss_kappa", "krippendorff_alpha", "agreement:b"):
        assert got[name].value is None
    assert gwet_ac1(ratings([["a", "a"]] * 5)) is None  # a form with one category offers no choice


def test_no_items_at_all_are_undefined_too() -> None:
    for empty in (ratings([]), ratings([[None, None]]), Ratings(np.empty((0, 2), dtype=int), ("a", "b"))):
        assert (
            raw_agreement(empty)
            is krippendorff_alpha(empty)
            is gwet_ac1(empty)
            is fleiss_kappa(empty)
            is None
        )
        assert all(one.value is None for one in agreement(empty))


def test_cohens_kappa_is_of_two_annotators() -> None:
    with pytest.raises(ValueError, match="exactly 2 annotators, got 4"):
        cohen_kappa(observers(*FOUR_OBSERVERS))
    assert "cohen_kappa" not in by_name(observers(*FOUR_OBSERVERS))


def test_ac1_depends_on_the_categories_offered_used_or_not() -> None:
    pairs = [["a", "a"], ["a", "b"], ["b", "b"]]
    two, four = gwet_ac1(ratings(pairs)), gwet_ac1(ratings(pairs, categories="abcd"))
    # Raw 2/3, π = 1/2 each: p_e = .5 with two categories, .5/3 with four.
    assert two == pytest.approx((2 / 3 - 1 / 2) / (1 / 2))
    assert four == pytest.approx((2 / 3 - 1 / 6) / (5 / 6))


def test_malformed_ratings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"1 labels are not among the 2 categories: \['c'\]"):
        ratings([["a", "c"]], categories=["a", "b"])
    with pytest.raises(ValueError, match=r"rows of \[1, 2\]"):
        ratings([["a"], ["a", "b"]])
    for codes in ([[0, 2]], [[0, -2]]):
        with pytest.raises(ValueError, match="outside -1"):
            Ratings(np.array(codes), ("a", "b"))
    with pytest.raises(ValueError, match="codes are integers"):
        Ratings(np.array([[0.0, 1.0]]), ("a", "b"))  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(ValueError, match="named twice"):
        ratings([["a", "a"]], categories=["a", "a"])


# Intervals


def test_resamples_are_of_items_and_seeded() -> None:
    source = observers(*FOUR_OBSERVERS)
    first, again, other = (agreement(source, 300, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    for one in first[:4]:
        assert one.value is not None
        assert one.interval is not None
        assert one.interval.low < one.value < one.interval.high <= 1


def test_interval_bounds_are_those_of_coefficients_of_drawn_items() -> None:
    from clipbench.statistics.draws import weights
    from clipbench.statistics.intervals import bca_interval

    source = observers(*FOUR_OBSERVERS)
    drawn = []
    for row in np.concatenate(list(weights(12, 150, 4))):
        items = np.repeat(np.arange(12), row.astype(int))
        drawn.append(krippendorff_alpha(Ratings(source.codes[items], source.categories)))
    left = [krippendorff_alpha(Ratings(np.delete(source.codes, i, 0), source.categories)) for i in range(12)]
    value = krippendorff_alpha(source)
    assert value is not None
    expected = bca_interval(value, np.array(drawn), np.array(left))
    got = {one.name: one.interval for one in agreement(source, 150, seed=4)}["krippendorff_alpha"]
    assert got is not None
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_resamples_without_a_value_are_counted() -> None:
    # Three items, two of category a: a resample that misses the third has one category only,
    # which happens with chance (2/3)³ = 8/27, and all three being the third with 1/27.
    got = {one.name: one for one in agreement(ratings([["a", "a"], ["a", "a"], ["b", "b"]]), 3000)}
    alpha = got["krippendorff_alpha"]
    assert alpha.undefined / alpha.resamples == pytest.approx(9 / 27, abs=0.03)
    assert alpha.interval is not None
    assert got["raw"].undefined == 0
    assert got["agreement:b"].undefined / 3000 == pytest.approx(8 / 27, abs=0.03)


def test_mostly_undefined_resamples_give_no_interval() -> None:
    # Alpha needs both of the two items with a pair. Of 20 items drawn from 20 both are there with
    # chance 1 − 2 (19/20)^20 + (18/20)^20 = .404.
    table = [["b", "b"], ["a", "a"], *([["a", None]] * 18)]
    got = {one.name: one for one in agreement(ratings(table), 2000)}["krippendorff_alpha"]
    assert got.value == 1
    assert got.undefined / got.resamples == pytest.approx(0.596, abs=0.04)
    assert got.interval is None


def test_intervals_of_agreement_cover_it() -> None:
    # Each label is right with chance .8, else one of three at random: pairs agree with chance
    # (.8 + .2/3)² + 2 (.2/3)² = .76, and with equal categories alpha tends to (.76 − 1/3) / (2/3).
    rng = np.random.default_rng(2)
    true = (0.76 - 1 / 3) / (2 / 3)
    covered = 0
    for seed in range(200):
        answer = rng.integers(0, 3, (80, 1))
        codes = np.where(rng.random((80, 3)) < 0.8, answer, rng.integers(0, 3, (80, 3)))
        bounds = with_interval(ALPHA, Ratings(codes, tuple("abc")), 400, seed).interval
        assert bounds is not None
        covered += bounds.low <= true <= bounds.high
    assert 0.91 < covered / 200 < 0.985
