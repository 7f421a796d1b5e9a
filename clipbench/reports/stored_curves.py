"""Runs that differ in one number as tables, and as lines to draw."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.keys import short
from clipbench.records import DIRECTIONS
from clipbench.reports.figures.records import Point, Series
from clipbench.reports.runs import shown_name
from clipbench.reports.tables import Cell, Column, Table
from clipbench.study.runs.curves import NAMES, Place, StoredCurve


def curve_tables(curves: Sequence[StoredCurve]) -> list[Table]:
    """Return a table for each curve: the value, R@K with its interval in each direction that was run, and the run."""
    return [_table(curve) for curve in curves]


def curve_lines(curve: StoredCurve) -> dict[str, list[Series]]:
    """Return a line for each R@K, by the direction it is of."""
    lines: dict[str, list[Series]] = {}
    for direction in _directions(curve):
        for name in NAMES:
            points = tuple(
                Point(place.at, value, None, *bounds)
                for place in curve.places
                if (found := _number(place, direction, name)) is not None
                for value, bounds in [found]
            )
            if len(points) > 1:
                lines.setdefault(direction, []).append(Series(shown_name(name), points))
    return lines


def _table(curve: StoredCurve) -> Table:
    directions = _directions(curve)
    columns = [Column("value", curve.name, 2 if curve.name in {"α", "share"} else 0)]
    for direction in directions:
        columns += [Column(f"{direction} {shown_name(name)}") for name in NAMES]
        columns.append(
            Column(f"{direction} {shown_name(NAMES[0])} interval", f"95 % of {direction} R@1", right=True)
        )
    rows = tuple(
        (
            place.at,
            *(cell for direction in directions for cell in _cells(place, direction)),
            short(place.run.key),
        )
        for place in curve.places
    )
    title = f"{curve.dataset}: stored runs by {curve.name}"
    return Table(title, (*columns, Column("run")), rows)


def _directions(curve: StoredCurve) -> list[str]:
    known = {metric.direction for place in curve.places for metric in place.metrics}
    return [direction for direction in DIRECTIONS if direction in known]


def _cells(place: Place, direction: str) -> list[Cell]:
    numbers = [_number(place, direction, name) for name in NAMES]
    low, high = numbers[0][1] if numbers[0] else (None, None)
    interval = None if low is None or high is None else f"[{low:.4f}, {high:.4f}]"
    return [*(None if number is None else number[0] for number in numbers), interval]


def _number(
    place: Place, direction: str, name: str
) -> tuple[float, tuple[float | None, float | None]] | None:
    for metric in place.metrics:
        if metric.direction == direction and metric.name == name:
            return metric.value, (metric.low, metric.high)
    return None
