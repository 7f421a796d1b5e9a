"""Lines in one pair of axes: the value against the level, with interval, seeds or sd, chance and names.

Knows nothing of what stands around the axes (`page`). Call inside `style.drawing()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from clipbench.reports.figures.records import Chance, FigureText, Scale, Series
from clipbench.reports.figures.style import GREY, INK, PALE, TICK, Stroke
from clipbench.reports.figures.text import LINE, number, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

CHANCE_DASHES = (0.0, (1.0, 1.5))

ASIDE = 18.0
"""Points from a line's last point to its name."""


def draw_lines(axes: Axes, series: Sequence[Series], strokes: Mapping[str, Stroke], *, small: bool) -> None:
    """Draw every series in its stroke: band, seeds or bars, and the line on top. `small`: for small multiples."""
    size, weight = (2.8, 0.9) if small else (4.0, 1.3)
    for line in series:
        look = strokes[line.label]
        _bands(axes, line, look, alpha=0.12 if len(series) > 3 else 0.2)
        # Wider than the mean's marker, which would hide a dot that lies on its own level.
        dashes = [(point.level, value) for point in line.points for value in point.dots]
        if dashes:
            levels, values = zip(*dashes, strict=True)
            axes.plot(levels, values, "_", color=look.colour, markersize=size * 2, markeredgewidth=0.6)
        barred = [(p.level, p.mean, p.bar) for p in line.points if p.bar is not None]
        if barred:
            levels, means, bars = zip(*barred, strict=True)
            axes.errorbar(levels, means, bars, fmt="none", ecolor=look.colour, elinewidth=0.7, capsize=1.8)
        [drawn] = axes.plot([p.level for p in line.points], [p.mean for p in line.points], zorder=3)
        dress(drawn, look, size, weight)


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


def set_levels(axes: Axes, series: Sequence[Series], scale: Scale, clean: str) -> None:
    """Set the horizontal axis: a labelled tick at every level. Level 0, the clean run, is labelled `clean`."""
    levels = sorted({point.level for line in series for point in line.points})
    low, high = levels[0], levels[-1]
    if scale == "log":
        edge = (high / low) ** 0.03 if high > low else 2.0
        axes.set_xscale("log")
        axes.set_xlim(low / edge, high * edge)
    else:
        edge = (high - low) * 0.03 or 0.5
        axes.set_xlim(low - edge, high + edge)
    labels = [number(level) if level or scale == "log" else clean for level in levels]
    axes.set_xticks(levels, labels, parse_math=False)
    axes.set_xticks([], minor=True)


def drop_crowded_labels(axes: Axes) -> None:
    """Blank the labels of levels that would touch their neighbours; both ends stay. Call once laid out."""
    labels = axes.get_xticklabels()
    boxes = [label.get_window_extent() for label in labels]
    gap = axes.figure.dpi * 3 / 72
    kept, edge = [0], boxes[0].x1 + gap
    for place, box in enumerate(boxes[1:], start=1):
        last = place == len(boxes) - 1
        if box.x0 > edge and (last or box.x1 + gap < boxes[-1].x0):
            kept.append(place)
            edge = box.x1 + gap
    shown = [label.get_text() if place in kept else "" for place, label in enumerate(labels)]
    axes.set_xticks(axes.get_xticks(), shown, parse_math=False)


def set_values(axes: Axes, limits: tuple[float, float], scale: Scale, most: int) -> None:
    """Set the vertical axis: `most` ticks where it is linear, numbers and not powers where it is logarithmic."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_yscale(scale)
    locator: LogLocator | MaxNLocator = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
    if scale == "log":
        locator = LogLocator(subs=_steps(*limits), numticks=20)
    ticks = [float(t) for t in locator.tick_values(*limits) if limits[0] <= t <= limits[1]]
    axes.set_yticks(ticks, [number(tick) for tick in ticks] if scale == "log" else None)
    axes.set_yticks([], minor=True)
    if scale == "linear":
        axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    axes.set_ylim(*limits)


def _steps(low: float, high: float) -> tuple[float, ...]:
    """Return which of 1 to 10 have a tick on a logarithmic axis: 1, 2 and 5, as everybody reads them at once.

    Only where fewer than three of those lie on the axis there are more, and only powers of 10 on a very long one.
    """
    if high / low >= 300:
        return (1.0,)
    plain = [step * 10.0**power for power in range(-6, 9) for step in (1, 2, 5)]
    few = sum(low <= tick <= high for tick in plain) < 3
    return (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if few else (1.0, 2.0, 5.0)


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


def marks_note(series: Sequence[Series], text: FigureText) -> str:
    """Say in words what the band, the dashes and the bars are, as far as there are any, and what else is to be said."""
    points = [point for line in series for point in line.points]
    words = {
        f"Band: {text.interval}.": any(point.low is not None for point in points),
        "Dashes: single seeds.": any(point.dots for point in points),
        "Bars: ± 1 sd over seeds.": any(point.bar is not None for point in points),
    }
    said = [sentence for sentence, there in words.items() if there]
    return " ".join([*said, *([text.note] if text.note else [])])


def write_names(
    axes: Axes, series: Sequence[Series], strokes: Mapping[str, Stroke], chance: Chance, tall: float
) -> None:
    """Write every line's name beside its end, moved up or down where names would collide.

    A thin lead joins the two: a copy of the marker would look like one more point. tall: inches of the axes.
    """
    ends = [(s.label, s.points[-1].level, s.points[-1].mean, strokes[s.label]) for s in series]
    if chance is not None:
        grey = Stroke(GREY, "", CHANCE_DASHES, GREY)
        value = chance.points[-1].mean if isinstance(chance, Series) else chance
        ends.append((chance_label(chance), series[0].points[-1].level, value, grey))
    to_axes = axes.transScale + axes.transLimits
    wanted = [to_axes.transform((level, value))[1] * tall * 72 for _, level, value, _ in ends]
    for (label, level, value, look), own, moved in zip(
        ends, wanted, apart(wanted, TICK * LINE, 0.0, tall * 72), strict=True
    ):
        lead = {"arrowstyle": "-", "color": look.colour, "linestyle": look.dashes, "linewidth": 0.6}
        axes.annotate(
            printable(label),
            xy=(level, value),
            xytext=(ASIDE, moved - own),
            textcoords="offset points",
            va="center",
            size=TICK,
            color=INK if look.marker else GREY,
            annotation_clip=False,
            arrowprops={**lead, "relpos": (0.0, 0.5), "shrinkA": 1, "shrinkB": 4},
        )


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions at least `gap` apart, in the order wanted, as near to `wanted` as can be, within low..high.

    Least squares: positions that collide move together and share the way (isotonic regression). Where they
    cannot all fit, the gap shrinks.

    >>> apart([5, 5, 9], 2, 0, 10)
    [4.0, 6.0, 9.0]
    """
    import numpy as np
    from scipy.optimize import isotonic_regression

    count = len(wanted)
    steps = np.arange(count) * min(gap, (high - low) / max(1, count - 1))
    order = np.argsort(wanted, kind="stable")
    lowest = isotonic_regression(np.asarray(wanted, dtype=np.float64)[order] - steps).x
    placed = np.empty(count)
    placed[order] = np.clip(lowest, low, high - steps[-1]) + steps
    return [float(place) for place in placed]


def _bands(axes: Axes, line: Series, look: Stroke, alpha: float) -> None:
    """Draw the interval, interrupted where a point has none."""
    for known, group in groupby(line.points, lambda point: point.low is not None):
        points = list(group)
        if not known:
            continue
        levels = [point.level for point in points]
        lows, highs = [point.low or 0.0 for point in points], [point.high or 0.0 for point in points]
        if len(points) == 1:  # a band of no width would not be seen
            axes.vlines(levels, lows, highs, colors=look.colour, linewidth=7, alpha=alpha, zorder=1)
        else:
            axes.fill_between(levels, lows, highs, color=look.colour, alpha=alpha, linewidth=0, zorder=1)
