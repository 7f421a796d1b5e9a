"""Shards made by whoever has an encoder, and the executor that is this very process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.store.vectors import Pool
from clipbench.study.embedding import encode
from clipbench.study.embedding.encode import Bar, Made, Render, ShardTask

if TYPE_CHECKING:
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
        """Store every shard, in order."""
        for task in tasks:
            if pool.adopt(task.keys, task.texts):
                bar.advance(len(task))
                yield Made(task)
                continue
            done = encode_shard(task, self.load(), bar, render)
            if done.keys:
                pool.write(done.keys, done.vectors, task.texts)
            yield Made(task, done.unreadable)


def encode_shard(task: ShardTask, encoder: Encoder, bar: Bar, render: Render | None = None) -> ShardVectors:
    """Return the vectors of a shard. Its batches follow from the task alone, so they are the same everywhere."""
    if task.texts:
        with _advancing(bar, len(task.texts)):
            return ShardVectors(task.keys, encoder.encode_texts(task.texts).vectors, {})
    return _encode_pictures(task, encoder, bar, render)


def _encode_pictures(task: ShardTask, encoder: Encoder, bar: Bar, render: Render | None) -> ShardVectors:
    from clipbench.encoders.images import PhotoFile, decode_ahead

    see = render(encoder) if render else lambda _, image: encoder.prepare(image)
    failed: dict[str, str] = {}
    batch: list[npt.NDArray[np.uint8]] = []
    vectors = [np.empty((0, encoder.identity.dimension), np.float32)]

    def flush() -> None:
        if batch:
            with _advancing(bar, len(batch)):
                vectors.append(encoder.encode_images(np.stack(batch)))
            batch.clear()

    ahead = decode_ahead(
        [PhotoFile(p.path, p.digest) for p in task.pictures],
        lambda position, image: see(task.pictures[position].id, image),
    )
    for picture, decoded in zip(task.pictures, ahead, strict=True):
        if decoded.pixels is None:
            failed[picture.id] = decoded.problem.message if decoded.problem else "unreadable"
            bar.advance()
            continue
        batch.append(decoded.pixels)
        if len(batch) == encode.ENCODE_BATCH:
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
