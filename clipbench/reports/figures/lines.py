"""Lines in one pair of axes: the value against the level, with interval, seeds or sd, and chance.

Knows nothing of what stands around the axes (`figure_page`). Call inside `figure_style.drawing()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from clipbench.reports.figures.records import Chance, Point, Scale, Series
from clipbench.reports.figures.style import GREY, PALE, TICK, Stroke
from clipbench.reports.figures.text import log_ticks, number, roomy, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

EDGE = 6.0
"""Points between the outermost levels and the ends of the axis."""

CHANCE_DASHES = (0.0, (1.0, 1.5))


def draw_lines(axes: Axes, series: Sequence[Series], strokes: Mapping[str, Stroke], *, small: bool) -> None:
    """Draw every series in its stroke: band, dots or bars, and the line on top. `small`: for small multiples."""
    size, weight = (2.8, 0.9) if small else (4.0, 1.3)
    for line in series:
        look = strokes[line.label]
        for part in _stretches(line.points):
            _interval(axes, part, look, faint=len(series) > 3)
        _seeds(axes, line.points, look, size)
        barred = [point for point in line.points if point.bar is not None]
        if barred:
            axes.errorbar(
                [point.level for point in barred],
                [point.mean for point in barred],
                yerr=[point.bar or 0.0 for point in barred],
                fmt="none",
                ecolor=look.colour,
                elinewidth=0.7,
                capsize=1.8,
                capthick=0.7,
                zorder=2,
            )
        drawn = axes.plot([p.level for p in line.points], [p.mean for p in line.points], zorder=3)
        dress(drawn[0], look, size, weight)


def dress(line: Line2D, look: Stroke, size: float = 4.0, weight: float = 1.3) -> None:
    """Give a line its colour, marker, fill and dashes; `size` and `weight` in points."""
    line.set(color=look.colour, linestyle=look.dashes, linewidth=weight)
    line.set(marker=look.marker, markersize=size, markerfacecolor=look.fill)
    line.set(markeredgecolor=look.colour, markeredgewidth=0.8)
    line.set_clip_on(False)  # a marker at the very top of the scale stays whole


def draw_chance(axes: Axes, chance: Chance) -> None:
    """Draw the score of random vectors as a thin dotted line."""
    if isinstance(chance, Series):
        xs, ys = [p.level for p in chance.points], [p.mean for p in chance.points]
        axes.plot(xs, ys, color=GREY, linewidth=0.8, linestyle=CHANCE_DASHES, zorder=1.5)
    elif chance is not None:
        axes.axhline(chance, color=GREY, linewidth=0.8, linestyle=CHANCE_DASHES, zorder=1.5)


def chance_label(chance: Chance) -> str:
    """Return how the chance line is named, with its value where it has one."""
    if isinstance(chance, Series):
        return chance.label
    return "" if chance is None else f"chance {number(chance)}"


def side_by_side(series: Sequence[Series], scale: Scale) -> Sequence[Series]:
    """Return the series moved apart a little where all have the same one level, else as they are.

    Lines tell their points apart; lone points of like value would hide each other.
    """
    levels = {point.level for line in series for point in line.points}
    if len(levels) > 1:
        return series
    step = min(0.1, 0.8 / len(series))
    moved = []
    for place, line in enumerate(series):
        shift = (place - (len(series) - 1) / 2) * step
        [point] = line.points
        level = point.level * 4.0**shift if scale == "log" else point.level + shift
        moved.append(Series(line.label, (replace(point, level=level),)))
    return moved


def set_levels(
    axes: Axes, series: Sequence[Series], scale: Scale, inches: float, clean: str = "clean"
) -> None:
    """Set the horizontal axis: a tick at every level, a label at as many as fit in `inches`.

    Level 0, the clean run, is labelled `clean`.
    """
    levels = sorted({point.level for line in series for point in line.points})
    low, high = levels[0], levels[-1]
    margin = EDGE / (inches * 72)
    if scale == "log":
        pad = (high / low) ** margin if high > low else 2.0
        low, high = low / pad, high * pad
        axes.set_xscale("log")
        labels = [number(level) for level in levels]
    else:
        pad = (high - low) * margin or 0.5
        low, high = low - pad, high + pad
        labels = [number(level) if level else clean for level in levels]
    axes.set_xlim(low, high)
    shown = roomy([share(level, low, high, scale) for level in levels], labels, inches, TICK)
    pairs = list(zip(levels, labels, shown, strict=True))
    axes.set_xticks([level for level, _, keep in pairs if keep])
    axes.set_xticklabels([label for _, label, keep in pairs if keep], parse_math=False)
    axes.set_xticks([level for level, _, keep in pairs if not keep], minor=True)
    axes.tick_params(axis="x", which="minor", labelbottom=False)


def set_values(axes: Axes, limits: tuple[float, float], scale: Scale) -> None:
    """Set the vertical axis and its ticks, with quiet grid lines."""
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    axes.grid(axis="y", color=PALE, linewidth=0.5)
    if scale == "log":
        axes.set_yscale("log")
        shown = log_ticks(*limits)
        axes.set_yticks(shown)
        axes.set_yticklabels([number(tick) for tick in shown])
        axes.set_yticks([], minor=True)
    else:
        most = 7 if axes.get_position().height > 0.5 else 4
        ticks = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(*limits)
        axes.set_yticks([float(tick) for tick in ticks if limits[0] <= tick <= limits[1]])
        formatter = ScalarFormatter(useOffset=False)
        formatter.set_scientific(False)
        axes.yaxis.set_major_formatter(formatter)
    axes.set_ylim(*limits)


def value_limits(series: Sequence[Series], chance: Chance, scale: Scale) -> tuple[float, float]:
    """Return the range of the vertical axis: all that is drawn, and a margin.

    Linear: starts at zero where the lowest value is under half the highest; else the axis would be
    mostly empty. Values of at most 1 never lead to ticks above 1. Log (ranks): starts just below 1 or
    the lowest value.
    """
    extents = [point.extent for line in series for point in line.points]
    if isinstance(chance, Series):
        extents += [(point.mean, point.mean) for point in chance.points]
    elif chance is not None:
        extents.append((chance, chance))
    low, high = min(low for low, _ in extents), max(high for _, high in extents)
    if scale == "log":
        means = [point.mean for line in series for point in line.points]
        low = max(low, min([*means, 1.0]))  # mean − sd may pass zero, which such an axis does not have
        return low / 1.15, max(high * 1.15, low * 3)
    if 0 <= low < high / 2 or low == high == 0:
        low = 0.0
    span = (high - low) or abs(high) * 0.1 or 1.0
    top = high + span * 0.06
    if high <= 1 < top:
        top = 1 + span * 0.015
    return low - span * (0.03 if low == 0 else 0.08), top


def marks_note(series: Sequence[Series], interval: str) -> str:
    """Say in words what the band, the dots and the bars are, as far as there are any."""
    points = [point for line in series for point in line.points]
    parts = []
    if any(point.low is not None for point in points):
        parts.append(f"Band: {interval}.")
    if any(point.dots for point in points):
        parts.append("Dots: single seeds.")
    if any(point.bar is not None for point in points):
        parts.append("Bars: ± 1 sd over seeds.")
    return " ".join(parts)


def _stretches(points: Sequence[Point]) -> list[list[Point]]:
    """Return the runs of neighbouring points that have an interval."""
    parts: list[list[Point]] = []
    open_part = False
    for point in points:
        if point.low is None:
            open_part = False
        elif open_part:
            parts[-1].append(point)
        else:
            parts.append([point])
            open_part = True
    return parts


def _seeds(axes: Axes, points: Sequence[Point], look: Stroke, size: float) -> None:
    """Draw the seeds' values just right of their mean's marker, which would hide them."""
    from matplotlib.transforms import ScaledTranslation

    dots = [(point.level, value) for point in points for value in point.dots]
    if not dots:
        return
    aside = ScaledTranslation((size / 2 + 1.6) / 72, 0, axes.figure.dpi_scale_trans)
    axes.plot(
        [level for level, _ in dots],
        [value for _, value in dots],
        linestyle="none",
        marker="o",
        markersize=size * 0.38,
        color=look.colour,
        markeredgewidth=0,
        zorder=2.5,
        transform=axes.transData + aside,
    )


def _interval(axes: Axes, part: Sequence[Point], look: Stroke, *, faint: bool) -> None:
    alpha = 0.12 if faint else 0.2
    levels = [point.level for point in part]
    lows = [point.mean if point.low is None else point.low for point in part]
    highs = [point.mean if point.high is None else point.high for point in part]
    if len(part) == 1:  # a band of no width would not be seen
        axes.vlines(levels, lows, highs, colors=look.colour, linewidth=7, alpha=alpha, zorder=1)
    else:
        axes.fill_between(levels, lows, highs, color=look.colour, alpha=alpha, linewidth=0, zorder=1)
