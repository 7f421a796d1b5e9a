"""Digital: contrast, saturation, elastic deformation, pixelation and JPEG.

Constants and definitions: Hendrycks & Dietterich 2019 (ImageNet-C), arXiv 1903.12261.
"""

from __future__ import annotations

import io

import numpy as np

from clipbench.perturb.image_filters import gaussian_axes, sample
from clipbench.perturb.image_pixels import Pixels, Values, check, quantise, setting, unit

CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)
SATURATION = ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2))
"""(factor, summand) of S."""
ELASTIC_STRENGTH = (250 * 0.05, 250 * 0.065, 250 * 0.085, 250 * 0.1, 250 * 0.12)
ELASTIC_DEVIATION = 0.01
ELASTIC_REACH = 0.005
PIXELATE = (0.6, 0.5, 0.4, 0.3, 0.25)
JPEG_QUALITY = (25, 18, 15, 10, 7)


def contrast(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Pull every value towards its channel's mean over the picture."""
    values = unit(pixels)
    means = values.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    return quantise((values - means) * np.float32(setting(CONTRAST, severity)) + means)


def saturate(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Set S of HSV to factor·S + summand; hue and value stay.

    Severities 1 and 2 wash colours out, 3 to 5 deepen them. Grey has no hue; it counts as red, as in
    every conversion to HSV, so that the summand of severities 4 and 5 turns grey reddish.
    """
    factor, summand = setting(SATURATION, severity)
    values = unit(pixels)
    value = np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2])
    chroma = value - np.minimum(np.minimum(values[..., 0], values[..., 1]), values[..., 2])
    black = value == 0
    saturation = chroma / np.where(black, np.float32(1), value)
    wanted = np.clip(saturation * np.float32(factor) + np.float32(summand), 0, 1)
    grey = saturation == 0
    scale = wanted / np.where(grey, np.float32(1), saturation)
    coloured = value[..., None] - (value[..., None] - values) * scale[..., None]
    other = value * (1 - wanted)
    reddish: Values = np.stack((value, other, other), axis=-1)
    return quantise(np.where(grey[..., None], reddish, coloured))


def elastic(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Move every pixel by a smooth random field, mirrored at the border; no affine part.

    After Simard et al. 2003, with the constants of Michaelis et al. 2019 (arXiv 1907.07484), who made
    ImageNet-C's field relative to the side.

    Each axis: U(−m, m) with m = .5 % of the side, blurred with σ = 1 % of the side cut at 3 σ, times α.
    """
    strength = np.float32(setting(ELASTIC_STRENGTH, severity))
    values = unit(pixels)
    height, width = pixels.shape[:2]
    deviations = (height * ELASTIC_DEVIATION, width * ELASTIC_DEVIATION)
    moves = []
    for side in (height, width):
        drawn = generator.random((height, width), dtype=np.float32) * np.float32(2) - np.float32(1)
        field = gaussian_axes(drawn, deviations, "symmetric", reach=3.0)
        moves.append(field * (np.float32(side * ELASTIC_REACH) * strength))
    rows = np.arange(height, dtype=np.float32)[:, None] + moves[0]
    columns = np.arange(width, dtype=np.float32)[None, :] + moves[1]
    return quantise(sample(values, rows, columns))


def pixelate(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Shrink by averaging boxes and enlarge by repeating them; sides keep their order."""
    from PIL import Image

    scale = setting(PIXELATE, severity)
    picture = Image.fromarray(check(pixels))
    small = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
    blocks = picture.resize(small, Image.Resampling.BOX)
    return np.asarray(blocks.resize(picture.size, Image.Resampling.NEAREST)).copy()


def jpeg(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Compress as JPEG (4:2:0) at a low quality and decode, in memory."""
    from PIL import Image

    quality = setting(JPEG_QUALITY, severity)
    file = io.BytesIO()
    Image.fromarray(check(pixels)).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB")).copy()
