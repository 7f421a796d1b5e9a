"""open_clip's evaluation transform, cut in two: pixels before ToTensor, numbers after it.

Between the halves stand the pixels the model sees as uint8, where a corruption can be applied. The halves
run one after the other give the transform's own numbers, bit for bit in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.errors import EncoderError
from clipbench.keys import Json

if TYPE_CHECKING:
    import torch

# Steps that take a PIL image and return one, by class name, in torchvision and open_clip.
_PIXEL_STEPS = {"Resize", "ResizeKeepRatio", "CenterCrop", "CenterCropOrPad", "MaybeConvertMode", "function"}


@dataclass(frozen=True)
class Preprocessing:
    """The two halves. mean, std: per channel, of pixels in 0..1. size: (H, W)."""

    steps: tuple[Callable[[Image.Image], Image.Image], ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]
    description: Mapping[str, Json]

    def prepare(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the pixels the model sees, uint8 (H, W, 3), in the order of open_clip: resize, crop, RGB."""
        for step in self.steps:
            image = step(image)
        return np.asarray(image, dtype=np.uint8)

    def numbers(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return uint8 (n, H, W, 3) as normalised float32 (n, 3, H, W), as ToTensor and Normalize do."""
        import torch

        values = pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        mean = torch.tensor(self.mean, device=values.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=values.device).view(1, 3, 1, 1)
        return values.sub_(mean).div_(std)


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
