"""The distribution of failure categories as a figure: a dot with its interval for each, annotators beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.failures.taxonomy import NAMES
from clipbench.reports.annotation.tables import LONG
from clipbench.reports.figures.files import save
from clipbench.reports.figures.page import finish, new_figure
from clipbench.reports.figures.style import PALE, WIDTHS, drawing, stroke
from clipbench.study.annotation.summary import Summary

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.24
"""Inches of height for each category."""

MOST_ANNOTATORS = 4
"""With more annotators than these the figure shows only all of them together."""


def save_distribution(summary: Summary, folder: Path) -> tuple[Path, ...]:
    """Draw the distribution into a folder and return its files. Raises ClipbenchError."""
    return save(distribution_figure(summary), folder, f"failure-categories-{summary.policy}")


def distribution_figure(summary: Summary) -> Figure:
    """Return the share of each category with its Wilson interval, and every annotator's own share beside it."""
    names = list(summary.by_annotator)
    several = names if 1 < len(names) <= MOST_ANNOTATORS else []
    with drawing():
        from matplotlib.ticker import PercentFormatter

        figure = new_figure(WIDTHS["single"])
        axes = figure.add_subplot()
        handles = _draw_annotators(axes, summary, several)
        for place, share in enumerate(summary.distribution):
            if share.interval is None or share.share is None:
                continue
            bounds = [share.interval.low, share.interval.high]
            axes.plot(bounds, [place, place], color=stroke(0).colour, linewidth=1.4, solid_capstyle="butt")
            axes.plot(
                [share.share], [place], "o", color=stroke(0).colour, markersize=4.5, zorder=3, clip_on=False
            )
        axes.set_yticks(range(len(NAMES)), [LONG[name] for name in NAMES])
        axes.set_ylim(len(NAMES) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_xlabel("share of labels")
        axes.grid(axis="x", color=PALE, linewidth=0.5)
        axes.tick_params(axis="y", length=0)
        note = (
            f"{summary.counted} labels, merge policy {summary.policy}; bars: "
            f"{summary.confidence * 100:g}% Wilson intervals"
        )
        title = f"Failure categories of {summary.what}"
        finish(figure, title, tall=ROW * len(NAMES), handles=handles, note=note)
    return figure


def _draw_annotators(axes: Axes, summary: Summary, names: list[str]) -> list[Artist]:
    """Draw a hollow mark for each annotator's share of each category and return what the legend shows."""
    from matplotlib.lines import Line2D

    handles: list[Artist] = []
    for number, name in enumerate(names, start=1):
        counts = summary.by_annotator[name]
        total = sum(counts.values())
        look = stroke(number)
        shift = 0.16 if number % 2 else -0.16
        if total:
            shares = [counts[category] / total for category in NAMES]
            places = [place + shift for place in range(len(NAMES))]
            axes.plot(
                shares,
                places,
                look.marker,
                color=look.colour,
                markerfacecolor="white",
                markersize=3.2,
                clip_on=False,
            )
        mark = Line2D([], [], linestyle="", marker=look.marker, color=look.colour, markerfacecolor="white")
        mark.set_label(f"{name} ({total})")
        handles.append(mark)
    together = Line2D([], [], color=stroke(0).colour, marker="o", label="counted")
    return [together, *handles] if handles else []
