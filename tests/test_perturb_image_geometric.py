"""Geometry: angles, parts, shifts and shares are the stated ones."""

import math

import numpy as np
import pytest

from clipbench.perturb import image_geometric as geometric
from clipbench.perturb.image_pixels import Pixels

SEVERITIES = (1, 2, 3, 4, 5)
by_severity = pytest.mark.parametrize("severity", SEVERITIES)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_picture(height: int = 30, width: int = 44, seed: int = 1) -> Pixels:
    return rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_rotation_goes_both_ways_by_the_stated_angle() -> None:
    point = np.zeros((121, 121, 3), dtype=np.uint8)
    point[58:63, 98:103] = 255  # 40 pixels right of the centre
    y, x = np.mgrid[:121, :121] - 60
    found = set()
    for severity, degrees in zip(SEVERITIES, (5, 10, 20, 30, 45), strict=True):
        for seed in range(6):
            light = geometric.rotation(point, severity, rng(seed))[..., 0].astype(float)
            angle = math.degrees(math.atan2((light * y).sum(), (light * x).sum()))
            assert abs(angle) == pytest.approx(degrees, abs=0.3)
            found.add(angle > 0)
    assert found == {True, False}


@by_severity
def test_a_crop_shows_the_stated_part(severity: int) -> None:
    kept = (0.9, 0.8, 0.7, 0.6, 0.5)[severity - 1]
    x = np.linspace(0, 255, 200)
    slope = np.broadcast_to(x[None, :, None], (80, 200, 3)).astype(np.uint8)
    cut = geometric.crop(slope, severity, rng()).astype(float)
    assert np.ptp(cut[40, :, 0]) == pytest.approx(255 * kept, abs=3)


@by_severity
def test_translation_moves_the_very_pixels_and_leaves_black(severity: int) -> None:
    share = (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1]
    pixels = np.maximum(random_picture(40, 60), 1)
    corners = set()
    for seed in range(20):
        moved = geometric.translate(pixels, severity, rng(seed))
        rows = np.flatnonzero(moved.any(axis=(1, 2)))
        columns = np.flatnonzero(moved.any(axis=(0, 2)))
        down, right = round(share * 40), round(share * 60)
        assert (len(rows), len(columns)) == (40 - down, 60 - right)
        top, left = (down if rows[0] else 0), (right if columns[0] else 0)
        seen = moved[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        from_y, from_x = (0 if top else down), (0 if left else right)
        assert np.array_equal(seen, pixels[from_y : from_y + 40 - down, from_x : from_x + 60 - right])
        corners.add((bool(top), bool(left)))
    assert len(corners) == 4


@by_severity
def test_occlusion_covers_the_stated_share_and_nothing_else(severity: int) -> None:
    share = (0.05, 0.1, 0.2, 0.3, 0.4)[severity - 1]
    pixels = np.minimum(random_picture(100, 140), 120)
    covered = geometric.occlusion(pixels, severity, rng())
    hidden = (covered == 128).all(axis=2)
    assert hidden.mean() == pytest.approx(share, rel=0.05)
    assert np.array_equal(covered[~hidden], pixels[~hidden])


def test_flipping_twice_is_nothing_and_grayscale_has_one_channel() -> None:
    pixels = random_picture()
    once = geometric.flip(pixels, 1, rng())
    assert np.array_equal(once[:, 0], pixels[:, -1])
    assert np.array_equal(geometric.flip(once, 1, rng()), pixels)
    plane = geometric.grayscale(pixels, 1, rng())
    assert np.array_equal(plane[..., 0], plane[..., 2])
    assert np.abs(plane[..., 1] - pixels @ np.array([0.299, 0.587, 0.114])).max() < 0.51


@by_severity
def test_downscaling_forgets_detail_finer_than_the_thumbnail(severity: int) -> None:
    stripes = np.zeros((64, 96, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert geometric.downscale(stripes, severity, rng())[:, 8:-8].std() < 40
