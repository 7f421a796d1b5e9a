"""The sizes of a heat map, worked out from its texts before anything is drawn. Inches, unless said otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from clipbench.reports.figures.page import PAD
from clipbench.reports.figures.style import LABEL, TICK
from clipbench.reports.figures.text import LINE, printable, shortened, widest_piece, width_of, wrapped

NUMBER_SIZES = (7.0, 6.5, 6.0, 5.5, 5.0)
"""Sizes in points tried for the numbers; where even the last is too large, the figure becomes wider."""

SLANT = sqrt(0.5)
"""Width and height of a unit of text at 45 degrees."""

LONGEST_SLANTED = 1.5
"""Length of a slanted column label; longer ones lose their middle."""


@dataclass(frozen=True, slots=True)
class HeatPlan:
    """width: of the figure. left, below: space for the labels. cell, row: width and height of one cell.

    number_size: in points. slanted: whether the column labels stand at 45 degrees.
    """

    width: float
    left: float
    cell: float
    row: float
    below: float
    number_size: float
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    slanted: bool


def plan_heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    printed: Sequence[Sequence[str]],
    width: float,
    *,
    named: bool,
) -> HeatPlan:
    """Return the sizes of a heat map `width` wide, or wider where numbers of 5 points would not fit.

    `printed` holds the numbers as text; `named`: whether a label of the horizontal axis is to fit below.
    """
    row_lines = [wrapped(printable(label), width * 72 * 0.36, TICK) for label in rows]
    left = _widest(row_lines) + 0.1
    cell = (width - left - PAD) / len(columns)
    column_lines = _upright(columns, cell)
    slanted = column_lines is None
    if column_lines is None:
        column_lines = _slanted(columns, cell)
        reach = _widest([column_lines[0]]) * SLANT + 2 * PAD  # of the first label, to the left
        left = max(left, (reach - width / (2 * len(columns))) / (1 - 1 / (2 * len(columns))))
        cell = (width - left - PAD) / len(columns)
    needed = {
        size: max(width_of(t, size) for row in printed for t in row) / 72 + 0.05 for size in NUMBER_SIZES
    }
    size = next((size for size in NUMBER_SIZES if needed[size] <= cell), NUMBER_SIZES[-1])
    cell = max(cell, needed[size])
    heights = [len(lines) * TICK * LINE / 72 for lines in column_lines]
    tall = (_widest(column_lines) + max(heights)) * SLANT if slanted else max(heights)
    return HeatPlan(
        width=left + cell * len(columns) + PAD,
        left=left,
        cell=cell,
        row=max(0.19, max(map(len, row_lines)) * TICK * LINE / 72 + 0.04),
        below=tall + 0.08 + (LABEL * LINE / 72 + PAD if named else 0.0),
        number_size=size,
        row_labels=tuple("\n".join(lines) for lines in row_lines),
        column_labels=tuple("\n".join(lines) for lines in column_lines),
        slanted=slanted,
    )


def _widest(labels: Sequence[Sequence[str]]) -> float:
    return max((width_of(line, TICK) for lines in labels for line in lines), default=0.0) / 72


def _upright(columns: Sequence[str], cell: float) -> list[list[str]] | None:
    """Return column labels of up to three lines, None where that would break a word."""
    room = cell * 72 - 4
    if any(widest_piece(printable(label), TICK) > room for label in columns):
        return None
    lines = [wrapped(printable(label), room, TICK) for label in columns]
    return lines if max(map(len, lines)) <= 3 else None


def _slanted(columns: Sequence[str], cell: float) -> list[list[str]]:
    """Return column labels in as many lines as fit side by side at 45 degrees, shortened where need be."""
    most = max(1, int(cell * SLANT * 72 / (TICK * LINE)))
    result = []
    for label in columns:
        lines = wrapped(printable(label), LONGEST_SLANTED * 72, TICK)
        if len(lines) > most:
            lines = wrapped(
                shortened(printable(label), most * LONGEST_SLANTED * 72 * 0.85, TICK),
                LONGEST_SLANTED * 72,
                TICK,
            )
        result.append(lines[:most])
    return result
