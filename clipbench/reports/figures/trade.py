"""One score against another, one point a setting: what is gained here is lost there, and who is at the edge of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.page import as_lines, finish, new_figure
from clipbench.reports.figures.records import Column, FigureText
from clipbench.reports.figures.style import GREY, INK, LABEL, PALE, TICK, WIDTHS, drawing, stroke
from clipbench.reports.figures.text import LINE, printable, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Box: TypeAlias = tuple[float, float, float, float]
"""Left, low, right and high, in pixels."""

BESIDE = ((5, -3), (5, 2), (0, 5), (5, -8), (-5, -3), (-5, 2), (0, -12), (-5, -8))
"""Where a name may stand, in points from its spot: to the right, above, to the left, below."""

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
        axes.margins(0.12)
        axes.set_xlabel(as_lines(text.x_label, WIDTHS[column] - 0.7, LABEL))
        axes.set_ylabel(as_lines(text.y_label, TALL, LABEL))
        handles = [
            Line2D([], [], linestyle="", marker=look.marker, color=look.colour, label=name)
            for name, look in groups.items()
        ]
        finish(figure, text.title, tall=TALL, handles=handles if len(handles) > 1 else (), note=note)
        _name(axes, spots)
    return figure


def _name(axes: Axes, spots: Sequence[Spot]) -> None:
    """Write names beside spots once all is laid out, the edge's first; one without room beside it is left out."""
    scale = axes.figure.dpi / 72
    high = TICK * LINE * scale
    places = [axes.transData.transform((spot.x, spot.y)) for spot in spots]
    taken = [(x - 3 * scale, y - 3 * scale, x + 3 * scale, y + 3 * scale) for x, y in places]
    frame = axes.bbox
    for spot, (x, y) in sorted(zip(spots, places, strict=True), key=lambda pair: not pair[0].edge):
        wide = width_of(printable(spot.name), TICK) * scale
        for dx, dy in BESIDE:
            left = x + dx * scale - (wide if dx < 0 else 0 if dx else wide / 2)
            box = (left, y + dy * scale, left + wide, y + dy * scale + high)
            inside = frame.x0 <= box[0] and box[2] <= frame.x1 and frame.y0 <= box[1] and box[3] <= frame.y1
            if spot.name and inside and not any(_touch(box, other) for other in taken):
                taken.append(box)
                axes.annotate(
                    printable(spot.name),
                    (spot.x, spot.y),
                    xytext=(dx, dy),
                    textcoords="offset points",
                    size=TICK,
                    color=INK,
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5},
                    zorder=2,
                    ha="right" if dx < 0 else "left" if dx else "center",
                )
                break


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
