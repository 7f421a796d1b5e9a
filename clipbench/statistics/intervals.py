"""Confidence intervals: Wilson for a plain proportion, percentile and BCa for bootstrap replicates.

Knows how to turn numbers into bounds. Knows nothing of images, clusters or how replicates are drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of one estimate. `method` is "wilson", "percentile" or "bca".

    Raises ValueError where a bound is not finite or the bounds are out of order, so that an interval
    that exists can always be printed.
    """

    low: float
    high: float
    confidence: float
    method: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"an interval cannot reach from {self.low} to {self.high}")
        if self.low > self.high:
            raise ValueError(f"the lower bound {self.low} is above the upper bound {self.high}")
        _check(self.confidence)

    @property
    def width(self) -> float:
        """Distance between the bounds, in the units of the estimate."""
        return self.high - self.low


def wilson(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval of the proportion `successes / n`.

    It assumes n independent trials: right for one query per image, too narrow for five captions of
    one image, which need the cluster bootstrap. `successes` may be a fraction where ties are counted
    by their expected value. Raises ValueError for n < 1 or successes outside 0..n.

    Source: Wilson 1927, JASA 22:209; recommended over Wald's by Brown, Cai & DasGupta 2001.

    >>> bounds = wilson(8, 10)
    >>> round(bounds.low, 4), round(bounds.high, 4)
    (0.4902, 0.9433)
    """
    if n < 1:
        raise ValueError(f"a proportion needs at least 1 trial, got {n}")
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    z = critical(confidence)
    share = successes / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Exact at the ends, where rounding would leave a bound of -1e-18 or 0.9999999999999999.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high, confidence, "wilson")


def percentile_interval(replicates: Floats, confidence: float = 0.95) -> Interval:
    """Return the central `confidence` share of the replicates (B,), with linear interpolation.

    Source: Efron & Tibshirani 1993, section 13.3.
    """
    tail = (1 - _check(confidence)) / 2
    low, high = np.quantile(_replicates(replicates), [tail, 1 - tail])
    return Interval(float(low), float(high), confidence, "percentile")


def bca_interval(
    estimate: float, replicates: Floats, jackknife: Floats, confidence: float = 0.95
) -> Interval:
    """Return the bias-corrected and accelerated interval.

    replicates (B,): the statistic on each resample. jackknife (C,): the statistic with each cluster
    left out. Bias z0 is the normal quantile of the share of replicates below the estimate, half of
    those equal to it included, so that a statistic that takes few values has no bias by its ties.
    Acceleration is a = Σ d³ / (6 (Σ d²)^1.5), d = mean(jackknife) − jackknife.

    Degenerate cases: all replicates equal give an interval of width zero; a jackknife that never
    moves gives a = 0. Where the correction does not exist (every replicate on one side of the
    estimate, a jackknife value that is not a number, or an acceleration that turns the quantile
    around) the percentile interval is returned, and its `method` says so.

    Source: Efron 1987, JASA 82:171; Efron & Tibshirani 1993, section 14.3.
    """
    sample = _replicates(replicates)
    plain = percentile_interval(sample, confidence)
    below = (np.count_nonzero(sample < estimate) + np.count_nonzero(sample <= estimate)) / (2 * len(sample))
    if not 0 < below < 1 or not np.isfinite(jackknife).all():
        return plain
    bias, rate = NORMAL.inv_cdf(below), acceleration(jackknife)
    z = critical(confidence)
    levels = []
    for shifted in (bias - z, bias + z):
        stretch = 1 - rate * shifted
        if stretch <= 0:
            return plain
        levels.append(NORMAL.cdf(bias + shifted / stretch))
    low, high = np.quantile(sample, levels)
    return Interval(float(low), float(high), confidence, "bca")


def acceleration(jackknife: Floats) -> float:
    """Return the acceleration of BCa from the leave-one-out values (C,); 0 where they are all equal."""
    shift = jackknife.mean() - jackknife
    largest = float(np.abs(shift).max())
    # Differences at the level of rounding are no skewness; scaling keeps the cubes from vanishing.
    if largest <= 1e-13 * float(np.abs(jackknife).max()):
        return 0.0
    shift = shift / largest
    return float(np.sum(shift**3) / (6 * np.sum(shift**2) ** 1.5))


def critical(confidence: float) -> float:
    """Return the two-sided normal quantile, 1.96 for 0.95. Raises ValueError outside (0, 1)."""
    return NORMAL.inv_cdf((1 + _check(confidence)) / 2)


def _check(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, got {confidence}")
    return confidence


def _replicates(values: Floats) -> Floats:
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"replicates are one row of numbers, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(
            f"{np.count_nonzero(~np.isfinite(values))} of {len(values)} replicates are undefined"
        )
    return values
