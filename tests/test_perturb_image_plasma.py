"""Plasma: any shape, and offsets that fall by the square of the decay."""

import numpy as np
import pytest

from clipbench.perturb.image_plasma import plasma


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shape", [(8, 8), (9, 300), (257, 40), (256, 256)])
def test_plasma_covers_any_shape_within_zero_and_one(shape: tuple[int, int]) -> None:
    cloud = plasma(shape, 2.0, rng())
    assert cloud.shape == shape
    assert cloud.min() >= 0
    assert cloud.max() <= 1
    assert (cloud[-5:, -5:] > 0).any()


@pytest.mark.parametrize("decay", [1.4, 2.0])
def test_plasma_offsets_fall_by_the_square_of_the_decay(decay: float) -> None:
    cloud = plasma((512, 512), decay, rng()).astype(float)

    def offsets(step: int) -> float:
        corners = cloud[::step, ::step]
        pairs = corners + np.roll(corners, -1, 0)
        centres = cloud[step // 2 :: step, step // 2 :: step]
        return float((centres - (pairs + np.roll(pairs, -1, 1)) / 4).std())

    assert offsets(8) / offsets(4) == pytest.approx(decay**2, rel=0.05)
