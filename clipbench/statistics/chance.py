"""What a random ranking scores: how far above its mean, the chance level, luck alone gets it."""

from __future__ import annotations

import math
from functools import cache

FAR = 10.0
"""Standard deviations below the mean where no probability is left to add up."""


@cache
def luckiest(level: float, queries: int, confidence: float = 0.95) -> float:
    """Return the upper end of the central interval of a random ranking's score on `queries` queries.

    level: the chance of a hit, the same for every query. A random ranking's hits are independent, whatever
    images the queries share, so that their number is binomial; the end is its exact quantile, as a share.
    Raises ValueError for a level outside 0..1, no query, or a confidence outside 0..1.

    >>> luckiest(0.01, 1000), luckiest(0.5, 1), luckiest(0.0, 10)
    (0.017, 1.0, 0.0)
    """
    if not 0.0 <= level <= 1.0 or queries < 1 or not 0.0 < confidence < 1.0:
        raise ValueError(
            f"level {level}, {queries} queries and confidence {confidence} mean nothing together"
        )
    if level in {0.0, 1.0}:
        return level
    spread = math.sqrt(queries * level * (1.0 - level))
    below, wanted = 0.0, 0.5 + confidence / 2
    for hits in range(max(0, int(queries * level - FAR * spread)), queries):
        below += math.exp(
            math.lgamma(queries + 1)
            - math.lgamma(hits + 1)
            - math.lgamma(queries - hits + 1)
            + hits * math.log(level)
            + (queries - hits) * math.log1p(-level)
        )
        if below >= wanted:
            return hits / queries
    return 1.0
