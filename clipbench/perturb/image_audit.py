"""What a corruption achieved: how far the pictures are from the clean ones, as PSNR and SSIM.

Knows pairs of pictures, not what was done to them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.perturb.image_pixels import Pixels

WINDOW = 11
DEVIATION = 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True, slots=True)
class ImageDifference:
    """How far one corrupted picture is from its clean one.

    `psnr` is None where they are identical (it would be infinite), `ssim` where a side is under 11 pixels.
    """

    psnr: float | None
    ssim: float | None


@dataclass(frozen=True, slots=True)
class ImageAudit:
    """The differences of many pictures in numbers.

    psnr: mean in dB over the pictures that differ, None where none does. ssim: mean over the pictures
    that are large enough for its window, None where none is. `identical` and `too_small` count the
    pictures that each mean leaves out.
    """

    images: int
    identical: int
    too_small: int
    psnr: float | None
    ssim: float | None


def difference(clean: Pixels, corrupted: Pixels) -> ImageDifference:
    """Compare one pair of uint8 pictures (H, W, 3) of the same shape."""
    return ImageDifference(psnr(clean, corrupted), ssim(clean, corrupted))


def audit(differences: Iterable[ImageDifference]) -> ImageAudit:
    """Sum up any number of pictures; their order does not matter, not even to the last bit."""
    every = list(differences)
    psnrs = [one.psnr for one in every if one.psnr is not None]
    ssims = [one.ssim for one in every if one.ssim is not None]
    return ImageAudit(
        images=len(every),
        identical=len(every) - len(psnrs),
        too_small=len(every) - len(ssims),
        psnr=math.fsum(psnrs) / len(psnrs) if psnrs else None,
        ssim=math.fsum(ssims) / len(ssims) if ssims else None,
    )


def psnr(clean: Pixels, corrupted: Pixels) -> float | None:
    """Return 10 · log10(255² / MSE) in dB over all colour values; None for identical pictures.

    >>> black = np.zeros((8, 8, 3), dtype=np.uint8)
    >>> psnr(black, black + np.uint8(255))
    0.0
    >>> psnr(black, black) is None
    True
    """
    _same_shape(clean, corrupted)
    gap = (clean.astype(np.int16) - corrupted).astype(np.float32).ravel()
    # Squares up to 65,025 and sums of 4,096 of them keep float32 exact to 1e-7; the rest is float64.
    squares = math.fsum(float(np.dot(part, part)) for part in _parts(gap))
    if squares == 0:
        return None
    return 10 * math.log10(255**2 * gap.size / squares) + 0.0


def ssim(clean: Pixels, corrupted: Pixels) -> float | None:
    """Return the mean structural similarity of the luminance planes, 1 for identical pictures.

    Wang, Bovik, Sheikh & Simoncelli 2004: an 11 × 11 Gaussian window with σ = 1.5, K = (.01, .03),
    L = 255, over the places where the window lies wholly inside; without the downsampling that some
    later code puts first. Luminance is ITU-R BT.601's. None where a side is under 11 pixels.
    """
    _same_shape(clean, corrupted)
    if min(clean.shape[:2]) < WINDOW:
        return None
    x, y = _luminance(clean), _luminance(corrupted)
    # Variances do not see a constant: around 128 float32 loses no digits that matter.
    x -= np.float32(128)
    y -= np.float32(128)
    mean_x, mean_y, squares, product = _window(np.stack((x, y, x * x + y * y, x * y)))
    covariance = product - mean_x * mean_y
    variances = squares - mean_x**2 - mean_y**2
    mean_x += np.float32(128)
    mean_y += np.float32(128)
    light = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variances + C2)
    return float(np.mean(light * structure, dtype=np.float64))


def _window(planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the Gaussian-weighted means of planes (N, H, W) at all H − 10 × W − 10 places."""
    steps = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-0.5 * (steps / DEVIATION) ** 2)
    taps = (weights / weights.sum()).astype(np.float32)
    for axis in (1, 2):
        lines = np.moveaxis(planes, axis, 0)
        length = len(lines) - WINDOW + 1
        total = lines[WINDOW // 2 : WINDOW // 2 + length] * taps[WINDOW // 2]
        for offset in range(WINDOW // 2):
            mirrored = WINDOW - 1 - offset
            total += (lines[offset : offset + length] + lines[mirrored : mirrored + length]) * taps[offset]
        planes = np.moveaxis(total, 0, axis)
    return planes


def _luminance(pixels: Pixels) -> npt.NDArray[np.float32]:
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    plane: npt.NDArray[np.float32] = pixels[..., 0] * weights[0]
    plane += pixels[..., 1] * weights[1]
    plane += pixels[..., 2] * weights[2]
    return plane


def _parts(values: npt.NDArray[np.float32], length: int = 4096) -> list[npt.NDArray[np.float32]]:
    return [values[start : start + length] for start in range(0, len(values), length)]


def _same_shape(clean: Pixels, corrupted: Pixels) -> None:
    if clean.shape != corrupted.shape:
        raise ClipbenchError(
            f"a clean picture of shape {clean.shape} and a corrupted one of {corrupted.shape} "
            "cannot be compared pixel by pixel",
            "audit the pixels before they are resized",
        )
