"""The figures of a report, from plain numbers: curves, small multiples and heat maps, ready for paper.

Every function returns a matplotlib Figure at its size on paper; `save` writes it. Knows no store and
computes nothing: what is drawn was stored before. matplotlib is optional, imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.files import safe_name, save
from clipbench.reports.figures.heat import heat_map
from clipbench.reports.figures.lines import (
    CHANCE_DASHES,
    chance_label,
    draw_chance,
    draw_lines,
    dress,
    marks_note,
    set_levels,
    set_values,
    side_by_side,
    value_limits,
)
from clipbench.reports.figures.page import PAD, End, ends_width, lay_out, new_figure, set_page, write_ends
from clipbench.reports.figures.records import (
    Chance,
    Column,
    Point,
    Scale,
    Series,
    check_positive,
    check_series,
)
from clipbench.reports.figures.style import GREY, INK, LABEL, TICK, WIDTHS, Stroke, drawing, stroke
from clipbench.reports.figures.text import LINE, printable, wrapped

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Column",
    "Point",
    "Series",
    "curve_grid",
    "gallery_curve",
    "heat_map",
    "level_curves",
    "median_rank_curve",
    "safe_name",
    "save",
]

LOWER_IS_BETTER = "lower is better"
BODIES: Mapping[Column, float] = {"single": 2.2, "double": 3.1}
"""Height in inches of the axes with their labels."""


def level_curves(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    chance: float | None = None,
    column: Column = "single",
    interval: str = "95% interval",
) -> Figure:
    """Return a metric against level, one line per model or operation; level 0 is the clean run.

    Interval as a band, seeds as dots (an sd without seeds as bars), chance as a thin dotted line; a note
    says which of them are there. `interval` names the band. Raises ClipbenchError for no series.
    """
    words = (title, x_label, y_label, interval)
    return _curves(series, words, chance, column, ("linear", "linear"))


def median_rank_curve(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str = "median rank",
    chance: float | None = None,
    column: Column = "single",
    interval: str = "95% interval",
) -> Figure:
    """Return the median rank against level on a logarithmic axis; that lower is better stands beside it.

    Raises ClipbenchError for no series, ValueError for a rank that is not positive.
    """
    check_positive(series, "values")
    if LOWER_IS_BETTER not in y_label:
        y_label = f"{y_label} ({LOWER_IS_BETTER})"
    words = (title, x_label, y_label, interval)
    return _curves(series, words, chance, column, ("linear", "log"))


def gallery_curve(
    series: Sequence[Series],
    *,
    title: str,
    y_label: str,
    x_label: str = "gallery size (log scale)",
    chance: Series | None = None,
    column: Column = "single",
    interval: str = "95% interval",
) -> Figure:
    """Return hit@K against the size of the gallery, which is logarithmic; a Point's level is the size.

    Chance depends on the size, so it is a line of its own. Raises ClipbenchError for no series,
    ValueError for a size that is not positive.
    """
    check_positive([*series, *([chance] if chance else [])], "levels")
    words = (title, x_label, y_label, interval)
    return _curves(series, words, chance, column, ("log", "linear"))


def curve_grid(  # noqa: PLR0913 - its words are its parameters
    panels: Mapping[str, Sequence[Series]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    chance: float | None = None,
    column: Column = "double",
    interval: str = "95% interval",
    y_scale: Scale = "linear",
) -> Figure:
    """Return small multiples: one panel per operation, say, in the order given, on one vertical scale.

    A label has the same look in every panel and one entry in the legend. Levels are each panel's own:
    rates beside severities. Raises ClipbenchError for no panels or an empty one.
    """
    if not panels:
        raise ClipbenchError("there are 0 panels to draw", "clipbench runs list")
    everything = [line for series in panels.values() for line in series]
    for series in panels.values():
        check_series(series)
    if y_scale == "log":
        check_positive(everything, "values")
    strokes = _strokes([line.label for line in everything])
    wide = WIDTHS[column]
    across = _across(len(panels), column)
    down = -(-len(panels) // across)
    with drawing():
        side = LABEL * LINE / 72 + PAD
        panel = (wide - side) / across
        names = [wrapped(name, panel * 72 * 0.9, TICK) for name in panels]
        body = down * (max(0.78, min(panel * 0.72, 1.9)) + max(map(len, names)) * TICK * LINE / 72) + side
        figure = new_figure(wide)
        page = set_page(
            figure,
            body,
            title=title,
            handles=_handles(strokes, chance),
            note=marks_note(everything, interval),
        )
        limits = value_limits(everything, chance, y_scale)
        for place, (series, name) in enumerate(zip(panels.values(), names, strict=True)):
            axes = figure.add_subplot(down, across, place + 1)
            axes.set_title("\n".join(name), size=TICK, loc="left", pad=3, color=INK)
            draw_chance(axes, chance)
            draw_lines(axes, side_by_side(series, "linear"), strokes, small=True)
            set_levels(axes, series, "linear", panel * 0.78, clean="0")
            set_values(axes, limits, y_scale)
            if place % across:
                axes.tick_params(labelleft=False)
        lay_out(figure, page, left=side, below=side)
        middle = (page.foot + side + (body - side) / 2) / page.height
        figure.text(PAD / wide, middle, printable(y_label), size=LABEL, rotation=90, va="center", color=INK)
        if any(line.points[0].level == 0 for line in everything):
            x_label = f"{x_label} (0 = clean)"
        figure.text(
            0.5, (page.foot + PAD) / page.height, printable(x_label), size=LABEL, ha="center", color=INK
        )
    return figure


def _curves(
    series: Sequence[Series],
    words: tuple[str, str, str, str],
    chance: Chance,
    column: Column,
    scales: tuple[Scale, Scale],
) -> Figure:
    check_series(series)
    title, x_label, y_label, interval = words
    body = BODIES[column]
    strokes = _strokes([line.label for line in series])
    with drawing():
        figure = new_figure(WIDTHS[column])
        axes = figure.add_subplot()
        draw_chance(axes, chance)
        draw_lines(axes, side_by_side(series, scales[0]), strokes, small=False)
        ends = _ends(series, strokes, chance, WIDTHS[column], body)
        right = ends_width(ends) if ends else 0.0
        wide = _name_axes(axes, x_label, y_label, WIDTHS[column] - right, body)
        set_levels(axes, series, scales[0], wide)
        set_values(axes, value_limits(series, chance, scales[1]), scales[1])
        handles = [] if ends else _handles(strokes, chance)
        page = set_page(figure, body, title=title, handles=handles, note=marks_note(series, interval))
        lay_out(figure, page, right=right)
        write_ends(figure, axes, ends)
    return figure


def _name_axes(axes: Axes, x_label: str, y_label: str, wide: float, tall: float) -> float:
    """Write the axes' names in as many lines as they need within `wide` × `tall` inches.

    Return the width that is left for the axes, about, since tick labels take what they need.
    """
    line = LABEL * LINE / 72
    ticks = 0.45
    below = len(wrapped(x_label, (wide - ticks - line) * 72, LABEL))
    left = wrapped(y_label, (tall - 0.3 - below * line) * 72, LABEL)
    inner = wide - ticks - len(left) * line
    axes.set_xlabel("\n".join(wrapped(x_label, inner * 72, LABEL)))
    axes.set_ylabel("\n".join(left))
    return inner


def _ends(
    series: Sequence[Series], strokes: Mapping[str, Stroke], chance: Chance, width: float, body: float
) -> list[End]:
    """Return the names to write beside the lines' ends, none where a legend serves better.

    That is: where there is one level only, where lines end at different levels, or where the names would
    take too much of the width or height.
    """
    levels = {point.level for line in series for point in line.points}
    last = {line.points[-1].level for line in series}
    ends = [End(s.label, s.points[-1].level, s.points[-1].mean, strokes[s.label]) for s in series]
    if isinstance(chance, Series):
        last.add(chance.points[-1].level)
        ends.append(End(chance.label, chance.points[-1].level, chance.points[-1].mean, None))
    elif chance is not None:
        ends.append(End(chance_label(chance), series[0].points[-1].level, chance, None))
    too_tall = len(ends) * TICK * LINE / 72 > body * 0.6
    if len(levels) == 1 or len(last) > 1 or too_tall or ends_width(ends) > width * 0.33:
        return []
    return ends


def _strokes(labels: Sequence[str]) -> dict[str, Stroke]:
    return {label: stroke(number) for number, label in enumerate(dict.fromkeys(labels))}


def _handles(strokes: Mapping[str, Stroke], chance: Chance) -> list[Artist]:
    from matplotlib.lines import Line2D

    handles: list[Artist] = []
    for label, look in strokes.items():
        line = Line2D([], [], label=label)
        dress(line, look)
        handles.append(line)
    if chance is not None:
        handles.append(
            Line2D([], [], label=chance_label(chance), color=GREY, linewidth=0.8, linestyle=CHANCE_DASHES)
        )
    return handles


def _across(count: int, column: Column) -> int:
    """Return how many panels stand side by side: as square a grid as the width allows."""
    most = 3 if column == "single" else 5
    fitting = [n for n in range(1, most + 1) if n * n <= count * (1.6 if column == "double" else 1.0)]
    return max(1, *fitting) if fitting else 1
