"""Bytes and numbers: the way there and back."""

import numpy as np

from clipbench.perturb.image_pixels import quantise, unit


def test_bytes_survive_the_way_to_numbers_and_back() -> None:
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(quantise(unit(every)), every)


def test_numbers_are_rounded_and_cut() -> None:
    values = np.array([[-0.2, 0.49 / 255, 0.51 / 255, 254.6 / 255, 1.7]], dtype=np.float32)
    assert quantise(values).tolist() == [[0, 0, 1, 255, 255]]
