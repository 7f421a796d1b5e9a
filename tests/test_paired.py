"""Two runs on the same queries: differences, relabelling, flips, power."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_oracle

from clipbench.errors import CompareError
from clipbench.statistics.bootstrap import cluster_sums, replicates
from clipbench.statistics.flips import mcnemar, retention
from clipbench.statistics.medians import median_replicates
from clipbench.statistics.paired import (
    cluster_standard_error,
    median_test,
    minimum_detectable_difference,
    paired_difference,
    paired_medians,
    randomisation_test,
    relabelled,
    same_queries,
)


def runs(seed: int, queries: int = 200, clusters: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hit and reciprocal rank of two runs; the second is a little better."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(
        np.concatenate([np.arange(clusters), rng.integers(0, clusters, queries - clusters)])
    )
    hard = rng.normal(size=clusters)[labels]
    ranks = [np.ceil(np.exp(1 + hard + rng.normal(size=queries) - gain)) for gain in (0, 0.3)]
    a, b = (np.column_stack([rank <= 1, 1 / rank]).astype(float) for rank in ranks)
    return a, b, labels


# Bootstrap of the difference


def test_the_difference_is_b_minus_a_with_both_runs_resampled_together() -> None:
    a, b, labels = runs(0)
    drawn = [replicates(*cluster_sums(run, labels), 500, seed=7) for run in (a, b)]
    for measure, got in enumerate(paired_difference(a, b, labels, 500, seed=7)):
        differences = drawn[1][:, measure] - drawn[0][:, measure]
        assert got.delta == pytest.approx(b[:, measure].mean() - a[:, measure].mean(), abs=1e-12)
        assert got.standard_error == pytest.approx(differences.std(ddof=1), rel=1e-9)
        expected = np.quantile(differences, [0.025, 0.975])
        assert (got.percentile.low, got.percentile.high) == pytest.approx(expected, abs=1e-9)
        assert got.bca is not None
        assert got.bca.method == "bca"
        assert (got.queries, got.clusters) == (200, 40)


def test_swapping_the_runs_turns_the_difference_round() -> None:
    a, b, labels = runs(1)
    for one, other in zip(
        paired_difference(a, b, labels, 300), paired_difference(b, a, labels, 300), strict=True
    ):
        assert one.delta == -other.delta
        assert one.percentile.low == pytest.approx(-other.percentile.high, abs=1e-12)
        assert one.bca is not None
        assert other.bca is not None
        assert one.bca.low == pytest.approx(-other.bca.high, abs=1e-9)


def test_equal_runs_differ_by_nothing_for_sure() -> None:
    a, _, labels = runs(2)
    for got in paired_difference(a, a, labels, 100):
        assert (got.delta, got.standard_error, got.percentile.width) == (0, 0, 0)
    assert randomisation_test(a, a, labels, 100).tolist() == [1, 1]


def test_pairing_narrows_the_interval() -> None:
    a, b, labels = runs(3)
    paired = paired_difference(a, b, labels, 500)[1].standard_error
    apart = np.hypot(
        *(replicates(*cluster_sums(run, labels), 500, seed=i)[:, 1].std() for i, run in enumerate((a, b)))
    )
    assert paired < 0.8 * apart


@pytest.mark.parametrize("test", [paired_difference, randomisation_test, paired_medians, median_test])
def test_a_missing_query_is_an_error(test: object) -> None:
    assert callable(test)
    with pytest.raises(ValueError, match="queries are missing"):
        test([1, 0, 1], [1, 0], [0, 1, 1])
    with pytest.raises(ValueError, match="missing"):
        test([1, 0, 1], [1, 0, np.nan], [0, 1, 1])


def test_queries_of_two_runs_are_compared_by_name() -> None:
    same_queries(["p#0", "p#1"], ["p#0", "p#1"])
    with pytest.raises(
        CompareError, match=r"hold 3 and 2 queries: 2 only in the first, 1 only in the second \(x, y, z\)"
    ):
        same_queries(["p", "x", "y"], ["p", "z"])
    with pytest.raises(CompareError, match="another order"):
        same_queries(["p", "q"], ["q", "p"])
    with pytest.raises(CompareError, match="repeated"):
        same_queries(["p", "q"], ["p", "q", "q"])


# Medians


def test_the_median_difference_is_of_medians_on_the_same_resamples() -> None:
    a, b, labels = runs(4)
    first, second = 1 / a[:, 1], 1 / b[:, 1]
    got = paired_medians(first, second, labels, 400, seed=3)
    drawn = median_replicates(second, labels, 400, 3) - median_replicates(first, labels, 400, 3)
    assert got.delta == np.median(second) - np.median(first)
    assert got.standard_error == pytest.approx(drawn.std(ddof=1))
    assert (got.percentile.low, got.percentile.high) == pytest.approx(
        tuple(np.quantile(drawn, [0.025, 0.975]))
    )
    assert got.bca is None


# Randomisation


def every_relabelling(a: np.ndarray, b: np.ndarray, labels: np.ndarray) -> np.ndarray:
    out = []
    for coins in itertools.product((False, True), repeat=labels.max() + 1):
        swapped = np.array(coins)[labels]
        out.append(abs(np.where(swapped, a, b).mean() - np.where(swapped, b, a).mean()))
    return np.array(out)


@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.sampled_from(["hits", "shares"]))
@settings(max_examples=25, deadline=None)
def test_relabelling_is_what_swapping_every_query_of_the_images_does(
    seed: int, clusters: int, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(clusters), rng.integers(0, clusters, 8)])
    a, b = (rng.integers(0, 2, len(labels)) if kind == "hits" else rng.random(len(labels)) for _ in range(2))
    coins = np.array(list(itertools.product((0.0, 1.0), repeat=clusters)))
    got = relabelled(cluster_sums(b - a, labels)[0], coins)[:, 0] / len(labels)
    assert got == pytest.approx(every_relabelling(a, b, labels), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_p_values_are_those_of_all_relabellings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(9), rng.integers(0, 9, 20)])
    a, b = rng.integers(1, 8, 29), rng.integers(1, 6, 29)
    resamples = 20_000
    hits = [(ranks <= 2).astype(float) for ranks in (a, b)]
    scores = [np.sign(ranks - np.median([a, b])) for ranks in (a, b)]
    for pair, got in [
        (hits, randomisation_test(*hits, labels, resamples, seed)[0]),
        (scores, median_test(a, b, labels, resamples, seed)),
    ]:
        reached = every_relabelling(*pair, labels)
        exact = np.mean(reached >= abs(pair[1].mean() - pair[0].mean()) - 1e-12)
        assert got == pytest.approx(exact, abs=5 * np.sqrt(0.25 / resamples))


def test_a_p_value_is_never_nought_and_counts_the_runs_as_they_are() -> None:
    labels = np.arange(50)
    assert randomisation_test(np.zeros(50), np.ones(50), labels, resamples=999)[0] == 1 / 1000
    # Not so the difference of medians: under all but C(50, 25) of the 2^50 relabellings, 89 %, the
    # two runs still have medians 1 and 9. Scores about the pooled median see that all moved.
    assert median_test(np.ones(50), np.full(50, 9), labels, resamples=999) == 1 / 1000


@pytest.mark.parametrize("sign", [1, -1])
def test_ties_of_thirds_count_as_ties(sign: int) -> None:
    # |Δ| = 5 as 1 − 3/3 + 5. With 5 taken positive, a relabelling reaches 5 wherever ±1 ± 1/3 ± 1/3 ± 1/3
    # is at least 0: the 8 with +1, and −1 + 3/3, which rounding puts a hair below or above; 9 of 16.
    third = 1 / 3
    change = np.array([-sign * third, -sign * third, -sign * third, sign, 5.0])
    p = randomisation_test(np.zeros(5), change, np.arange(5), 20_000)[0]
    assert p == pytest.approx(9 / 16, abs=0.02)


def test_tests_do_not_depend_on_the_order_of_queries() -> None:
    a, b, labels = runs(5)
    order = np.random.default_rng(0).permutation(len(labels))
    first = (paired_difference(a, b, labels, 200), randomisation_test(a, b, labels, 200).tolist())
    other = (
        paired_difference(a[order], b[order], labels[order], 200),
        randomisation_test(a[order], b[order], labels[order], 200).tolist(),
    )
    assert first == other


def null_runs(sets: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits of two equally good runs whose successes differ from image to image; (Q, sets)."""
    rng = np.random.default_rng(6)
    shape = (60, 5, sets)
    chance = [rng.beta(0.8, 0.8, (60, 1, sets)) for _ in range(2)]
    a, b = ((rng.random(shape) < part).reshape(300, sets).astype(float) for part in chance)
    return a, b, np.repeat(np.arange(60), 5)


def test_without_a_difference_one_test_in_twenty_is_significant() -> None:
    a, b, labels = null_runs(2000)
    p = randomisation_test(a, b, labels, 999)
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.015)


def test_median_tests_find_one_in_twenty_too_and_a_real_shift_nearly_always() -> None:
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(60), 5)
    found = []
    for shift in (0.0, 0.8):
        hard = rng.normal(size=(200, 60, 1))
        runs = [np.ceil(np.exp(hard + rng.normal(size=(200, 60, 5)) + gain)) for gain in (2, 2 + shift)]
        pairs = zip(*(run.reshape(200, 300) for run in runs), strict=True)
        found.append(np.mean([median_test(a, b, labels, 499) <= 0.05 for a, b in pairs]))
    assert found[0] == pytest.approx(0.05, abs=0.045)
    assert found[1] > 0.95


def test_mcnemar_takes_captions_for_independent_and_finds_too_much() -> None:
    a, b, _ = null_runs(300)
    found = np.mean([mcnemar(one, other).p <= 0.05 for one, other in zip(a.T, b.T, strict=True)])
    assert found > 0.12


def test_paired_intervals_cover_the_true_difference() -> None:
    a, b, labels = null_runs(800)
    got = paired_difference(a, b, labels, 1000)
    for bounds in ([one.percentile for one in got], [one.bca for one in got]):
        covered = np.mean(
            [interval is not None and interval.low <= 0 <= interval.high for interval in bounds]
        )
        assert 0.93 < covered < 0.97


# Flips


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (1, 0), (5, 5), (3, 9), (20, 4), (0, 24)])
def test_few_flips_are_tested_exactly(fixed: int, broken: int) -> None:
    got = mcnemar(*flipped(fixed, broken))
    assert (got.fixed, got.broken, got.method) == (fixed, broken, "exact")
    oracle = mcnemar_oracle([[10, broken], [fixed, 7]], exact=True).pvalue
    assert got.p == pytest.approx(oracle, rel=1e-9)
    if fixed + broken:
        assert got.p == pytest.approx(stats.binomtest(fixed, fixed + broken).pvalue, rel=1e-9)


@pytest.mark.parametrize(("fixed", "broken"), [(25, 0), (0, 25), (20, 30), (30, 30), (400, 500)])
def test_many_flips_are_tested_by_mid_p(fixed: int, broken: int) -> None:
    got = mcnemar(*flipped(fixed, broken))
    exact = stats.binomtest(fixed, fixed + broken).pvalue
    observed = stats.binom.pmf(fixed, fixed + broken, 0.5)
    assert (got.fixed, got.broken, got.method) == (fixed, broken, "mid-p")
    # Half of the probability of a result as extreme as this one, in both tails, is taken off.
    assert got.p == pytest.approx(1.0 if fixed == broken else exact - observed, rel=1e-9)


def flipped(fixed: int, broken: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([1, 0, 1, 0], [10, fixed, broken, 7])
    b = np.repeat([1, 1, 0, 0], [10, fixed, broken, 7])
    order = np.random.default_rng(0).permutation(len(a))
    return a[order], b[order]


def test_retention_counts_what_was_kept_and_gained() -> None:
    got = retention([True, True, True, False, False], [True, False, True, True, False])
    assert (got.hits, got.kept, got.gained, got.share) == (3, 2, 1, pytest.approx(2 / 3))


def test_with_no_hit_to_keep_there_is_no_retention() -> None:
    got = retention([0, 0], [1, 0])
    assert (got.hits, got.gained, got.share) == (0, 1, None)


@pytest.mark.parametrize("count", [mcnemar, retention])
def test_half_a_hit_is_no_flip(count: object) -> None:
    assert callable(count)
    with pytest.raises(ValueError, match="1 of 3 hits are neither 0 nor 1"):
        count([1, 0, 1], [1, 0.5, 0])
    with pytest.raises(ValueError, match="one per query of both runs"):
        count([1, 0, 1], [1, 0])


# Power


def test_the_standard_error_is_the_cluster_robust_one_of_statsmodels() -> None:
    a, b, labels = runs(7)
    got = cluster_standard_error(b - a, labels)
    for measure in (0, 1):
        fit = OLS((b - a)[:, measure], np.ones(len(labels))).fit(
            cov_type="cluster", cov_kwds={"groups": labels}
        )
        assert got[measure] == pytest.approx(fit.bse[0], rel=1e-9)
        spread = paired_difference(a, b, labels, 4000)[measure].standard_error
        assert spread == pytest.approx(got[measure], rel=0.08)


def test_the_smallest_detectable_difference_is_detected_four_times_in_five() -> None:
    assert minimum_detectable_difference(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-6)
    assert minimum_detectable_difference(2.0, alpha=0.01, power=0.9) == pytest.approx(
        2 * (2.575829 + 1.281552), abs=1e-5
    )
    z = np.random.default_rng(0).normal(minimum_detectable_difference(1.0), 1, 100_000)
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.8, abs=0.006)


@pytest.mark.parametrize(
    ("error", "alpha", "power"), [(-1, 0.05, 0.8), (np.inf, 0.05, 0.8), (1, 0, 0.8), (1, 0.05, 1)]
)
def test_power_needs_shares(error: float, alpha: float, power: float) -> None:
    with pytest.raises(ValueError, match=r"standard error|confidence|power"):
        minimum_detectable_difference(error, alpha, power)


def test_one_image_has_no_standard_error() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        cluster_standard_error([1, 0], [3, 3])
