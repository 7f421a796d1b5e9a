"""Do the intervals cover what they say, and do the tests err as often as they say? A longer simulation.

    python benchmarks/statistics_coverage.py            # about a minute
    python benchmarks/statistics_coverage.py --sets 5000 --resamples 2000
    python benchmarks/statistics_coverage.py --speed

Images differ: an image's queries succeed with a chance drawn from a beta law, whose intra-image
correlation is 1 / (1 + a + b). Ranks are exp(image + query), both normal, so their median is 1. All
data sets of one setting are columns of one table and share their resamples, so one matrix product does
them all. "half-width" is the simulation error of a coverage of .95 (two standard deviations).
"""

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from clipbench.statistics.agreement import ALPHA, with_interval
from clipbench.statistics.bootstrap import bootstrap, cluster_sums, intervals
from clipbench.statistics.flips import mcnemar
from clipbench.statistics.intervals import percentile_interval, wilson
from clipbench.statistics.medians import median_replicates
from clipbench.statistics.paired import median_test, paired_difference, paired_medians, randomisation_test
from clipbench.statistics.ratings import Ratings

Floats = npt.NDArray[np.float64]


def sizes_of(kind: str, images: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Queries per image: five each, or one to nine."""
    return np.full(images, 5) if kind == "five" else rng.integers(1, 10, images)


def hits(
    share: float, correlation: float, owners: npt.NDArray[np.int64], sets: int, rng: np.random.Generator
) -> Floats:
    """Hits (Q, sets) of mean `share` and the given correlation between queries of one image."""
    spread = 1 / correlation - 1
    chance = rng.beta(share * spread, (1 - share) * spread, (owners.max() + 1, sets))
    return (rng.random((len(owners), sets)) < chance[owners]).astype(float)


def coverage_of_shares(sets: int, resamples: int) -> None:
    """Intervals of hit@K: percentile and BCa over images, and Wilson as if captions were independent."""
    print(f"hit@K, {sets} data sets, half-width ±{2 * math.sqrt(0.95 * 0.05 / sets):.3f}")
    print(
        f"{'images':>7} {'queries':>8} {'share':>6} {'corr':>5} {'percentile':>11} {'bca':>6} {'wilson':>7}"
    )
    rng = np.random.default_rng(0)
    for images in (20, 50, 200, 1000):
        for kind, share, correlation in (("five", 0.5, 0.3), ("five", 0.1, 0.3), ("1 to 9", 0.3, 0.6)):
            owners = np.repeat(np.arange(images), sizes_of(kind, images, rng))
            table = hits(share, correlation, owners, sets, rng)
            result = bootstrap(*cluster_sums(table, owners), resamples)
            covered = [
                np.mean([b.low <= share <= b.high for b in intervals(result, method=method)])
                for method in ("percentile", "bca")
            ]
            plain = [wilson(int(total), len(owners)) for total in table.sum(axis=0)]
            naive = np.mean([b.low <= share <= b.high for b in plain])
            print(
                f"{images:7} {kind:>8} {share:6} {correlation:5} {covered[0]:11.3f} {covered[1]:6.3f} {naive:7.3f}"
            )


def coverage_of_medians(sets: int, resamples: int) -> None:
    """Percentile intervals of the median rank and of the difference of two."""
    print(f"\nmedian rank, {sets} data sets, half-width ±{2 * math.sqrt(0.95 * 0.05 / sets):.3f}")
    print(f"{'images':>7} {'median':>8} {'difference':>11}")
    rng = np.random.default_rng(1)
    for images in (20, 100, 500):
        owners = np.repeat(np.arange(images), 5)
        one = two = 0
        for seed in range(sets):
            hard = rng.normal(size=images)[owners]
            a, b = (np.exp(hard + rng.normal(size=len(owners))) for _ in range(2))
            single = percentile_interval(median_replicates(a, owners, resamples, seed))
            double = paired_medians(a, b, owners, resamples, seed).percentile
            one += single.low <= 1 <= single.high
            two += double.low <= 0 <= double.high
        print(f"{images:7} {one / sets:8.3f} {two / sets:11.3f}")


def errors_of_tests(sets: int, resamples: int) -> None:
    """Share of p ≤ .05 where two runs are equally good (should be .05)."""
    print(f"\nfalse alarms at .05, {sets} pairs of runs, half-width ±{2 * math.sqrt(0.05 * 0.95 / sets):.3f}")
    print(f"{'images':>7} {'corr':>5} {'randomised':>11} {'Mood':>6} {'interval':>9} {'mcnemar':>8}")
    rng = np.random.default_rng(2)
    for images in (20, 100, 500):
        for correlation in (0.05, 0.5):
            owners = np.repeat(np.arange(images), 5)
            a, b = (hits(0.4, correlation, owners, sets, rng) for _ in range(2))
            p = randomisation_test(a, b, owners, resamples)
            excluded = [
                not d.percentile.low <= 0 <= d.percentile.high
                for d in paired_difference(a, b, owners, resamples)
            ]
            flips = [mcnemar(x, y).p <= 0.05 for x, y in zip(a.T, b.T, strict=True)]
            mood = []
            for seed in range(min(sets, 400)):
                x, y = (
                    np.ceil(np.exp(2 + rng.normal(size=images)[owners] + rng.normal(size=len(owners))))
                    for _ in range(2)
                )
                mood.append(median_test(x, y, owners, resamples, seed) <= 0.05)
            print(
                f"{images:7} {correlation:5} {np.mean(p <= 0.05):11.3f} {np.mean(mood):6.3f} "
                f"{np.mean(excluded):9.3f} {np.mean(flips):8.3f}"
            )


def coverage_of_agreement(sets: int, resamples: int) -> None:
    """Intervals of Krippendorff's α; three annotators right with chance .8, else at random."""
    print(f"\nKrippendorff α, {sets} data sets, half-width ±{2 * math.sqrt(0.95 * 0.05 / sets):.3f}")
    rng = np.random.default_rng(3)
    true = 0.8**2  # pairs agree beyond chance where both know
    for items in (30, 100, 300):
        covered = 0
        for seed in range(sets):
            answer = rng.integers(0, 7, (items, 1))
            codes = np.where(rng.random((items, 3)) < 0.8, answer, rng.integers(0, 7, (items, 3)))
            bounds = with_interval(ALPHA, Ratings(codes, tuple("abcdefg")), resamples, seed).interval
            covered += bounds is not None and bounds.low <= true <= bounds.high
        print(f"{items:7} items {covered / sets:8.3f}")


def timed(what: str, job: Callable[[], object]) -> None:
    """Print the best of three times."""
    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        job()
        best = min(best, time.perf_counter() - start)
    print(f"{what:60} {best:7.3f} s")


def speed() -> None:
    """Times at the size of COCO 5k: 5,000 images with 25,000 captions."""
    rng = np.random.default_rng(0)
    owners = np.repeat(np.arange(5000), 5)
    a, b = rng.random((25_000, 8)), rng.random((25_000, 8))
    sums, counts = cluster_sums(rng.random((25_000, 20)), owners)
    hard = rng.normal(size=5000)[owners]
    first, second = (np.ceil(np.exp(2.4 + 1.5 * hard + rng.normal(size=25_000))) for _ in range(2))
    timed("bootstrap, 20 measures, 2,000 resamples", lambda: bootstrap(sums, counts, 2000))
    timed("bootstrap, 12 measures, 10,000 resamples", lambda: bootstrap(sums[:, :12], counts[:, :12], 10_000))
    timed("medians, 2,000 resamples", lambda: median_replicates(first, owners, 2000))
    timed("paired difference, 8 measures, 10,000 resamples", lambda: paired_difference(a, b, owners))
    timed("randomisation test, 8 measures, 10,000 relabellings", lambda: randomisation_test(a, b, owners))
    timed("paired medians, 10,000 resamples", lambda: paired_medians(first, second, owners))
    timed("median test, 10,000 relabellings", lambda: median_test(first, second, owners))


def main() -> None:
    """Parse the command line and run what it asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=1000, help="simulated data sets per setting")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--speed", action="store_true", help="measure times instead")
    options = parser.parse_args()
    if options.speed:
        speed()
        return
    coverage_of_shares(options.sets, options.resamples)
    coverage_of_medians(options.sets, options.resamples)
    errors_of_tests(options.sets, options.resamples)
    coverage_of_agreement(options.sets, options.resamples)


if __name__ == "__main__":
    main()
