"""What figures are made of: points, texts that fit, safe file names, positions that do not collide, colours."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.reports.figures.files import safe_name
from clipbench.reports.figures.heat import readable_on
from clipbench.reports.figures.lines import apart
from clipbench.reports.figures.records import Point, Series
from clipbench.reports.figures.style import stroke
from clipbench.reports.figures.text import printable, shortened, width_of, wrapped

mpl = pytest.importorskip("matplotlib")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mean": math.nan}, "finite"),
        ({"sd": math.inf}, "finite"),
        ({"seeds": (0.1, math.nan)}, "finite"),
        ({"low": 0.1}, "two ends"),
        ({"low": 0.3, "high": 0.2}, "at most"),
        ({"sd": -0.1}, "not negative"),
    ],
)
def test_a_point_refuses_what_cannot_be_drawn(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Point(**{"level": 0.0, "mean": 0.5, **fields})  # type: ignore[arg-type] - wrong on purpose


def test_a_series_has_points_in_ascending_order() -> None:
    with pytest.raises(ValueError, match="no points"):
        Series("a", ())
    with pytest.raises(ValueError, match="ascend"):
        Series("a", (Point(1, 0.5), Point(1, 0.4)))


@given(st.text(max_size=150))
@settings(max_examples=60, deadline=None)
def test_a_file_name_is_safe_whatever_the_name(name: str) -> None:
    safe = safe_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,120}", safe)
    assert safe.lower() not in {"con", "aux", "nul", "prn"}


def test_names_that_lose_letters_stay_apart() -> None:
    assert len({safe_name(name) for name in ("图一", "图二", "", "é", "e", "x" * 200, "x" * 201)}) == 7


def test_numbers_in_cells_have_a_contrast_of_at_least_four_and_a_half() -> None:
    def luminance(colour: tuple[float, ...]) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    for name in ("cividis", "PuOr_r"):
        for step in range(65):
            colour = mpl.colormaps[name](step / 64)
            ink = 1.0 if readable_on(colour) == "white" else 0.0
            light, dark = sorted((luminance(colour), luminance((ink, ink, ink))), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_first_280_looks_differ_and_any_seven_neighbours_in_colour() -> None:
    assert len({stroke(number) for number in range(280)}) == 280
    assert len({stroke(number).colour for number in range(5, 12)}) == 7


@given(
    st.lists(st.floats(-5, 105), min_size=1, max_size=12),
    st.floats(0.1, 12),
)
@settings(max_examples=60, deadline=None)
def test_positions_are_spread_in_order_within_bounds(wanted: list[float], gap: float) -> None:
    placed = apart(wanted, gap, 0.0, 100.0)
    gap = min(gap, 100 / max(1, len(wanted) - 1))
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in placed)
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    for one, other in pairwise(order):
        assert placed[other] - placed[one] >= gap - 1e-6


@given(st.text(max_size=80), st.floats(20, 300))
@settings(max_examples=30, deadline=None)
def test_lines_fit_and_lose_no_letter(text: str, limit: float) -> None:
    plain = "".join(char if char.isascii() else "x" for char in text)  # the font has no glyphs for all
    parts = wrapped(plain, limit, 7.0)
    assert all(width_of(part, 7.0) <= limit + 1e-6 for part in parts)
    assert "".join("".join(parts).split()) == "".join(printable(plain).split())


def test_a_shortened_label_keeps_both_ends_and_fits() -> None:
    short = shortened("start of it " + "m" * 50 + " end of it", 100, 7.0)
    assert width_of(short, 7.0) <= 100
    assert short.startswith("start")
    assert short.endswith("of it")
