"""Micro-batching without a window: what queued while the last call ran is the next batch.

One thread runs a model, for a model on a CPU is slower when two threads share it, and one on a GPU answers
one call after another anyway. Nobody waits for others to come: a lone request goes through at once, and under
load batches grow by themselves. Knows no model and no HTTP.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clipbench.errors import ClipbenchError

MOST_WAITING = 256
"""Items that may wait, of all kinds together: more would wait longer than anybody stays."""

ROUNDS = 4
"""How often each batch is tried to find the largest useful one."""

SLOWEST_RETRY = 30
"""Seconds that a refused client is asked to stay away at most."""


class BusyError(ClipbenchError):
    """Too many are waiting. retry_after: seconds until there is room, as far as can be told."""

    def __init__(self, waiting: int, retry_after: int) -> None:
        super().__init__(f"{waiting} requests are waiting already", f"try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Work:
    """A kind of work: what a batch of items becomes, one result an item in order, and how large one is at most.

    A result that is an exception is raised where the item was asked for.
    """

    run: Callable[[Sequence[Any]], Sequence[Any]]
    largest: int = 32


@dataclass(frozen=True, eq=False, slots=True)
class _Job:
    item: Any
    answer: asyncio.Future[Any]
    arrived: int


@dataclass
class _Pace:
    """Mean seconds of an item, the newest counting most."""

    seconds: float = 0.0
    batches: int = 0
    items: int = 0

    def count(self, items: int, seconds: float) -> None:
        share = 0.2 if self.batches else 1.0
        self.seconds += share * (seconds / items - self.seconds)
        self.batches += 1
        self.items += items


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """What a kind of work did so far. mean_seconds: of an item, lately."""

    batches: int
    items: int
    mean_seconds: float
    largest: int


Told = Callable[[str, int, float], None]
"""Called in the working thread after each batch with the kind, its items and its seconds."""


@dataclass(eq=False)
class Batcher:
    """One thread that works off what is asked, batch by batch. `start` it once; `close` answers what waits."""

    kinds: Mapping[str, Work]
    most_waiting: int = MOST_WAITING
    told: Told | None = None
    _waiting: dict[str, deque[_Job]] = field(init=False)
    _paces: dict[str, _Pace] = field(init=False)
    _wake: threading.Condition = field(default_factory=threading.Condition, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _arrivals: int = field(default=0, init=False)
    _closing: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Begin with empty queues."""
        self._waiting = {kind: deque() for kind in self.kinds}
        self._paces = {kind: _Pace() for kind in self.kinds}

    @property
    def waiting(self) -> int:
        """How many items wait; those of the batch that runs are not among them."""
        return sum(map(len, self._waiting.values()))

    @property
    def alive(self) -> bool:
        """Whether the thread works and takes more."""
        return self._thread is not None and self._thread.is_alive() and not self._closing

    def figures(self) -> dict[str, BatchFigures]:
        """Return what was done so far, by kind."""
        return {
            kind: BatchFigures(pace.batches, pace.items, pace.seconds, self.kinds[kind].largest)
            for kind, pace in self._paces.items()
        }

    def start(self, name: str = "encoder") -> None:
        """Start the thread."""
        # A daemon, so that a process whose model hangs can still be ended.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def close(self, timeout: float | None = None) -> None:
        """Take nothing more, work off what waits, and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    async def ask(self, kind: str, item: Any) -> Any:
        """Return what `kind` makes of an item. Cancelled while it waits, the item is never worked on.

        Raises BusyError where too many wait or the service stops, and what the work raised.
        """
        job = _Job(item, asyncio.get_running_loop().create_future(), self._arrivals)
        with self._wake:
            waiting = self.waiting
            if waiting >= self.most_waiting or not self.alive:
                raise BusyError(waiting, self._retry_after(waiting))
            self._arrivals += 1
            self._waiting[kind].append(job)
            self._wake.notify()
        try:
            return await job.answer
        finally:
            if job.answer.cancelled():
                self._forget(kind, job)

    def _retry_after(self, waiting: int) -> int:
        slowest = max((pace.seconds for pace in self._paces.values()), default=0.0)
        return min(SLOWEST_RETRY, max(1, math.ceil(waiting * slowest)))

    def _forget(self, kind: str, job: _Job) -> None:
        with self._wake:
            if job in self._waiting[kind]:
                self._waiting[kind].remove(job)

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self.waiting or self._closing)
                if not self.waiting:
                    return
                kind, jobs = self._next()
            self._run(kind, [job for job in jobs if not job.answer.cancelled()])

    def _next(self) -> tuple[str, list[_Job]]:
        """Take the next batch: of the kind whose first item has waited longest."""
        kind = min(
            (k for k, jobs in self._waiting.items() if jobs), key=lambda k: self._waiting[k][0].arrived
        )
        jobs = self._waiting[kind]
        return kind, [jobs.popleft() for _ in range(min(len(jobs), self.kinds[kind].largest))]

    def _run(self, kind: str, jobs: Sequence[_Job]) -> None:
        if not jobs:
            return
        began = time.perf_counter()
        results = self._results(kind, jobs)
        seconds = time.perf_counter() - began
        self._paces[kind].count(len(jobs), seconds)
        if self.told is not None:
            self.told(kind, len(jobs), seconds)
        loop = jobs[0].answer.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_deliver, jobs, results)

    def _results(self, kind: str, jobs: Sequence[_Job]) -> Sequence[Any]:
        run = self.kinds[kind].run
        try:
            return list(run([job.item for job in jobs]))
        except Exception as error:  # whatever a model raises belongs to the request, not to this thread
            if len(jobs) == 1:
                return [error]
        # One item is at fault; the others shall not fail with it.
        return [result for job in jobs for result in self._results(kind, [job])]


def _deliver(jobs: Sequence[_Job], results: Sequence[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.answer.done():
            continue
        if isinstance(result, Exception):
            job.answer.set_exception(result)
        else:
            job.answer.set_result(result)


def largest_useful(
    run: Callable[[int], None], sizes: Sequence[int] = (1, 2, 4, 8, 16, 32, 64), *, longest: float = 0.25
) -> int:
    """Return the smallest batch whose items cost hardly more than those of any other: it differs from tower to tower.

    run: does a batch of n. Measured, and a batch that takes more than `longest` seconds is too large, for all of its
    requests wait for it. "Hardly" is a tenth.
    """
    costs: dict[int, float] = {}
    # Round after round over all sizes, so that whatever else the machine does meanwhile meets all of them.
    for _ in range(ROUNDS):
        for size in sizes:
            seconds = _timed(run, size)
            if size > sizes[0] and seconds > longest:
                break
            costs[size] = min(costs.get(size, math.inf), seconds / size)
    cheapest = min(costs.values())
    return next(size for size in sizes if costs.get(size, math.inf) <= 1.1 * cheapest)


def _timed(run: Callable[[int], None], size: int) -> float:
    began = time.perf_counter()
    run(size)
    return time.perf_counter() - began
