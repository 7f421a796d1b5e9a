"""Intervals: Wilson, percentile and BCa, against statsmodels, scipy and worked cases."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from clipbench.statistics.bootstrap import (
    leave_one_out,
)
from clipbench.statistics.intervals import (
    Interval,
    acceleration,
    bca_interval,
    percentile_interval,
    wilson,
)

# Wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 10), (3, 10), (829, 1215), (1215, 1215)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilson_is_that_of_statsmodels(successes: int, n: int, confidence: float) -> None:
    bounds = wilson(successes, n, confidence)
    expected = proportion_confint(successes, n, alpha=1 - confidence, method="wilson")
    assert (bounds.low, bounds.high) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 30_000).flatmap(lambda n: st.tuples(st.floats(0, n), st.just(n))))
@settings(max_examples=100, deadline=None)
def test_wilson_contains_the_share_and_stays_a_proportion(case: tuple[float, int]) -> None:
    successes, n = case
    bounds = wilson(successes, n)
    assert 0 <= bounds.low <= successes / n + 1e-12
    assert successes / n - 1e-12 <= bounds.high <= 1


def test_wilson_ends_exactly_at_nought_and_one() -> None:
    assert wilson(0, 7).low == 0
    assert wilson(7, 7).high == 1
    assert wilson(0, 7).high > 0.3  # Wald's would be of width zero


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 5), (float("nan"), 5)])
def test_wilson_refuses_what_is_no_proportion(successes: float, n: int) -> None:
    with pytest.raises(ValueError, match=r"trial"):
        wilson(successes, n)


@pytest.mark.parametrize("bounds", [(float("nan"), 1.0), (0.0, float("inf")), (0.6, 0.5)])
def test_an_interval_is_finite_and_in_order(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"bound|reach"):
        Interval(*bounds, 0.95, "percentile")


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, confidence)


# Percentile and BCa


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("statistic", ["mean", "ratio"])
def test_bounds_are_those_of_scipy_on_the_same_replicates(method: str, statistic: str) -> None:
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 8, 40) if statistic == "ratio" else np.ones(40, dtype=int)
    sums = rng.exponential(size=40) ** 2 * sizes  # skewed, so that the acceleration matters

    def ratio(x: np.ndarray, n: np.ndarray, axis: int = -1) -> np.ndarray:
        return x.sum(axis=axis) / n.sum(axis=axis)

    oracle = stats.bootstrap(
        (sums, sizes), ratio, n_resamples=999, paired=True, vectorized=True, method=method, rng=rng
    )
    estimate = sums.sum() / sizes.sum()
    left = leave_one_out(sums[:, None], sizes[:, None].astype(float))[:, 0]
    drawn = oracle.bootstrap_distribution
    bounds = percentile_interval(drawn) if method == "percentile" else bca_interval(estimate, drawn, left)
    assert bounds.method == method
    expected = oracle.confidence_interval
    assert (bounds.low, bounds.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_without_bias_and_acceleration_bca_is_the_percentile_interval() -> None:
    drawn = np.linspace(-1, 1, 2001)
    plain, bca = percentile_interval(drawn), bca_interval(0.0, drawn, np.ones(9))
    assert bca.method == "bca"
    assert (bca.low, bca.high) == pytest.approx((plain.low, plain.high), abs=1e-12)


def test_bias_moves_both_ends_to_where_the_formula_says() -> None:
    # 60 % of the replicates lie below the estimate and a = 0: the levels are Φ(2 z0 ± z).
    drawn = np.linspace(0, 1, 100_001)
    bca = bca_interval(0.6, drawn, np.ones(9))
    normal = NormalDist()
    bias = normal.inv_cdf(0.6)
    expected = [normal.cdf(2 * bias + z) for z in (normal.inv_cdf(0.025), normal.inv_cdf(0.975))]
    assert (bca.low, bca.high) == pytest.approx(expected, abs=1e-4)


def test_replicates_all_equal_give_width_zero() -> None:
    bounds = bca_interval(0.25, np.full(50, 0.25), np.full(4, 0.25))
    assert (bounds.low, bounds.high, bounds.method) == (0.25, 0.25, "bca")


@pytest.mark.parametrize("jackknife", [np.array([0.1, np.nan, 0.2]), np.array([0.1, 0.3, 0.2])])
def test_where_the_correction_does_not_exist_the_percentile_interval_says_so(jackknife: np.ndarray) -> None:
    estimate = 0.5 if np.isnan(jackknife).any() else 9.0  # the latter: every replicate below it
    bounds = bca_interval(estimate, np.linspace(0, 1, 101), jackknife)
    assert bounds == percentile_interval(np.linspace(0, 1, 101))
    assert bounds.method == "percentile"


def test_an_acceleration_that_turns_the_quantile_around_is_not_used() -> None:
    # One cluster carries everything: a tends to 1/6 · 1/√… and z0 is large.
    drawn = np.concatenate([np.zeros(1), np.linspace(1, 2, 9999)])
    jackknife = np.array([1.0, *np.zeros(3)])
    assert abs(acceleration(jackknife)) > 0.05
    bounds = bca_interval(2.0, drawn, -jackknife, confidence=1 - 1e-15)
    assert bounds.method == "percentile"


def test_acceleration_of_equal_values_is_zero_even_after_rounding() -> None:
    assert acceleration(np.full(7, 0.1)) == 0
    assert acceleration(np.array([0.1, 0.1 + 1e-17, 0.3 - 0.2])) == 0
    assert acceleration(np.zeros(5)) == 0


def test_acceleration_does_not_depend_on_the_unit() -> None:
    values = np.random.default_rng(0).exponential(size=30)
    assert acceleration(values * 1e-120) == pytest.approx(acceleration(values), rel=1e-9)


@pytest.mark.parametrize("bad", [np.array([]), np.array([1.0, np.nan]), np.ones((2, 2))])
def test_undefined_replicates_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="replicates"):
        percentile_interval(bad)
