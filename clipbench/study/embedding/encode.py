"""Captions and photographs to stored vectors: each unique item once per encoder, in shards.

The plan of an encoding is a function of the items alone: unique items not yet stored, in a fixed
order, cut into shards of fixed size. A killed run leaves whole shards; the same command then finds
the rest of the same plan, so the vectors are the same to the bit as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from clipbench.errors import StoppedError
from clipbench.records import CLEAN, Perturbation, image_key, text_key
from clipbench.store.vectors import Pool
from clipbench.study.workplace.progress import Progress

if TYPE_CHECKING:
    from PIL import Image

    from clipbench.encoders.protocol import Encoder

TEXT_SHARD = 1024
IMAGE_SHARD = 256
"""Items in a shard, which is what a kill loses at most: 10-20 s of work at ViT-B/32 on two cores."""

ENCODE_BATCH = 64
"""Images that go through the tower together."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Picture:
    """One photograph to encode: the image's id, its file, the SHA-256 its bytes must have."""

    id: str
    path: Path
    digest: str


def shards(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut items into consecutive shards of `size`, the last one shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@contextmanager
def resumable(what: str, counted: list[int], total: int) -> Iterator[None]:
    """Turn Ctrl-C into a message that says how much is stored and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        message = f"interrupted: {sum(counted):,} of {total:,} {what} of this run are stored, nothing is lost"
        raise StoppedError(message, "the same command again goes on where this one stopped") from None


@contextmanager
def advancing(progress: Progress, bar: int, count: int) -> Iterator[None]:
    """Move a bar by `count` items: by each batch of the encoder while it works, and by what is left after."""
    from clipbench.encoders.batching import heard

    told = 0

    def hear(batch: int) -> None:
        nonlocal told
        step = min(batch, count - told)
        told += step
        progress.advance(bar, step)

    with heard(hear):
        yield
    progress.advance(bar, count - told)


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to make, as data: what to encode, under which perturbation. Whoever has an encoder can run it.

    Of texts and pictures one is given; the items of a shard are in the order of its file.
    """

    texts: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    perturbation: Perturbation = CLEAN

    @property
    def keys(self) -> list[bytes]:
        """The item keys of the shard, in order."""
        if self.texts:
            return [text_key(text) for text in self.texts]
        return [image_key(p.digest, self.perturbation, p.id) for p in self.pictures]


Load: TypeAlias = Callable[[], "Encoder"]
"""Returns the encoder, loading it at the first call: what is stored needs none."""


def text_tasks(pool: Pool, texts: Iterable[str]) -> list[ShardTask]:
    """Return the shards that the pool lacks for these strings, each string in one of them.

    Strings go in alphabetical order, so that those of a shard begin alike: a tower may compute what they have
    in common once, and sorts them by length itself where it does not.
    """
    unique = sorted(set(texts))
    lacking = [unique[i] for i in pool.missing([text_key(text) for text in unique])]
    return [ShardTask(texts=tuple(part)) for part in shards(lacking, TEXT_SHARD)]


def encode_texts(pool: Pool, texts: Iterable[str], load: Load, progress: Progress) -> int:
    """Store the vector and the text of every string that the pool lacks; return how many strings that were."""
    tasks = text_tasks(pool, texts)
    total = sum(len(task.texts) for task in tasks)
    if not tasks:
        return 0
    bar = progress.start("captions", total)
    stored: list[int] = []
    with resumable("captions", stored, total):
        for task in tasks:
            if not pool.adopt(task.keys, task.texts):
                with advancing(progress, bar, len(task.texts)):
                    vectors = load().encode_texts(task.texts).vectors
                pool.write(task.keys, vectors, task.texts)
            else:
                progress.advance(bar, len(task.texts))
            stored.append(len(task.texts))
    return total


@dataclass(frozen=True)
class Encoded:
    """What became of a list of photographs: how many were encoded now, and which cannot be used, why."""

    encoded: int
    unreadable: Mapping[str, str]


Transform: TypeAlias = "Callable[[str, Image.Image], npt.NDArray[np.uint8]]"
"""(image id, decoded photograph) to the pixels the encoder sees, uint8 (H, W, 3)."""


def unique_pictures(pictures: Sequence[Picture], perturbation: Perturbation = CLEAN) -> list[Picture]:
    """Return the photographs that are one item each, in order: the first of those with equal files."""
    items = {image_key(p.digest, perturbation, p.id): p for p in reversed(pictures)}
    return list(items.values())[::-1]


def image_tasks(
    pool: Pool, pictures: Sequence[Picture], perturbation: Perturbation = CLEAN
) -> list[ShardTask]:
    """Return the shards that hold what the pool lacks of these photographs.

    Shards are cut over all pictures, stored or not, so that an unreadable file moves no boundary.
    """
    keys = {p.id: image_key(p.digest, perturbation, p.id) for p in pictures}
    unique = unique_pictures(pictures, perturbation)
    lacking = {keys[unique[i].id] for i in pool.missing([keys[p.id] for p in unique])}
    parts = (tuple(p for p in part if keys[p.id] in lacking) for part in shards(unique, IMAGE_SHARD))
    return [ShardTask(pictures=part, perturbation=perturbation) for part in parts if part]


def encode_images(
    pool: Pool,
    pictures: Sequence[Picture],
    load: Load,
    progress: Progress,
    perturbation: Perturbation = CLEAN,
    transform: Transform | None = None,
) -> Encoded:
    """Store the vector of every photograph that the pool lacks, decoding ahead in worker threads.

    `transform` makes the pixels of `perturbation`; without one they are the encoder's own preparation.
    """
    tasks = image_tasks(pool, pictures, perturbation)
    total = sum(len(task.pictures) for task in tasks)
    if not tasks:
        return Encoded(0, {})
    bar = progress.start("images", total)
    see = transform or (lambda _, image: load().prepare(image))
    stored: list[int] = []
    unreadable: dict[bytes, str] = {}
    with resumable("images", stored, total):
        for task in tasks:
            if pool.adopt(task.keys):
                progress.advance(bar, len(task.pictures))
            else:
                vectors, failed = _encode_shard(task.pictures, load(), see, progress, bar)
                keys = dict(zip((p.id for p in task.pictures), task.keys, strict=True))
                unreadable |= {keys[id_]: reason for id_, reason in failed.items()}
                done = [key for id_, key in keys.items() if id_ not in failed]
                if done:
                    pool.write(done, vectors)
            stored.append(len(task.pictures))
    key_of = {p.id: image_key(p.digest, perturbation, p.id) for p in pictures}
    named = {id_: unreadable[key] for id_, key in key_of.items() if key in unreadable}
    return Encoded(encoded=sum(stored) - len(unreadable), unreadable=named)


def _encode_shard(
    pictures: Sequence[Picture], encoder: Encoder, see: Transform, progress: Progress, bar: int
) -> tuple[npt.NDArray[np.float32], dict[str, str]]:
    """Return the vectors of the readable pictures in order, and why each other one is not readable."""
    from clipbench.encoders.images import PhotoFile, decode_ahead

    files = [PhotoFile(p.path, p.digest) for p in pictures]
    failed: dict[str, str] = {}
    batch: list[npt.NDArray[np.uint8]] = []
    vectors: list[npt.NDArray[np.float32]] = []

    def flush() -> None:
        if batch:
            with advancing(progress, bar, len(batch)):
                vectors.append(encoder.encode_images(np.stack(batch)))
            batch.clear()

    ahead = decode_ahead(files, lambda position, image: see(pictures[position].id, image))
    for picture, decoded in zip(pictures, ahead, strict=True):
        if decoded.pixels is None:
            failed[picture.id] = decoded.problem.message if decoded.problem else "unreadable"
            progress.advance(bar)
            continue
        batch.append(decoded.pixels)
        if len(batch) == ENCODE_BATCH:
            flush()
    flush()
    empty = np.empty((0, encoder.identity.dimension), np.float32)
    return np.concatenate([empty, *vectors]), failed
