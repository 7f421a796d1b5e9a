"""How much there is to encode, how long one process takes, and whether a cluster pays."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipbench.records import Dataset, Modality
from clipbench.store.datasets import load_dataset
from clipbench.store.vectors import Pool
from clipbench.study.cluster.connection import Asked
from clipbench.study.embedding.embed import need_captions, photographs
from clipbench.study.embedding.encode import Picture, ShardTask, image_tasks, text_tasks
from clipbench.study.embedding.models import VectorSource

PROBE_TEXTS, PROBE_PICTURES = 128, 16

START = 20.0
"""Seconds until the first shard of a cluster that has to be started, as measured: Ray 8 to 17, the models the rest."""

SHARE = 0.9
"""Of the rate of one process, what a worker adds: 1.8 times with two workers on a machine of two processors."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What is to encode: strings and pictures in shards, and the seconds that one process takes for them."""

    strings: int
    pictures: int
    shards: int
    seconds: float

    def on(self, workers: int) -> float:
        """Return the seconds that so many workers take, starting included; no more are of use than there are shards."""
        return START + self.seconds / (SHARE * max(1, min(workers, self.shards)))


def pays_from(workers: int) -> float:
    """Return the seconds of one process from which so many workers are faster, infinity where they never are.

    >>> round(pays_from(2)), round(pays_from(8)), pays_from(1)
    (45, 23, inf)
    """
    gain = 1 - 1 / (SHARE * workers)
    return START / gain if gain > 0 else float("inf")


def effort(source: VectorSource, name: str, wanted: Sequence[Modality]) -> Effort:
    """Return what is lacking of a dataset, encoding a little of it to know the rate. Nothing is stored."""
    dataset = load_dataset(source.store, name)
    texts = _text_tasks(source, dataset) if "text" in wanted else []
    images = _image_tasks(source, dataset) if "image" in wanted else []
    strings, pictures = sum(map(len, texts)), sum(map(len, images))
    seconds = _string_seconds(source, texts) * strings + _picture_seconds(source, images) * pictures
    return Effort(strings, pictures, len(texts) + len(images), seconds)


def words(found: Effort, asked: Asked | None, threads: int | None = None) -> list[str]:
    """Return an effort for people, a line each.

    asked: of a cluster, None where none is to be used. threads: of a worker, by which they fit on this machine.
    """
    if not found.shards:
        return ["nothing to encode: all of it is stored"]
    lines = [
        f"{found.strings:,} strings and {found.pictures:,} pictures to encode, in {found.shards:,} shards",
        f"about {_size(found.seconds)} in this process",
    ]
    if asked is None:
        return lines
    workers = asked.workers or max(1, (os.cpu_count() or 1) // (threads or 1))
    lines.append(
        f"about {_size(found.on(workers))} with {workers:,} worker{'s' * (workers > 1)}: {START:.0f} s until the first shard, then "
        f"{SHARE:g} of this process's rate each"
    )
    least = pays_from(min(workers, found.shards))
    pays = found.on(workers) < found.seconds
    limit = (
        f"from {_size(least)} of work on" if least < float("inf") else "from two workers and two shards on"
    )
    lines.append(f"Ray {'pays' if pays else 'does not pay'} here; it does {limit}")
    return lines


def _text_tasks(source: VectorSource, dataset: Dataset) -> list[ShardTask]:
    need_captions(dataset)
    pool = Pool(source.store, source.identity.key, "text")
    return text_tasks(pool, [caption.text for caption in dataset.captions])


def _image_tasks(source: VectorSource, dataset: Dataset) -> list[ShardTask]:
    return image_tasks(Pool(source.store, source.identity.key, "image"), photographs(dataset)[0])


def _string_seconds(source: VectorSource, tasks: Sequence[ShardTask]) -> float:
    probe = [text for task in tasks[:1] for text in task.texts][:PROBE_TEXTS]
    if not probe:
        return 0.0
    source.encode_texts(probe[:8])  # a model's first batch is a slow one
    began = time.monotonic()
    source.encode_texts(probe)
    return (time.monotonic() - began) / len(probe)


def _picture_seconds(source: VectorSource, tasks: Sequence[ShardTask]) -> float:
    probe = [picture for task in tasks[:1] for picture in task.pictures][:PROBE_PICTURES]
    if not probe:
        return 0.0
    _see(source, probe[:1])
    began = time.monotonic()
    _see(source, probe)
    return (time.monotonic() - began) / len(probe)


def _see(source: VectorSource, pictures: Sequence[Picture]) -> None:
    from clipbench.encoders.images import PhotoFile, decode_ahead

    prepare = source.encoder.prepare
    files = [PhotoFile(p.path, p.digest) for p in pictures]
    pixels = [one.pixels for one in decode_ahead(files, lambda _, image: prepare(image))]
    seen = [one for one in pixels if one is not None]
    if seen:
        source.encode_pixels(np.stack(seen))


def _size(seconds: float) -> str:
    if seconds >= 7200:
        return f"{seconds / 3600:,.0f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
