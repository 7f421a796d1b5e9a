"""Noise: four sensor-like disturbances of each colour value by itself.

Definitions and constants: Hendrycks & Dietterich 2019 (ImageNet-C), arXiv 1903.12261. All of them
draw from the generator they are given and from nothing else.
"""

from __future__ import annotations

import numpy as np

from clipbench.perturb.image_pixels import Pixels, Values, check, quantise, setting, unit

GAUSSIAN_DEVIATION = (0.08, 0.12, 0.18, 0.26, 0.38)
SHOT_PHOTONS = (60.0, 25.0, 12.0, 5.0, 3.0)
IMPULSE_SHARE = (0.03, 0.06, 0.09, 0.17, 0.27)
SPECKLE_DEVIATION = (0.15, 0.2, 0.35, 0.45, 0.6)


def gaussian_noise(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Add N(0, σ²) to every colour value: low light."""
    values = unit(pixels)
    values += _normal(values.shape, generator) * np.float32(setting(GAUSSIAN_DEVIATION, severity))
    return quantise(values)


def shot_noise(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Replace every value x by Poisson(λx)/λ: a sensor that counts λ photons at full white."""
    photons = setting(SHOT_PHOTONS, severity)
    counted = generator.poisson(unit(pixels) * np.float32(photons))
    return quantise(counted.astype(np.float32) / np.float32(photons))


def impulse_noise(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Set a share of all colour values to 0 or 255, half of them each: bit errors, salt and pepper."""
    half = setting(IMPULSE_SHARE, severity) / 2
    drawn = generator.random(check(pixels).shape, dtype=np.float32)
    noisy = pixels.copy()
    noisy[drawn < half] = 0
    noisy[drawn >= 1 - half] = 255
    return noisy


def speckle_noise(pixels: Pixels, severity: int, generator: np.random.Generator) -> Pixels:
    """Add x · N(0, σ²) to every value x: noise that grows with brightness."""
    values = unit(pixels)
    noise = _normal(values.shape, generator) * np.float32(setting(SPECKLE_DEVIATION, severity))
    return quantise(values + values * noise)


def _normal(shape: tuple[int, ...], generator: np.random.Generator) -> Values:
    return generator.standard_normal(shape, dtype=np.float32)
