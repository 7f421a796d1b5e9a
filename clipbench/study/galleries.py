"""Which images and captions of a dataset an evaluation ranks: those with a vector and a caption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError
from clipbench.records import Caption, Dataset, Sample


@dataclass(frozen=True)
class Gallery:
    """The images and captions that are ranked, in dataset order; a ledger's positions count these.

    image_rows (N,) and caption_rows (M,) are their rows in the embedding sets.
    """

    samples: tuple[Sample, ...]
    image_rows: npt.NDArray[np.int64]
    caption_rows: npt.NDArray[np.int64]
    left_out: tuple[str, ...]

    @cached_property
    def captions(self) -> tuple[Caption, ...]:
        """The captions, image after image."""
        return tuple(caption for sample in self.samples for caption in sample.captions)

    @cached_property
    def owners(self) -> npt.NDArray[np.int32]:
        """For each caption the position of its image, shape (M,)."""
        counts = [len(sample.captions) for sample in self.samples]
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


def gallery_of(dataset: Dataset, unusable: Mapping[str, str]) -> Gallery:
    """Return what can be ranked: images that are not `unusable` and have a caption, with their captions.

    Raises DatasetError where nothing is left.
    """
    samples: list[Sample] = []
    image_rows: list[int] = []
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
            samples.append(sample)
            image_rows.append(row)
            caption_rows += captions
        else:
            left_out.append(sample.id)
        row += 1
    if not samples:
        raise DatasetError(f"{dataset.name} has no image with both a vector and a caption")
    return Gallery(tuple(samples), np.array(image_rows), np.array(caption_rows), tuple(left_out))
