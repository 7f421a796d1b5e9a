"""Filters shared by blurs and weather: Gaussian and free correlation, streak kernels, enlargement.

Knows planes of numbers, no corruption and no randomness. Borders are numpy.pad's: "edge" repeats the
last pixel, "reflect" mirrors without repeating it, "symmetric" mirrors and repeats it.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.perturb.image_pixels import Values

Border: TypeAlias = Literal["edge", "reflect", "symmetric"]


def gaussian(values: Values, deviation: float, border: Border = "edge", reach: float = 4.0) -> Values:
    """Blur the first two axes with a Gaussian of σ = `deviation` pixels, cut off at `reach` σ."""
    return gaussian_axes(values, (deviation, deviation), border, reach)


def gaussian_axes(
    values: Values, deviations: tuple[float, float], border: Border = "edge", reach: float = 4.0
) -> Values:
    """Blur with one σ per axis (rows, columns), in pixels."""
    for axis, deviation in enumerate(deviations):
        taps = gaussian_taps(deviation, int(reach * deviation + 0.5))
        values = symmetric_axis(values, taps, axis, border)
    return values


def gaussian_taps(deviation: float, radius: int) -> Values:
    """Return the 2·radius + 1 weights of a Gaussian, summing to 1."""
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    taps: Values = (weights / weights.sum()).astype(np.float32)
    return taps


def symmetric_axis(values: Values, taps: Values, axis: int, border: Border) -> Values:
    """Correlate one axis with symmetric `taps` (odd length).

    Written as sums of shifted slices: a few times faster than scipy.ndimage in float32, and the same
    bits on every platform, since each step is one IEEE addition or product.
    """
    radius = len(taps) // 2
    length = values.shape[axis]
    widths = [(0, 0)] * values.ndim
    widths[axis] = (radius, radius)
    padded = np.moveaxis(np.pad(values, widths, mode=border), axis, 0)
    total = padded[radius : radius + length] * taps[radius]
    pair = np.empty_like(total)
    for offset in range(1, radius + 1):
        before = padded[radius - offset : radius - offset + length]
        after = padded[radius + offset : radius + offset + length]
        np.add(before, after, out=pair)
        pair *= taps[radius + offset]
        total += pair
    return np.moveaxis(total, 0, axis)


def correlate(values: Values, kernel: Values, anchor: tuple[int, int], border: Border) -> Values:
    """Return Σ kernel[i, j] · values[y + i − anchor_y, x + j − anchor_x] for every pixel, by FFT.

    values (H, W) or (H, W, C); kernel (h, w) of any size, larger than the picture too.
    """
    from scipy import fft

    height, width = values.shape[:2]
    rows, columns = kernel.shape
    widths = [(anchor[0], rows - 1 - anchor[0]), (anchor[1], columns - 1 - anchor[1])]
    padded = np.pad(values, widths + [(0, 0)] * (values.ndim - 2), mode=border)
    planes = np.ascontiguousarray(np.moveaxis(np.atleast_3d(padded), 2, 0))
    shape = [fft.next_fast_len(side, real=True) for side in planes.shape[1:]]
    spectrum = fft.rfft2(planes, shape) * np.conj(fft.rfft2(kernel, shape))
    filtered = fft.irfft2(spectrum, shape)[:, :height, :width]
    result: Values = np.moveaxis(filtered, 0, 2).astype(np.float32, copy=False)
    return result.reshape(values.shape)


def disk(radius: int, alias_blur: float) -> Values:
    """Return the kernel of an out-of-focus lens: a disc, its rim softened by a small Gaussian.

    The grid reaches 8 pixels (or the radius, where larger) to each side; the softening has 3 taps up to
    radius 8 and 5 beyond, mirrored at the grid's border, as Hendrycks & Dietterich 2019 set it.
    """
    reach = max(8, radius)
    line = np.arange(-reach, reach + 1)
    inside = (line[:, None] ** 2 + line[None, :] ** 2 <= radius**2).astype(np.float32)
    taps = gaussian_taps(alias_blur, 1 if radius <= 8 else 2)
    for axis in (0, 1):
        inside = symmetric_axis(inside, taps, axis, "reflect")
    kernel: Values = inside / inside.sum()
    return kernel


def streak(values: Values, radius: int, deviation: float, degrees: float, border: Border = "edge") -> Values:
    """Blur along a line: a one-sided Gaussian of 2·radius + 1 samples, one pixel apart.

    `degrees` is the direction the samples are taken from, 0 = right, 90 = down. Samples fall between
    pixels and are shared out bilinearly, so that every angle counts and none is rounded to a step.
    """
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-0.5 * (steps / deviation) ** 2)
    weights /= weights.sum()
    down = steps * math.sin(math.radians(degrees))
    right = steps * math.cos(math.radians(degrees))
    top, left = math.floor(down.min()), math.floor(right.min())
    shape = (math.floor(down.max()) - top + 2, math.floor(right.max()) - left + 2)
    kernel = np.zeros(shape)
    y, x = np.floor(down).astype(np.intp), np.floor(right).astype(np.intp)
    fraction_y, fraction_x = down - y, right - x
    for dy, part_y in ((0, 1 - fraction_y), (1, fraction_y)):
        for dx, part_x in ((0, 1 - fraction_x), (1, fraction_x)):
            np.add.at(kernel, (y - top + dy, x - left + dx), weights * part_y * part_x)
    return correlate(values, kernel.astype(np.float32), (-top, -left), border)


def enlarge(plane: Values, shape: tuple[int, int], zoom: float) -> Values:
    """Return `shape` (H, W) pixels of a plane enlarged `zoom` times about its centre, bilinearly.

    The plane holds at least H/zoom × W/zoom pixels.
    """
    from PIL import Image

    height, width = plane.shape
    margin_y, margin_x = max(0.0, height - shape[0] / zoom) / 2, max(0.0, width - shape[1] / zoom) / 2
    box = (margin_x, margin_y, width - margin_x, height - margin_y)
    picture = Image.fromarray(plane).resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box=box)
    return np.array(picture, dtype=np.float32)


def sample(values: Values, rows: npt.NDArray[np.float32], columns: npt.NDArray[np.float32]) -> Values:
    """Return `values` (H, W, C) at real positions (H, W) each, bilinearly, mirrored at the border.

    A position may lie outside by less than one side.
    """
    height, width, channels = values.shape
    flat = values.reshape(-1, channels)
    y, x = np.floor(rows), np.floor(columns)
    part_y, part_x = (rows - y)[..., None], (columns - x)[..., None]
    top, left = y.astype(np.intp), x.astype(np.intp)
    upper, lower = _mirror(top, height) * width, _mirror(top + 1, height) * width
    first, second = _mirror(left, width), _mirror(left + 1, width)
    above = flat[upper + first] * (1 - part_x) + flat[upper + second] * part_x
    below = flat[lower + first] * (1 - part_x) + flat[lower + second] * part_x
    between: Values = above * (1 - part_y) + below * part_y
    return between


def _mirror(index: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.intp]:
    index = np.where(index < 0, -1 - index, index)
    return np.where(index >= length, 2 * length - 1 - index, index)
