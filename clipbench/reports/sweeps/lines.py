"""The lines of sweeps, for figures and pages: one for each operation and sweep, from the stored numbers."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.reports.figures.records import Point, Series
from clipbench.reports.sweeps.tables import model_labels
from clipbench.study.robustness.measures import Effect, Name, SweepSummary

FEWEST = 2
"""Levels from which on an operation is a curve; one alone is a row of the tables and heat maps only."""


def sweep_lines(summaries: Sequence[SweepSummary], name: Name, target: str) -> dict[str, list[Series]]:
    """Return, for every graded operation of a target ("text", "image"), a line for each sweep that has it."""
    operations = dict.fromkeys(e.operation for one in summaries for e in one.effects if e.target == target)
    lines: dict[str, list[Series]] = {}
    for operation in operations:
        for summary, label in zip(summaries, model_labels(summaries), strict=True):
            effects = [e for e in summary.effects if e.operation == operation and name in e.values]
            if len(effects) >= FEWEST and name in summary.clean:
                points = (_clean(summary, name), *_points(effects, name))
                lines.setdefault(operation, []).append(Series(label, points))
    return lines


def _clean(summary: SweepSummary, name: Name) -> Point:
    # No interval of a median's mean over seeds is stored, so none of the clean one is drawn.
    low, high = (None, None) if name[1] == "MedR" else summary.clean_bounds.get(name, (None, None))
    return Point(0.0, summary.clean[name], None, low, high)


def _points(effects: Sequence[Effect], name: Name) -> list[Point]:
    points = []
    for effect in sorted(effects, key=lambda effect: effect.level):
        value, bound = effect.values[name], effect.bounds.get(name)
        seeds = tuple(number for _, number in value.values)
        low, high = (bound.low, bound.high) if bound else (None, None)
        points.append(Point(effect.level, value.mean, value.sd, low, high, seeds))
    return points
