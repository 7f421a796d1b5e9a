"""The figures of a report, from plain numbers: curves, small multiples and heat maps, ready for paper.

Every function returns a matplotlib Figure at its size on paper; `save` writes it. Knows no store and
computes nothing: what is drawn was stored before. matplotlib is optional, imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.files import safe_name, save
from clipbench.reports.figures.heat import heat_map
from clipbench.reports.figures.lines import (
    ASIDE,
    CHANCE_DASHES,
    chance_label,
    draw_chance,
    draw_lines,
    dress,
    drop_crowded_labels,
    marks_note,
    set_levels,
    set_values,
    side_by_side,
    value_limits,
    write_names,
)
from clipbench.reports.figures.page import as_lines, finish, new_figure
from clipbench.reports.figures.records import (
    Chance,
    Column,
    FigureText,
    Point,
    Scale,
    Series,
    check_series,
)
from clipbench.reports.figures.style import GREY, LABEL, TICK, WIDTHS, Stroke, drawing, stroke
from clipbench.reports.figures.text import LINE, printable, width_of

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

__all__ = ["Column", "FigureText", "Point", "Series", "curve", "curve_grid", "heat_map", "safe_name", "save"]

HEIGHTS: Mapping[Column, float] = {"single": 1.75, "double": 2.6}
"""Height in inches of the axes of a single curve."""


def curve(
    series: Sequence[Series],
    text: FigureText,
    *,
    chance: Chance = None,
    column: Column = "single",
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
) -> Figure:
    """Return a metric against level, one line per model or operation; level 0 is the clean run.

    Interval as a band, seeds as dashes (an sd without seeds as bars), chance as a thin dotted line; a note
    says which of them are there. Median ranks are drawn on a logarithmic y, gallery sizes on a logarithmic x.
    Raises ClipbenchError for no series, ValueError for zero or less on a logarithmic axis.
    """
    check_series(series, x_scale, y_scale)
    strokes, tall = _strokes(series), HEIGHTS[column]
    with drawing():
        figure = new_figure(WIDTHS[column])
        axes = figure.add_subplot()
        draw_chance(axes, chance)
        draw_lines(axes, side_by_side(series, x_scale), strokes, small=False)
        set_levels(axes, series, x_scale, clean="clean")
        set_values(axes, value_limits(series, chance, y_scale), y_scale, most=7)
        beside = _names_width(series, chance, column)
        if beside is not None:
            write_names(axes, series, strokes, chance, tall)
        y_label = as_lines(text.y_label, tall, LABEL)
        around = (beside or 0.0) + 0.5 + (y_label.count("\n") + 1) * LABEL * LINE / 72
        axes.set_ylabel(y_label)
        axes.set_xlabel(as_lines(text.x_label, WIDTHS[column] - around, LABEL))
        handles = _handles(strokes, chance) if beside is None else []
        finish(figure, text.title, tall=tall, handles=handles, note=marks_note(series, text))
        drop_crowded_labels(axes)
    return figure


def curve_grid(
    panels: Mapping[str, Sequence[Series]],
    text: FigureText,
    *,
    chance: float | None = None,
    column: Column = "double",
    y_scale: Scale = "linear",
    zero: str = "clean",
) -> Figure:
    """Return small multiples: one panel per operation, say, in the order given, on one vertical scale.

    A label has the same look in every panel and one entry in the legend. Levels are each panel's own:
    rates beside severities. zero: what level 0 is. Raises ClipbenchError for no panels or an empty one.
    """
    if not panels:
        raise ClipbenchError("there are 0 panels to draw", "clipbench runs list")
    for series in panels.values():
        check_series(series, "linear", y_scale)
    everything = [line for series in panels.values() for line in series]
    strokes, limits = _strokes(everything), value_limits(everything, chance, y_scale)
    # As square a grid as the width allows, at least two side by side.
    wanted = int(sqrt(len(panels) * (1.6 if column == "double" else 1.0)))
    across = min(len(panels), max(2, wanted), 5 if column == "double" else 3)
    down = ceil(len(panels) / across)
    wide = WIDTHS[column] / across - 0.3
    clean = any(line.points[0].level == 0 for line in everything)
    with drawing():
        figure = new_figure(WIDTHS[column])
        for place, (name, series) in enumerate(panels.items()):
            axes = figure.add_subplot(down, across, place + 1)
            axes.set_title(as_lines(name, wide, TICK), size=TICK, loc="left", pad=3)
            draw_chance(axes, chance)
            draw_lines(axes, side_by_side(series, "linear"), strokes, small=True)
            set_levels(axes, series, "linear", clean="0")
            set_values(axes, limits, y_scale, most=4)
            axes.tick_params(labelleft=place % across == 0)
            if place + across >= len(panels):  # nothing stands beneath
                label = f"{text.x_label} (0 = {zero})" if clean else text.x_label
                axes.set_xlabel(as_lines(label, wide, TICK), size=TICK)
        tall = max(0.7, min(wide * 0.7, 1.6))
        figure.supylabel(as_lines(text.y_label, tall * down, LABEL), size=LABEL)
        note = marks_note(everything, text)
        finish(figure, text.title, tall=tall, handles=_handles(strokes, chance), note=note)
        for axes in figure.axes:
            drop_crowded_labels(axes)
    return figure


def _names_width(series: Sequence[Series], chance: Chance, column: Column) -> float | None:
    """Return the inches that names beside the lines' ends take, None where a legend serves better.

    That is: where there is one level only, where lines end at different levels, or where the names would
    take too much of the width or height.
    """
    lines = [*series, *([chance] if isinstance(chance, Series) else [])]
    names = [line.label for line in series] + ([] if chance is None else [chance_label(chance)])
    width = (max(width_of(printable(name), TICK) for name in names) + ASIDE) / 72
    one_level = len({point.level for line in series for point in line.points}) == 1
    ragged = len({line.points[-1].level for line in lines}) > 1
    too_tall = len(names) * TICK * LINE / 72 > HEIGHTS[column] * 0.8
    return None if one_level or ragged or too_tall or width > WIDTHS[column] * 0.33 else width


def _strokes(series: Sequence[Series]) -> dict[str, Stroke]:
    labels = dict.fromkeys(line.label for line in series)
    return {label: stroke(number) for number, label in enumerate(labels)}


def _handles(strokes: Mapping[str, Stroke], chance: Chance) -> list[Artist]:
    """Return what the legend shows: a line for each label, and chance."""
    from matplotlib.lines import Line2D

    handles: list[Artist] = []
    for label, look in strokes.items():
        line = Line2D([], [], label=label)
        dress(line, look)
        handles.append(line)
    if chance is not None:
        dotted = Line2D([], [], color=GREY, linewidth=0.8, linestyle=CHANCE_DASHES)
        dotted.set_label(chance_label(chance))
        handles.append(dotted)
    return handles
