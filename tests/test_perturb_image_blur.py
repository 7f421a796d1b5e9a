"""Blur: each against its definition, and the bugs of public code."""

import math

import numpy as np
import pytest
from scipy import ndimage

from clipbench.perturb import image_blur as blur
from clipbench.perturb.image_filters import disk, gaussian
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
def test_gaussian_blur_is_scipys(severity: int) -> None:
    pixels = random_picture()
    sigma = (1, 2, 3, 4, 6)[severity - 1]
    expected = ndimage.gaussian_filter(pixels / 255, (sigma, sigma, 0), mode="nearest", truncate=4.0)
    ours = blur.gaussian_blur(pixels, severity, rng())
    assert np.abs(ours - 255 * expected).max() < 0.51


@by_severity
def test_defocus_blur_is_correlation_with_the_disc(severity: int) -> None:
    pixels = random_picture()
    kernel = disk(*blur.DEFOCUS[severity - 1])
    assert kernel.sum() == pytest.approx(1)
    direct = ndimage.correlate(pixels / 255, kernel[..., None], mode="mirror")
    assert np.abs(blur.defocus_blur(pixels, severity, rng()) - 255 * direct).max() < 0.51


def test_motion_blur_angles_cover_the_whole_range() -> None:
    point = np.zeros((81, 81, 3), dtype=np.uint8)
    point[40, 40] = 255
    y, x = np.mgrid[:81, :81] - 40
    angles = []
    for seed in range(60):
        light = blur.motion_blur(point, 5, rng(seed))[..., 0].astype(float)
        angles.append(math.degrees(math.atan2(-(light * y).sum(), -(light * x).sum())))
    assert -47 < min(angles) < -35
    assert 35 < max(angles) < 47
    assert len({round(angle, 1) for angle in angles}) > 40


@by_severity
def test_zoom_blur_keeps_the_centre_of_non_square_pictures(severity: int) -> None:
    for height, width in ((31, 61), (61, 31), (30, 80)):
        pixels = soft_picture(height, width)
        turned = np.ascontiguousarray(pixels[::-1, ::-1])
        ours = blur.zoom_blur(pixels, severity, rng()).astype(int)
        assert np.abs(ours[::-1, ::-1] - blur.zoom_blur(turned, severity, rng())).max() <= 1


def test_zoom_blur_averages_the_stated_enlargements() -> None:
    x = np.arange(120) - 59.5
    ramp = np.broadcast_to((127.5 + x)[None, :, None], (40, 120, 3))
    blurred = blur.zoom_blur(np.rint(ramp).astype(np.uint8), 5, rng())[20, :, 0]
    factors = [1, *(1 + 0.03 * index for index in range(11))]
    slope = np.mean([1 / factor for factor in factors])  # an enlargement by z flattens a ramp by z
    inner = slice(5, -5)
    assert np.abs(blurred[inner] - (127.5 + slope * x)[inner]).max() <= 1.5


@by_severity
@pytest.mark.parametrize("shape", [(40, 40), (17, 52), (52, 17)])
def test_glass_blur_moves_pixels_in_every_row_and_column(severity: int, shape: tuple[int, int]) -> None:
    _, farthest, passes = blur.GLASS[severity - 1]
    order = blur.swaps(shape, farthest, passes, rng())
    assert sorted(order.tolist()) == list(range(shape[0] * shape[1]))  # swapped: none lost, none doubled
    moved = (order != np.arange(order.size)).reshape(shape)
    assert moved.mean(axis=0).min() > 0.3
    assert moved.mean(axis=1).min() > 0.3


def test_glass_swaps_stay_near() -> None:
    for farthest in (1, 4):
        order = blur.swaps((60, 90), farthest, 1, rng())
        here = np.arange(order.size)
        far = np.maximum(np.abs(order // 90 - here // 90), np.abs(order % 90 - here % 90))
        assert np.median(far) <= farthest
        # A pixel can be carried on by later swaps of the same pass, ever more rarely.
        assert np.quantile(far, 0.99) <= 6 * farthest


def test_glass_swaps_are_the_swaps_one_by_one() -> None:
    drawn = rng(5).integers(-2, 2, endpoint=True, size=(2, 6, 9))
    picture = [[(y, x) for x in range(9)] for y in range(6)]
    for y in reversed(range(6)):
        for x in reversed(range(9)):
            to_y, to_x = min(max(y + drawn[0, y, x], 0), 5), min(max(x + drawn[1, y, x], 0), 8)
            picture[y][x], picture[to_y][to_x] = picture[to_y][to_x], picture[y][x]
    expected = [y * 9 + x for row in picture for y, x in row]
    assert blur.swaps((6, 9), 2, 1, rng(5)).tolist() == expected
