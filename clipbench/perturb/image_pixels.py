"""Pixels: what a corruption takes and gives, and the steps between bytes and numbers.

Knows the two representations and their checks; knows no corruption.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError, PhotographError

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""An RGB photograph, uint8 (H, W, 3)."""

Values: TypeAlias = npt.NDArray[np.float32]
"""The same as numbers, float32 (H, W, 3) or one plane (H, W), nominally within 0..1."""

SMALLEST = 8
"""A side shorter than this many pixels is refused: every corruption is larger than such a picture."""

Setting = TypeVar("Setting")


def setting(constants: Sequence[Setting], severity: int) -> Setting:
    """Return the constants of one severity, counted from 1. Raises ClipbenchError outside of them."""
    if severity not in range(1, len(constants) + 1):
        raise ClipbenchError(
            f"severity {severity} of an image operation that has the severities 1 to {len(constants)}",
            "clipbench robustness list",
        )
    return constants[int(severity) - 1]


def check(pixels: Pixels) -> Pixels:
    """Return `pixels` where they are uint8 (H, W, 3) with sides of at least 8; raise else.

    Raises PhotographError for a picture that is too small, ClipbenchError for pixels of another form.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ClipbenchError(
            f"an image operation takes uint8 pixels of shape (height, width, 3), "
            f"not {pixels.dtype} of shape {pixels.shape}",
            "convert the picture to RGB first",
        )
    if min(pixels.shape[:2]) < SMALLEST:
        raise PhotographError(
            f"a picture of {pixels.shape[1]}×{pixels.shape[0]} pixels is too small to corrupt: "
            f"each side needs at least {SMALLEST}",
            "--apply model_input corrupts what the model sees; --allow-missing SHARE leaves the picture out",
        )
    return pixels


def unit(pixels: Pixels) -> Values:
    """Return checked pixels as float32 within 0..1."""
    values: Values = check(pixels).astype(np.float32)
    values /= np.float32(255)
    return values


def quantise(values: npt.NDArray[np.floating]) -> Pixels:
    """Return numbers as bytes: cut to 0..1 and rounded to the nearest.

    ImageNet-C's own code cuts the fraction off instead, which darkens every corruption by half a level
    and makes a picture of one colour depend on the last bit of a convolution.
    """
    scaled = values * np.float32(255)
    scaled += np.float32(0.5)
    np.clip(scaled, 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def luma(values: Values) -> Values:
    """Return the luminance plane (H, W) of RGB values by the weights of ITU-R BT.601."""
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    plane: Values = values[..., 0] * weights[0]
    plane += values[..., 1] * weights[1]
    plane += values[..., 2] * weights[2]
    return plane
