"""Heat maps: what is missing is hatched, never zero; the colours say what they range over."""

import math
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

mpl = pytest.importorskip("matplotlib")
from test_figures import a_heat_map, saved_texts  # noqa: E402 - after the check that matplotlib is there

from clipbench.errors import ClipbenchError  # noqa: E402
from clipbench.reports.figures.drawing import heat_map  # noqa: E402


def test_a_heat_map_says_what_its_colours_range_over(tmp_path: Path) -> None:
    rows = ["a", "b", "c", "d"]
    shares = saved_texts(heat_map(rows, ["1"], [[0.2]] * 4, title="t", value_label="t2i R@1"), tmp_path)
    assert "Colours: 0 to 1, the same in every figure." in shares
    assert "t2i R@1" in shares
    changes = saved_texts(heat_map(rows, ["1"], [[-0.2]] * 4, title="t", diverging=True), tmp_path)
    assert "Colours: −0.2 to 0.2, 0 in the middle." in " ".join(changes)


def test_missing_cells_are_hatched_and_named_and_zero_is_a_number(tmp_path: Path) -> None:
    figure = a_heat_map()
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert sorted((round(p.get_x()), round(p.get_y())) for p in hatched) == [(1, 0), (2, 1)]
    found = saved_texts(figure, tmp_path)
    assert sorted(t for t in found if re.fullmatch(r"\d\.\d{3}", t)) == ["0.000", "0.125", "0.250", "0.500"]
    assert "no run" in found
    mesh = figure.axes[0].collections[0].get_array()
    assert mesh is not None
    assert mesh.mask.tolist() == [[False, True, False], [False, False, True]]
    assert "no run" not in saved_texts(heat_map(["a"], ["1"], [[0.0]], title=""), tmp_path)


def test_a_heat_map_without_any_run_is_all_hatched(tmp_path: Path) -> None:
    found = saved_texts(heat_map(["a"], ["1", "2"], [[None, None]], title="t"), tmp_path)
    assert not [text for text in found if "." in text]
    assert "no run" in found


def test_differences_have_signs_and_zero_in_the_middle_of_the_colours(tmp_path: Path) -> None:
    figure = heat_map(
        ["a"], ["1", "2", "3"], [[-0.1, 0.0, 0.3]], title="", value_format="+.2f", diverging=True
    )
    assert {"\u22120.10", "+0.00", "+0.30"} <= set(saved_texts(figure, tmp_path))
    mesh = figure.axes[0].collections[0]
    assert (mesh.norm.vmin, mesh.norm.vmax) == (-0.3, 0.3)


def test_a_heat_map_refuses_ragged_rows_nan_and_nothing() -> None:
    with pytest.raises(ValueError, match="2 rows of 2 columns"):
        heat_map(["a", "b"], ["1", "2"], [[0.1, 0.2], [0.3]], title="")
    with pytest.raises(ValueError, match="finite"):
        heat_map(["a"], ["1"], [[math.nan]], title="")
    with pytest.raises(ClipbenchError, match="0 × 1 cells"):
        heat_map([], ["1"], [], title="")
