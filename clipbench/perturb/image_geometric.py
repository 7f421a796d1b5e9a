"""Geometry: what happens to photographs beyond ImageNet-C: turned, cut, shifted, covered, shrunk.

What lies outside the picture is black and what covers it is grey, so that both are plain to see.
Lengths are shares of the sides; random places are drawn from the generator.
"""

from __future__ import annotations

import math

import numpy as np

from clipbench.perturb.image_pixels import Pixels, check, luma, quantise, setting, unit

ROTATION_DEGREES = (5.0, 10.0, 20.0, 30.0, 45.0)
CROP_KEPT = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Share of each side that is kept."""
TRANSLATION = (0.05, 0.1, 0.15, 0.2, 0.3)
OCCLUSION_AREA = (0.05, 0.1, 0.2, 0.3, 0.4)
DOWNSCALE = (0.5, 0.35, 0.25, 0.18, 0.125)
ONE = (1,)
"""Operations with one setting only."""
COVER = 128


def rotation(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Turn about the centre, to a drawn side, within the same frame; the corners turn black."""
    from PIL import Image

    degrees = setting(ROTATION_DEGREES, severity) * _sign(generator)
    picture = Image.fromarray(check(pixels))
    return np.asarray(picture.rotate(degrees, Image.Resampling.BICUBIC)).copy()


def crop(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Keep a part at a drawn place, of the same aspect ratio, enlarged to the whole frame."""
    from PIL import Image

    kept = setting(CROP_KEPT, severity)
    picture = Image.fromarray(check(pixels))
    width, height = picture.width * kept, picture.height * kept
    left, top = generator.random() * (picture.width - width), generator.random() * (picture.height - height)
    box = (left, top, min(left + width, picture.width), min(top + height, picture.height))
    return np.asarray(picture.resize(picture.size, Image.Resampling.BICUBIC, box=box)).copy()


def translate(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Shift both axes by a share of the side, each to a drawn side; what comes in is black."""
    share = setting(TRANSLATION, severity)
    height, width = check(pixels).shape[:2]
    down = _sign(generator) * max(1, round(share * height))
    right = _sign(generator) * max(1, round(share * width))
    moved = np.zeros_like(pixels)
    to_y, from_y = _overlap(down, height)
    to_x, from_x = _overlap(right, width)
    moved[to_y, to_x] = pixels[from_y, from_x]
    return moved


def occlusion(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Cover a share of the area with one grey rectangle of the picture's aspect, at a drawn place."""
    side = math.sqrt(setting(OCCLUSION_AREA, severity))
    height, width = check(pixels).shape[:2]
    rows, columns = max(1, round(side * height)), max(1, round(side * width))
    top = int(generator.integers(height - rows, endpoint=True))
    left = int(generator.integers(width - columns, endpoint=True))
    covered = pixels.copy()
    covered[top : top + rows, left : left + columns] = COVER
    return covered


def grayscale(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Take the colours away (luminance of ITU-R BT.601)."""
    setting(ONE, severity)
    plane = quantise(luma(unit(pixels)))
    return np.repeat(plane[..., None], 3, axis=2)


def flip(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Mirror left and right."""
    setting(ONE, severity)
    return np.ascontiguousarray(check(pixels)[:, ::-1])


def downscale(pixels: Pixels, severity: int, _generator: np.random.Generator) -> Pixels:
    """Shrink and enlarge again, bicubic both ways: a thumbnail blown up."""
    from PIL import Image

    scale = setting(DOWNSCALE, severity)
    picture = Image.fromarray(check(pixels))
    small = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    thumbnail = picture.resize(small, Image.Resampling.BICUBIC)
    return np.asarray(thumbnail.resize(picture.size, Image.Resampling.BICUBIC)).copy()


def _sign(generator: np.random.Generator) -> int:
    return 1 if generator.integers(2) else -1


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Return where the shifted side lands and which part of it stays in the frame."""
    if shift >= 0:
        return slice(shift, length), slice(0, length - shift)
    return slice(0, length + shift), slice(-shift, length)
