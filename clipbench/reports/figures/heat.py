"""The heat map: one number per row and column, printed in its cell; a missing one is hatched, not zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.heat_plan import HeatPlan, plan_heat_map
from clipbench.reports.figures.page import PAD, new_figure, set_page
from clipbench.reports.figures.records import Column
from clipbench.reports.figures.style import GREY, LABEL, WIDTHS, drawing
from clipbench.reports.figures.text import LINE, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

Cells = Sequence[Sequence[float | None]]

NO_RUN = "no run"


def heat_map(  # noqa: PLR0913 - its words are its parameters
    rows: Sequence[str],
    columns: Sequence[str],
    values: Cells,
    *,
    title: str,
    value_format: str = ".3f",
    diverging: bool = False,
    x_label: str = "",
    note: str = "",
    column: Column = "single",
) -> Figure:
    """Return a heat map of `values[row][column]`, operation × level say, with each number in its cell.

    value_format is a format specification (".1%", "+.3f"). None is a run that does not exist: its cell
    is hatched, and named beneath. diverging: zero is the middle of the colours, for differences; else
    cividis, which is perceptually uniform and the same to colour-blind readers. Wider than `column` only
    where numbers of 5 points would not fit. Raises ClipbenchError without cells, ValueError for rows of
    unequal length or a number that is not finite.
    """
    _check(rows, columns, values)
    with drawing():
        printed = [["" if v is None else _printed(v, value_format) for v in row] for row in values]
        plan = plan_heat_map(rows, columns, printed, WIDTHS[column], named=bool(x_label))
        figure = new_figure(plan.width)
        missing = any(value is None for row in values for value in row)
        body = PAD + plan.row * len(rows) + plan.below
        page = set_page(figure, body, title=title, handles=[_hatched(NO_RUN)] if missing else [], note=note)
        box = (
            plan.left / page.width,
            (page.foot + plan.below) / page.height,
            plan.cell * len(columns) / page.width,
            plan.row * len(rows) / page.height,
        )
        axes = figure.add_axes(box)
        _cells(axes, values, printed, plan, diverging=diverging)
        _labels(axes, plan, x_label)
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
    text = format(value, value_format)
    if text.startswith("-") and not any(digit in text for digit in "123456789"):
        text = ("+" if value_format.startswith("+") else "") + text[1:]
    return text.replace("-", "\u2212")


def _cells(
    axes: Axes, values: Cells, printed: Sequence[Sequence[str]], plan: HeatPlan, *, diverging: bool
) -> None:
    import numpy as np

    known = [value for row in values for value in row if value is not None]
    colours, scale = _colours(known, diverging=diverging)
    grid = np.ma.masked_invalid([[math.nan if v is None else v for v in row] for row in values])
    axes.pcolormesh(grid, cmap=colours, norm=scale, edgecolors="white", linewidth=0.8)
    axes.set(xlim=(0, len(values[0])), ylim=(len(values), 0))
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            if value is None:
                patch = _hatched()
                patch.set_bounds(x + 0.04, y + 0.06, 0.92, 0.88)
                axes.add_patch(patch)
                continue
            ink = readable_on(colours(float(scale(value))))
            axes.text(
                x + 0.5, y + 0.52, printed[y][x], size=plan.number_size, color=ink, ha="center", va="center"
            )


def _labels(axes: Axes, plan: HeatPlan, x_label: str) -> None:
    columns = [x + 0.5 for x in range(len(plan.column_labels))]
    axes.set_xticks(columns)
    if plan.slanted:
        axes.set_xticklabels(
            plan.column_labels,
            parse_math=False,
            rotation=45,
            ha="right",
            rotation_mode="anchor",
            linespacing=LINE,
        )
    else:
        axes.set_xticklabels(plan.column_labels, parse_math=False, linespacing=LINE)
    axes.set_yticks([y + 0.5 for y in range(len(plan.row_labels))])
    axes.set_yticklabels(plan.row_labels, parse_math=False, linespacing=LINE)
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set_visible(False)
    if x_label:
        inches = len(plan.row_labels) * plan.row
        axes.text(
            0.5,
            -(plan.below - PAD) / inches,
            printable(x_label),
            transform=axes.transAxes,
            size=LABEL,
            ha="center",
            va="bottom",
        )


def _colours(known: Sequence[float], *, diverging: bool) -> tuple[Colormap, Normalize]:
    import matplotlib as mpl
    from matplotlib.colors import Normalize

    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if diverging:
        reach = max(abs(low), abs(high)) or 1.0
        return mpl.colormaps["PuOr_r"], Normalize(-reach, reach)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return mpl.colormaps["cividis"], Normalize(low, high)


def _hatched(label: str = "") -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), 1, 1, facecolor="white", edgecolor=GREY, hatch="/////", linewidth=0, label=label)


def readable_on(colour: Sequence[float]) -> str:
    """Return black or white, whichever has the higher contrast on an RGB(A) colour of 0..1 (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"
