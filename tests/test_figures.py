"""Figures: the same data gives the same bytes, text is text, nothing is clipped, what is missing stays missing."""

import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.drawing import FigureText, Point, Series, curve, curve_grid, heat_map, save

mpl = pytest.importorskip("matplotlib")
from matplotlib.figure import Figure  # noqa: E402 - after the check that it is there
from matplotlib.text import Text  # noqa: E402

LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
LONG = "hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K with a residual adapter, alpha 0.2, seed "
HOSTILE = r"$x_1^{2}$ <b>&\alpha{}% \"'_]]>-->"


def falling(label: str, start: float = 0.5, levels: tuple[float, ...] = LEVELS) -> Series:
    points = []
    for level in levels:
        mean = start - 0.3 * level / max(levels[-1], 1)
        points.append(Point(level, mean, 0.01, mean - 0.02, mean + 0.02, (mean - 0.01, mean, mean + 0.01)))
    return Series(label, tuple(points))


def lines(count: int, prefix: str = "model ") -> list[Series]:
    return [falling(f"{prefix}{number}", 0.55 - 0.03 * number) for number in range(count)]


def curves(
    series: list[Series],
    title: str = "Word dropout",
    x_label: str = "share of words",
    y_label: str = "hit@10, t2i",
    interval: str = "95% interval",
    **given: Any,
) -> Figure:
    return curve(series, FigureText(title, x_label, y_label, interval), **given)


def ranks(*series: Series) -> Figure:
    return curve(series, FigureText("t", "x", "median rank (lower is better)"), y_scale="log")


def sizes(series: list[Series], chance: Series | None = None) -> Figure:
    text = FigureText("t", "gallery size (log scale)", "hit@10")
    return curve(series, text, chance=chance, x_scale="log")


def a_heat_map() -> Figure:
    return heat_map(["fog", "snow"], ["1", "2", "3"], [[0.5, None, 0.0], [0.25, 0.125, None]], title="hit@1")


KINDS: dict[str, Callable[[], Figure]] = {
    "level": lambda: curves(lines(3), chance=0.01),
    "legend": lambda: curves(lines(3, LONG), chance=0.01),
    "double": lambda: curves(lines(8), column="double"),
    "rank": lambda: ranks(Series("a", (Point(0, 1), Point(1, 50)))),
    "gallery": lambda: sizes(
        [falling("a", levels=(100, 1000, 5000))], Series("chance", (Point(100, 0.1), Point(5000, 0.002)))
    ),
    "grid": lambda: curve_grid({"fog": lines(2), "snow": lines(3)}, FigureText("t", "x", "y")),
    "heat": a_heat_map,
}


def texts(svg: Path) -> list[str]:
    """Every piece of text of an SVG, as a reader would copy it."""
    root = ET.parse(svg).getroot()  # noqa: S314 - we wrote it
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def saved_texts(figure: Figure, folder: Path) -> list[str]:
    return texts(save(figure, folder, "figure")[1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_data_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in save(KINDS[kind](), tmp_path / "a", "x")]
    figure = KINDS[kind]()
    second = [path.read_bytes() for path in save(figure, tmp_path / "b", "x")]
    again = [path.read_bytes() for path in save(figure, tmp_path / "b", "x")]
    assert first == second == again


def test_bytes_depend_on_neither_process_nor_settings_and_pyplot_is_never_loaded(tmp_path: Path) -> None:
    code = (
        "import sys, matplotlib; from pathlib import Path\n"
        "from clipbench.reports.figures.drawing import *\n"
        "matplotlib.rcParams.update({'font.size': 30, 'axes.grid': True, 'svg.fonttype': 'path'})\n"
        "def now(): return {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'}\n"
        "before = now()\n"
        "lines = [Series(n, (Point(0, .5), Point(1, .4, .01, .3, .45))) for n in 'ab']\n"
        "figure = curve(lines, FigureText('t', 'x', 'y'), chance=.1)\n"
        "save(figure, Path(sys.argv[1]), 'x')\n"
        "assert now() == before, 'settings changed'\n"
        "assert 'matplotlib.pyplot' not in sys.modules, 'pyplot loaded'\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "other")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    lines_ = [Series(n, (Point(0, 0.5), Point(1, 0.4, 0.01, 0.3, 0.45))) for n in "ab"]
    figure = curve(lines_, FigureText("t", "x", "y"), chance=0.1)
    for path in save(figure, tmp_path / "here", "x"):
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_files_are_a_png_of_200_dpi_and_an_svg_of_paper_width_without_date_or_program(tmp_path: Path) -> None:
    png, svg, pdf = save(curves(lines(2)), tmp_path, "R@10")
    assert (png.name, svg.name, pdf.name) == ("R-10.png", "R-10.svg", "R-10.pdf")
    with Image.open(png) as image:
        assert image.format == "PNG"
        assert image.width == 700  # 3.5 in at 200 dpi
        assert set(image.info) == {"dpi"}
    source = svg.read_text()
    assert 'width="252pt"' in source  # 3.5 in at 72 pt
    assert not re.search(r"dc:date|Matplotlib|20\d\d-\d\d", source)
    assert not re.search(rb"/(CreationDate|Creator|Producer)", pdf.read_bytes())
    with Image.open(save(curves(lines(2), column="double"), tmp_path, "wide")[0]) as image:
        assert image.width == 1432  # 7.16 in


def test_title_axes_lines_chance_and_the_meaning_of_marks_stand_in_the_svg_as_text(tmp_path: Path) -> None:
    found = saved_texts(curves(lines(3), chance=0.0082, interval="90% interval"), tmp_path)
    expected = {
        "Word dropout",
        "share of words",
        "hit@10, t2i",
        "model 0",
        "model 1",
        "model 2",
        "chance 0.0082",
    }
    assert expected <= set(found)
    assert "Band: 90% interval. Dashes: single seeds." in found
    assert {"clean", "0.1", "0.5"} <= set(found)


def test_the_note_names_only_marks_that_are_there(tmp_path: Path) -> None:
    bare = Series("a", (Point(0, 0.5, seeds=(0.5,)), Point(1, 0.4)))
    assert not [text for text in saved_texts(curves([bare]), tmp_path) if "Band" in text or "Dashes" in text]
    with_sd = Series("a", (Point(0, 0.5), Point(1, 0.4, 0.01)))
    assert "Bars: ± 1 sd over seeds." in saved_texts(curves([with_sd]), tmp_path)


def test_a_legend_names_every_line_where_names_are_too_long_for_the_line_ends(tmp_path: Path) -> None:
    words = " ".join(saved_texts(curves(lines(3, LONG), chance=0.01), tmp_path))
    for number in range(3):
        assert f"seed {number}" in words
    assert "chance 0.01" in words


def test_lines_that_end_at_different_levels_are_named_in_a_legend() -> None:
    figure = curves([falling("a"), falling("b", levels=LEVELS[:4])])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert not curves([falling("a"), falling("b")]).legends


def test_a_line_goes_through_its_own_points_and_no_others() -> None:
    gap = Series("gap", (Point(0, 0.5), Point(0.3, 0.3)))
    axes = curves([falling("full"), gap]).axes[0]
    drawn = [list(zip(*line.get_data(), strict=True)) for line in axes.lines]
    assert [(0.0, 0.5), (0.3, 0.3)] in drawn


def test_seeds_bands_and_bars_lie_where_the_numbers_say() -> None:
    point = Point(1, 0.4, 0.05, 0.3, 0.45, (0.35, 0.4, 0.45))
    axes = curves([Series("a", (Point(0, 0.5, None, 0.48, 0.52), point))]).axes[0]
    assert any(list(line.get_ydata()) == [0.35, 0.4, 0.45] for line in axes.lines)
    [band] = axes.collections
    ys = band.get_paths()[0].vertices[:, 1]
    assert {0.3, 0.45, 0.48, 0.52} == {round(float(y), 9) for y in ys}
    bars = curves([Series("a", (Point(0, 0.5), replace(point, seeds=(), low=None, high=None)))]).axes[0]
    [caps] = bars.collections
    assert [[round(float(y), 9) for _, y in part] for part in caps.get_segments()] == [[0.35, 0.45]]


def test_points_at_one_level_stand_side_by_side() -> None:
    axes = curves([Series(name, (Point(0, 0.5),)) for name in "abc"], chance=0.1).axes[0]
    places = [line.get_xdata()[0] for line in axes.lines if line.get_marker() not in {"", "None", None}]
    assert len(set(places)) == 3
    assert math.fsum(float(place) for place in places) == pytest.approx(0)


def test_the_axis_starts_at_zero_unless_values_are_close_together_and_never_ticks_above_one() -> None:
    wide = curves([Series("a", (Point(0, 0.6), Point(1, 0.1)))]).axes[0]
    assert -0.1 < wide.get_ylim()[0] <= 0
    close = curves([Series("a", (Point(0, 0.999), Point(1, 0.99)))]).axes[0]
    low, high = close.get_ylim()
    assert low > 0.98
    assert max(tick for tick in close.get_yticks() if low <= tick <= high) <= 1


def test_a_median_rank_is_logarithmic_and_says_that_lower_is_better(tmp_path: Path) -> None:
    figure = KINDS["rank"]()
    assert figure.axes[0].get_yscale() == "log"
    found = saved_texts(figure, tmp_path)
    assert "median rank (lower is better)" in found
    assert {"1", "10", "50"} <= set(found)
    with pytest.raises(ValueError, match="logarithmic"):
        ranks(Series("a", (Point(0, 0.0),)))


@pytest.mark.parametrize(
    ("ranks", "ticks"),
    [((1, 21), [1, 2, 5, 10, 20]), ((1, 350), [1, 10, 100]), ((3, 4), [3, 5, 7]), ((1, 2), [1, 1.5, 2, 3])],
)
def test_a_median_rank_has_ticks_that_are_read_at_once(ranks: tuple[int, int], ticks: list[float]) -> None:
    line = Series("a", tuple(Point(level, rank) for level, rank in enumerate(ranks)))
    figure = curve([line], FigureText("t", "x", "median rank"), y_scale="log")
    assert [round(tick, 3) for tick in figure.axes[0].get_yticks()] == ticks


def test_a_figure_says_what_else_is_to_be_said(tmp_path: Path) -> None:
    line = Series("a", (Point(0, 0.5), Point(1, 0.4)))
    text = FigureText("t", "x", "y", note="Left out, with their captions: 2 of 12 images (2 missing).")
    assert "Left out, with their captions: 2 of 12 images (2 missing)." in " ".join(
        saved_texts(curve([line], text), tmp_path)
    )


def test_an_sd_wider_than_its_rank_does_not_break_the_logarithmic_axis(tmp_path: Path) -> None:
    figure = ranks(Series("a", (Point(0, 1.0, 3.0), Point(1, 2.0, 3.0))))
    assert figure.axes[0].get_ylim()[0] > 0
    save(figure, tmp_path, "x")


def test_a_gallery_is_logarithmic_and_its_ticks_are_its_sizes(tmp_path: Path) -> None:
    figure = KINDS["gallery"]()
    assert figure.axes[0].get_xscale() == "log"
    assert {"100", "1,000", "5,000", "chance"} <= set(saved_texts(figure, tmp_path))
    with pytest.raises(ValueError, match="logarithmic"):
        sizes([falling("a")])


def test_small_multiples_give_a_label_one_look_and_one_scale(tmp_path: Path) -> None:
    panels = {"fog": [falling("a"), falling("b")], "snow": [falling("b", 0.9)], "jpeg": [falling("c")]}
    figure = curve_grid(panels, FigureText("t", "severity", "hit@1"), chance=0.001)
    fog, snow, _ = figure.axes
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    looks = [{(line.get_color(), line.get_marker()) for line in axes.lines} for axes in (fog, snow)]
    assert looks[1] < looks[0]
    found = saved_texts(figure, tmp_path)
    assert [found.count(text) for text in ("a", "b", "c", "fog", "chance 0.001", "hit@1")] == [1] * 6
    assert "severity (0 = clean)" in found


@pytest.mark.parametrize("where", ["line end", "legend", "axes", "grid", "heat"])
def test_labels_are_text_whatever_they_hold(where: str, tmp_path: Path) -> None:
    pair = [falling(HOSTILE), falling("b" * 60 if where == "legend" else "b")]
    draw: dict[str, Callable[[], Figure]] = {
        "line end": lambda: curves(pair, column="double"),
        "legend": lambda: curves(pair, column="double"),
        "axes": lambda: curves([falling("b")], title=HOSTILE, x_label=HOSTILE, y_label=HOSTILE),
        "grid": lambda: curve_grid({HOSTILE: pair}, FigureText(HOSTILE, HOSTILE, HOSTILE)),
        "heat": lambda: heat_map(
            [HOSTILE], [HOSTILE] * 2, [[0.1, 0.2]], title=HOSTILE, x_label=HOSTILE, column="double"
        ),
    }
    assert HOSTILE in "".join(saved_texts(draw[where](), tmp_path))


def test_control_characters_neither_break_the_svg_nor_turn_its_text_around(tmp_path: Path) -> None:
    found = saved_texts(curves([falling("a\x00b\n\u202ec\ud800")], title="\x1b[31mred"), tmp_path)
    assert "a\ufffdb \ufffdc\ufffd" in found
    assert "\ufffd[31mred" in found


def overflowing(figure: Figure) -> list[str]:
    """Texts that reach beyond the figure's edge."""
    figure.draw_without_rendering()
    page = figure.bbox
    beyond = []
    for text in figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible()):
        assert isinstance(text, Text)
        if not text.get_text():
            continue
        box = text.get_window_extent()
        if box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1:
            beyond.append(text.get_text())
    return beyond


CROWDED: dict[str, Callable[[str], Figure]] = {
    "ends": lambda column: curves(lines(8), column=column, chance=0.01, title=LONG * 3),
    "legend": lambda column: curves(lines(8, LONG), column=column, y_label=LONG, x_label=LONG),
    "unbroken": lambda column: curves([falling("x" * 150)], column=column, title="y" * 300),
    "one level": lambda column: curves([Series("a", (Point(0, 1.0),))], column=column),
    "grid": lambda column: curve_grid(
        {f"{LONG}{n}": lines(2) for n in range(4)}, FigureText(LONG, "x", "y"), column=column
    ),
    "heat": lambda column: heat_map(
        [LONG, "b"], [f"{LONG}{n}" for n in range(6)], [[0.123] * 6] * 2, title=LONG, column=column
    ),
    "wide heat": lambda column: heat_map(
        ["a"], [str(n) for n in range(25)], [[0.12345] * 25], title="", value_format=".5f", column=column
    ),
}


@pytest.mark.parametrize("column", ["single", "double"])
@pytest.mark.parametrize("kind", CROWDED)
def test_no_text_leaves_the_page(kind: str, column: str) -> None:
    assert overflowing(CROWDED[kind](column)) == []


def test_names_at_line_ends_do_not_overlap_even_where_the_lines_do() -> None:
    figure = curves([falling(f"model {number}") for number in range(6)], chance=0.01)
    figure.draw_without_rendering()
    # Of the words alone: an annotation counts its lead too.
    boxes = [Text.get_window_extent(t) for t in figure.axes[0].texts if t.get_text()]
    assert len(boxes) == 7
    for one, other in [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]:
        assert min(one.y1, other.y1) - max(one.y0, other.y0) <= 1


def test_tick_labels_do_not_overlap_on_crowded_levels() -> None:
    levels = tuple(number / 40 for number in range(41))
    figure = curves([falling("a", levels=levels)])
    figure.draw_without_rendering()
    shown = [label for label in figure.axes[0].get_xticklabels() if label.get_text()]
    boxes = [label.get_window_extent() for label in shown]
    assert len(boxes) > 3
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
    assert (shown[0].get_text(), shown[-1].get_text()) == ("clean", "1")
    assert len(figure.axes[0].get_xticks()) == 41


def test_nothing_to_draw_and_names_used_twice_are_refused() -> None:
    with pytest.raises(ClipbenchError, match="0 runs"):
        curves([])
    with pytest.raises(ClipbenchError, match="0 panels"):
        curve_grid({}, FigureText("", "", ""))
    with pytest.raises(ClipbenchError, match="0 runs"):
        curve_grid({"fog": []}, FigureText("", "", ""))
    with pytest.raises(ValueError, match="more than once"):
        curves([falling("a"), falling("a")])


def test_without_matplotlib_the_message_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (a_heat_map, KINDS["level"]):
        with pytest.raises(ClipbenchError) as caught:
            draw()
        assert caught.value.hint == "pip install 'clipbench[plots]'"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    figure = curves(lines(1))
    png, svg, _ = save(figure, tmp_path / "new" / "folder", "../x")
    assert sorted(path.name for path in png.parent.iterdir()) == ["x.pdf", "x.png", "x.svg"]
    svg.unlink()
    svg.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(ClipbenchError, match="cannot write"):
        save(figure, png.parent, "x")
    assert sorted(path.name for path in png.parent.iterdir()) == ["x.pdf", "x.png", "x.svg"]
