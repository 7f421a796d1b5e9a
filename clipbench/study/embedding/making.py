"""Shards made by whoever has an encoder, and the executor that is this very process."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.store.vectors import Pool
from clipbench.study.embedding import encode
from clipbench.study.embedding.encode import Bar, Made, Render, ShardTask, Transform

if TYPE_CHECKING:
    from clipbench.encoders.images import Decoded
    from clipbench.encoders.protocol import Encoder

Load: TypeAlias = Callable[[], "Encoder"]
"""Returns the encoder, loading it at the first call: what is stored needs none."""


@dataclass(frozen=True)
class ShardVectors:
    """The vectors of a shard, float32 (n, D), the n items that have one, in order, and why the others have none."""

    keys: list[bytes]
    vectors: npt.NDArray[np.float32]
    unreadable: Mapping[str, str]


@dataclass(frozen=True)
class Here:
    """Makes shards in this process, one after another, decoding ahead in worker threads."""

    load: Load

    def make(
        self, pool: Pool, tasks: Iterable[ShardTask], bar: Bar, render: Render | None = None
    ) -> Iterator[Made]:
        """Store every shard; those that are adopted may come earlier than those that are encoded."""
        for of_texts, part in groupby(tasks, lambda task: bool(task.texts)):
            if of_texts:
                yield from self._texts(pool, part, bar)
            else:
                yield from self._pictures(pool, iter(part), bar, render)

    def _texts(self, pool: Pool, tasks: Iterable[ShardTask], bar: Bar) -> Iterator[Made]:
        for task in tasks:
            if pool.adopt(task.keys, task.texts):
                bar.advance(len(task))
            else:
                done = encode_shard(task, self.load(), bar)
                pool.write(done.keys, done.vectors, task.texts)
            yield Made(task)

    def _pictures(
        self, pool: Pool, tasks: Iterable[ShardTask], bar: Bar, render: Render | None
    ) -> Iterator[Made]:
        """Decode without a break between shards: the next one's photographs come while this one is encoded."""
        adopted: list[ShardTask] = []
        waiting: deque[ShardTask] = deque()

        def lacking() -> Iterator[ShardTask]:
            for task in tasks:
                if pool.adopt(task.keys):
                    bar.advance(len(task))
                    adopted.append(task)
                else:
                    waiting.append(task)
                    yield task

        with closing(_decoded(lacking(), self.load, render)) as ahead:
            for first in ahead:
                task = waiting.popleft()
                one_shard = chain([first], islice(ahead, len(task) - 1))
                done = _encode_pictures(task, one_shard, self.load(), bar)
                if done.keys:
                    pool.write(done.keys, done.vectors)
                yield Made(task, done.unreadable)
        yield from map(Made, adopted)


def encode_shard(task: ShardTask, encoder: Encoder, bar: Bar, render: Render | None = None) -> ShardVectors:
    """Return the vectors of a shard. Its batches follow from the task alone, so they are the same everywhere."""
    if task.texts:
        with _advancing(bar, len(task.texts)):
            return ShardVectors(task.keys, encoder.encode_texts(task.texts).vectors, {})
    with closing(_decoded([task], lambda: encoder, render)) as ahead:
        return _encode_pictures(task, ahead, encoder, bar)


def _decoded(tasks: Iterable[ShardTask], load: Load, render: Render | None) -> Generator[Decoded]:
    """Yield the photographs of shards, decoded and prepared ahead of whoever asks for them."""
    from clipbench.encoders.images import PhotoFile, decode_ahead

    to_do = iter(tasks)
    first = next(to_do, None)
    if first is None:  # nothing to encode, so no encoder is loaded
        return
    encoder = load()
    see = (render or _clean)(encoder)
    names: list[str] = []

    def files() -> Iterator[PhotoFile]:
        for task in chain([first], to_do):
            for picture in task.pictures:
                names.append(picture.id)
                yield PhotoFile(picture.path, picture.digest)

    yield from decode_ahead(
        files(),
        lambda position, image: see(names[position], image),
        meanwhile=not _needs_every_processor(encoder),
    )


def _needs_every_processor(encoder: Encoder) -> bool:
    """Whether an encoder computes on all processors, so that decoding beside it would only hinder both.

    Its threads wait for each other, and one that shares its processor holds all of them up.
    """
    if encoder.device != "cpu" or encoder.identity.kind not in {"open_clip", "transformers"}:
        return False
    import torch

    return torch.get_num_threads() >= (os.cpu_count() or 1)


def _clean(encoder: Encoder) -> Transform:
    """Make the pixels of photographs as they are."""
    return lambda _, image: encoder.prepare(image)


def _encode_pictures(task: ShardTask, ahead: Iterable[Decoded], encoder: Encoder, bar: Bar) -> ShardVectors:
    size = encode.ENCODE_BATCH.get(encoder.device, encode.ENCODE_BATCH["cpu"])
    failed: dict[str, str] = {}
    batch: list[npt.NDArray[np.uint8]] = []
    vectors = [np.empty((0, encoder.identity.dimension), np.float32)]

    def flush() -> None:
        if batch:
            with _advancing(bar, len(batch)):
                vectors.append(encoder.encode_images(np.stack(batch)))
            batch.clear()

    for picture, decoded in zip(task.pictures, ahead, strict=True):
        if decoded.pixels is None:
            failed[picture.id] = decoded.problem.message if decoded.problem else "unreadable"
            bar.advance()
            continue
        batch.append(decoded.pixels)
        if len(batch) == size:
            flush()
    flush()
    keys = [key for key, p in zip(task.keys, task.pictures, strict=True) if p.id not in failed]
    return ShardVectors(keys, np.concatenate(vectors), failed)


@contextmanager
def _advancing(bar: Bar, count: int) -> Iterator[None]:
    """Move a bar by `count` items: by each batch of the encoder while it works, and by what is left after."""
    from clipbench.encoders.batching import heard

    told = 0

    def hear(batch: int) -> None:
        nonlocal told
        step = min(batch, count - told)
        told += step
        bar.advance(step)

    with heard(hear):
        yield
    bar.advance(count - told)
