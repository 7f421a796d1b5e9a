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

APART = 26
"""Between labels of levels that can both be read."""

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

    @property
    def has_seeds(self) -> bool:
        """Whether any point shows the seeds that it is the mean of."""
        return any(line.seeds for panel in self.panels for line in panel.lines)


def drawn_curves(
    lines: Mapping[str, Sequence[Series]], x_label: str, y_label: str, zero: str = "clean"
) -> Curves:
    """Return the panels of operations by name. Every one has at least one line. zero: what level 0 is."""
    everything = [line for panel in lines.values() for line in panel]
    names = tuple(dict.fromkeys(line.label for line in everything))
    limits = _limits([point for line in everything for point in line.points])
    panels = tuple(
        _panel(title, series, names, limits, (x_label, f"{x_label} (0: {zero})"))
        for title, series in lines.items()
    )
    return Curves(x_label, y_label, names, panels)


def _panel(
    title: str,
    series: Sequence[Series],
    names: Sequence[str],
    limits: tuple[float, float],
    x_labels: tuple[str, str],
) -> Panel:
    """x_labels: of panels that begin above 0, and of those that begin there."""
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
    # Both ends are labelled, and between them what is not written over its left neighbour or the last.
    labelled = [
        level
        for n, level in enumerate(shown)
        if n in {0, len(shown) - 1} or min(x(level) - x(shown[n - 1]), RIGHT - x(level)) >= APART
    ]
    return Panel(
        title=title,
        x_label=x_labels[first == 0],
        spoken=_spoken(series),
        values=tuple((y(value), number(value)) for value in grid),
        levels=tuple((x(level), number(level)) for level in labelled),
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
