"""What Prometheus may ask, and the figures of /stats. Knows names of routes, never what was asked."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clipbench.serving.guards import App, Message, Receive, Send

REMEMBERED = 1_000
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(eq=False)
class Metrics:
    """Counters of one service, in a registry of their own."""

    registry: Any = field(init=False)
    requests: int = 0
    refused: int = 0
    began: float = field(default_factory=time.monotonic)
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def __post_init__(self) -> None:
        """Declare what is counted."""
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.registry = own = CollectorRegistry()
        self._answers = Counter(
            "clipbench_requests", "Answers by route and status.", ("route", "status"), registry=own
        )
        self._seconds = Histogram(
            "clipbench_request_seconds", "Time to answer.", ("route",), buckets=SECONDS, registry=own
        )
        self._batches = Histogram(
            "clipbench_batch_items", "Items of a batch.", ("kind",), buckets=SIZES, registry=own
        )
        self._work = Counter("clipbench_work_seconds", "Seconds of work.", ("kind",), registry=own)
        self._reloads = Counter("clipbench_reloads", "Reloads by outcome.", ("outcome",), registry=own)

    def gauge(self, name: str, says: str, value: Any) -> None:
        """Add a number that is asked for when the metrics are read."""
        from prometheus_client import Gauge

        Gauge(f"clipbench_{name}", says, registry=self.registry).set_function(value)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._answers.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        self.requests += 1
        if status >= 400:
            self.refused += 1
        elif route.startswith("/v1/"):
            self._latencies.append(seconds)

    def worked(self, kind: str, items: int, seconds: float) -> None:
        """Count a batch; called by the threads that work."""
        self._batches.labels(kind).observe(items)
        self._work.labels(kind).inc(seconds)

    def reloaded(self, outcome: str) -> None:
        """Count a reload: "changed", "same" or "unfit"."""
        self._reloads.labels(outcome).inc()

    def percentiles(self) -> tuple[float | None, float | None, float | None]:
        """Return p50, p95 and p99 of the last answers in seconds, None before the first."""
        if not self._latencies:
            return None, None, None
        p50, p95, p99 = np.percentile(list(self._latencies), (50, 95, 99)).tolist()
        return p50, p95, p99

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        from prometheus_client import generate_latest

        data: bytes = generate_latest(self.registry)
        return data


class Counted:
    """An ASGI app that counts what another answers, by the route it took."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand a request on and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            # Nothing was answered where the client left: 499, as nginx has it.
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.answered(route, status or 499, time.perf_counter() - began)
