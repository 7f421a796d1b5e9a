"""Families of p-values, and summaries over seeds."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from clipbench.statistics.multiple import benjamini_hochberg, holm
from clipbench.statistics.seeds import over_seeds

FAMILIES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(FAMILIES)
@settings(max_examples=10, deadline=None)  # the oracle takes a tenth of a second
def test_adjusted_values_are_those_of_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


@given(FAMILIES, st.randoms(use_true_random=False))
def test_adjusting_keeps_the_order_given(p: list[float], random: Random) -> None:
    order = list(range(len(p)))
    random.shuffle(order)
    for adjust in (holm, benjamini_hochberg):
        assert adjust([p[i] for i in order]).tolist() == adjust(p)[order].tolist()


@given(FAMILIES)
def test_adjusting_never_makes_a_value_smaller_nor_larger_than_one(p: list[float]) -> None:
    for adjust in (holm, benjamini_hochberg):
        got = adjust(p)
        assert (got >= np.array(p) - 1e-15).all()
        assert (got <= 1).all()
    assert (benjamini_hochberg(p) <= holm(p) + 1e-12).all()


def test_an_example_worked_by_hand() -> None:
    # Sorted .005 .01 .03 .04: Holm × 4 3 2 1 = .02 .03 .06 .04, made monotone .02 .03 .06 .06;
    # Benjamini-Hochberg × 4/1 4/2 4/3 4/4 = .02 .02 .04 .04.
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_no_comparison_needs_no_correction() -> None:
    assert holm([]).tolist() == benjamini_hochberg([]).tolist() == []


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@pytest.mark.parametrize("bad", [float("nan"), -0.01, 1.01])
def test_a_missing_or_impossible_p_value_is_refused(adjust: object, bad: float) -> None:
    assert callable(adjust)
    with pytest.raises(ValueError, match=r"1 of 3 p-values lie outside 0\.\.1, the first is number 2"):
        adjust([0.5, bad, 0.1])
    with pytest.raises(ValueError, match="one row"):
        adjust([[0.5]])


def test_seeds_give_mean_and_sample_deviation_and_keep_every_value() -> None:
    got = over_seeds({7: 0.3, 1: 0.1, 3: 0.2})
    assert got.values == ((1, 0.1), (3, 0.2), (7, 0.3))
    assert (got.mean, got.sd) == pytest.approx((0.2, 0.1))


def test_one_seed_has_no_deviation() -> None:
    got = over_seeds({42: 0.5109})
    assert (got.mean, got.sd) == (0.5109, None)


def test_a_missing_seed_is_an_error_not_a_smaller_mean() -> None:
    with pytest.raises(ValueError, match=r"1 of 2 seeds have no value: \[1\]"):
        over_seeds({0: 0.5, 1: float("nan")})
    with pytest.raises(ValueError, match="at least 1 seed"):
        over_seeds({})
