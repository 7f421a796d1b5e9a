"""Validation that cannot be false: what is ranked is each image once, and the ground truth is of that very list.

A published study fine-tuned a model and measured "0.0 %": it had ranked one row of images for every caption, and
looked for the answers by positions in the list of images. What is below chance is an error, never a result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError
from clipbench.metrics.measures import measure
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.records import Sample
from clipbench.study.adapting.splits import Vectors, scores
from clipbench.wording import plural

REPEATED = 0.5
"""Share of a gallery's images that may have the bytes of another one: a few real duplicates are everyday."""

DOUBT = 5.0
"""Standard deviations by which a mean rank is worse than chance before the ground truth is taken to be false."""


def checked_scores(
    samples: Sequence[Sample], images: Vectors, texts: Vectors, owners: npt.NDArray[np.int64]
) -> Mapping[str, float]:
    """Return `scores` of a gallery of samples, whose row each vector of `images` (N, D) is.

    Raises DatasetError where an image is in the gallery more than once, the vectors or the owners of the texts
    belong to another list, or the ranks are below chance.
    """
    refuse_false_gallery(samples, images, texts, owners)
    refuse_below_chance(images, texts, owners)
    return scores(images, texts, owners)


def refuse_false_gallery(
    samples: Sequence[Sample], images: Vectors, texts: Vectors, owners: npt.NDArray[np.int64]
) -> None:
    """Raise DatasetError where a gallery repeats images, or rows and ground truth are not of this gallery."""
    ids = {sample.id for sample in samples}
    if len(ids) < len(samples):
        raise DatasetError(
            f"the gallery repeats images: {len(samples):,} rows of {len(ids):,} images; "
            "every copy but one counts as a wrong answer",
            "rank each image once: clipbench dataset add joins the captions of an image",
        )
    files = [sample.digest for sample in samples if sample.digest]
    repeated = len(files) - len(set(files))
    if repeated >= REPEATED * len(samples):
        raise DatasetError(
            f"the gallery repeats images: {len(samples):,} names for {len(set(files)):,} different files",
            "give all captions of a photograph to one image: clipbench dataset lint",
        )
    if len(images) != len(samples):
        raise DatasetError(
            f"{plural(len(images), 'image vector')} are not those of a gallery of {len(samples):,} images"
        )
    counts = [len(sample.captions) for sample in samples]
    if len(owners) != len(texts) or not np.array_equal(owners, np.repeat(np.arange(len(counts)), counts)):
        raise DatasetError(
            f"the ground truth indexes another list: it is not that of the {sum(counts):,} captions "
            f"of these {len(samples):,} images"
        )


def refuse_below_chance(images: Vectors, texts: Vectors, owners: npt.NDArray[np.int64]) -> None:
    """Raise DatasetError where captions rank their images worse than random order would, beyond all doubt."""
    if len(images) < 2:
        return
    ledger = rank(images, texts, {"t2i": own(owners, len(images))["t2i"]}, owners)["t2i"]
    mean, chance = measure("MeanR").value(ledger), (len(images) + 1) / 2
    # Ranks are uniform over N by chance; captions of an image may all miss alike, so images are what counts.
    spread = len(images) / np.sqrt(12 * len(images))
    if mean > chance + DOUBT * spread:
        raise DatasetError(
            f"the mean rank is {mean:,.0f} of {len(images):,} images, and by chance {chance:,.0f}: "
            "captions and images do not belong together",
            "clipbench dataset lint",
        )
