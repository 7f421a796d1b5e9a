"""The workers of one model as actors of a Ray cluster: hired, given shards, and replaced when they are lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from clipbench.errors import EncoderError
from clipbench.store.vectors import ShardPlace
from clipbench.study.cluster.connection import Connection, Crowd
from clipbench.study.cluster.worker import Order, Ready, Refusal, Worker, Written
from clipbench.study.embedding.encode import Render, ShardTask

AHEAD = 2
"""Shards that a worker has: one it is at, one it need not wait for."""

FALSE_STARTS = 3
"""Workers in a row that may be lost before they are ready, besides all of them at once."""


@dataclass(slots=True, eq=False)
class Job:
    """A shard to make. deaths: workers that were lost while they were at it."""

    task: ShardTask
    deaths: int = 0


@dataclass(slots=True, eq=False)
class Hired:
    """A worker: its actor, its shards in the order given, and what it said when it was ready."""

    actor: Any
    starting: Any
    jobs: deque[tuple[Any, Job]] = field(default_factory=deque)
    ready: Ready | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """A worker is ready."""

    ready: Ready


@dataclass(frozen=True, slots=True)
class Delivered:
    """A worker has made a shard."""

    job: Job
    written: Written
    place: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker is lost. jobs: its shards, the one that it was at first. place: None where it was not ready yet."""

    place: str | None
    jobs: tuple[Job, ...]
    why: str


Event: TypeAlias = Arrived | Delivered | Gone


class Crew:
    """The workers of one model."""

    def __init__(self, connection: Connection, order: Order, crowd: Crowd) -> None:
        self._ray = connection.ray
        self._order = order
        self._crowd = crowd
        self._hired: list[Hired] = []
        self._false_starts = 0

    @property
    def size(self) -> int:
        """How many workers are ready."""
        return sum(one.ready is not None for one in self._hired)

    @property
    def starting(self) -> int:
        """How many workers wait for a place, or load their model."""
        return len(self._hired) - self.size

    def hire(self, wanted: int) -> None:
        """Ask the cluster for workers until there are as many as there should be, at most one a shard."""
        lacking = min(self._crowd.workers, wanted) - len(self._hired)
        if lacking <= 0:
            return
        actor = self._ray.remote(Worker).options(
            num_cpus=self._crowd.cpus, num_gpus=self._crowd.gpus, max_restarts=0, max_task_retries=0
        )
        for _ in range(lacking):
            worker = actor.remote(self._order)
            self._hired.append(Hired(worker, worker.start.remote()))

    def idle(self) -> Hired | None:
        """Return the worker to give the next shard to, None where all have enough."""
        able = [one for one in self._hired if one.ready is not None and len(one.jobs) < AHEAD]
        return min(able, key=lambda one: len(one.jobs), default=None)

    def give(self, worker: Hired, job: Job, place: ShardPlace, render: Render | None) -> None:
        """Have a worker make a shard."""
        worker.jobs.append((worker.actor.make.remote(place, job.task, render), job))

    def events(self, seconds: float) -> Iterator[Event]:
        """Yield what happened, having waited for something to happen for so many seconds at most.

        Raises EncoderError for what a worker refuses, or where no worker gets ready.
        """
        awaited = {self._answer(one): one for one in self._hired if self._answer(one) is not None}
        if not awaited:
            time.sleep(seconds)
            return
        here, _ = self._ray.wait(list(awaited), num_returns=1, timeout=seconds)
        for answer in here:
            yield self._event(awaited[answer], answer)

    def dismiss(self) -> None:
        """Let all workers go, whatever they are at."""
        for one in self._hired:
            self._ray.kill(one.actor)
        self._hired.clear()

    def _answer(self, worker: Hired) -> Any:
        if worker.ready is None:
            return worker.starting
        return worker.jobs[0][0] if worker.jobs else None

    def _event(self, worker: Hired, answer: Any) -> Event:
        try:
            said = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            raise EncoderError(f"a worker failed: {_told(error)}") from None
        except self._ray.exceptions.RayError as error:
            return self._lost(worker, _told(error))
        if isinstance(said, Refusal):
            raise EncoderError(said.message, said.hint)
        if isinstance(said, Ready):
            worker.ready, self._false_starts = said, 0
            return Arrived(said)
        _, job = worker.jobs.popleft()
        return Delivered(job, said, worker.ready.host if worker.ready else "")

    def _lost(self, worker: Hired, why: str) -> Gone:
        self._hired.remove(worker)
        self._ray.kill(worker.actor)  # it may live where it cannot be reached
        if worker.ready is None:
            self._false_starts += 1
            if self._false_starts > FALSE_STARTS + self._crowd.workers:
                raise EncoderError(f"no worker gets ready; the last one was lost: {why}")
        return Gone(worker.ready.host if worker.ready else None, tuple(job for _, job in worker.jobs), why)


def _told(error: Exception) -> str:
    """Return what Ray says of an error, without the advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).split(". ")[0][:300]
