"""Curves as SVG inside the page: where everything lies in a small panel for each operation, on one vertical scale.

Lines, bands and dots take their colours from the page, so that they turn with it in the dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.reports.figures.records import Point, Series
from clipbench.reports.figures.text import number

LEFT, RIGHT, TOP, BOTTOM = 44, 290, 24, 156
"""Edges of the plot within a panel of 300 by 190; the template draws its frame."""

Dots = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """One line in a panel; path and band are SVG's lists of points, band None where no interval is known."""

    colour: int
    band: str | None
    path: str
    seeds: Dots
    points: Dots


@dataclass(frozen=True, slots=True)
class Panel:
    """One operation. values, levels: places on the axes and their labels. spoken: the numbers in words."""

    title: str
    x_label: str
    spoken: str
    values: tuple[tuple[float, str], ...]
    levels: tuple[tuple[float, str], ...]
    lines: tuple[DrawnLine, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """Panels that share a vertical scale, and the names of their lines in the order of their `colours`."""

    x_label: str
    y_label: str
    names: tuple[str, ...]
    panels: tuple[Panel, ...]
    colours: int = 7


def drawn_curves(lines: Mapping[str, Sequence[Series]], x_label: str, y_label: str) -> Curves:
    """Return the panels of operations by name. Every one has at least one line."""
    everything = [line for panel in lines.values() for line in panel]
    names = tuple(dict.fromkeys(line.label for line in everything))
    limits = _limits([point for line in everything for point in line.points])
    panels = tuple(_panel(title, series, names, limits, x_label) for title, series in lines.items())
    return Curves(x_label, y_label, names, panels)


def _panel(
    title: str, series: Sequence[Series], names: Sequence[str], limits: tuple[float, float], x_label: str
) -> Panel:
    levels = sorted({point.level for line in series for point in line.points})
    first, span = levels[0], levels[-1] - levels[0]
    low, high = limits

    def x(level: float) -> float:
        return round(LEFT + ((level - first) / span if span else 0.5) * (RIGHT - LEFT), 2)

    def y(value: float) -> float:
        return round(BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP), 2)

    def drawn(line: Series) -> DrawnLine:
        banded = [
            (x(p.level), p.low, p.high) for p in line.points if p.low is not None and p.high is not None
        ]
        corners = [(at, y(top)) for at, _, top in banded] + [(at, y(foot)) for at, foot, _ in banded[::-1]]
        points = tuple((x(p.level), y(p.mean)) for p in line.points)
        seeds = tuple((x(p.level), y(value)) for p in line.points for value in p.dots)
        band = _path(corners) if len(banded) > 1 else None
        return DrawnLine(names.index(line.label) % 7, band, _path(points), seeds, points)

    grid = [low + (high - low) * step / 4 for step in range(5)]
    shown = levels if len(levels) <= 7 else [levels[0], levels[len(levels) // 2], levels[-1]]
    return Panel(
        title=title,
        x_label=f"{x_label} (0: clean)" if first == 0 else x_label,
        spoken=_spoken(series),
        values=tuple((y(value), number(value)) for value in grid),
        levels=tuple((x(level), number(level)) for level in shown),
        lines=tuple(drawn(line) for line in series),
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


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
    return "; ".join(
        f"{line.label}: {', '.join(f'{number(p.level)}: {number(p.mean)}' for p in line.points)}"
        for line in lines
    )
