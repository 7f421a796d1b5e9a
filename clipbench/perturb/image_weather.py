"""Weather: snow, fog, brightness and spatter. Frost, which needs a texture, has its own module.

Constants and definitions: Hendrycks & Dietterich 2019 (ImageNet-C), arXiv 1903.12261. Where their code
used OpenCV or ImageMagick, the steps here are our own and say so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clipbench.perturb.image_filters import enlarge, gaussian, streak
from clipbench.perturb.image_pixels import Pixels, Values, luma, quantise, setting, unit
from clipbench.perturb.image_plasma import plasma


@dataclass(frozen=True, slots=True)
class Snow:
    """Flakes N(mean, deviation) enlarged `zoom` times, kept above `threshold`, falling as streaks."""

    mean: float
    deviation: float
    zoom: float
    threshold: float
    radius: int
    streak: float
    mix: float


@dataclass(frozen=True, slots=True)
class Spatter:
    """Blots where N(mean, deviation), blurred by `blur`, exceeds `threshold`."""

    mean: float
    deviation: float
    blur: float
    threshold: float
    strength: float
    mud: bool


SNOW = (
    Snow(0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
    Snow(0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
    Snow(0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
    Snow(0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
    Snow(0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
)
FOG = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))
"""(amplitude, decay)."""
BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)
SPATTER = (
    Spatter(0.65, 0.3, 4.0, 0.69, 0.6, mud=False),
    Spatter(0.65, 0.3, 3.0, 0.68, 0.6, mud=False),
    Spatter(0.65, 0.3, 2.0, 0.68, 0.5, mud=False),
    Spatter(0.65, 0.3, 1.0, 0.65, 1.5, mud=True),
    Spatter(0.67, 0.4, 1.0, 0.65, 1.5, mud=True),
)
WATER = (175, 238, 238)
MUD = (63, 42, 20)


def snow(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Whiten the picture and let streaks of flakes fall over it, down and (the same turned) up."""
    level = setting(SNOW, severity)
    values = unit(pixels)
    shape = (pixels.shape[0], pixels.shape[1])
    grid = [math.ceil(side / level.zoom) for side in shape]
    noise = generator.standard_normal(grid, dtype=np.float32)
    flakes = enlarge(noise * np.float32(level.deviation) + np.float32(level.mean), shape, level.zoom)
    flakes[flakes < level.threshold] = 0
    np.clip(flakes, 0, 1, out=flakes)
    flakes = streak(flakes, level.radius, level.streak, generator.uniform(-135, -45))
    np.clip(flakes, 0, 1, out=flakes)
    pale = np.maximum(values, (luma(values) * np.float32(1.5) + np.float32(0.5))[..., None])
    values = values * np.float32(level.mix) + pale * np.float32(1 - level.mix)
    return quantise(values + (flakes + flakes[::-1, ::-1])[..., None])


def fog(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Add a plasma cloud and scale down so that the picture's brightest value may stay the brightest."""
    amplitude, decay = setting(FOG, severity)
    values = unit(pixels)
    brightest = values.max()
    cloud = plasma((pixels.shape[0], pixels.shape[1]), decay, generator)
    values += (cloud * np.float32(amplitude))[..., None]
    return quantise(values * (brightest / (brightest + np.float32(amplitude))))


def brightness(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Raise V of HSV; hue and saturation stay. In closed form: every colour is scaled by V'/V."""
    values = unit(pixels)
    value = np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2])
    raised = np.minimum(value + np.float32(setting(BRIGHTNESS, severity)), 1)
    black = value == 0
    scale = raised / np.where(black, np.float32(1), value)
    return quantise(np.where(black[..., None], raised[..., None], values * scale[..., None]))


def spatter(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Splash water (severities 1 to 3) or mud (4 and 5) over the lens."""
    level = setting(SPATTER, severity)
    values = unit(pixels)
    noise = generator.standard_normal(pixels.shape[:2], dtype=np.float32)
    liquid = gaussian(noise * np.float32(level.deviation) + np.float32(level.mean), level.blur)
    liquid[liquid < level.threshold] = 0
    if level.mud:
        cover = gaussian((liquid > level.threshold).astype(np.float32), level.strength)
        cover[cover < 0.8] = 0
        cover = cover[..., None]
        return quantise(values * (1 - cover) + _colour(MUD) * cover)
    light = _drops(np.minimum(liquid, 1))
    if light.max() > 0:
        light *= np.float32(level.strength) / light.max()
    return quantise(values + _colour(WATER) * light[..., None])


def _drops(liquid: Values) -> Values:
    """Return how brightly each pixel of the drops shines: a relief lit from one corner.

    Own steps for OpenCV's: outlines are the drops' inner border pixels (Canny), their distance is the
    exact Euclidean one (chamfer 5 × 5) cut at 20, then 3 × 3 mean, histogram equalisation to 0..255,
    a diagonal relief kernel cut to 0..255, and 3 × 3 mean again.
    """
    from scipy import ndimage

    inside = liquid > 0
    outline = inside & ~ndimage.binary_erosion(inside, border_value=1)
    if outline.any():
        distance = np.minimum(ndimage.distance_transform_edt(~outline), 20)
    else:
        distance = np.full(liquid.shape, 20.0)
    height = equalised(ndimage.uniform_filter(distance, 3, mode="mirror").astype(np.uint8))
    relief = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], dtype=np.float32)
    lit = ndimage.correlate(height.astype(np.float32), relief, mode="mirror")
    lit = ndimage.uniform_filter(np.clip(lit, 0, 255), 3, mode="mirror")
    light: Values = liquid * lit.astype(np.float32)
    return light


def equalised(plane: Pixels) -> Pixels:
    """Return a byte plane with its histogram spread evenly over 0..255; one value alone stays."""
    counts = np.bincount(plane.ravel(), minlength=256)
    below = np.cumsum(counts)
    first = counts[np.flatnonzero(counts)[0]]
    if first == plane.size:
        return plane
    table = np.maximum(np.rint((below - first) * (255 / (plane.size - first))), 0)
    spread: Pixels = table.astype(np.uint8)[plane]
    return spread


def _colour(rgb: tuple[int, int, int]) -> Values:
    return np.array(rgb, dtype=np.float32) / np.float32(255)
