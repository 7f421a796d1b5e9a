"""How long an index takes: single queries one after another, and all at once, on one thread after warm-up."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from clipbench.indexes.protocol import Answer, Items, Settings, Vectors
from clipbench.indexes.threads import one_thread
from clipbench.study.indexing.opening import OpenIndex

WARM_UP = 50
"""Queries before any is counted."""

MOST, FEWEST = 1_000, 100
"""Single queries that are timed: at most, and at least where they are slow."""

SECONDS = 5.0
"""How long single queries are timed, beyond the fewest."""


@dataclass(frozen=True)
class Speed:
    """Seconds. p50, p95, p99: of single queries. batch: for all queries at once, `queries` of them."""

    p50: float
    p95: float
    p99: float
    batch: float
    queries: int

    @property
    def per_second(self) -> float:
        """Queries a second when all are asked at once."""
        return self.queries / self.batch if self.batch else float("inf")


def answered(
    opened: OpenIndex, queries: Vectors, k: int, settings: Settings, among: Items | None = None
) -> tuple[Answer, Speed]:
    """Return the first k items of every query, and how long that takes.

    queries: unit vectors, float32 (Q, D). Single queries are the first ones, taken in turn.
    """
    with one_thread():
        for query in queries[:WARM_UP]:
            opened.search(query[None], k, settings, among)
        times = _single(opened, queries, k, settings, among)
        began = time.perf_counter()
        answer = opened.search(queries, k, settings, among)
        batch = time.perf_counter() - began
    p50, p95, p99 = np.quantile(times, (0.5, 0.95, 0.99)).tolist()
    return answer, Speed(p50, p95, p99, batch, len(queries))


def _single(
    opened: OpenIndex, queries: Vectors, k: int, settings: Settings, among: Items | None
) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    for query in queries[:MOST]:
        began = time.perf_counter()
        opened.search(query[None], k, settings, among)
        done = time.perf_counter()
        times.append(done - began)
        if done > end and len(times) >= FEWEST:
            break
    return times
