"""Digital: closed forms, HSV by colorsys, boxes, and Pillow for JPEG."""

import colorsys
import io
import math

import numpy as np
import pytest
from PIL import Image

from clipbench.perturb import image_digital as digital
from clipbench.perturb.image_filters import gaussian
from clipbench.perturb.image_pixels import Pixels, quantise, unit

SEVERITIES = (1, 2, 3, 4, 5)
by_severity = pytest.mark.parametrize("severity", SEVERITIES)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_picture(height: int = 30, width: int = 44, seed: int = 1) -> Pixels:
    return rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def soft_picture(height: int, width: int) -> Pixels:
    return quantise(gaussian(unit(random_picture(height, width)), 3.0) * np.float32(4) - np.float32(1.5))


@by_severity
def test_contrast_shrinks_the_distance_to_each_channels_mean(severity: int) -> None:
    pixels = random_picture()
    factor = (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
    means = pixels.reshape(-1, 3).mean(axis=0)
    expected = means + factor * (pixels - means)
    assert np.abs(digital.contrast(pixels, severity, rng()) - expected).max() < 0.51


@by_severity
def test_saturation_is_set_in_hsv(severity: int) -> None:
    greys = np.repeat(np.arange(0, 256, 17, dtype=np.uint8)[:, None, None], 3, axis=2)
    pixels = np.concatenate([random_picture(16, 16), greys], axis=1)
    factor, summand = ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))[severity - 1]
    ours = digital.saturate(pixels, severity, rng())
    for old, new in zip(pixels.reshape(-1, 3), ours.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*(old / 255))
        expected = colorsys.hsv_to_rgb(h, min(1, s * factor + summand), v)
        assert np.abs(new - 255 * np.array(expected)).max() < 0.51


@by_severity
def test_elastic_moves_by_the_stated_field(severity: int) -> None:
    # A slope of 1 per pixel shows each pixel's displacement as a change of its value.
    side = 200
    slope = np.broadcast_to(np.arange(side, dtype=np.uint8)[None, :, None], (side, side, 3)).copy()
    moved = digital.elastic(slope, severity, rng()).astype(float) - slope
    alpha = 250 * (0.05, 0.065, 0.085, 0.1, 0.12)[severity - 1]
    sigma, reach = 0.01 * side, 0.005 * side
    # Blurring white noise in two dimensions divides its deviation (m/√3 for U(−m, m)) by 2·σ·√π.
    expected = alpha * reach / math.sqrt(3) / (2 * sigma * math.sqrt(math.pi))
    assert moved[20:-20, 20:-20, 0].std() == pytest.approx(expected, rel=0.1)


def test_pixelate_averages_boxes_of_non_square_pictures() -> None:
    pixels = random_picture(24, 60)
    boxes = pixels.reshape(6, 4, 15, 4, 3).mean(axis=(1, 3))
    expected = boxes.repeat(4, axis=0).repeat(4, axis=1)
    assert np.abs(digital.pixelate(pixels, 5, rng()) - expected).max() <= 1


@by_severity
def test_pixelate_has_the_stated_number_of_blocks(severity: int) -> None:
    scale = (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1]
    blocks = digital.pixelate(random_picture(60, 100), severity, rng()).astype(int)
    rows = 1 + np.any(np.diff(blocks, axis=0) != 0, axis=(1, 2)).sum()
    columns = 1 + np.any(np.diff(blocks, axis=1) != 0, axis=(0, 2)).sum()
    assert (rows, columns) == (int(60 * scale), int(100 * scale))


@by_severity
def test_jpeg_is_pillows_at_the_stated_quality(severity: int) -> None:
    pixels = soft_picture(45, 70)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=(25, 18, 15, 10, 7)[severity - 1])
    assert np.array_equal(digital.jpeg(pixels, severity, rng()), np.asarray(Image.open(file)))
