"""Frost: the mixing weights, and a texture like photographs of ice."""

import numpy as np
import pytest

from clipbench.perturb.image_frost import frost, texture
from clipbench.perturb.image_pixels import Pixels

SEVERITIES = (1, 2, 3, 4, 5)
by_severity = pytest.mark.parametrize("severity", SEVERITIES)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_picture(height: int = 30, width: int = 44, seed: int = 1) -> Pixels:
    return rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@by_severity
def test_frost_is_a_weighted_sum_of_picture_and_texture(severity: int) -> None:
    pixels = random_picture(40, 70)
    picture_weight, frost_weight = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))[severity - 1]
    ice = texture((40, 70), rng(9))
    expected = np.clip(255 * (picture_weight * (pixels / 255) + frost_weight * ice), 0, 255)
    assert np.abs(frost(pixels, severity, rng(9)) - expected).max() < 0.51


@pytest.mark.parametrize("shape", [(224, 224), (120, 300), (500, 90)])
def test_frost_textures_are_bluish_and_bright_like_photographs_of_frost(shape: tuple[int, int]) -> None:
    panes = [texture(shape, rng(seed)) for seed in range(4)]
    for pane in panes:
        assert pane.shape == (*shape, 3)
        assert pane.min() >= 0
        assert pane.max() <= 1
        assert (pane[..., 2] >= pane[..., 0]).all()
    assert 0.45 < np.mean([pane.mean() for pane in panes]) < 0.75
