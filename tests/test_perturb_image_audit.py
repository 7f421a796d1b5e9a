"""PSNR and SSIM against direct implementations, and sums that leave nothing out unsaid."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.perturb.image_audit import ImageDifference, audit, difference, psnr, ssim
from clipbench.perturb.image_pixels import Pixels


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 20
    base = 128 + 80 * np.sin(x + seed)[..., None] * np.cos(y)[..., None]
    return np.clip(base + rng.normal(0, 20, (height, width, 3)), 0, 255).astype(np.uint8)


def noisy(pixels: Pixels, amount: float, seed: int = 9) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, amount, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def direct_ssim(clean: Pixels, corrupted: Pixels) -> float:
    """The formula of Wang et al. 2004, window by window, in float64."""
    weights = np.array([0.299, 0.587, 0.114])
    x, y = clean @ weights, corrupted @ weights
    steps = np.arange(11) - 5
    window = np.exp(-(steps[:, None] ** 2 + steps[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = x[top : top + 11, left : left + 11], y[top : top + 11, left : left + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            variance_a, variance_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            covariance = (window * (a - mean_a) * (b - mean_b)).sum()
            luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            values.append(luminance * (2 * covariance + c2) / (variance_a + variance_b + c2))
    return float(np.mean(values))


@pytest.mark.parametrize("shape", [(11, 11), (24, 37), (40, 16)])
@pytest.mark.parametrize("amount", [0.4, 5.0, 60.0])
def test_ssim_is_the_papers_formula(shape: tuple[int, int], amount: float) -> None:
    clean = picture(*shape)
    corrupted = noisy(clean, amount)
    assert ssim(clean, corrupted) == pytest.approx(direct_ssim(clean, corrupted), abs=1e-5)


def test_ssim_of_flat_and_inverted_pictures() -> None:
    black, white = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(black, white) == pytest.approx(c1 / (255**2 + c1), abs=1e-6)
    clean = picture(30, 30)
    inverted = ssim(clean, 255 - clean)
    assert inverted is not None
    assert inverted < 0


@settings(max_examples=30, deadline=None)
@given(st.integers(11, 40), st.integers(11, 40), st.floats(0, 90))
def test_ssim_is_symmetric_at_most_one_and_one_for_the_same(height: int, width: int, amount: float) -> None:
    clean = picture(height, width)
    corrupted = noisy(clean, amount)
    forward, backward = ssim(clean, corrupted), ssim(corrupted, clean)
    assert forward is not None
    assert backward == pytest.approx(forward, abs=1e-5)
    assert forward <= 1 + 1e-6
    assert ssim(clean, clean) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("amount", [0.4, 5.0, 60.0])
def test_psnr_is_ten_log_of_peak_over_mean_square(amount: float) -> None:
    clean = picture(90, 120)
    corrupted = noisy(clean, amount)
    mean_square = ((clean.astype(float) - corrupted) ** 2).mean()
    assert psnr(clean, corrupted) == pytest.approx(10 * math.log10(255**2 / mean_square), abs=1e-9)


def test_identical_pictures_have_no_psnr_and_small_ones_no_ssim() -> None:
    clean = picture(10, 50)
    assert difference(clean, clean.copy()) == ImageDifference(psnr=None, ssim=None)
    large = picture(30, 30)
    assert difference(large, large.copy()).psnr is None
    assert difference(large, large.copy()).ssim == pytest.approx(1)


def test_the_audit_counts_what_its_means_leave_out() -> None:
    found = audit([ImageDifference(20.0, 0.5), ImageDifference(None, 1.0), ImageDifference(30.0, None)])
    assert (found.images, found.identical, found.too_small) == (3, 1, 1)
    assert (found.psnr, found.ssim) == (25.0, 0.75)


def test_an_audit_of_nothing_or_of_unchanged_pictures_has_no_mean() -> None:
    assert audit([]).psnr is None
    assert audit([]).ssim is None
    assert audit([ImageDifference(None, 1.0)] * 3).psnr is None
    assert audit([ImageDifference(None, 1.0)] * 3).identical == 3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_pictures_does_not_reach_the_last_bit(values: list[float], random: Random) -> None:
    every = [ImageDifference(50 * value, value) for value in values]
    shuffled = list(every)
    random.shuffle(shuffled)
    assert audit(every) == audit(shuffled)


def test_pictures_of_unlike_shape_are_an_error_with_both_shapes() -> None:
    with pytest.raises(ClipbenchError, match=r"\(20, 30, 3\).*\(30, 20, 3\)"):
        difference(picture(20, 30), picture(30, 20))
