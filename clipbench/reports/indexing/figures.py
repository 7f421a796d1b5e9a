"""What a sweep of indexes found as a figure: hits lost against the time of a single query."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.files import save
from clipbench.reports.figures.page import as_lines, finish, new_figure
from clipbench.reports.figures.style import GREY, LABEL, PALE, TICK, WIDTHS, Stroke, drawing, stroke
from clipbench.study.indexing.lines import Line
from clipbench.study.indexing.sweep import IndexSweep

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TALL = 2.0
"""Height of the axes in inches."""


def sweep_figures(sweep: IndexSweep, folder: Path, max_loss: float) -> tuple[Path, ...]:
    """Draw a sweep into a folder and return its files. Raises ClipbenchError where nothing was timed."""
    return save(sweep_figure(sweep, max_loss), folder, f"index-{sweep.asked}-loss")


def sweep_figure(sweep: IndexSweep, max_loss: float) -> Figure:
    """Return the change of R@1 against the median time of a single query, a line for each index, exact search at 0.

    max_loss: points of R@1, drawn as a line that nothing should fall below.
    """
    groups = _groups(sweep)
    if _milliseconds(sweep.exact) is None or not groups:
        raise ClipbenchError("no setting of the sweep was timed, so there is nothing to draw")
    first = sweep.exact.losses[0].k
    with drawing():
        figure = new_figure(WIDTHS["single"])
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.grid(axis="y", color=PALE, linewidth=0.5)
        axes.axhline(-max_loss, color=GREY, linewidth=0.8, linestyle=(0.0, (1.0, 1.5)), zorder=1.5)
        handles = [_draw(axes, label, lines, stroke(n)) for n, (label, lines) in enumerate(groups.items())]
        handles.append(_draw_exact(axes, sweep.exact))
        _set_times(axes, [x for lines in groups.values() for x in _times(lines)] + _times([sweep.exact]))
        axes.set_xlabel("milliseconds a query (median, one thread)")
        axes.set_ylabel(as_lines(f"Δ R@{first}, points", TALL, LABEL))
        title = f"{sweep.dataset}, {sweep.model}: what indexes of {sweep.items:,} items lose"
        note = (
            "Numbers: the parameter of the search. Bars: paired 95% interval over images. "
            f"Dotted: {max_loss:g} points."
        )
        finish(figure, title, tall=TALL, handles=handles, note=note)
    return figure


def _groups(sweep: IndexSweep) -> Mapping[str, list[Line]]:
    """Return the lines of each index, quickest first."""
    groups: dict[str, list[Line]] = {}
    for line in sweep.lines:
        if _milliseconds(line) is not None:
            groups.setdefault(line.index_label, []).append(line)
    return {label: sorted(lines, key=lambda x: _milliseconds(x) or 0.0) for label, lines in groups.items()}


def _milliseconds(line: Line) -> float | None:
    seconds = line.seconds("query p50")
    return None if seconds is None else 1000 * seconds


def _times(lines: list[Line]) -> list[float]:
    return [time for line in lines if (time := _milliseconds(line)) is not None]


def _draw(axes: Axes, label: str, lines: list[Line], look: Stroke) -> Artist:
    from clipbench.reports.figures.lines import dress

    times = _times(lines)
    deltas = [100 * line.losses[0].delta for line in lines]
    for line, x in zip(lines, times, strict=True):
        interval = line.losses[0].interval
        if interval is not None:
            axes.vlines(x, 100 * interval.low, 100 * interval.high, colors=look.colour, linewidth=0.9)
        value = " ".join(str(number) for number in line.answers.search.values())
        y = 100 * line.losses[0].delta
        axes.annotate(value, (x, y), xytext=(3, 3), textcoords="offset points", size=TICK - 1, color=GREY)
    [drawn] = axes.plot(times, deltas, label=label, zorder=3)
    dress(drawn, look)
    return drawn


def _draw_exact(axes: Axes, exact: Line) -> Artist:
    look = Stroke("#000000", "X", "", "#000000")
    time = _milliseconds(exact) or 0.0
    axes.axvline(time, color=GREY, linewidth=0.6, zorder=1)
    [drawn] = axes.plot([time], [0.0], look.marker, color=look.colour, label="exact", zorder=4)
    drawn.set_clip_on(False)
    return drawn


def _set_times(axes: Axes, times: list[float]) -> None:
    """Write times as numbers, not as powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = min(times) / 1.15, max(times) * 1.15
    steps = (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0) if high / low < 4 else (1.0, 2.0, 5.0)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
