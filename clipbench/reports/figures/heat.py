"""The heat map: one number per row and column, printed in its cell; a missing one is hatched, not zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.page import PAD, as_lines, finish, new_figure
from clipbench.reports.figures.records import Column
from clipbench.reports.figures.style import GREY, LABEL, TICK, WIDTHS, drawing
from clipbench.reports.figures.text import LINE, number, printable, shortened, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

Cells = Sequence[Sequence[float | None]]

NO_RUN = "no run"

LARGEST, SMALLEST = 7.0, 5.0
"""Sizes in points of the numbers; where even the smallest is too large, the figure becomes wider."""

LONGEST_SLANTED = 1.5
"""Length in inches of a slanted column label; longer ones lose their middle."""

BAR = 0.6
"""Inches that the colour bar takes, about."""


def heat_map(  # noqa: PLR0913 - its words are its parameters
    rows: Sequence[str],
    columns: Sequence[str],
    values: Cells,
    *,
    title: str,
    value_format: str = ".3f",
    diverging: bool = False,
    x_label: str = "",
    value_label: str = "",
    note: str = "",
    column: Column = "single",
) -> Figure:
    """Return a heat map of `values[row][column]`, operation × level say, with each number in its cell.

    value_format is a format specification (".1%", "+.3f"). None is a run that does not exist: its cell
    is hatched, and named beneath. diverging: zero is the middle of the colours, for differences; else
    cividis, which is perceptually uniform and the same to colour-blind readers, from 0 to 1 where all
    numbers are shares, so that figures compare. value_label: what the numbers are, beside the bar of colours,
    whose range the note beneath says; note: what else it says. Wider than `column` only where numbers of 5 points would
    not fit. Raises ClipbenchError without cells, ValueError for rows of unequal length or a number that is
    not finite.
    """
    _check(rows, columns, values)
    with drawing():
        printed = [["" if v is None else _printed(v, value_format) for v in row] for row in values]
        width = WIDTHS[column]
        names = [as_lines(name, width * 0.36, TICK) for name in rows]
        left = max(width_of(line, TICK) for name in names for line in name.split("\n")) / 72 + 0.1
        widest = max(width_of(text, LARGEST) for row in printed for text in row) / 72 + 0.05
        width = max(width, left + BAR + 2 * PAD + len(columns) * widest * SMALLEST / LARGEST)
        figure = new_figure(width)
        axes = figure.add_subplot()
        colours, scale = _draw_cells(axes, values, value_label, diverging=diverging)
        axes.set_yticks([y + 0.5 for y in range(len(rows))], names, parse_math=False, linespacing=LINE)
        _name_columns(axes, columns, (width - left - BAR) / len(columns))
        axes.set_xlabel(printable(x_label), size=LABEL)
        empty = [value is None for row in values for value in row]
        row_height = max(0.19, max(name.count("\n") + 1 for name in names) * TICK * LINE / 72 + 0.04)
        handles = [_hatched(NO_RUN)] if any(empty) else []
        ranges = "" if all(empty) else _scale_words(scale, diverging=diverging)
        said = " ".join(filter(None, [ranges, note]))
        finish(figure, title, tall=row_height * len(rows), handles=handles, note=said)
        cell = axes.get_position().width * width / len(columns)
        size = max(SMALLEST, LARGEST * min(1.0, cell / widest))
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                if value is not None:
                    ink = readable_on(colours(float(scale(value))))
                    axes.text(
                        x + 0.5, y + 0.52, printed[y][x], size=size, color=ink, ha="center", va="center"
                    )
    return figure


def _check(rows: Sequence[str], columns: Sequence[str], values: Cells) -> None:
    if not rows or not columns:
        raise ClipbenchError(
            f"there are {len(rows)} × {len(columns)} cells to draw, which is none", "clipbench runs list"
        )
    if [len(row) for row in values] != [len(columns)] * len(rows):
        raise ValueError(
            f"{len(rows)} rows of {len(columns)} columns are named, but the values are "
            f"{len(values)} rows of {sorted({len(row) for row in values})}"
        )
    if not all(value is None or math.isfinite(value) for row in values for value in row):
        raise ValueError("a cell is neither finite nor None; None is what was not run")


def _printed(value: float, value_format: str) -> str:
    """Return a number as its cell shows it, with the minus sign of the axes and no negative zero."""
    sign = "+" if value_format.startswith("+") else ""
    return format(value, f"{sign}z{value_format.removeprefix('+')}").replace("-", "\u2212")


def _draw_cells(axes: Axes, values: Cells, label: str, *, diverging: bool) -> tuple[Colormap, Normalize]:
    """Draw cells and colour bar, no bar where nothing was run, and return the colours of the numbers."""
    import numpy as np

    known = [value for row in values for value in row if value is not None]
    colours, scale = _colours(known, diverging=diverging)
    grid = np.ma.masked_invalid([[math.nan if v is None else v for v in row] for row in values])
    mesh = axes.pcolormesh(grid, cmap=colours, norm=scale, edgecolors="white", linewidth=0.8)
    axes.set(xlim=(0, len(values[0])), ylim=(len(values), 0))
    axes.spines[:].set_visible(False)
    for y, row in enumerate(values):
        for x in (x for x, value in enumerate(row) if value is None):
            patch = _hatched()
            patch.set_bounds(x + 0.04, y + 0.06, 0.92, 0.88)
            axes.add_patch(patch)
    if known and axes.figure is not None:
        # A bar as high as two rows has room for its ends only.
        ticks = [scale.vmin, scale.vmax] if len(values) < 5 else None
        bar = axes.figure.colorbar(mesh, ax=axes, ticks=ticks, aspect=max(4, 3 * len(values)), pad=0.02)
        bar.outline.set_visible(False)
        if label and len(values) >= 4:  # a lower bar has no room for it
            bar.set_label(printable(label), size=TICK)
        bar.ax.tick_params(labelsize=TICK, length=2, width=0.6)
    return colours, scale


def _name_columns(axes: Axes, columns: Sequence[str], cell: float) -> None:
    """Label the columns: upright where all fit side by side (`cell` inches), else slanted."""
    ticks = [x + 0.5 for x in range(len(columns))]
    upright = [as_lines(name, cell - 0.06, TICK) for name in columns]
    words = [word for name in columns for word in printable(name).split()]
    whole = all(width_of(word, TICK) / 72 < cell - 0.06 for word in words)
    if whole and max(lines.count("\n") for lines in upright) < 3:
        axes.set_xticks(ticks, upright, parse_math=False, linespacing=LINE)
    else:
        short = [shortened(printable(name), LONGEST_SLANTED * 72, TICK) for name in columns]
        axes.set_xticks(ticks, short, parse_math=False, rotation=45, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0, pad=3)


def _colours(known: Sequence[float], *, diverging: bool) -> tuple[Colormap, Normalize]:
    import matplotlib as mpl
    from matplotlib.colors import Normalize

    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if diverging:
        reach = max(abs(low), abs(high)) or 1.0
        return mpl.colormaps["PuOr_r"], Normalize(-reach, reach)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    return mpl.colormaps["cividis"], Normalize(low, high if high > low else low + 1)


def _scale_words(scale: Normalize, *, diverging: bool) -> str:
    """Say in words what the colours range over."""
    low, high = (number(float(end or 0.0)).replace("-", "\u2212") for end in (scale.vmin, scale.vmax))
    if diverging:
        return f"Colours: {low} to {high}, 0 in the middle."
    fixed = (scale.vmin, scale.vmax) == (0.0, 1.0)
    return f"Colours: {low} to {high}{', the same in every figure' if fixed else ''}."


def _hatched(label: str = "") -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), 1, 1, facecolor="white", edgecolor=GREY, hatch="/////", linewidth=0, label=label)


def readable_on(colour: Sequence[float]) -> str:
    """Return black or white, whichever has the higher contrast on an RGB(A) colour of 0..1 (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"
