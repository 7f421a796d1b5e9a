"""One number measured under several seeds: mean ± sd, with every seed's value kept.

Knows nothing of what a seed drives. The spread over seeds is not a confidence interval: it says how
much the randomness of an operation moves the score, on these very queries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeedSummary:
    """values: (seed, value) in ascending order of seed. sd: None where there is only one seed."""

    values: tuple[tuple[int, float], ...]
    mean: float
    sd: float | None


def over_seeds(values: Mapping[int, float]) -> SeedSummary:
    """Return mean and sample standard deviation (n − 1) of one value per seed.

    Raises ValueError where there is no seed, or a value is missing: it is never left out.

    >>> over_seeds({1: 0.50, 0: 0.25, 2: 0.75})
    SeedSummary(values=((0, 0.25), (1, 0.5), (2, 0.75)), mean=0.5, sd=0.25)
    """
    if not values:
        raise ValueError("a summary over seeds needs at least 1 seed")
    kept = tuple(sorted(values.items()))
    missing = [seed for seed, value in kept if not math.isfinite(value)]
    if missing:
        raise ValueError(f"{len(missing)} of {len(kept)} seeds have no value: {missing}")
    numbers = [value for _, value in kept]
    mean = math.fsum(numbers) / len(numbers)
    if len(numbers) == 1:
        return SeedSummary(kept, mean, None)
    spread = math.fsum((value - mean) ** 2 for value in numbers) / (len(numbers) - 1)
    return SeedSummary(kept, mean, math.sqrt(spread))
