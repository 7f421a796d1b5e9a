"""What a figure shows, as plain numbers: a series of points, each with its spread and its interval.

Knows neither the store nor matplotlib. What does not exist is None or absent, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from clipbench.errors import ClipbenchError

Column: TypeAlias = Literal["single", "double"]
"""Width on paper: one column (3.5 in) or the whole page of a two-column paper (7.16 in)."""

Scale: TypeAlias = Literal["linear", "log"]


@dataclass(frozen=True, slots=True)
class Point:
    """One measured number at one level, severity or gallery size.

    mean: the value, over seeds where there are several. sd: its standard deviation over seeds. low and
    high: the interval. seeds: every seed's value. None or empty is what was not measured.
    """

    level: float
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        given = [self.level, self.mean, *self.seeds]
        given += [value for value in (self.sd, self.low, self.high) if value is not None]
        if not all(math.isfinite(value) for value in given):
            raise ValueError(f"a point needs finite numbers, here {self}; leave out what was not measured")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"an interval has two ends, here {self.low} and {self.high}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"an interval's low end is at most its high end, here {self.low} > {self.high}")
        if self.sd is not None and self.sd < 0:
            raise ValueError(f"a standard deviation is not negative, here {self.sd}")

    @property
    def extent(self) -> tuple[float, float]:
        """The lowest and the highest number drawn for this point."""
        shown = [self.mean, *self.seeds]
        if self.low is not None and self.high is not None:
            shown += [self.low, self.high]
        if self.bar is not None:
            shown += [self.mean - self.bar, self.mean + self.bar]
        return min(shown), max(shown)

    @property
    def dots(self) -> tuple[float, ...]:
        """The seeds' values where there are several; the single one is the mean."""
        return self.seeds if len(self.seeds) > 1 else ()

    @property
    def bar(self) -> float | None:
        """Half the error bar: the sd, None where the seeds themselves are drawn or no sd is known."""
        return self.sd if self.sd and not self.dots else None


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a model, or an operation. Its points stand in ascending order of level."""

    label: str
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError(f"the series {self.label!r} has no points; leave it out")
        levels = [point.level for point in self.points]
        if any(after <= before for before, after in pairwise(levels)):
            raise ValueError(f"the levels of {self.label!r} do not ascend: {levels}")


Chance: TypeAlias = float | Series | None
"""The score of random vectors: one number for all levels, or a line of its own."""


@dataclass(frozen=True, slots=True)
class FigureText:
    """The words of a figure. interval: what its bands are. note: what else is said beneath, a sentence or none."""

    title: str
    x_label: str
    y_label: str
    interval: str = "95% interval"
    note: str = ""


def check_series(series: Sequence[Series], x_scale: Scale = "linear", y_scale: Scale = "linear") -> None:
    """Raise ClipbenchError where there is nothing to draw, ValueError for a name of two lines.

    And ValueError where a logarithmic axis would meet zero or less.
    """
    if not series:
        raise ClipbenchError("there are 0 runs to draw", "clipbench runs list")
    labels = [line.label for line in series]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"{len(series)} lines, but {len(set(labels))} labels; more than once: {twice}")
    for line in series:
        for point in line.points:
            for value, axis, scale in ((point.level, "levels", x_scale), (point.mean, "values", y_scale)):
                if scale == "log" and value <= 0:
                    raise ValueError(f"{line.label!r} has {value:g} among the {axis} of a logarithmic axis")
