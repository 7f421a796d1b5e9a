"""Which images and captions of a dataset an evaluation ranks: those with a vector.

An image without captions is searched for by nothing, and can be found in error: it is a distractor in the
gallery of images. Runs from before that was so left such images out; what a run did is in its protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError
from clipbench.keys import Json
from clipbench.records import Caption, Dataset, Sample
from clipbench.store.left_out import UNCAPTIONED

DISTRACTORS = "distractors"
"""What a stored protocol says where images without captions are in the gallery; else it says nothing of them."""


@dataclass(frozen=True)
class Gallery:
    """The images and captions that are ranked; a ledger's positions count these.

    samples: the images with captions in dataset order, which are the queries of i2t. distractors: those
    without, in dataset order; they come after the others in the gallery of t2i. image_rows (N,) of both and
    caption_rows (M,) are their rows in the embedding sets. left_out: ids of the images that are not ranked.
    """

    samples: tuple[Sample, ...]
    image_rows: npt.NDArray[np.int64]
    caption_rows: npt.NDArray[np.int64]
    left_out: tuple[str, ...]
    distractors: tuple[Sample, ...] = ()

    @property
    def images(self) -> tuple[Sample, ...]:
        """What t2i ranks: the images with captions, then the distractors."""
        return self.samples + self.distractors

    @cached_property
    def captions(self) -> tuple[Caption, ...]:
        """The captions, image after image."""
        return tuple(caption for sample in self.samples for caption in sample.captions)

    @cached_property
    def owners(self) -> npt.NDArray[np.int32]:
        """For each caption the position of its image, shape (M,)."""
        counts = [len(sample.captions) for sample in self.samples]
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


def gallery_words(dataset: Dataset) -> dict[str, Json]:
    """Return what the protocol of a run on a dataset says of its gallery: nothing where every image has captions."""
    bare = any(not sample.captions for sample in dataset.samples)
    return {UNCAPTIONED: DISTRACTORS} if bare else {}


def gallery_of(
    dataset: Dataset, unusable: Mapping[str, str], protocol: Mapping[str, Json] | None = None
) -> Gallery:
    """Return what a run ranks: all that is not `unusable`, with captions or as distractors.

    protocol: the stored one of a run that is there; None for a run to come, which has all distractors.
    Raises DatasetError where no image has both a vector and a caption.
    """
    keeps = protocol is None or protocol.get(UNCAPTIONED) == DISTRACTORS
    samples: list[tuple[Sample, int]] = []
    distractors: list[tuple[Sample, int]] = []
    caption_rows: list[int] = []
    left_out: list[str] = []
    row = first = 0
    for sample in dataset.samples:
        captions = range(first, first + len(sample.captions))
        first = captions.stop
        if sample.id in unusable:
            left_out.append(sample.id)
            continue
        if sample.captions:
            samples.append((sample, row))
            caption_rows += captions
        elif keeps:
            distractors.append((sample, row))
        else:
            left_out.append(sample.id)
        row += 1
    if not samples:
        raise DatasetError(f"{dataset.name} has no image with both a vector and a caption")
    return Gallery(
        tuple(sample for sample, _ in samples),
        np.array([place for _, place in samples + distractors]),
        np.array(caption_rows),
        tuple(left_out),
        tuple(sample for sample, _ in distractors),
    )
