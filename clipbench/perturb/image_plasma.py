"""Plasma: a random cloud by the diamond-square method, for fog and frost.

Knows the fractal, no picture. Fournier, Fussell & Carpenter 1982; the decay of the offsets follows
ImageNet-C (Hendrycks & Dietterich 2019).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clipbench.perturb.image_pixels import Values

FIRST_WIDTH = 100.0


def plasma(shape: tuple[int, int], decay: float, generator: np.random.Generator) -> Values:
    """Return a cloud (H, W) within 0..1.

    It is cut out of a square torus whose side is the next power of two of the longer side, so that any
    shape and size is covered, and a cloud always spans the picture. The offsets of one octave are
    U(−w², w²) with w divided by `decay` from octave to octave: their size falls by decay², not by decay,
    and this square is what ImageNet-C's fog looks like.
    """
    side = 1 << (max(shape) - 1).bit_length()
    cloud = np.zeros((side, side))
    step, width = side, FIRST_WIDTH
    while step >= 2:
        half = step // 2
        offset = width * width
        corners = cloud[::step, ::step]
        centres = _neighbours(corners, -1, -1) + _offsets(corners, offset, generator)
        cloud[half::step, half::step] = centres
        across = corners + np.roll(corners, -1, 1) + centres + np.roll(centres, 1, 0)
        cloud[::step, half::step] = across / 4 + _offsets(corners, offset, generator)
        along = corners + np.roll(corners, -1, 0) + centres + np.roll(centres, 1, 1)
        cloud[half::step, ::step] = along / 4 + _offsets(corners, offset, generator)
        step, width = half, width / decay
    cloud -= cloud.min()
    cloud /= cloud.max()
    return cloud[: shape[0], : shape[1]].astype(np.float32)


def _neighbours(grid: npt.NDArray[np.float64], rows: int, columns: int) -> npt.NDArray[np.float64]:
    pairs = grid + np.roll(grid, rows, 0)
    mean: npt.NDArray[np.float64] = (pairs + np.roll(pairs, columns, 1)) / 4
    return mean


def _offsets(
    grid: npt.NDArray[np.float64], width: float, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    return generator.uniform(-width, width, grid.shape)
