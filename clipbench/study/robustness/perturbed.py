"""The very inputs that a sweep would encode, for others to use: new captions and corrupted pictures by setting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.perturb.operation import ImageOperation
from clipbench.records import Caption, Dataset, Perturbation
from clipbench.study.embedding.embed import photographs
from clipbench.study.embedding.encode import Transform
from clipbench.study.embedding.models import VectorSource
from clipbench.study.robustness.corruption import corruption, source_corruption
from clipbench.study.robustness.perturbed_texts import perturbed_texts, without_repeats
from clipbench.study.robustness.settings import Setting, SweepRequest, settings
from clipbench.study.workplace.progress import Progress

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PerturbedCaptions:
    """All captions of a dataset under one setting, as (image id, caption, new text)."""

    setting: Perturbation
    rows: tuple[tuple[str, Caption, str], ...]


def perturbed_captions(dataset: Dataset, request: SweepRequest) -> Iterator[PerturbedCaptions]:
    """Yield the captions under every text setting; seeds that change nothing about them once."""
    chosen = [one for one in settings(request) if one.perturbation.target == "text"]
    owners = [sample.id for sample in dataset.samples for _ in sample.captions]
    worded = [(setting, perturbed_texts(dataset.captions, setting, request)) for setting in chosen]
    for setting, texts in without_repeats(worded):
        rows = tuple(zip(owners, dataset.captions, texts, strict=True))
        yield PerturbedCaptions(setting.perturbation, rows)


def image_settings(request: SweepRequest) -> list[Setting]:
    """Return the settings of a request that change photographs."""
    return [one for one in settings(request) if isinstance(one.operation, ImageOperation)]


@dataclass(frozen=True)
class PerturbedPicture:
    """One photograph under one setting: pixels uint8 (H, W, 3), or `problem`: why it cannot be used."""

    id: str
    pixels: Pixels | None
    problem: str = ""


def perturbed_pictures(
    dataset: Dataset, setting: Setting, source: VectorSource | None, progress: Progress
) -> Iterator[PerturbedPicture]:
    """Yield every photograph under one setting, those that cannot be used last.

    Corruptions of the model's input give what the model sees and need `source`; those of the file give its
    own size. Raises ClipbenchError where a model is needed and there is none.
    """
    from clipbench.encoders.images import PhotoFile, decode_ahead

    pictures, unusable = photographs(dataset)
    see = _transform(setting, source)
    bar = progress.start("pictures", len(pictures))
    files = [PhotoFile(p.path, p.digest) for p in pictures]
    # Pictures of their own size are large: no more of them wait than one is written while one is made.
    depth = 2 if setting.perturbation.parameters.get("apply") == "source" else None
    ahead = decode_ahead(files, lambda position, image: see(pictures[position].id, image), depth=depth)
    for picture, decoded in zip(pictures, ahead, strict=True):
        if decoded.pixels is None:
            unusable[picture.id] = decoded.problem.message if decoded.problem else "unreadable"
        else:
            yield PerturbedPicture(picture.id, decoded.pixels)
        progress.advance(bar)
    for id_, reason in unusable.items():
        yield PerturbedPicture(id_, None, reason)


def _transform(setting: Setting, source: VectorSource | None) -> Transform:
    operation, perturbation = setting.operation, setting.perturbation
    if not isinstance(operation, ImageOperation):
        raise TypeError(f"{perturbation.operation} does not change photographs")
    if perturbation.parameters.get("apply") == "source":
        return source_corruption(operation, perturbation)
    if source is None:
        raise ClipbenchError(
            f"{operation.name} is applied to what a model sees, and no model is named",
            "--model MODEL, or --apply source for the files' own pixels",
        )
    return corruption(source.encoder, operation, perturbation)
