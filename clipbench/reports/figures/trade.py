"""One score against another, one point a setting: what is gained here is lost there, and who is at the edge of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.page import as_lines, finish, new_figure
from clipbench.reports.figures.records import Column, FigureText
from clipbench.reports.figures.style import GREY, INK, LABEL, PALE, TICK, WIDTHS, drawing, stroke
from clipbench.reports.figures.text import LINE, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TALL = 2.6
"""Height of the axes in inches."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One setting. name: written beside it, "" for none. group: what it has its colour of. edge: at the edge of both."""

    x: float
    y: float
    name: str
    group: str
    edge: bool = False


def trade(spots: Sequence[Spot], text: FigureText, *, note: str = "", column: Column = "single") -> Figure:
    """Return a scatter of spots, those at the edge filled and joined by a line, the others hollow.

    Raises ClipbenchError where there is nothing to draw.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    if not spots:
        raise ClipbenchError("there are 0 settings to draw", "clipbench adapt ablate")
    groups = {name: stroke(number) for number, name in enumerate(dict.fromkeys(s.group for s in spots))}
    with drawing():
        figure = new_figure(WIDTHS[column])
        axes = figure.add_subplot()
        edge = sorted((s.x, s.y) for s in spots if s.edge)
        axes.plot([x for x, _ in edge], [y for _, y in edge], color=GREY, linewidth=0.8, zorder=1)
        for spot in spots:
            look = groups[spot.group]
            fill = look.colour if spot.edge else "white"
            axes.plot(
                [spot.x],
                [spot.y],
                look.marker,
                markersize=4.5,
                color=look.colour,
                markerfacecolor=fill,
                zorder=3,
            )
        axes.grid(color=PALE, linewidth=0.5)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(6))
        _name(axes, spots)
        axes.set_xlabel(as_lines(text.x_label, WIDTHS[column] - 0.7, LABEL))
        axes.set_ylabel(as_lines(text.y_label, TALL, LABEL))
        handles = [
            Line2D([], [], linestyle="", marker=look.marker, color=look.colour, label=name)
            for name, look in groups.items()
        ]
        finish(figure, text.title, tall=TALL, handles=handles if len(handles) > 1 else (), note=note)
    return figure


def _name(axes: Axes, spots: Sequence[Spot]) -> None:
    """Write names beside spots, one that would touch an earlier one left out; the edge comes first."""
    axes.margins(0.12)
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]  # of a whole figure
    taken: list[tuple[float, float, float, float]] = []
    places = [axes.transData.transform((s.x, s.y)) for s in spots]
    high = TICK * LINE * axes.figure.dpi / 72
    for spot, (x, y) in sorted(zip(spots, places, strict=True), key=lambda pair: not pair[0].edge):
        if not spot.name:
            continue
        wide = len(spot.name) * high * 0.45
        for dx, dy, align in ((5, 3, "left"), (5, -9, "left"), (-5, 3, "right"), (-5, -9, "right")):
            left = x + dx if align == "left" else x + dx - wide
            box = (left, y + dy, left + wide, y + dy + high)
            if all(box[2] < t[0] or t[2] < box[0] or box[3] < t[1] or t[3] < box[1] for t in taken):
                taken.append(box)
                axes.annotate(
                    printable(spot.name),
                    (spot.x, spot.y),
                    xytext=(dx, dy),
                    textcoords="offset points",
                    size=TICK,
                    color=INK,
                    ha=align,
                )
                break
