"""The pixels of an image setting, and the account of what it did to them.

A corruption acts either on what the model sees (after resize and crop, before normalisation: the
constants of the literature were tuned there) or on the file's own pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.keys import Json, item_key
from clipbench.perturb.image_audit import ImageDifference, audit, difference
from clipbench.perturb.image_streams import generator
from clipbench.perturb.operation import ImageOperation
from clipbench.photographs.budget import PixelBudget
from clipbench.records import Perturbation
from clipbench.study.embedding.encode import Picture, Transform

if TYPE_CHECKING:
    from clipbench.encoders.protocol import Encoder

AUDITED = 100
"""Pictures on which PSNR and SSIM are measured, drawn by a hash of their ids: the same for every setting."""

CORRUPTED = PixelBudget(1 << 24)
"""Pixels of files that are corrupted at once, over all threads: each takes up to a hundred bytes meanwhile."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Corrupting:
    """An image setting as data: called with an encoder, it is what makes the pixels that one sees."""

    operation: ImageOperation
    perturbation: Perturbation

    def __call__(self, encoder: Encoder) -> Transform:
        """Return the function that makes the setting's pixels for an encoder."""
        return corruption(encoder, self.operation, self.perturbation)


def corruption(encoder: Encoder, operation: ImageOperation, perturbation: Perturbation) -> Transform:
    """Return the function that makes a setting's pixels from an image id and a decoded photograph."""
    if perturbation.parameters.get("apply") == "source":
        on_file = source_corruption(operation, perturbation)
        return lambda image_id, image: encoder.prepare(Image.fromarray(on_file(image_id, image)))
    corrupted = _corrupted(operation, perturbation)
    return lambda image_id, image: corrupted(image_id, encoder.prepare(image))


def source_corruption(operation: ImageOperation, perturbation: Perturbation) -> Transform:
    """Return the function that corrupts a decoded photograph's own pixels, whatever model may see them."""
    corrupted = _corrupted(operation, perturbation)

    def on_file(image_id: str, image: Image.Image) -> Pixels:
        with CORRUPTED.hold(image.width * image.height):
            return corrupted(image_id, np.asarray(image.convert("RGB")))

    return on_file


def _corrupted(operation: ImageOperation, perturbation: Perturbation) -> Callable[[str, Pixels], Pixels]:
    severity = round(perturbation.level)

    def corrupted(image_id: str, pixels: Pixels) -> Pixels:
        own = generator(operation.name, perturbation.seed, image_id, severity)
        return operation.apply(pixels, severity, own)

    return corrupted


def image_audit(pictures: Sequence[Picture], encoder: Encoder, transform: Transform) -> dict[str, Json]:
    """Return PSNR and SSIM between clean and corrupted model input, means over up to `AUDITED` pictures."""
    from clipbench.encoders.images import PhotoFile, decode_ahead

    drawn = sorted(pictures, key=lambda p: item_key(("audit", p.id)))[:AUDITED]
    differences: list[ImageDifference] = []

    def both(position: int, image: Image.Image) -> Pixels:
        clean, changed = encoder.prepare(image), transform(drawn[position].id, image)
        differences.append(difference(clean, changed))
        return changed

    for _ in decode_ahead([PhotoFile(p.path, p.digest) for p in drawn], both):
        pass
    found = audit(differences)
    return asdict(found)
