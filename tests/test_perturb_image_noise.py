"""Noise: deviations, shares and photon counts are the stated ones."""

import math

import numpy as np
import pytest

from clipbench.perturb import image_noise as noise
from clipbench.perturb.image_pixels import Pixels

SEVERITIES = (1, 2, 3, 4, 5)
by_severity = pytest.mark.parametrize("severity", SEVERITIES)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def grey(level: int, side: int = 160) -> Pixels:
    return np.full((side, side, 3), level, dtype=np.uint8)


@by_severity
def test_gaussian_noise_has_the_stated_deviation(severity: int) -> None:
    sigma = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    noisy = noise.gaussian_noise(grey(127), severity, rng()) / 255
    # What is not cut off: the share within ±1 σ·z of a normal, at z where nothing is clipped.
    z = min(1.0, 0.45 / sigma)
    inside = (np.abs(noisy - 127 / 255) < z * sigma).mean()
    assert inside == pytest.approx(math.erf(z / math.sqrt(2)), abs=0.01)


@by_severity
def test_shot_noise_counts_photons(severity: int) -> None:
    photons = (60, 25, 12, 5, 3)[severity - 1]
    noisy = noise.shot_noise(grey(51), severity, rng()) / 255
    expected = 0.2 / photons
    steps = np.unique(np.rint(noisy * photons) / photons)
    assert np.abs(np.unique(noisy)[:, None] - steps).min(axis=1).max() < 0.5 / 255 + 1e-9
    if severity < 4:  # above, counts beyond white are cut off
        assert noisy.mean() == pytest.approx(0.2, abs=0.005)
        assert noisy.var() == pytest.approx(expected, rel=0.05)


@by_severity
def test_impulse_noise_is_half_salt_half_pepper_per_value(severity: int) -> None:
    amount = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    noisy = noise.impulse_noise(grey(100), severity, rng())
    assert (noisy == 255).mean() == pytest.approx(amount / 2, abs=0.004)
    assert (noisy == 0).mean() == pytest.approx(amount / 2, abs=0.004)
    assert set(np.unique(noisy)) == {0, 100, 255}


def test_speckle_noise_grows_with_brightness_and_spares_black() -> None:
    dark = noise.speckle_noise(grey(40), 1, rng()).std()
    light = noise.speckle_noise(grey(120), 1, rng()).std()
    assert light == pytest.approx(3 * dark, rel=0.03)
    assert light == pytest.approx(120 * 0.15, rel=0.03)
    assert not noise.speckle_noise(grey(0), 5, rng()).any()
