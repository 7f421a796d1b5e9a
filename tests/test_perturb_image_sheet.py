"""Contact sheets: a tile for every severity, with the pixels a run would see."""

import numpy as np
import pytest

from clipbench.perturb.image_operations import IMAGE_OPERATIONS
from clipbench.perturb.image_pixels import Pixels
from clipbench.perturb.image_sheet import GAP, LINE, contact_sheet
from clipbench.perturb.image_streams import generator

BY_NAME = {operation.name: operation for operation in IMAGE_OPERATIONS}


def picture(height: int = 60, width: int = 90) -> Pixels:
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x, 3 * y, 255 - 2 * x], axis=-1).clip(0, 255).astype(np.uint8)


def test_the_tiles_are_the_original_and_what_a_run_with_this_seed_makes_of_it() -> None:
    pixels = picture()
    sheet = np.asarray(contact_sheet(pixels, BY_NAME["snow"], seed=3, image_id="x.jpg"))
    assert sheet.shape == (60 + 2 * LINE + 2 * GAP, 6 * (90 + GAP) + GAP, 3)
    top = GAP + 2 * LINE
    for column in range(6):
        left = GAP + column * (90 + GAP)
        expected = pixels
        if column:
            expected = BY_NAME["snow"].apply(pixels, column, generator("snow", 3, "x.jpg", column))
        assert np.array_equal(sheet[top : top + 60, left : left + 90], expected)


def test_several_operations_have_a_row_each_and_one_setting_has_one_tile() -> None:
    sheet = contact_sheet(picture(), BY_NAME["flip"], BY_NAME["contrast"])
    assert sheet.size == (6 * (90 + GAP) + GAP, 2 * (60 + 2 * LINE + GAP) + GAP)
    alone = contact_sheet(picture(), BY_NAME["flip"])
    assert alone.width == 2 * (90 + GAP) + GAP


def test_labels_are_drawn_above_every_tile() -> None:
    sheet = np.asarray(contact_sheet(picture(), BY_NAME["contrast"]))
    for column in range(6):
        left = GAP + column * (90 + GAP)
        label = sheet[GAP : GAP + 2 * LINE, left : left + 90]
        assert (label < 128).any()


@pytest.mark.parametrize(("height", "width", "shown"), [(300, 600, (224, 112)), (600, 300, (224, 448))])
def test_a_wide_picture_is_shown_smaller(height: int, width: int, shown: tuple[int, int]) -> None:
    sheet = contact_sheet(picture(height, width), BY_NAME["contrast"])
    assert sheet.size == (6 * (shown[0] + GAP) + GAP, shown[1] + 2 * LINE + 2 * GAP)
