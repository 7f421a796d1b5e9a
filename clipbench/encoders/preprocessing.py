"""open_clip's evaluation transform, cut in two: pixels before ToTensor, numbers after it.

Between the halves stand the pixels the model sees as uint8, where a corruption can be applied. The halves
run one after the other give the transform's own numbers, bit for bit in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.errors import EncoderError, PhotographError
from clipbench.keys import Json
from clipbench.photographs.opening import telling
from clipbench.photographs.resizing import SLENDER, resized_window
from clipbench.records import MAX_PIXELS

if TYPE_CHECKING:
    import torch

# Steps that take a PIL image and return one, by class name, in torchvision and open_clip.
_PIXEL_STEPS = {"Resize", "ResizeKeepRatio", "CenterCrop", "CenterCropOrPad", "MaybeConvertMode", "function"}


NARROW = 10
"""How many times as long as wide a picture is at least before its resize is looked at."""

ROOM = 1 << 24
"""Pixels that a picture may become on the way to the crop: what an ordinary camera makes."""

PixelStep: TypeAlias = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Preprocessing:
    """The two halves. mean, std: per channel, of pixels in 0..1. size: (H, W)."""

    steps: tuple[PixelStep, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]
    description: Mapping[str, Json]

    def prepare(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the pixels the model sees, uint8 (H, W, 3), in the order of open_clip: resize, crop, RGB.

        Raises PhotographError for a picture that a step cannot take.
        """
        with telling("cannot be prepared"):
            image, steps = _slender(image, self.steps)
            for step in steps:
                image = step(image)
            pixels = np.asarray(image, dtype=np.uint8)
        if pixels.shape != (*self.size, 3):
            raise PhotographError(f"prepared, it is {pixels.shape} and not {(*self.size, 3)}")
        return pixels

    def numbers(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return uint8 (n, H, W, 3) as normalised float32 (n, 3, H, W), as ToTensor and Normalize do."""
        import torch

        values = pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        mean = torch.tensor(self.mean, device=values.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=values.device).view(1, 3, 1, 1)
        return values.sub_(mean).div_(std)


def _slender(image: Image.Image, steps: Sequence[Any]) -> tuple[Image.Image, Sequence[PixelStep]]:
    """Resize a very slender picture on the way to `steps`; return it and the steps that are left.

    A strip of 10 × 20,000 pixels whose shorter side is resized to 224 becomes 224 × 448,000 before the crop:
    only what the crop keeps is made. Where the longer side is resized, nothing may be left of the shorter one:
    one pixel stays.
    """
    if max(image.size) <= NARROW * min(image.size) or not steps:
        return image, steps
    resize, *rest = steps
    size = _proportional(image, resize)
    if size is None:
        return image, steps
    resample = Image.Resampling[resize.interpolation.value.upper()]
    if 0 in size:
        return image.resize((max(1, size[0]), max(1, size[1])), resample), rest
    large = max(image.size) > SLENDER * min(image.size) or size[0] * size[1] > ROOM
    if large and rest and type(rest[0]).__name__ == "CenterCrop":
        crop_height, crop_width = _pair(rest[0].size)
        left, top = round((size[0] - crop_width) / 2), round((size[1] - crop_height) / 2)
        if left >= 0 <= top:
            window = (left, top, left + crop_width, top + crop_height)
            return resized_window(image, size, window, resample), rest[1:]
    if size[0] * size[1] > MAX_PIXELS:
        raise PhotographError(f"prepared, it would be {size[0]:,} × {size[1]:,} pixels on the way")
    return image, steps


def _proportional(image: Image.Image, step: Any) -> tuple[int, int] | None:
    """Return the (width, height) that a step resizes to where it keeps proportions, None for other steps."""
    kind = type(step).__name__
    if kind == "Resize" and isinstance(step.size, int):
        short, long = sorted(image.size)
        longer = int(step.size * long / short)  # as torchvision rounds it
        return (step.size, longer) if image.width <= image.height else (longer, step.size)
    if kind == "ResizeKeepRatio":
        height, width = step.get_params(image, step.size, step.longest)
        return int(width), int(height)
    return None


def split(transform: object, config: Mapping[str, Any]) -> Preprocessing:
    """Cut an open_clip evaluation transform before its ToTensor.

    config: the model's preprocess_cfg, recorded in the description. Raises EncoderError for a transform
    of another kind: its pixels could not be corrupted or stored with certainty about what they are.
    """
    parts = list(getattr(transform, "transforms", ()))
    names = [type(part).__name__ for part in parts]
    unknown = [name for name in names[:-2] if name not in _PIXEL_STEPS]
    if (
        len(parts) < 3
        or names[-2] not in {"ToTensor", "MaybeToTensor"}
        or names[-1] != "Normalize"
        or unknown
    ):
        kind = " → ".join(names) or type(transform).__name__
        raise EncoderError(
            f"the model's image transform is not of the known kind: {kind}",
            "known: resize, crop, convert, ToTensor, Normalize, as open_clip builds it for evaluation",
        )
    height, width = _pair(config["size"])
    normalize = parts[-1]
    description: dict[str, Json] = {
        "size": [height, width],
        "resize": config.get("resize_mode", "shortest"),
        "interpolation": config.get("interpolation", "bicubic"),
        "mode": config.get("mode", "RGB"),
        "fill": config.get("fill_color", 0),
        "mean": [float(value) for value in normalize.mean],
        "std": [float(value) for value in normalize.std],
        "steps": names,
        "orientation": "exif applied",
        "sixteen_bit": "high byte",
    }
    mean = tuple(float(value) for value in normalize.mean)
    std = tuple(float(value) for value in normalize.std)
    return Preprocessing(tuple(parts[:-2]), mean, std, (height, width), description)


def _pair(size: int | tuple[int, int] | list[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
