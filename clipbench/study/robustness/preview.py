"""A look at what an operation does: some captions before and after, some photographs to corrupt.

What is shown is what a run with the same seed would encode. Nothing is encoded or stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from shlex import quote

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.errors import DatasetError, PhotographError
from clipbench.keys import item_key
from clipbench.perturb.operation import ImageOperation, TextOperation
from clipbench.perturb.registry import Selection
from clipbench.photographs.opening import colours, photograph, telling
from clipbench.photographs.resizing import SLENDER, resized_window
from clipbench.records import Caption, Dataset, Perturbation
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.study.embedding.embed import photographs
from clipbench.study.robustness.levels import levels_of, selections
from clipbench.study.robustness.perturbed_texts import perturbed_texts
from clipbench.study.robustness.requests import TypedRequest, request_of
from clipbench.study.robustness.settings import Place, SweepRequest, settings

Pixels = npt.NDArray[np.uint8]

SIDE = 224
"""Side of a photograph as most models see it; the constants of the literature were tuned there."""


@dataclass(frozen=True)
class CaptionPreview:
    """Captions under one setting: how many there are, how many it changes, and some of these with their new text."""

    setting: Perturbation
    captions: int
    changed: int
    shown: tuple[tuple[Caption, str], ...]


@dataclass(frozen=True)
class Preview:
    """All there is to show: captions by setting, and photographs for the contact sheets of `operations`.

    unusable: photographs that cannot be shown, by id, and why.
    """

    captions: tuple[CaptionPreview, ...]
    photographs: tuple[tuple[str, Pixels], ...]
    operations: tuple[ImageOperation, ...]
    seed: int
    unusable: Mapping[str, str] = field(default_factory=dict)


def preview_of(store: Store, name: str, asked: TypedRequest, count: int) -> Preview:
    """Return up to `count` captions and photographs of a dataset under what was asked for.

    Without levels each text operation is shown at its middle one. Raises as `request_of` does, and
    DatasetError where image operations are asked for and there are no photographs.
    """
    dataset = load_dataset(store, name)
    request = request_of(replace(asked, levels=None), dataset)
    texts = [one for one in request.selections if isinstance(one.operation, TextOperation)]
    if asked.levels is None:
        middles = (Selection(one.operation, (one.levels[len(one.levels) // 2],)) for one in texts)
        chosen: tuple[Selection, ...] = tuple(middles)
    elif texts:
        chosen = selections([one.operation.name for one in texts], levels_of(asked.levels))
    else:  # a sheet shows every severity, so a level of photographs only has to be one
        selections(asked.words, levels_of(asked.levels))
        chosen = ()
    operations = tuple(
        one.operation for one in request.selections if isinstance(one.operation, ImageOperation)
    )
    pictures, unusable = preview_photographs(dataset, count, asked.place) if operations else ((), {})
    captions = preview_captions(dataset, replace(request, selections=chosen), count)
    return Preview(tuple(captions), pictures, operations, asked.seeds[0], unusable)


def preview_captions(dataset: Dataset, request: SweepRequest, count: int) -> Iterator[CaptionPreview]:
    """Yield for every text setting up to `count` of the captions it changes, drawn by a hash of their ids.

    Raises ClipbenchError for settings that mean nothing.
    """
    captions = dataset.captions
    order = sorted(range(len(captions)), key=lambda i: item_key(("preview", captions[i].id)))
    for setting in settings(request):
        if setting.perturbation.target != "text":
            continue
        texts = perturbed_texts(captions, setting, request)
        changed = [i for i in order if texts[i] != captions[i].text]
        shown = tuple((captions[i], texts[i]) for i in sorted(changed[:count]))
        yield CaptionPreview(setting.perturbation, len(captions), len(changed), shown)


def preview_photographs(
    dataset: Dataset, count: int, place: Place
) -> tuple[tuple[tuple[str, Pixels], ...], dict[str, str]]:
    """Return id and pixels, uint8 (H, W, 3), of up to `count` photographs, drawn by a hash of their ids.

    place: "source" for the file's own pixels, "model_input" for 224 × 224 cut from the middle, as most models
    see them. One that cannot be shown has the next one in its place; returned, too, is which these are and why.
    Raises DatasetError for a dataset without photographs that can be shown.
    """
    drawn = sorted(photographs(dataset)[0], key=lambda p: item_key(("preview", p.id)))
    shown: list[tuple[str, Pixels]] = []
    unusable: dict[str, str] = {}
    for picture in drawn:
        if len(shown) == count:
            break
        try:
            with photograph(picture.path, picture.digest) as image, telling("cannot be shown"):
                rgb = colours(image)
                shown.append((picture.id, np.asarray(rgb if place == "source" else middle(rgb))))
        except PhotographError as error:
            unusable[picture.id] = error.message
    if unusable and not shown:
        id_, reason = next(iter(unusable.items()))
        message = f"photograph {id_} cannot be shown, nor can any other: {reason}"
        raise DatasetError(message, f"clipbench dataset lint {quote(dataset.name)}")
    return tuple(shown), unusable


def middle(image: Image.Image) -> Image.Image:
    """Return the image with its shorter side resized to 224 pixels, cut to the square in the middle."""
    scale = SIDE / min(image.size)
    size = (max(SIDE, round(image.width * scale)), max(SIDE, round(image.height * scale)))
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    window = (left, top, left + SIDE, top + SIDE)
    if max(image.size) > SLENDER * min(image.size):
        return resized_window(image, size, window, Image.Resampling.BICUBIC)
    return image.resize(size, Image.Resampling.BICUBIC).crop(window)
