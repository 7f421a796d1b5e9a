"""Resizing of which only a window is kept, without making the rest.

A model that resizes the shorter side to 224 pixels and crops the middle turns a strip of 10 × 20,000 pixels
into 224 × 448,000 on the way. Here only the rows (or columns) of the window are computed, to the last bit as
Pillow computes them: the filter's weights in float64, rounded to 22 binary digits, summed as whole numbers.
Source: Pillow, src/libImaging/Resample.c and Geometry.c.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.errors import PhotographError

Resampling = Image.Resampling

SLENDER = 100
"""How many times as long as wide a picture is before it is worth the trouble: less slender ones stay small."""

DIGITS = 32 - 8 - 2
"""Binary digits of a weight in Pillow: 32 of a whole number, less 8 of a pixel and 2 to spare."""

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of a resize: from `before` to `after` pixels, of which `first` up to `last` are kept."""

    before: int
    after: int
    first: int
    last: int


def resized_window(image: Image.Image, size: tuple[int, int], window: Box, resample: int) -> Image.Image:
    """Return `image.resize(size, resample).crop(window)`, with no more memory than image and window need.

    For strips more than ten times as long as wide, resized in proportion: those are equal to the last bit.
    window: left, top, right, bottom within `size`. Pictures of mode "1" and "P" come back in colours, since
    Pillow takes single pixels of those, whatever the filter. Raises PhotographError for a filter not known here.
    """
    if image.size == size:
        return image.crop(window)
    if image.mode in {"LA", "RGBA"} and resample != Resampling.NEAREST:
        # As Pillow does: colours are averaged by how much of them there is to see.
        weighted = image.convert({"LA": "La", "RGBA": "RGBa"}[image.mode])
        return resized_window(weighted, size, window, resample).convert(image.mode)
    left, top, right, bottom = window
    across = _Axis(image.width, size[0], left, right)
    down = _Axis(image.height, size[1], top, bottom)
    if image.mode in {"1", "P"} or resample == Resampling.NEAREST:
        return _nearest(image, across, down)
    if resample not in FILTERS:
        raise PhotographError(f"no window can be cut from a picture resized by filter {resample}")
    if size[1] > size[0]:
        rows = _source(down, resample)
        strip = image.crop((0, rows.start, image.width, rows.stop))
        if size[1] < image.height and _tall_shrink_downwards_first():
            short = _image(image.mode, _resampled(_array(strip), down, rows, resample))
            return short.resize((size[0], short.height), resample).crop((left, 0, right, short.height))
        strip = strip.resize((size[0], len(rows)), resample).crop((left, 0, right, len(rows)))
        return _image(image.mode, _resampled(_array(strip), down, rows, resample))
    columns = _source(across, resample)
    strip = image.crop((columns.start, 0, columns.stop, image.height))
    turned = _resampled(_array(strip).swapaxes(0, 1), across, columns, resample)
    narrow = _image(image.mode, turned.swapaxes(0, 1))
    return narrow.resize((right - left, size[1]), resample).crop((0, top, right - left, bottom))


@cache
def _tall_shrink_downwards_first() -> bool:
    """Whether this Pillow makes tall pictures less tall before it makes them narrower; some do, some do not.

    The pixels are rounded between the two, so that the order shows in the last bit of some.
    """
    tall = Image.frombytes("L", (4, 800), bytes(range(256)) * 12 + bytes(reversed(range(128))))
    size = (3, 600)
    down_first = tall.resize((4, 600), Resampling.BICUBIC).resize(size, Resampling.BICUBIC)
    return tall.resize(size, Resampling.BICUBIC).tobytes() == down_first.tobytes()


def _array(image: Image.Image) -> Pixels:
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _image(mode: str, pixels: Pixels) -> Image.Image:
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())


def _bicubic(x: float) -> float:
    a, x = -0.5, abs(x)
    if x < 1.0:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    if x < 2.0:
        return (((x - 5) * x + 8) * x - 4) * a
    return 0.0


def _lanczos(x: float) -> float:
    return _sinc(x) * _sinc(x / 3) if -3.0 <= x < 3.0 else 0.0


def _sinc(x: float) -> float:
    return 1.0 if x == 0.0 else math.sin(x * math.pi) / (x * math.pi)


def _bilinear(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


FILTERS: Mapping[int, tuple[float, Callable[[float], float]]] = {
    Resampling.BILINEAR: (1.0, _bilinear),
    Resampling.BICUBIC: (2.0, _bicubic),
    Resampling.LANCZOS: (3.0, _lanczos),
}
"""Filter -> how far it reaches in source pixels, and its weight at a distance."""


def _reach(axis: _Axis, resample: int) -> tuple[float, float, float]:
    """Return source pixels per result pixel, what distances are divided by, and how far the filter reaches."""
    scale = axis.before / axis.after
    widened = max(scale, 1.0)
    return scale, widened, FILTERS[resample][0] * widened


def _taps(axis: _Axis, place: int, resample: int) -> range:
    """Return the source pixels that one result pixel is made of."""
    scale, _, support = _reach(axis, resample)
    centre = (place + 0.5) * scale
    return range(max(0, int(centre - support + 0.5)), min(axis.before, int(centre + support + 0.5)))


def _source(axis: _Axis, resample: int) -> range:
    """Return the source pixels that the window is made of."""
    return range(_taps(axis, axis.first, resample).start, _taps(axis, axis.last - 1, resample).stop)


def _resampled(pixels: Pixels, axis: _Axis, source: range, resample: int) -> Pixels:
    """Resample the first axis of `pixels`, which are those of `source`; returned are those of the window."""
    scale, widened, _ = _reach(axis, resample)
    weigh = FILTERS[resample][1]
    result = np.empty((axis.last - axis.first, *pixels.shape[1:]), np.uint8)
    for row, place in enumerate(range(axis.first, axis.last)):
        taps = _taps(axis, place, resample)
        centre = (place + 0.5) * scale
        weights = [weigh((tap - centre + 0.5) * (1.0 / widened)) for tap in taps]
        total = sum(weights)
        shares = [weight * (1.0 / total) if total != 0.0 else weight for weight in weights]
        whole = [int(math.copysign(0.5, share) + share * (1 << DIGITS)) for share in shares]
        near = pixels[taps.start - source.start : taps.stop - source.start]
        sums = np.tensordot(np.array(whole, np.int64), near.astype(np.int64), axes=1) + (1 << (DIGITS - 1))
        result[row] = np.clip(sums >> DIGITS, 0, 255).astype(np.uint8)
    return result


def _nearest(image: Image.Image, across: _Axis, down: _Axis) -> Image.Image:
    columns, rows = _picked(across), _picked(down)
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    part = image.crop(box)
    if part.mode in {"1", "P"}:
        part = part.convert("RGBA" if "transparency" in image.info else "RGB")
    pixels = _array(part)[rows - box[1]][:, columns - box[0]]
    return _image(part.mode, pixels)


SUMMED = 1 << 24
"""Longest axis on which places are summed up one by one, as Pillow does; longer ones it could not make."""


def _picked(axis: _Axis) -> npt.NDArray[np.int64]:
    """Return the source pixel of each result pixel of the window."""
    step = axis.before / axis.after
    if axis.after > SUMMED:
        places = (np.arange(axis.first, axis.last) + 0.5) * step
    else:
        steps = np.full(axis.last, step)
        steps[0] = step * 0.5
        places = np.cumsum(steps)[axis.first :]
    return np.minimum(places.astype(np.int64), axis.before - 1)
