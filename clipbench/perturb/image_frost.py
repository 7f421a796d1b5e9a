"""Frost: ice ferns on a window pane, grown anew for every picture and mixed over it.

ImageNet-C mixes in crops of photographs of frost. Here the texture is made: a plasma cloud says how
thick the ice is, and ferns (stems, needles on them, needles on those) grow across it. Brightness and
contrast are near those of the photographs (mean .6, deviation .15). Mixing weights: Hendrycks &
Dietterich 2019, arXiv 1903.12261.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.perturb.image_filters import enlarge, gaussian
from clipbench.perturb.image_pixels import Pixels, Values, quantise, setting, unit
from clipbench.perturb.image_plasma import plasma

FROST = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
"""(weight of the picture, weight of the frost)."""
FERNS, NEEDLES, NEEDLETS = 60, 18, 9
"""Stems in a picture, needles on a stem, needlets on a needle."""
LONGEST = 0.45
"""Longest stem, as a share of the picture's longer side."""
NEEDLE, NEEDLET = 0.42, 0.38
"""Length of the first branch as a share of the line it grows from; towards the tip they shorten."""
BRANCH_ANGLE = math.radians(58)
FINEST = 448
"""Longer side of the grid that ferns are drawn on, at most; a larger picture gets it enlarged."""
THIN_ICE, THICK_ICE = (0.16, 0.24, 0.34), (0.94, 0.97, 1.0)


@dataclass(frozen=True, slots=True)
class Lines:
    """Slightly bent lines: start (2, ...), heading, length and bend (...,), in sides and radians."""

    start: npt.NDArray[np.float32]
    heading: npt.NDArray[np.float32]
    length: npt.NDArray[np.float32]
    bend: npt.NDArray[np.float32]

    def points(self, share: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the points (2, ..., K) at these shares of the way, (K,) or (..., K), on a parabola."""
        ahead = np.stack((np.sin(self.heading), np.cos(self.heading))) * self.length
        aside = np.stack((ahead[1], -ahead[0])) * (self.bend * np.float32(0.5))
        points: npt.NDArray[np.float32] = share * (ahead[..., None] + share * aside[..., None])
        return self.start[..., None] + points


def frost(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Mix the picture with a frost texture of its own."""
    picture_weight, frost_weight = setting(FROST, severity)
    values = unit(pixels)
    values *= np.float32(picture_weight)
    values += texture((pixels.shape[0], pixels.shape[1]), generator) * np.float32(frost_weight)
    return quantise(values)


def texture(shape: tuple[int, int], generator: np.random.Generator) -> Values:
    """Return one pane of ice, float32 (H, W, 3) within 0..1; it scales with the longer side."""
    haze = plasma(shape, 1.5, generator)
    crystal = _crystals(shape, generator)
    soft = gaussian(crystal, 0.8)
    relief = np.zeros_like(soft)
    relief[1:, 1:] = soft[1:, 1:] - soft[:-1, :-1]
    ice = 0.2 + 0.38 * haze + crystal * (0.22 + 0.42 * haze) + 0.5 * relief
    thin, thick = np.array(THIN_ICE, dtype=np.float32), np.array(THICK_ICE, dtype=np.float32)
    pane: Values = thin + (thick - thin) * np.clip(ice, 0, 1).astype(np.float32)[..., None]
    return pane


def _crystals(shape: tuple[int, int], generator: np.random.Generator) -> Values:
    """Return how much of each pixel fern lines cover, float32 (H, W) within 0..1."""
    longer = max(shape)
    drawn = min(longer, FINEST)
    grid = (math.ceil(shape[0] * drawn / longer), math.ceil(shape[1] * drawn / longer))
    weight = np.zeros(grid[0] * grid[1])
    for lines, reach, strength in _grow(generator):
        count = max(2, math.ceil(drawn * reach))
        share = np.linspace(0, 1, count, dtype=np.float32)
        y, x = np.floor(lines.points(share) * np.float32(drawn)).astype(np.int32)
        seen = (y >= 0) & (y < grid[0]) & (x >= 0) & (x < grid[1])
        ink = (lines.length * np.float32(strength * drawn / count))[..., None] * (1 - share / 2)
        weight += np.bincount(y[seen] * grid[1] + x[seen], weights=ink[seen], minlength=weight.size)
    cover = gaussian(weight.reshape(grid).astype(np.float32), 0.6)
    if drawn < longer:
        cover = enlarge(cover, shape, longer / drawn)
    result: Values = 1 - np.exp(-2.2 * cover)
    return result


def _grow(generator: np.random.Generator) -> list[tuple[Lines, float, float]]:
    """Return stems, needles and needlets, each with its longest line (in sides) and its strength."""
    stems = Lines(
        start=_uniform(-0.1, 1.1, (2, FERNS), generator),
        heading=_uniform(0, 2 * math.pi, (FERNS,), generator),
        length=_uniform(LONGEST / 3, LONGEST, (FERNS,), generator),
        bend=_uniform(-0.6, 0.6, (FERNS,), generator),
    )
    needles = _branches(stems, NEEDLES, NEEDLE, -0.35, generator)
    needlets = _branches(needles, NEEDLETS, NEEDLET, 0.0, generator)
    reach = LONGEST * NEEDLE
    return [(stems, LONGEST, 1.2), (needles, reach, 1.0), (needlets, reach * NEEDLET, 0.8)]


def _branches(lines: Lines, count: int, share: float, bend: float, generator: np.random.Generator) -> Lines:
    """Return `count` branches per line, left and right in turn, bent towards the tip."""
    shape = (*lines.length.shape, count)
    place = (np.arange(count, dtype=np.float32) + _uniform(0, 1, shape, generator)) / np.float32(count)
    side = np.where(np.arange(count) % 2, np.float32(1), np.float32(-1))
    turn = side * (BRANCH_ANGLE + _uniform(-0.12, 0.12, shape, generator))
    shortened = (1 - place) * np.float32(share) * _uniform(0.5, 1, shape, generator)
    return Lines(
        start=lines.points(place),
        heading=lines.heading[..., None] + lines.bend[..., None] * place + turn,
        length=lines.length[..., None] * shortened,
        bend=np.broadcast_to(side * np.float32(bend), shape),
    )


def _uniform(
    low: float, high: float, shape: tuple[int, ...], generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    return generator.random(shape, dtype=np.float32) * np.float32(high - low) + np.float32(low)
