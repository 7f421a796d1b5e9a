"""Filters: direct correlation, sub-pixel angles, exact centres."""

import math

import numpy as np
import pytest
from scipy import ndimage

from clipbench.perturb.image_filters import correlate, disk, enlarge, sample, streak


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shape", [(9, 40), (31, 30)])
def test_correlation_by_fft_is_direct_correlation(shape: tuple[int, int]) -> None:
    values = rng().random((*shape, 3), dtype=np.float32)
    kernel = rng(1).random((5, 8), dtype=np.float32)
    ours = correlate(values, kernel, (1, 6), "reflect")
    padded = np.pad(values, ((1, 3), (6, 1), (0, 0)), mode="reflect")
    direct = sum(
        kernel[i, j] * padded[i : i + shape[0], j : j + shape[1]] for i in range(5) for j in range(8)
    )
    assert np.abs(ours - direct).max() < 1e-4


def test_a_hard_disc_has_equal_weights_within_its_radius() -> None:
    kernel = disk(3, 0.1)  # σ = .1 over 3 taps softens by e^-50
    inside = sum(1 for y in range(-3, 4) for x in range(-3, 4) if y * y + x * x <= 9)
    assert kernel.shape == (17, 17)
    assert np.count_nonzero(kernel > 1e-9) == inside
    assert kernel.max() == pytest.approx(1 / inside)


@pytest.mark.parametrize("degrees", [-45.0, -33.3, -1.0, 0.0, 7.7, 20.0, 45.0, -90.0])
def test_a_streak_has_its_angle_below_the_pixel(degrees: float) -> None:
    point = np.zeros((101, 101), dtype=np.float32)
    point[50, 50] = 1
    smeared = streak(point, 20, 15.0, degrees)
    weights = np.exp(-0.5 * (np.arange(41) / 15) ** 2)
    distance = (weights * np.arange(41)).sum() / weights.sum()
    y, x = np.mgrid[:101, :101]
    # A point is seen by the pixels that look towards it, so it lies against the direction.
    assert (smeared * (50 - y)).sum() == pytest.approx(distance * math.sin(math.radians(degrees)), abs=1e-3)
    assert (smeared * (50 - x)).sum() == pytest.approx(distance * math.cos(math.radians(degrees)), abs=1e-3)
    assert smeared.sum() == pytest.approx(1, abs=1e-5)


def test_enlargement_is_about_the_centre() -> None:
    plane = np.broadcast_to(np.arange(40, dtype=np.float32), (40, 40)).copy()
    larger = enlarge(plane, (60, 60), 1.5)
    x = np.arange(60)
    expected = 19.5 + (x - 29.5) / 1.5
    assert np.abs(larger[30, 2:-2] - expected[2:-2]).max() < 1e-3


def test_bilinear_samples_are_scipys() -> None:
    values = rng().random((20, 33, 3), dtype=np.float32)
    rows = rng(1).uniform(-6, 26, (20, 33)).astype(np.float32)
    columns = rng(2).uniform(-6, 39, (20, 33)).astype(np.float32)
    ours = sample(values, rows, columns)
    for channel in range(3):
        expected = ndimage.map_coordinates(values[..., channel], [rows, columns], order=1, mode="reflect")
        assert np.abs(ours[..., channel] - expected).max() < 1e-4
