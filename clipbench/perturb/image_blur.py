"""Blur: Gaussian, defocus, frosted glass, motion and zoom.

Constants and definitions: Hendrycks & Dietterich 2019 (ImageNet-C), arXiv 1903.12261. All lengths are
pixels of the picture that comes in; they were tuned at 224 × 224.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clipbench.perturb.image_filters import correlate, disk, gaussian, streak
from clipbench.perturb.image_pixels import Pixels, check, quantise, setting, unit

GAUSSIAN_DEVIATION = (1.0, 2.0, 3.0, 4.0, 6.0)
DEFOCUS = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))
"""(radius, softening of the rim)."""
GLASS = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))
"""(σ, farthest swap, passes)."""
MOTION = ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0))
"""(radius, σ)."""
ZOOM = ((12, 0.01), (16, 0.01), (11, 0.02), (13, 0.02), (11, 0.03))
"""(number of factors, step): 1, 1 + step, ... The counts are those of ImageNet-C's arange calls."""


def gaussian_blur(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Blur with a Gaussian."""
    return quantise(gaussian(unit(pixels), setting(GAUSSIAN_DEVIATION, severity)))


def defocus_blur(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Blur with a disc: a lens out of focus."""
    kernel = disk(*setting(DEFOCUS, severity))
    centre = len(kernel) // 2
    return quantise(correlate(unit(pixels), kernel, (centre, centre), "reflect"))


def motion_blur(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Smear along one line at an angle drawn from U(−45°, 45°) to the horizontal."""
    radius, deviation = setting(MOTION, severity)
    return quantise(streak(unit(pixels), radius, deviation, generator.uniform(-45, 45)))


def zoom_blur(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Average the picture with enlargements of itself: a camera moving forward.

    Each enlargement keeps the exact centre and the whole aspect ratio, whatever the shape. As in
    ImageNet-C the plain picture counts once more beside the factor 1.
    """
    from PIL import Image

    count, step = setting(ZOOM, severity)
    picture = Image.fromarray(check(pixels))
    total = pixels.astype(np.float32)
    total *= 2
    for index in range(1, count):
        factor = 1 + index * step
        margin_x, margin_y = (side * (1 - 1 / factor) / 2 for side in picture.size)
        box = (margin_x, margin_y, picture.width - margin_x, picture.height - margin_y)
        total += np.asarray(picture.resize(picture.size, Image.Resampling.BILINEAR, box=box))
    return quantise(total / np.float32(255 * (count + 1)))


def glass_blur(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Swap pixels with neighbours between two light Gaussian blurs: frosted glass.

    Passes run from the last pixel to the first; each pixel of each row changes places with one drawn
    from the square around it, cut off at the border.
    """
    deviation, farthest, passes = setting(GLASS, severity)
    blurred = quantise(gaussian(unit(pixels), deviation))
    order = swaps(pixels.shape[:2], farthest, passes, generator)
    moved = blurred.reshape(-1, 3)[order].reshape(pixels.shape)
    return quantise(gaussian(unit(moved), deviation))


def swaps(
    shape: tuple[int, ...], farthest: int, passes: int, generator: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Return which pixel (row-major position) ends up at each place after the swaps: a permutation.

    Each swap sees what the swaps before it left, so the passes run one by one, over a list of
    positions: a Python list swaps in some 50 ns, and the pixels themselves move once, at the end.
    """
    height, width = shape[:2]
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    order = list(range(height * width))
    for _ in range(passes):
        drawn = generator.integers(-farthest, farthest, endpoint=True, size=(2, height, width))
        y = np.clip(rows + drawn[0], 0, height - 1)
        x = np.clip(columns + drawn[1], 0, width - 1)
        partners = (y * width + x).ravel().tolist()
        for here in range(height * width - 1, -1, -1):
            there = partners[here]
            order[here], order[there] = order[there], order[here]
    return np.array(order, dtype=np.intp)
