"""Resampling images: the draws, cluster sums, medians, and whether the intervals cover."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from clipbench.statistics import medians
from clipbench.statistics.bootstrap import (
    bootstrap,
    cluster_positions,
    cluster_sums,
    combine,
    intervals,
    leave_one_out,
    replicates,
)
from clipbench.statistics.draws import generator, swaps, weights
from clipbench.statistics.intervals import (
    acceleration,
    percentile_interval,
    wilson,
)
from clipbench.statistics.medians import median_replicates, prepare, weighted_medians


def stacked(clusters: int, resamples: int, seed: int, block: int | None = None) -> np.ndarray:
    return np.concatenate(list(weights(clusters, resamples, seed, block)))


# Weights


def test_weights_are_what_plain_integer_arithmetic_on_the_raw_stream_gives() -> None:
    clusters, resamples = 7, 5
    name = hashlib.blake2b(b"clipbench draws\n11\nbootstrap", digest_size=16).digest()
    stream = np.random.PCG64(np.random.SeedSequence(int.from_bytes(name, "little")))
    for row in stacked(clusters, resamples, seed=11):
        words = [int(stream.random_raw()) for _ in range(4)]
        halves = [word & 0xFFFFFFFF for word in words] + [word >> 32 for word in words]
        expected = [0] * clusters
        for half in halves[:clusters]:
            expected[half * clusters >> 32] += 1
        assert row.tolist() == expected


def test_weights_never_change_from_one_release_to_the_next() -> None:
    # Worked out with Python integers from the raw stream, as in the test above.
    assert stacked(5, 3, seed=0).tolist() == [[2, 1, 1, 0, 1], [1, 1, 1, 1, 1], [1, 3, 0, 1, 0]]
    assert np.concatenate(list(swaps(6, 2, seed=0))).tolist() == [[1, 0, 1, 0, 0, 1], [1, 1, 0, 0, 0, 1]]


@given(st.integers(2, 150), st.integers(1, 40), st.integers(-5, 2**70), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_blocking_changes_no_resample(clusters: int, resamples: int, seed: int, block: int) -> None:
    whole = stacked(clusters, resamples, seed)
    assert whole.shape == (resamples, clusters)
    assert (whole.sum(axis=1) == clusters).all()
    assert np.array_equal(whole, stacked(clusters, resamples, seed, block))
    coins = [np.concatenate(list(swaps(clusters, resamples, seed, rows))) for rows in (None, block)]
    assert np.array_equal(*coins)
    assert np.isin(coins[0], (0, 1)).all()


def test_fewer_resamples_are_the_first_of_more() -> None:
    assert np.array_equal(stacked(30, 10, seed=4), stacked(30, 100, seed=4)[:10])


def test_weights_have_the_moments_of_a_multinomial() -> None:
    clusters, resamples = 20, 40_000
    drawn = stacked(clusters, resamples, seed=1)
    covariance = np.cov(drawn.T)
    expected = np.eye(clusters) - 1 / clusters
    assert np.abs(drawn.mean(axis=0) - 1).max() < 5 / np.sqrt(resamples)
    assert np.abs(covariance - expected).max() < 0.05
    cells = np.bincount(drawn.astype(int).ravel(), minlength=6)[:6] / drawn.size
    assert cells == pytest.approx(stats.binom.pmf(range(6), clusters, 1 / clusters), abs=0.003)


def test_coins_are_fair_and_independent() -> None:
    coins = np.concatenate(list(swaps(70, 20_000, seed=2)))
    assert np.abs(coins.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(20_000)
    assert np.abs(np.corrcoef(coins.T) - np.eye(70)).max() < 5 / np.sqrt(20_000)


def test_seeds_and_purposes_have_streams_of_their_own() -> None:
    first = [int(generator(seed, purpose).random_raw()) for seed in (0, 1) for purpose in ("x", "y")]
    assert len(set(first)) == 4
    assert int(generator(0, "x").random_raw()) == first[0]


@pytest.mark.parametrize(("clusters", "resamples"), [(1, 10), (0, 10), (5, 0)])
def test_what_cannot_be_resampled_is_refused(clusters: int, resamples: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        next(weights(clusters, resamples, 0))


# Cluster sums and ratios


def clustered(seed: int, queries: int = 60, clusters: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(clusters), rng.integers(0, clusters, queries - clusters)])
    return np.column_stack([rng.integers(0, 2, queries), 1 / rng.integers(1, 50, queries)]), labels


def test_replicates_are_the_means_of_queries_drawn_image_by_image() -> None:
    values, labels = clustered(0)
    drawn = replicates(*cluster_sums(values, labels), resamples=30, seed=5)
    for row, times in zip(drawn, stacked(12, 30, seed=5), strict=True):
        picked = np.concatenate([np.tile(np.flatnonzero(labels == c), int(t)) for c, t in enumerate(times)])
        assert row == pytest.approx(values[picked].mean(axis=0), rel=1e-12)


def test_the_jackknife_is_the_mean_without_each_image() -> None:
    values, labels = clustered(1)
    left = leave_one_out(*cluster_sums(values, labels))
    for cluster in range(12):
        assert left[cluster] == pytest.approx(values[labels != cluster].mean(axis=0), rel=1e-12)


def test_leaving_out_all_but_one_query_has_a_mean_and_all_of_them_none() -> None:
    left = leave_one_out(*cluster_sums([1.0, 0.0, 1.0, 0.5], [0, 0, 0, 1]))
    assert left[:, 0] == pytest.approx([0.5, 2 / 3])
    alone = leave_one_out(*cluster_sums([1.0, 0.0], [0, 0], size=2))
    assert np.isnan(alone[0, 0])
    assert alone[1, 0] == 0.5


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_order_of_queries_changes_no_bit(seed: int) -> None:
    values, labels = clustered(seed % 1000)
    order = np.random.default_rng(seed).permutation(len(values))
    one = bootstrap(*cluster_sums(values, labels), 50)
    other = bootstrap(*cluster_sums(values[order], labels[order]), 50)
    assert np.array_equal(one.estimates, other.estimates)
    assert np.array_equal(one.replicates, other.replicates)
    assert np.array_equal(one.jackknife, other.jackknife)


def test_renaming_images_in_order_changes_no_bit_and_shuffling_them_not_the_estimate() -> None:
    values, labels = clustered(3)
    one = bootstrap(*cluster_sums(values, labels), 200)
    renamed = bootstrap(*cluster_sums(values, labels * 10 - 7), 200)
    assert np.array_equal(one.replicates, renamed.replicates)
    shuffled = bootstrap(*cluster_sums(values, np.random.default_rng(0).permutation(12)[labels]), 200)
    assert np.array_equal(one.estimates, shuffled.estimates)
    assert acceleration(one.jackknife[:, 1]) == pytest.approx(acceleration(shuffled.jackknife[:, 1]))
    assert shuffled.standard_errors == pytest.approx(one.standard_errors, rel=0.2)


def test_every_measure_in_one_pass_equals_each_on_its_own() -> None:
    values, labels = clustered(4)
    sums, counts = cluster_sums(values, labels)
    together = replicates(sums, counts, 40)
    for column in (0, 1):
        alone = replicates(sums[:, [column]], counts[:, [column]], 40)
        assert np.array_equal(together[:, [column]], alone)


def test_both_directions_share_their_resamples_so_that_rsum_is_a_sum() -> None:
    rng = np.random.default_rng(5)
    owners = np.repeat(np.arange(20), 5)
    text, image = rng.integers(0, 2, (100, 3)), rng.integers(0, 2, (20, 3))
    parts = [cluster_sums(text, owners, 20), cluster_sums(image, np.arange(20), 20)]
    both = bootstrap(*(np.hstack(tables) for tables in zip(*parts, strict=True)), 100)
    rsum = combine(both, [100] * 6)
    apart = [replicates(*part, 100) for part in parts]
    assert np.array_equal(both.replicates, np.hstack(apart))
    assert rsum.replicates[:, 0] == pytest.approx(100 * np.hstack(apart).sum(axis=1))
    assert rsum.estimates[0] == pytest.approx(100 * (text.mean(axis=0).sum() + image.mean(axis=0).sum()))
    left = [np.delete(text.reshape(20, 5, 3), c, 0).mean((0, 1)).sum() for c in range(20)]
    left = [part + np.delete(image, c, 0).mean(0).sum() for c, part in enumerate(left)]
    assert rsum.jackknife[:, 0] == pytest.approx(100 * np.array(left))
    assert intervals(rsum, method="bca")[0].method == "bca"


def test_an_image_without_queries_counts_for_nothing_but_keeps_its_place() -> None:
    sums, counts = cluster_sums([1.0, 0.0, 1.0], [0, 0, 2], size=4)
    assert sums.tolist() == [[1], [0], [1], [0]]
    assert counts.tolist() == [[2], [0], [1], [0]]


def test_a_resample_without_any_query_is_an_error_not_a_zero() -> None:
    with pytest.raises(ValueError, match="holds no query: only 1 clusters"):
        replicates(*cluster_sums([1.0], [0], size=3), resamples=50)


def test_a_missing_value_is_an_error_not_a_zero() -> None:
    with pytest.raises(ValueError, match="1 of 3 values are missing"):
        cluster_sums([1, np.nan, 0], [0, 1, 1])


@pytest.mark.parametrize(
    ("clusters", "size"), [([], None), ([[0]], None), ([0.5], None), ([-1, 0], 2), ([0, 2], 2)]
)
def test_clusters_that_name_no_image_are_refused(clusters: list[float], size: int | None) -> None:
    with pytest.raises(ValueError, match="clusters"):
        cluster_positions(clusters, size)


def test_values_and_clusters_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"do not fit 2 queries"):
        cluster_sums([1, 0, 1], [0, 1])


@given(arrays.arrays(float, st.tuples(st.integers(20, 60), st.just(1)), elements=st.floats(-1e6, 1e6)))
@settings(max_examples=30, deadline=None)
def test_intervals_contain_the_estimate_or_have_nothing_to_contain(values: np.ndarray) -> None:
    result = bootstrap(*cluster_sums(values, np.arange(len(values)) // 2), 400)
    for method in ("percentile", "bca"):
        (bounds,) = intervals(result, method=method)
        # A few huge values can push every likely resample to one side; then z0 is beyond 1.9.
        below = np.mean(result.replicates <= result.estimates)
        if 0.05 < below < 0.95:
            assert bounds.low <= result.estimates[0] <= bounds.high


# Medians


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 6)), min_size=1, max_size=60),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.5, 4.0]),
)
@settings(max_examples=80, deadline=None)
def test_medians_are_numpys_of_the_queries_drawn(
    queries: list[tuple[int, int]], seed: int, sds: float
) -> None:
    ranks, labels = (np.array(part) for part in zip(*queries, strict=True))
    positions, count = cluster_positions(labels)
    if count < 2:
        return
    window = prepare(ranks / 2, positions, count)  # halves: expected ranks under ties
    drawn = stacked(count, 25, seed)
    expected = [np.median(np.repeat(ranks / 2, times[positions].astype(int))) for times in drawn]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(medians, "WINDOW_SDS", sds)  # a narrow window must be found out, row by row
        patch.setattr(medians, "WINDOW_CELLS", 1)
        narrow = prepare(ranks / 2, positions, count)
    for table in (window, narrow):
        assert weighted_medians(table, [drawn], 25).tolist() == expected


def test_medians_of_spread_out_ranks_are_exact_at_full_size() -> None:
    rng = np.random.default_rng(0)
    ranks, labels = rng.permutation(25_000)[:4000], np.arange(4000) // 5
    drawn = median_replicates(ranks, labels, resamples=40, seed=9)
    for value, times in zip(drawn, stacked(800, 40, seed=9), strict=True):
        assert value == np.median(np.repeat(ranks, times[labels].astype(int)))


def test_medians_share_the_resamples_of_the_means() -> None:
    # Two queries per image, both of the image's rank: mean and median move together.
    labels = np.repeat(np.arange(30), 2)
    values = labels % 2
    share = replicates(*cluster_sums(values, labels), 100, seed=3)[:, 0]
    middle = median_replicates(values, labels, 100, seed=3)
    assert (middle == np.where(share > 0.5, 1.0, np.where(share < 0.5, 0.0, 0.5))).all()


def test_a_missing_rank_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 of 2 ranks are missing"):
        median_replicates([1, np.nan], [0, 1])
    with pytest.raises(ValueError, match="3 ranks for 2 queries"):
        median_replicates([1, 2, 3], [0, 1])


def test_medians_of_resamples_without_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no query"):
        median_replicates([1.0], [0], resamples=50, size=3)


# Coverage: 2,000 data sets at once, as columns that share their resamples


def beta_hits(clusters: int, per: int, share: float, spread: float, sets: int) -> np.ndarray:
    """Hits whose chance differs from image to image by a beta law of mean `share`; (Q, sets)."""
    rng = np.random.default_rng(8)
    chance = rng.beta(share * spread, (1 - share) * spread, (clusters, sets))
    return (rng.random((clusters, per, sets)) < chance[:, None, :]).reshape(clusters * per, sets)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_over_images_cover_what_they_say(method: str) -> None:
    share, sets = 0.3, 1500
    hits = beta_hits(150, 5, share, 1.5, sets)
    result = bootstrap(*cluster_sums(hits, np.repeat(np.arange(150), 5)), 1000)
    covered = np.mean([b.low <= share <= b.high for b in intervals(result, method=method)])
    assert 0.93 < covered < 0.97


def test_intervals_that_take_captions_for_independent_do_not() -> None:
    share = 0.3
    hits = beta_hits(150, 5, share, 1.5, 500)
    bounds = [wilson(int(column.sum()), len(column)) for column in hits.T]
    assert np.mean([b.low <= share <= b.high for b in bounds]) < 0.85


def test_median_intervals_cover_the_median() -> None:
    # Ranks: exponential image difficulty times exponential noise, median known by a large sample.
    rng = np.random.default_rng(1)

    def ranks(images: int) -> np.ndarray:
        return np.exp(np.repeat(rng.normal(size=images), 5) + rng.normal(size=5 * images))

    labels = np.repeat(np.arange(100), 5)
    covered = 0
    for seed in range(300):
        bounds = percentile_interval(median_replicates(ranks(100), labels, 500, seed))
        covered += bounds.low <= 1 <= bounds.high  # symmetric on the log scale about 0
    assert 0.92 < covered / 300 < 0.98
