"""Captions and photographs to stored vectors: each unique item once per encoder, in shards.

The plan of an encoding is a function of the items alone: unique items not yet stored, in a fixed
order, cut into shards of fixed size. A killed run leaves whole shards; the same command then finds
the rest of the same plan, so the vectors are the same to the bit as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.errors import StoppedError
from clipbench.records import CLEAN, Perturbation, image_key, text_key
from clipbench.store.vectors import Pool
from clipbench.study.progress import Progress

if TYPE_CHECKING:
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


def encode_texts(pool: Pool, texts: Iterable[str], encoder: Encoder, progress: Progress) -> int:
    """Store the vector and the text of every string that the pool lacks; return how many strings that were.

    Strings are encoded in order of (token count, text), so that batches are cut where they are short.
    """
    unique = sorted(set(texts))
    lacking = [unique[i] for i in pool.missing([text_key(text) for text in unique])]
    if not lacking:
        return 0
    counts = encoder.count_tokens(lacking)
    order = sorted(range(len(lacking)), key=lambda i: (int(counts[i]), lacking[i]))
    plan = [lacking[i] for i in order]
    bar = progress.start("captions", len(plan))
    stored: list[int] = []
    with resumable("captions", stored, len(plan)):
        for shard in shards(plan, TEXT_SHARD):
            keys = [text_key(text) for text in shard]
            if not pool.adopt(keys, shard):
                pool.write(keys, encoder.encode_texts(shard).vectors, shard)
            stored.append(len(shard))
            progress.advance(bar, len(shard))
    return len(plan)


@dataclass(frozen=True)
class Encoded:
    """What became of a list of photographs: how many were encoded now, and which cannot be used, why."""

    encoded: int
    unreadable: Mapping[str, str]


Transform: TypeAlias = Callable[[str, Image.Image], npt.NDArray[np.uint8]]
"""(image id, decoded photograph) to the pixels the encoder sees, uint8 (H, W, 3)."""


def encode_images(
    pool: Pool,
    pictures: Sequence[Picture],
    encoder: Encoder,
    progress: Progress,
    perturbation: Perturbation = CLEAN,
    transform: Transform | None = None,
) -> Encoded:
    """Store the vector of every photograph that the pool lacks, decoding ahead in worker threads.

    `transform` makes the pixels of `perturbation`; without one they are the encoder's own preparation.
    Shards are cut over all pictures, stored or not, so that an unreadable file moves no boundary.
    """
    keys = {p.id: image_key(p.digest, perturbation, p.id) for p in pictures}
    unique = list({keys[p.id]: p for p in reversed(pictures)}.values())[::-1]
    lacking = {keys[unique[i].id] for i in pool.missing([keys[p.id] for p in unique])}
    if not lacking:
        return Encoded(0, {})
    bar = progress.start("images", len(lacking))
    see = transform or (lambda _, image: encoder.prepare(image))
    stored: list[int] = []
    unreadable: dict[bytes, str] = {}
    with resumable("images", stored, len(lacking)):
        for shard in shards(unique, IMAGE_SHARD):
            todo = [p for p in shard if keys[p.id] in lacking]
            if not todo:
                continue
            if pool.adopt([keys[p.id] for p in todo]):
                progress.advance(bar, len(todo))
            else:
                vectors, failed = _encode_shard(todo, encoder, see, partial(progress.advance, bar))
                unreadable |= {keys[id_]: reason for id_, reason in failed.items()}
                done = [keys[p.id] for p in todo if p.id not in failed]
                if done:
                    pool.write(done, vectors)
            stored.append(len(todo))
    named = {p.id: unreadable[keys[p.id]] for p in pictures if keys[p.id] in unreadable}
    return Encoded(encoded=sum(stored) - len(unreadable), unreadable=named)


def _encode_shard(
    pictures: Sequence[Picture], encoder: Encoder, see: Transform, advance: Callable[[int], None]
) -> tuple[npt.NDArray[np.float32], dict[str, str]]:
    """Return the vectors of the readable pictures in order, and why each other one is not readable."""
    from clipbench.encoders.images import PhotoFile, decode_ahead

    files = [PhotoFile(p.path, p.digest) for p in pictures]
    failed: dict[str, str] = {}
    batch: list[npt.NDArray[np.uint8]] = []
    vectors: list[npt.NDArray[np.float32]] = []

    def flush() -> None:
        if batch:
            vectors.append(encoder.encode_images(np.stack(batch)))
            advance(len(batch))
            batch.clear()

    ahead = decode_ahead(files, lambda position, image: see(pictures[position].id, image))
    for picture, decoded in zip(pictures, ahead, strict=True):
        if decoded.pixels is None:
            failed[picture.id] = decoded.problem.reason if decoded.problem else "unreadable"
            advance(1)
            continue
        batch.append(decoded.pixels)
        if len(batch) == ENCODE_BATCH:
            flush()
    flush()
    empty = np.empty((0, encoder.identity.dimension), np.float32)
    return np.concatenate([empty, *vectors]), failed
