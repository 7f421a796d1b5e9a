"""A part of the plan of an encoding, so that several machines share the work and need nothing of one another.

A plan is cut into shards by the items alone, so every machine cuts the same ones; of n parts, part k has the
k-th shard of every n. Whole shards are given away, never single items: what a tower makes of an item depends in
its last bits on what goes through it together, so vectors are equal to the byte only where shards are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from clipbench.errors import ClipbenchError
from clipbench.records import Dataset, Modality
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store, check_writable
from clipbench.study.embedding import encode
from clipbench.study.embedding.embed import need_captions, photographs
from clipbench.study.embedding.encode import Picture
from clipbench.study.embedding.modalities import MODALITIES
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Progress

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """Part `number` (from 1) of `of` parts. Raises ClipbenchError for a number that is none of them."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ClipbenchError(
                f"{self} is no part; those of {self.of} are 1/{self.of} to {self.of}/{self.of}"
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True)
class PartEncoded:
    """What became of one side's part: unique items in the whole plan and in the part, and those encoded now.

    unreadable: photographs of the part that cannot be used, by id, and why.
    """

    plan: int
    items: int
    encoded: int
    unreadable: Mapping[str, str]


def text_part(texts: Sequence[str], part: Part) -> list[str]:
    """Return the strings of a part, each once: whole shards of all of them, in the order of the plan."""
    return _share(sorted(set(texts)), encode.TEXT_SHARD, part)


def picture_part(pictures: Sequence[Picture], part: Part) -> list[Picture]:
    """Return the photographs of a part, equal files once: whole shards of all of them, in the order of the plan."""
    return _share(encode.unique_pictures(pictures), encode.IMAGE_SHARD, part)


def embed_part(
    store: Store,
    name: str,
    source: VectorSource,
    progress: Progress,
    part: Part,
    wanted: tuple[Modality, ...] = MODALITIES,
) -> Mapping[Modality, PartEncoded]:
    """Store the vectors of one part of the clean dataset `name`, encoding what is lacking of it.

    No embedding set is made, for that is of all items: `adopt_shards` brings the parts together, and the
    same request without a part then makes the sets. Raises what `embed_modalities` raises.
    """
    dataset = load_dataset(store, name)
    check_writable(store)
    done: dict[Modality, PartEncoded] = {}
    if "image" in wanted:
        done["image"] = _images(dataset, source, progress, part)
    if "text" in wanted and (dataset.captions or "image" not in wanted):
        done["text"] = _texts(dataset, source, progress, part)
    return done


def _images(dataset: Dataset, source: VectorSource, progress: Progress, part: Part) -> PartEncoded:
    pictures, _ = photographs(dataset)
    mine = picture_part(pictures, part)
    done = source.ensure_images(mine, progress)
    return PartEncoded(len(encode.unique_pictures(pictures)), len(mine), done.encoded, done.unreadable)


def _texts(dataset: Dataset, source: VectorSource, progress: Progress, part: Part) -> PartEncoded:
    need_captions(dataset)
    texts = [caption.text for caption in dataset.captions]
    mine = text_part(texts, part)
    return PartEncoded(len(set(texts)), len(mine), source.ensure_texts(mine, progress), {})


def _share(items: Sequence[T], size: int, part: Part) -> list[T]:
    cut = list(encode.shards(items, size))
    return [item for shard in cut[part.number - 1 :: part.of] for item in shard]
