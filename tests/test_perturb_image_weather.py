"""Weather: snow whitens, fog is grey, brightness is V, spatter is water and mud."""

import colorsys

import numpy as np
import pytest

from clipbench.perturb import image_weather as weather
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


def grey(level: int, side: int = 160) -> Pixels:
    return np.full((side, side, 3), level, dtype=np.uint8)


@by_severity
def test_fog_mixes_one_grey_cloud_over_all_channels(severity: int) -> None:
    pixels = soft_picture(90, 140)
    amplitude = (1.5, 2, 2.5, 2.5, 3)[severity - 1]
    brightest = pixels.max() / 255
    scale = brightest / (brightest + amplitude)
    foggy = weather.fog(pixels, severity, rng()) / 255
    clouds = (foggy / scale - pixels / 255) / amplitude
    assert np.ptp(clouds, axis=2).max() < 2 * 0.5 / 255 / scale / amplitude + 1e-6
    assert clouds.min() > -0.02
    assert clouds.max() < 1.02


def test_fog_over_black_stays_black_by_definition() -> None:
    assert not weather.fog(grey(0, 20), 5, rng()).any()


@by_severity
def test_snow_only_whitens(severity: int) -> None:
    pixels = soft_picture(60, 90)
    snowy = weather.snow(pixels, severity, rng())
    assert (snowy.astype(int) >= pixels.astype(int) - 1).all()
    assert snowy.mean() > pixels.mean() + 5


def test_snow_falls_as_streaks_along_the_vertical() -> None:
    snowy = weather.snow(grey(60, 128), 1, rng(3))[..., 0].astype(float)
    down = np.abs(np.diff(snowy, axis=0)).mean()
    across = np.abs(np.diff(snowy, axis=1)).mean()
    assert across > 1.2 * down


@by_severity
def test_brightness_raises_v_of_hsv(severity: int) -> None:
    pixels = np.concatenate([random_picture(8, 20), np.zeros((8, 2, 3), dtype=np.uint8)], axis=1)
    raised = weather.brightness(pixels, severity, rng())
    for old, new in zip(pixels.reshape(-1, 3), raised.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*(old / 255))
        expected = colorsys.hsv_to_rgb(h, s, min(1, v + severity / 10))
        assert np.abs(new - 255 * np.array(expected)).max() < 0.51


@by_severity
def test_spatter_is_water_and_then_mud(severity: int) -> None:
    spattered = weather.spatter(grey(100, 128), severity, rng(2)).astype(int)
    touched = (spattered != 100).any(axis=2)
    assert 0.002 < touched.mean() < 0.6
    drops = spattered[touched]
    if severity < 4:  # water lightens, most in green and blue
        assert (drops >= 100).all()
        assert drops[:, 2].mean() > drops[:, 0].mean()
    else:  # mud darkens towards its own colour
        assert (drops <= 100).all()
        assert np.abs(drops.min(axis=0) - [63, 42, 20]).max() <= 1


def test_water_shines_up_to_its_strength() -> None:
    spattered = weather.spatter(grey(0, 128), 2, rng(2)).astype(int)
    assert spattered.max(axis=(0, 1)).tolist() == [round(0.6 * channel) for channel in (175, 238, 238)]


def test_equalisation_spreads_the_histogram_and_leaves_one_value_alone() -> None:
    plane = np.array([[3, 3, 5], [5, 9, 9]], dtype=np.uint8)
    # Below or at: 2, 4, 6 of 6; the first value's 2 are taken off both: 0/4, 2/4, 4/4 of 255.
    assert weather.equalised(plane).tolist() == [[0, 0, 128], [128, 255, 255]]
    assert weather.equalised(np.full((2, 2), 7, dtype=np.uint8)).tolist() == [[7, 7], [7, 7]]
