"""The engine that makes shards on a Ray cluster.

Workers write the files, this process writes the rows: each file is read and checked here before it gets one. So a
killed worker costs the shard that it was at, which another one makes, and a killed command nothing that was finished.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from clipbench.encoders.request import ModelRequest
from clipbench.errors import DatasetError, EncoderError, StoreError
from clipbench.records import EncoderIdentity
from clipbench.store.vectors import Pool
from clipbench.study.cluster.account import Account
from clipbench.study.cluster.connection import Asked, Connection
from clipbench.study.cluster.crew import Crew, Delivered, Gone, Job
from clipbench.study.cluster.worker import Order, Written, is_there, named
from clipbench.study.embedding.encode import Bar, Made, Render, ShardTask

PATIENCE = 120.0
"""Seconds without a shard after which a user is told how things stand, and again after each as many."""

VISIBLE = 60.0
"""Seconds until a file that another machine wrote must be seen here: network folders take some."""

POLL = 1.0
DEATHS = 4
"""Workers that a shard may take down before it is an error."""

Tell = Callable[[str], None]


class RayEngine:
    """A cluster at work for one command. Nothing is started before there is a shard to make."""

    def __init__(self, asked: Asked, tell: Tell, patience: float = PATIENCE) -> None:
        """Work on the cluster that is asked for. tell: who hears of lost workers, and of waiting."""
        self._asked = asked
        self._tell = tell
        self._patience = patience
        self._connection: Connection | None = None
        self._crew: tuple[Order, Crew] | None = None
        self.account = Account()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def executor(self, request: ModelRequest, identity: EncoderIdentity) -> OnCluster:
        """Return who makes the shards of a model."""
        return OnCluster(self, Order(portable(request), identity, threads_of(identity)))

    def crew(self, order: Order) -> Crew:
        """Return the workers of a model; those of another one are let go."""
        if self._connection is None:
            self._connection = Connection(self._asked, order.threads or 1)
        if self._crew is None or self._crew[0] != order:
            self.dismiss()
            crowd = self._connection.crowd(order.request.device, order.threads or 1)
            self._crew = order, Crew(self._connection, order, crowd)
        return self._crew[1]

    def dismiss(self) -> None:
        """Let the workers go: what they are at is not wanted any more."""
        if self._crew is not None:
            self._crew[1].dismiss()
            self._crew = None

    def close(self) -> None:
        """Leave the cluster; one that was started for this is ended."""
        if self._connection is not None:
            self._crew = None
            self._connection.close()
            self._connection = None
        went = self.account.words()
        if went is not None:
            self.tell(went)

    @property
    def tell(self) -> Tell:
        """Who hears of what happens."""
        return self._tell

    def watch(self, crew: Crew) -> Watch:
        """Return a watch over a piece of work."""
        return Watch(self, crew, self._patience)

    def standing(self) -> str:
        """Return what of the cluster is taken, for people."""
        return self._connection.resources() if self._connection else "no cluster"


class Watch:
    """Says so when nothing gets finished."""

    def __init__(self, engine: RayEngine, crew: Crew, patience: float) -> None:
        self._engine = engine
        self._crew = crew
        self._patience = patience
        self._since = self._told = time.monotonic()

    def fed(self) -> None:
        """Hear that something was finished."""
        self._since = self._told = time.monotonic()

    def look(self) -> None:
        """Tell how things stand if nothing was finished for too long."""
        now = time.monotonic()
        if now - self._told < self._patience:
            return
        self._told = now
        self._engine.tell(
            f"no shard was finished for {now - self._since:.0f} s: {self._crew.size} workers are at work, "
            f"{self._crew.starting} wait for a place or load the model ({self._engine.standing()})"
        )


@dataclass(frozen=True)
class OnCluster:
    """Makes the shards of one model on a cluster."""

    engine: RayEngine
    order: Order

    def make(
        self, pool: Pool, tasks: Iterable[ShardTask], bar: Bar, render: Render | None = None
    ) -> Iterator[Made]:
        """Store every shard, in the order in which workers finish them."""
        lacking: deque[Job] = deque()
        for task in tasks:
            if pool.adopt(task.keys, task.texts):
                bar.advance(len(task))
                yield Made(task)
            else:
                lacking.append(Job(task))
        if not lacking:
            return
        try:
            yield from self._spread(pool, lacking, bar, render)
        except BaseException:
            self.engine.dismiss()
            raise

    def _spread(self, pool: Pool, waiting: deque[Job], bar: Bar, render: Render | None) -> Iterator[Made]:
        place, left = pool.place, len(waiting)
        self.engine.account.resumed()
        bar.say("starting workers")
        crew = self.engine.crew(self.order)
        watch, account = self.engine.watch(crew), self.engine.account
        unseen: deque[tuple[float, Delivered]] = deque()
        while left:
            crew.hire(left)
            while waiting and (worker := crew.idle()) is not None:
                crew.give(worker, waiting.popleft(), place, render)
            for event in crew.events(POLL):
                account.passed(crew.size)
                if isinstance(event, Delivered):
                    _check_seen(event.written, event.place)
                    unseen.append((time.monotonic(), event))
                elif isinstance(event, Gone):
                    waiting.extendleft(reversed(self._taken_back(event)))
                if not isinstance(event, Delivered):
                    bar.say(f"{crew.size} workers")
            for _ in range(len(unseen)):
                since, delivered = unseen.popleft()
                task = delivered.job.task
                if not _stored(pool, task, delivered.written):
                    _check_visible(pool, delivered, time.monotonic() - since)
                    unseen.append((since, delivered))
                    continue
                left -= 1
                watch.fed()
                account.delivered(delivered.written)
                bar.advance(len(task))
                yield Made(task, delivered.written.unreadable)
            watch.look()

    def _taken_back(self, gone: Gone) -> tuple[Job, ...]:
        """Return the shards that a lost worker had, for others. Raises EncoderError for one that kills workers."""
        if gone.place is not None:
            self.engine.tell(f"the worker {gone.place} was lost, its shards go to others ({gone.why})")
        if gone.jobs:
            first = gone.jobs[0]
            first.deaths += 1
            if first.deaths >= DEATHS:
                raise EncoderError(
                    f"{named(first.task)} took down {first.deaths} workers; the last one: {gone.why}",
                    "clipbench embed without --engine ray shows what happens; less memory is used by fewer --workers",
                )
        return gone.jobs


def _stored(pool: Pool, task: ShardTask, written: Written) -> bool:
    """Give the file of a shard its row; return False while it is not seen here."""
    if not written.unreadable:
        return pool.adopt(task.keys, task.texts)
    pairs = zip(task.keys, task.pictures, strict=True)
    keys = [key for key, picture in pairs if picture.id not in written.unreadable]
    return not keys or pool.adopt(keys)


def _check_visible(pool: Pool, delivered: Delivered, waited: float) -> None:
    if waited > VISIBLE:
        raise StoreError(
            f"the worker {delivered.place} wrote {named(delivered.job.task)} into {pool.place.folder}, "
            "and no such file is here",
            "put the store into a folder that all machines share, under the same path",
        )


def _check_seen(written: Written, place: str) -> None:
    """Raise DatasetError where a worker does not have a photograph that is here."""
    here = [picture for picture in written.absent if is_there(picture.path)]
    if here:
        raise DatasetError(
            f"{here[0].path} is here, but not on the worker {place}",
            "the photographs must lie in a folder that all machines share, under the same path",
        )


def threads_of(identity: EncoderIdentity) -> int | None:
    """Return with how many threads this process would compute, and so workers do: else the last bits may differ."""
    if identity.kind == "toy":  # it computes without torch, which takes seconds to be asked
        return None
    import torch

    return int(torch.get_num_threads())


def portable(request: ModelRequest) -> ModelRequest:
    """Return the request with the paths of files in full: workers stand in other folders."""
    prefix, colon, rest = request.model.partition(":")
    model = request.model
    if colon and prefix in {"local-dir", "hf"} and Path(rest).expanduser().is_dir():
        model = f"{prefix}:{Path(rest).expanduser().resolve()}"
    pretrained = request.pretrained
    if pretrained and Path(pretrained).expanduser().is_file():
        pretrained = str(Path(pretrained).expanduser().resolve())
    return replace(request, model=model, pretrained=pretrained)
