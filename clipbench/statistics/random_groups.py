"""Ranks in a gallery of which only random parts were counted: estimates of the whole, with intervals. Pure.

A sampled ranking is not the ranking: hit@10 among 10,000 of 100,000 items is about hit@100 among all, and may order two
models otherwise (Krichene & Rendle 2020, On Sampled Metrics for Item Recommendation, KDD, doi 10.1145/3394486.3403226).
What can be told of the whole is told here. From a gallery of N items random samples are drawn without replacement, R of n
items each. Of a sample, x items score above a query's best positive. Then x is hypergeometric, and x · N/n is an
unbiased estimate of g, how many of all N do (Cochran 1977, Sampling Techniques, 3.2).

- MeanR is linear in g, so the mean of 1 + x · N/n over queries is unbiased for any sample.
- hit@K and MedR are not linear. Where m · K/N of all m = R · n sampled items are expected among the first K and these are not few, counts
  spread evenly over their steps come near, and what bias is left falls like 1/n - 1/N. All samples together are
  counted as one. Each is counted in two halves too, whose bias is larger by a known factor, so that it is taken away
  (Quenouille 1956, Biometrika 43:353).
- Errors of queries that see the same sample are not independent: an item that is near many captions is above many
  positives at once. So the error is told from how the samples differ (random groups, with the correction for a finite
  population: Wolter 2007, Introduction to Variance Estimation, ch. 2), by Student's t of R - 1 degrees of freedom.
- Which side of the K-th place a query near it stands on stays open. With the chance p of each that the samples leave,
  their number has the variance of p (1 - p), which is added: these queries are what they are, and no others.
- The interval of MedR holds the ranks at which hit@K may be one half (Woodruff 1952, JASA 47:635).

The intervals say where the value of the whole gallery lies, for these very queries. How it would vary with other
queries is another question, which the cluster bootstrap of a whole evaluation answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.statistics.intervals import Interval

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

EXPECTED = 50
"""Sampled items that must be expected among the first K of the whole gallery, for hit@K to be told from them."""

FEWEST = 3
"""Samples from which an error can be told."""


METHOD = "random groups"


@dataclass(frozen=True)
class Samples:
    """What was counted for Q queries in R samples, each in two halves of `half` items, of `population` items.

    above, tied  (2R, Q)  items of a half above the query's best positive, and negatives tied with it
    hits         (Q,)     positives that share the best one's score, itself included
    before       (Q,)     items above it that are known beside the samples and not of `population`, 0 where none
    exact        (Q,)     whether the rank is known, which is then `rank` (Q,)
    """

    above: Integers
    tied: Integers
    hits: Integers
    before: Integers
    exact: npt.NDArray[np.bool_]
    rank: Floats
    half: int
    population: int

    @property
    def repeats(self) -> int:
        """Number of samples, R."""
        return len(self.above) // 2

    @property
    def share(self) -> float:
        """Share of the population that is in the samples."""
        return len(self.above) * self.half / self.population


Statistic = Callable[[Samples, Floats, int], float]
"""Of samples, counts (Q,) and the items they were counted among, the value for the whole gallery."""

Estimate: TypeAlias = tuple[float, Interval]


def least_k(items: int, sampled: int) -> int:
    """Return the least K for which hit@K in a gallery of `items` can be told from so many of them, in all samples.

    >>> least_k(1_000_000, 100_000)
    500
    """
    return math.ceil(EXPECTED * items / sampled)


def mean_rank(samples: Samples, confidence: float) -> Estimate:
    """MeanR: the mean over queries of 1 + x · N/n. Raises ValueError as all do for fewer samples than `FEWEST`."""
    return _interval(samples, _mean, 0.0, confidence)


def hit_at(samples: Samples, k: int, confidence: float) -> Estimate:
    """hit@K: the share of queries whose count, spread evenly over its step, lies before the K-th place."""
    chance = _chances(samples, k)
    value, bound = _interval(
        samples, _hit(k), float((chance * (1 - chance)).sum()) / len(chance) ** 2, confidence
    )
    step = 0.5 / len(chance)  # hits are whole queries
    low, high = (min(1.0, max(0.0, edge)) for edge in (bound.low - step, bound.high + step))
    return min(1.0, max(0.0, value)), replace(bound, low=low, high=high)


def median_rank(samples: Samples, confidence: float) -> Estimate:
    """MedR: the median over queries, counts spread evenly over their steps."""
    value, _ = _interval(samples, _quantile(0.5), 0.0, confidence)
    _, share = hit_at(samples, max(1, round(value)), confidence)
    reach = share.width / 2
    counted, items = _counts(samples).sum(axis=0), 2 * samples.repeats * samples.half
    low, high = (
        _quantile(at)(samples, counted, items) for at in (max(0.0, 0.5 - reach), min(1.0, 0.5 + reach))
    )
    return value, Interval(min(low, value), max(high, value), confidence, METHOD)


def _mean(samples: Samples, counted: Floats, items: int) -> float:
    ranks = 1 + samples.before + counted * (samples.population / items)
    return float(np.where(samples.exact, samples.rank, ranks).mean())


def _hit(k: int) -> Statistic:
    def share(samples: Samples, counted: Floats, items: int) -> float:
        hits = np.clip(_places(samples, k, items) - counted, 0.0, 1.0)
        return float(np.where(samples.exact, samples.rank <= k, hits).mean())

    return share


def _quantile(at: float) -> Statistic:
    def rank(samples: Samples, counted: Floats, items: int) -> float:
        # Where in its step each query stands: evenly spread, in an order that no ranking follows.
        steps = (np.arange(len(counted)) * 0.6180339887498949) % 1.0
        spread = (counted + steps) * ((samples.population + 1) / (items + 1))
        ranks = np.where(samples.exact, samples.rank, samples.before + spread + 0.5)
        return float(np.quantile(ranks, at))

    return rank


def _places(samples: Samples, k: int, items: int) -> Floats:
    """Return how many of `items` sampled ones stand before the K-th place, in steps of the sample (Q,)."""
    places = (k - samples.before) * ((items + 1) / (samples.population + 1))
    return np.asarray(places, dtype=np.float64)


def _chances(samples: Samples, k: int) -> Floats:
    """Return for each query the chance that it is a hit, by all samples together; normal about its count."""
    from scipy import stats

    counted = _counts(samples).sum(axis=0)
    items = 2 * samples.repeats * samples.half
    spread = np.sqrt((counted + 1) * (1 - samples.share))
    away = _places(samples, k, items) - counted - 0.5
    chance = stats.norm.cdf(away / np.maximum(spread, 1e-12))
    return np.where(samples.exact, 1.0 * (samples.rank <= k), chance)


def _counts(samples: Samples) -> Floats:
    """Return the items before each query's positive (2R, Q); ties by their expected value."""
    return np.asarray(samples.above + samples.tied / (samples.hits + 1.0), dtype=np.float64)


def _interval(samples: Samples, statistic: Statistic, left_open: float, confidence: float) -> Estimate:
    """Return the mean over samples and its interval. left_open: variance that all samples together leave."""
    from scipy import stats

    repeats = samples.repeats
    if repeats < FEWEST:
        raise ValueError(f"an error is told from {FEWEST} samples or more, got {repeats}")
    counts, half = _counts(samples), samples.half
    halves = np.array([statistic(samples, part, half) for part in counts]).reshape(repeats, 2).mean(axis=1)
    values = np.array([statistic(samples, part, 2 * half) for part in counts[0::2] + counts[1::2]])
    value = statistic(samples, counts.sum(axis=0), 2 * half * repeats)
    # With bias b · (1/n - 1/N) of a sample and b · (2/n - 1/N) of a half, the two differ by b/n.
    value -= (1 - samples.share) / repeats * float((halves - values).mean())
    drawn = (1 - samples.share) * float(values.var(ddof=1)) / repeats
    at = 0.5 + confidence / 2
    reach = math.hypot(
        float(stats.t.ppf(at, repeats - 1)) * math.sqrt(drawn),
        float(stats.norm.ppf(at)) * math.sqrt(left_open),
    )
    return value, Interval(value - reach, value + reach, confidence, METHOD)
