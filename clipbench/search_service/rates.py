"""How many requests a token may make: a bucket that fills at a steady rate and holds a few seconds' worth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

BURST = 5.0
"""Seconds' worth of requests that may come at once."""


@dataclass
class Rates:
    """One bucket a token. per_second: requests a token may make in the long run, 0 for any number."""

    per_second: float
    clock: Callable[[], float] = time.monotonic
    _levels: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def capacity(self) -> float:
        """How many requests a full bucket holds."""
        return max(1.0, self.per_second * BURST)

    def wait(self, token: str) -> int:
        """Take one request out of a token's bucket; return 0, or the whole seconds until there is one to take."""
        if self.per_second <= 0:
            return 0
        now = self.clock()
        level, then = self._levels.get(token, (self.capacity, now))
        level = min(self.capacity, level + (now - then) * self.per_second)
        if level < 1.0:
            self._levels[token] = (level, now)
            return max(1, math.ceil((1.0 - level) / self.per_second))
        self._levels[token] = (level - 1.0, now)
        return 0
