"""Curves as SVG inside the page: a small panel per operation, on one vertical scale.

Lines, bands and dots take their colours from the page, so that they turn with it in the dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipbench.reports.figures.records import Point, Series
from clipbench.reports.figures.text import number
from clipbench.reports.html.elements import Markup, element, joined

WIDE, TALL = 300, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 24, 34
COLOURS = 7


def panels_markup(
    panels: Mapping[str, Sequence[Series]], *, x_label: str, y_label: str, caption: str
) -> Markup:
    """Return the panels with a legend where several lines share them. Every panel has at least one line."""
    everything = [line for lines in panels.values() for line in lines]
    names = list(dict.fromkeys(line.label for line in everything))
    colours = {name: place % COLOURS for place, name in enumerate(names)}
    low, high = _limits([point for line in everything for point in line.points])
    drawn = [
        element("figure", {}, _panel(title, lines, colours, (low, high), (x_label, y_label)))
        for title, lines in panels.items()
    ]
    legend = [element("li", {}, element("span", {"class": f"key s{colours[name]}"}), name) for name in names]
    return joined(
        [
            element("ul", {"class": "legend"}, *legend) if len(names) > 1 else None,
            element("div", {"class": "curves"}, *drawn),
            element("p", {"class": "note"}, caption),
        ]
    )


def _panel(
    title: str,
    lines: Sequence[Series],
    colours: Mapping[str, int],
    limits: tuple[float, float],
    labels: tuple[str, str],
) -> Markup:
    levels = sorted({point.level for line in lines for point in line.points})
    place = _Places(levels[0], levels[-1], *limits)
    parts = [element("title", {}, f"{title}: {labels[1]} against {labels[0]}. {_spoken(lines)}")]
    parts.append(element("text", {"x": LEFT, "y": 14, "class": "name"}, title))
    parts += _axes(place, levels, labels)
    for line in lines:
        parts.append(element("g", {"class": f"s{colours[line.label]}"}, *_line(line, place)))
    box = {"viewBox": f"0 0 {WIDE} {TALL}", "role": "img", "xmlns": "http://www.w3.org/2000/svg"}
    return element("svg", dict(box), *parts)


class _Places:
    """Where levels and values lie in a panel."""

    def __init__(self, first: float, last: float, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def x(self, level: float) -> float:
        span = self.last - self.first
        share = (level - self.first) / span if span else 0.5
        return round(LEFT + share * (WIDE - LEFT - RIGHT), 2)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(TALL - BOTTOM - share * (TALL - TOP - BOTTOM), 2)


def _axes(place: _Places, levels: Sequence[float], labels: tuple[str, str]) -> list[Markup]:
    bottom = TALL - BOTTOM
    parts = []
    for step in range(5):
        value = place.low + (place.high - place.low) * step / 4
        y = place.y(value)
        parts.append(element("line", {"class": "axis", "x1": LEFT, "x2": WIDE - RIGHT, "y1": y, "y2": y}))
        if step % 2 == 0:
            parts.append(element("text", {"x": LEFT - 5, "y": y + 4, "text-anchor": "end"}, number(value)))
    shown = levels if len(levels) <= 7 else [levels[0], levels[len(levels) // 2], levels[-1]]
    for level in shown:
        x = place.x(level)
        parts.append(element("text", {"x": x, "y": bottom + 14, "text-anchor": "middle"}, number(level)))
    middle = (LEFT + WIDE - RIGHT) / 2
    label = f"{labels[0]} (0: clean)" if levels[0] == 0 else labels[0]
    parts.append(element("text", {"x": middle, "y": TALL - 5, "text-anchor": "middle"}, label))
    return parts


def _line(line: Series, place: _Places) -> list[Markup]:
    parts = []
    banded = [p for p in line.points if p.low is not None and p.high is not None]
    if len(banded) > 1:
        upper = [f"{place.x(p.level)},{place.y(p.high)}" for p in banded if p.high is not None]
        lower = [f"{place.x(p.level)},{place.y(p.low)}" for p in reversed(banded) if p.low is not None]
        parts.append(element("polygon", {"class": "band", "points": " ".join([*upper, *lower])}))
    middle = " ".join(f"{place.x(p.level)},{place.y(p.mean)}" for p in line.points)
    parts.append(element("polyline", {"class": "curve", "points": middle}))
    for point in line.points:
        at = place.x(point.level)
        dots = point.seeds if len(point.seeds) > 1 else ()
        parts += [element("circle", {"class": "dot", "cx": at, "cy": place.y(v), "r": 1.6}) for v in dots]
        parts.append(element("circle", {"class": "point", "cx": at, "cy": place.y(point.mean), "r": 2.4}))
    return parts


def _limits(points: Sequence[Point]) -> tuple[float, float]:
    """Return round limits around everything drawn; shares begin at 0."""
    low, high = min(p.extent[0] for p in points), max(p.extent[1] for p in points)
    if low >= 0:
        low = 0.0
    span = (high - low) or 1.0
    step = 10.0 ** len(str(int(span))) / 100 if span >= 1 else 0.05
    return low, low + step * 4 * -(-span // (4 * step))


def _spoken(lines: Sequence[Series]) -> str:
    """Return the numbers for those who cannot see the curve."""
    told = []
    for line in lines:
        values = ", ".join(f"{number(p.level)}: {number(p.mean)}" for p in line.points)
        told.append(f"{line.label}: {values}")
    return "; ".join(told)
