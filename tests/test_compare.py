"""A comparison against a calculation written here from the definitions, which calls none of our statistics."""

import sys
from dataclasses import replace
from itertools import product
from math import comb
from pathlib import Path
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from compare_toys import Bench, bench, collection

from clipbench.errors import CompareError, StoreError
from clipbench.records import Dataset, Perturbation, Protocol
from clipbench.statistics.flips import mcnemar
from clipbench.statistics.paired import median_test, paired_difference, paired_medians, randomisation_test
from clipbench.study.comparing.common import common_queries
from clipbench.study.comparing.compare import compare
from clipbench.study.comparing.comparison import CompareRequest, Comparison, Line
from clipbench.study.comparing.values import check_stored, per_query
from clipbench.study.runs.loaded import load_runs

Floats = npt.NDArray[np.float64]
DROPPED = Perturbation("word-dropout", "text", 0.3, 0)
NORMAL = NormalDist()


@pytest.fixture
def two(tmp_path: Path) -> tuple[Bench, Dataset, Comparison]:
    made, dataset = bench(tmp_path / "store"), collection()
    runs = [made.run(dataset, 0.6), made.run(dataset, 1.4, seed=1, setting=DROPPED)]
    return made, dataset, compare(made.store, runs, CompareRequest(resamples=4000))


def line(found: Comparison, direction: str, metric: str, run: int = 1, group: str = "") -> Line:
    [one] = [
        one
        for one in found.lines
        if (one.direction, one.metric, one.run, one.group) == (direction, metric, run, group)
    ]
    return one


def ranks(scores: Floats, owners: npt.NDArray[np.int32]) -> dict[str, tuple[Floats, Floats]]:
    """Return each direction's best ranks and the images its queries belong to, by sorting nothing."""
    captions = np.arange(len(owners))
    t2i = np.array([1 + (scores[:, c] > scores[owners[c], c]).sum() for c in captions], dtype=float)
    i2t = np.array(
        [1 + (scores[i] > scores[i, owners == i].max()).sum() for i in range(len(scores))], dtype=float
    )
    return {"t2i": (t2i, owners.astype(float)), "i2t": (i2t, np.arange(len(scores), dtype=float))}


def oracle(made: Bench, dataset: Dataset, found: Comparison) -> dict[str, tuple[Floats, Floats, Floats]]:
    """Return by direction: baseline ranks, run ranks, clusters."""
    both = [ranks(made.scores[run.key], dataset.owners) for run in found.runs]
    return {d: (both[0][d][0], both[1][d][0], both[0][d][1]) for d in ("t2i", "i2t")}


VALUES = {
    "hit@1": lambda r: (r <= 1).astype(float),
    "hit@5": lambda r: (r <= 5).astype(float),
    "hit@10": lambda r: (r <= 10).astype(float),
    "MRR": lambda r: 1 / r,
    "MeanR": lambda r: r,
}


def by_image(values: Floats, clusters: Floats) -> Floats:
    return np.array([values[clusters == c].sum() for c in np.unique(clusters)])


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_values_and_differences_are_those_of_the_definition(
    two: tuple[Bench, Dataset, Comparison], direction: str
) -> None:
    made, dataset, found = two
    before, after, _ = oracle(made, dataset, found)[direction]
    for name, value in VALUES.items():
        one = line(found, direction, name)
        assert one.reference.value == pytest.approx(value(before).mean(), abs=1e-12)
        assert one.delta == pytest.approx(value(after).mean() - value(before).mean(), abs=1e-12)
    median = line(found, direction, "MedR")
    assert median.delta == np.median(after) - np.median(before)


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_p_is_that_of_all_relabellings_of_the_images(
    two: tuple[Bench, Dataset, Comparison], direction: str
) -> None:
    made, dataset, found = two
    before, after, clusters = oracle(made, dataset, found)[direction]
    for name, value in VALUES.items():
        change = by_image(value(after) - value(before), clusters)
        every = np.array([abs(change @ signs) for signs in product((1, -1), repeat=len(change))])
        exact = (every >= abs(change.sum()) - 1e-9).mean()
        one = line(found, direction, name).tested
        assert one is not None
        # Four standard errors of a share drawn 4,000 times.
        assert one.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000) + 1 / 4001)


def test_rsum_is_tested_over_both_directions_together(two: tuple[Bench, Dataset, Comparison]) -> None:
    made, dataset, found = two
    told = oracle(made, dataset, found)
    change = np.zeros(len(dataset.samples))
    for before, after, clusters in told.values():
        for k in (1, 5, 10):
            hits = (after <= k).astype(float) - (before <= k)
            change += 100 * by_image(hits, clusters) / len(before)
    one = line(found, "both", "rsum")
    assert one.delta == pytest.approx(change.sum())
    every = np.array([abs(change @ signs) for signs in product((1, -1), repeat=len(change))])
    exact = (every >= abs(change.sum()) - 1e-9).mean()
    assert one.tested is not None
    assert one.tested.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000) + 1 / 4001)


@pytest.mark.parametrize("metric", ["hit@1", "MRR", "MeanR"])
def test_intervals_are_those_of_resampled_images(two: tuple[Bench, Dataset, Comparison], metric: str) -> None:
    made, dataset, found = two
    before, after, clusters = oracle(made, dataset, found)["t2i"]
    sums = by_image(VALUES[metric](after) - VALUES[metric](before), clusters)
    sizes = by_image(np.ones_like(before), clusters)
    drawn = np.random.default_rng(5).integers(0, len(sums), size=(40_000, len(sums)))
    replicates = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    estimate = sums.sum() / sizes.sum()
    one = line(found, "t2i", metric).tested
    assert one is not None
    assert one.bca is not None
    close = 0.12 * replicates.std()  # quantiles of 4,000 draws of a discrete statistic
    assert one.standard_error == pytest.approx(replicates.std(ddof=1), rel=0.05)
    assert (one.percentile.low, one.percentile.high) == pytest.approx(
        np.quantile(replicates, [0.025, 0.975]), abs=close
    )
    # BCa by its definition: bias from the share below, acceleration from leaving images out.
    share = (replicates < estimate).mean() + (replicates == estimate).mean() / 2
    bias = NORMAL.inv_cdf(float(share))
    left = (sums.sum() - sums) / (sizes.sum() - sizes)
    shift = left.mean() - left
    rate = (shift**3).sum() / (6 * (shift**2).sum() ** 1.5)
    levels = [NORMAL.cdf(bias + (bias + z) / (1 - rate * (bias + z))) for z in (-1.959964, 1.959964)]
    assert (one.bca.low, one.bca.high) == pytest.approx(np.quantile(replicates, levels), abs=1.5 * close)


def test_flips_are_counted_and_tested_exactly(two: tuple[Bench, Dataset, Comparison]) -> None:
    made, dataset, found = two
    before, after, _ = oracle(made, dataset, found)["t2i"]
    for k in (1, 5, 10):
        fixed = int(((before > k) & (after <= k)).sum())
        broken = int(((before <= k) & (after > k)).sum())
        flips = line(found, "t2i", f"hit@{k}").flips
        assert flips is not None
        assert (flips.fixed, flips.broken) == (fixed, broken)
        n, few = fixed + broken, min(fixed, broken)
        tail = sum(comb(n, i) for i in range(few + 1)) / 2**n
        p = min(1.0, 2 * tail) if n < 25 else 2 * tail - comb(n, few) / 2**n
        assert flips.p == pytest.approx(p)


def test_holm_goes_over_the_whole_table(two: tuple[Bench, Dataset, Comparison]) -> None:
    *_, found = two
    raw = [one.tested.p for one in found.lines if one.tested is not None]
    assert found.correction == "holm"
    assert found.tests == len(raw) == len(found.lines)
    order, running, expected = sorted(range(len(raw)), key=raw.__getitem__), 0.0, [0.0] * len(raw)
    for place, index in enumerate(order):
        running = max(running, min(1.0, raw[index] * (len(raw) - place)))
        expected[index] = running
    assert [one.p_adjusted for one in found.lines] == pytest.approx(expected)


def test_benjamini_hochberg_goes_over_the_whole_table(two: tuple[Bench, Dataset, Comparison]) -> None:
    made, _, found = two
    again = compare(made.store, found.runs, CompareRequest(resamples=4000, correction="bh"))
    raw = np.array([one.tested.p for one in again.lines if one.tested is not None])
    ordered = np.sort(raw)
    expected = [
        min(min(1.0, ordered[j] * len(raw) / (j + 1)) for j in range(len(raw)) if ordered[j] >= p)
        for p in raw
    ]
    assert [one.p_adjusted for one in again.lines] == pytest.approx(expected)


def test_the_detectable_difference_follows_from_the_spread(two: tuple[Bench, Dataset, Comparison]) -> None:
    *_, found = two
    one = line(found, "t2i", "hit@5")
    assert one.tested is not None
    assert one.detectable == pytest.approx((1.959964 + 0.8416212) * one.tested.standard_error, rel=1e-6)


def test_no_median_is_said_to_show_less_than_its_smallest_step(tmp_path: Path) -> None:
    made, dataset = bench(tmp_path / "store"), collection(images=40)
    runs = [made.run(dataset, 0.3), made.run(dataset, 0.45, seed=1)]
    for resamples in (200, 2000):
        found = compare(made.store, runs, CompareRequest(resamples=resamples))
        for direction in ("t2i", "i2t"):
            one = line(found, direction, "MedR")
            assert one.tested is not None
            assert one.detectable is None or one.detectable >= 0.5
            assert (one.detectable is None) == (one.tested.standard_error == 0)


def test_every_number_is_that_of_the_statistics_for_one_pair(two: tuple[Bench, Dataset, Comparison]) -> None:
    """The pass that shares its draws among everything says the same as each statistic alone."""
    made, _, found = two
    loaded_runs = load_runs(made.store, found.runs)
    for common in common_queries(loaded_runs):
        values = per_query(loaded_runs, common, ("hit@1", "hit@10", "MRR", "MeanR", "MedR"))
        alone = paired_difference(values.means[0], values.means[1], common.clusters, 4000)
        p = randomisation_test(values.means[0], values.means[1], common.clusters, 4000)
        for place, name in enumerate(values.names):
            one = line(found, common.direction, name).tested
            assert one is not None
            assert (one.percentile, one.bca) == (alone[place].percentile, alone[place].bca)
            assert one.p == p[place]
            assert one.standard_error == pytest.approx(alone[place].standard_error)
        assert values.ranks is not None
        median = line(found, common.direction, "MedR").tested
        assert median is not None
        together = paired_medians(values.ranks[0], values.ranks[1], common.clusters, 4000)
        assert median.percentile == together.percentile
        assert median.p == median_test(values.ranks[0], values.ranks[1], common.clusters, 4000)
        assert (
            mcnemar(values.hits["hit@1"][0], values.hits["hit@1"][1])
            == line(found, common.direction, "hit@1").flips
        )


def test_many_runs_have_the_numbers_of_each_pair(tmp_path: Path) -> None:
    made, dataset = bench(tmp_path / "store"), collection()
    settings = [Perturbation("word-dropout", "text", level / 10, 0) for level in range(1, 4)]
    runs = [made.run(dataset, 0.5)]
    runs += [made.run(dataset, 0.5 + s.level * 3, seed=1, setting=s) for s in settings]
    together = compare(made.store, runs, CompareRequest(resamples=500))
    for number in range(1, 4):
        alone = compare(made.store, [runs[0], runs[number]], CompareRequest(resamples=500))
        for one in alone.lines:
            same = line(together, one.direction, one.metric, number)
            assert (same.tested, same.flips, same.delta) == (one.tested, one.flips, one.delta)


def test_the_baseline_can_be_any_of_the_runs(two: tuple[Bench, Dataset, Comparison]) -> None:
    made, _, found = two
    turned = compare(made.store, found.runs, CompareRequest(resamples=4000), baseline=1)
    for one in found.lines:
        other = line(turned, one.direction, one.metric, 0)
        assert other.delta == -one.delta
        assert (one.flips and (one.flips.broken, one.flips.fixed)) == (
            other.flips and (other.flips.fixed, other.flips.broken)
        )


def test_a_run_beside_itself_in_all_but_its_key_shows_no_difference(tmp_path: Path) -> None:
    made, dataset = bench(tmp_path / "store"), collection()
    runs = [made.run(dataset, 0.8), made.run(dataset, 0.8, protocol=Protocol(resamples=101))]
    for one in compare(made.store, runs, CompareRequest(resamples=300)).lines:
        assert one.delta == 0
        assert one.tested is not None
        assert (one.tested.p, one.p_adjusted, one.detectable) == (1.0, 1.0, None)
        assert (one.tested.percentile.low, one.tested.percentile.high) == (0, 0)
        assert one.improves is None


def test_ties_count_by_their_expected_value_and_flips_take_them_for_misses(tmp_path: Path) -> None:
    made, dataset = bench(tmp_path / "store"), collection(images=10, captions=2)
    runs = [made.run(dataset, 0.5, coarse=True), made.run(dataset, 1.5, seed=1, coarse=True)]
    found = compare(made.store, runs, CompareRequest(resamples=200))
    whole, expected = [], []
    for run in runs:
        scores = np.round(made.scores[run.key], 6)
        right = scores[dataset.owners, np.arange(scores.shape[1])]
        above = (scores > right).sum(axis=0)
        tied = (scores == right).sum(axis=0)
        expected.append(np.clip((1 - above) / tied, 0, 1))
        whole.append(above + tied - 1 == 0)
    assert any(((hits > 0) & (hits < 1)).any() for hits in expected)
    one = line(found, "t2i", "hit@1")
    assert one.delta == pytest.approx(expected[1].mean() - expected[0].mean())
    assert one.flips is not None
    assert one.flips.fixed == (~whole[0] & whole[1]).sum()
    assert one.flips.broken == (whole[0] & ~whole[1]).sum()
    assert any("tied with a wrong one" in note for note in found.notes)


def test_intervals_of_another_confidence_are_computed_anew(two: tuple[Bench, Dataset, Comparison]) -> None:
    made, _, found = two
    narrow = compare(made.store, found.runs, CompareRequest(resamples=2000, confidence=0.8))
    for one in narrow.lines:
        wide = line(found, one.direction, one.metric)
        assert one.reference.low is not None
        assert wide.reference.low is not None
        assert one.reference.value == wide.reference.value
        assert wide.reference.low - 0.6 <= one.reference.low <= one.reference.value
        assert one.tested is not None
        assert one.tested.percentile.confidence == 0.8


def test_stored_metrics_that_the_ledger_belies_are_refused(tmp_path: Path) -> None:
    made, dataset = bench(tmp_path / "store"), collection()
    loaded_runs = load_runs(made.store, [made.run(dataset, 0.8), made.run(dataset, 1.2)])
    [common, _] = common_queries(loaded_runs)
    values = per_query(loaded_runs, common, ("hit@1",))
    check_stored(loaded_runs[0], values, 0)
    false = {key: replace(m, value=m.value + 1e-6) for key, m in loaded_runs[0].metrics.items()}
    with pytest.raises(StoreError, match="by its ledger"):
        check_stored(replace(loaded_runs[0], metrics=false), values, 0)


def test_one_run_is_no_comparison(tmp_path: Path) -> None:
    made, dataset = bench(tmp_path / "store"), collection()
    with pytest.raises(CompareError, match="needs 2 runs, got 1"):
        compare(made.store, [made.run(dataset, 0.8)], CompareRequest())


def test_one_image_has_differences_and_no_statistics(tmp_path: Path) -> None:
    made, dataset = bench(tmp_path / "store"), collection(images=1, captions=2)
    runs = [made.run(dataset, 0.1), made.run(dataset, 2.0, seed=2)]
    found = compare(made.store, runs, CompareRequest())
    assert found.tests == 0
    assert all(one.tested is None and one.p_adjusted is None for one in found.lines)


def test_folds_are_averaged_as_the_runs_were(tmp_path: Path) -> None:
    made, dataset = bench(tmp_path / "store"), collection(images=12)
    folded = Protocol(resamples=100, fold=4)
    runs = [made.run(dataset, 0.6, protocol=folded), made.run(dataset, 1.4, seed=1, protocol=folded)]
    found = compare(made.store, runs, CompareRequest(resamples=500))
    means = []
    for run in runs:
        parts = []
        for start in range(0, 12, 4):
            images = slice(start, start + 4)
            captions = (dataset.owners >= start) & (dataset.owners < start + 4)
            part = ranks(made.scores[run.key][images, captions], dataset.owners[captions] - start)
            parts.append((part["t2i"][0] <= 1).mean())
        means.append(np.mean(parts))
    one = line(found, "t2i", "hit@1")
    assert (one.reference.value, one.delta) == pytest.approx((means[0], means[1] - means[0]))
    assert one.tested is not None
    assert line(found, "t2i", "MedR").tested is None  # a mean of medians is not tested


def test_a_metric_that_a_run_has_not_is_refused_by_name(tmp_path: Path) -> None:
    made, dataset = bench(tmp_path / "store"), collection()
    few = Protocol(ks=(1, 5), resamples=100)
    runs = [made.run(dataset, 0.8), made.run(dataset, 1.2, protocol=few)]
    found = compare(made.store, runs, CompareRequest(resamples=200))
    assert "hit@10" not in {one.metric for one in found.lines}
    assert "rsum" not in {one.metric for one in found.lines}
    assert any("hit@10" in note for note in found.notes)
    with pytest.raises(CompareError, match="hit@10"):
        compare(made.store, runs, CompareRequest(metrics=("R@10",)))
