"""Captions and photographs to stored vectors: each unique item once per encoder, in shards.

The plan of an encoding is a function of the items alone: unique items not yet stored, in a fixed
order, cut into shards of fixed size. A killed run leaves whole shards; the same command then finds
the rest of the same plan, so the vectors are the same to the bit as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from clipbench.errors import StoppedError
from clipbench.records import CLEAN, Perturbation, image_key, text_key
from clipbench.store.vectors import Pool
from clipbench.study.workplace.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from clipbench.encoders.protocol import Encoder

TEXT_SHARD = 1024
IMAGE_SHARD = 256
"""Items in a shard, which is what a kill loses at most: 10-20 s of work at ViT-B/32 on two cores."""

MOST_SHARDS, LARGEST_SHARD = 16_384, 65_536
"""Files of one set that a folder may well hold, and items of a file that is still written in one go."""

ENCODE_BATCH = {"cpu": 32, "mps": 64, "cuda": 256}
"""Images that are handed to an encoder at once, by its device: what it takes in one batch, or two of them."""

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


def shard_size(items: int, least: int) -> int:
    """Return how many of so many items go into one shard: `least`, doubled while there would be too many shards.

    It follows from the whole plan, so that a killed run goes on with the same shards. Whole batches stay together:
    images have the same vectors whatever the size.

    >>> [shard_size(items, 256) for items in (1_000_000, 10_000_000, 1_000_000_000)]
    [256, 1024, 65536]
    """
    size = least
    while size * MOST_SHARDS < items and 2 * size <= LARGEST_SHARD:
        size *= 2
    return size


@contextmanager
def resumable(what: str, counted: list[int], total: int) -> Iterator[None]:
    """Turn Ctrl-C into a message that says how much is stored and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        message = f"interrupted: {sum(counted):,} of {total:,} {what} of this run are stored, nothing is lost"
        raise StoppedError(message, "the same command again goes on where this one stopped") from None


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

    def __len__(self) -> int:
        return len(self.texts) or len(self.pictures)


Transform: TypeAlias = "Callable[[str, Image.Image], npt.NDArray[np.uint8]]"
"""(image id, decoded photograph) to the pixels the encoder sees, uint8 (H, W, 3)."""

Render: TypeAlias = "Callable[[Encoder], Transform]"
"""How a perturbation makes the pixels that an encoder sees. It goes to other processes, so it holds no model."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of one piece of work, for whoever does that to move."""

    progress: Progress
    number: int

    def advance(self, count: int = 1) -> None:
        """Say that `count` more items are done."""
        self.progress.advance(self.number, count)

    def say(self, words: str) -> None:
        """Say how the work stands, in a few words."""
        self.progress.say(self.number, words)


@dataclass(frozen=True, slots=True)
class Made:
    """A shard that is stored, and which of its photographs cannot be used and why, by image id."""

    task: ShardTask
    unreadable: Mapping[str, str] = field(default_factory=dict)


class Executor(Protocol):
    """Whoever makes shards: this process, or workers on many machines. Rows are written by this process alone."""

    def make(
        self, pool: Pool, tasks: Iterable[ShardTask], bar: Bar, render: Render | None = None
    ) -> Iterator[Made]:
        """Store every shard and yield it once its row is there, in whatever order they get ready.

        render: makes the pixels of perturbed photographs. A whole file of a shard that has no row is taken as
        it is, so what was finished is not encoded again. The bar moves by every item. Raises ClipbenchError
        where a shard cannot be made; those that were made stay.
        """


def text_tasks(pool: Pool, texts: Iterable[str]) -> list[ShardTask]:
    """Return the shards that the pool lacks for these strings, each string in one of them.

    Strings go in alphabetical order, so that those of a shard begin alike: a tower may compute what they have
    in common once, and sorts them by length itself where it does not.
    """
    unique = sorted(set(texts))
    lacking = [unique[i] for i in pool.missing([text_key(text) for text in unique])]
    return [ShardTask(texts=tuple(part)) for part in shards(lacking, TEXT_SHARD)]


def encode_texts(pool: Pool, texts: Iterable[str], executor: Executor, progress: Progress) -> int:
    """Store the vector and the text of every string that the pool lacks; return how many strings that were."""
    tasks = text_tasks(pool, texts)
    total = sum(map(len, tasks))
    if not tasks:
        return 0
    bar = Bar(progress, progress.start("captions", total))
    stored: list[int] = []
    with resumable("captions", stored, total):
        for made in executor.make(pool, tasks, bar):
            stored.append(len(made.task))  # noqa: PERF401, what is stored is told when it is interrupted
    return total


@dataclass(frozen=True)
class Encoded:
    """What became of a list of photographs: how many were encoded now, and which cannot be used, why."""

    encoded: int
    unreadable: Mapping[str, str]


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
    whole = shards(unique, shard_size(len(unique), IMAGE_SHARD))
    parts = (tuple(p for p in part if keys[p.id] in lacking) for part in whole)
    return [ShardTask(pictures=part, perturbation=perturbation) for part in parts if part]


def encode_images(
    pool: Pool,
    pictures: Sequence[Picture],
    executor: Executor,
    progress: Progress,
    perturbation: Perturbation = CLEAN,
    render: Render | None = None,
) -> Encoded:
    """Store the vector of every photograph that the pool lacks.

    `render` makes the pixels of `perturbation`; without one they are the encoder's own preparation.
    """
    tasks = image_tasks(pool, pictures, perturbation)
    total = sum(map(len, tasks))
    if not tasks:
        return Encoded(0, {})
    bar = Bar(progress, progress.start("images", total))
    stored: list[int] = []
    unreadable: dict[bytes, str] = {}
    with resumable("images", stored, total):
        for made in executor.make(pool, tasks, bar, render):
            keys = dict(zip((p.id for p in made.task.pictures), made.task.keys, strict=True))
            unreadable |= {keys[id_]: reason for id_, reason in made.unreadable.items()}
            stored.append(len(made.task))
    key_of = {p.id: image_key(p.digest, perturbation, p.id) for p in pictures}
    named = {id_: unreadable[key] for id_, key in key_of.items() if key in unreadable}
    return Encoded(encoded=sum(stored) - len(unreadable), unreadable=named)
