"""The curves of a page: for each graded operation of the sweeps, a panel with a line per sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.reports.comparing.words import metric_label
from clipbench.reports.figures.records import Point, Series
from clipbench.study.robustness.measures import Effect, Name, SweepSummary

DRAWN: tuple[Name, ...] = (("t2i", "hit@1"), ("i2t", "hit@1"))
LEVEL_NAMES = {"text": "share of words or characters", "image": "severity"}


@dataclass(frozen=True)
class Panels:
    """Curves that share a vertical scale."""

    x_label: str
    y_label: str
    panels: dict[str, list[Series]]


def sweep_panels(summaries: Sequence[SweepSummary]) -> list[Panels]:
    """Return the curves of sweeps of one dataset, captions and photographs apart.

    An operation with one level only is no curve; its numbers are in the table.
    """
    labels = _labels(summaries)
    found = []
    for target, x_label in LEVEL_NAMES.items():
        name = next((n for n in DRAWN if all(n in one.clean for one in summaries)), None)
        if name is None:
            continue
        panels: dict[str, list[Series]] = {}
        for summary, label in zip(summaries, labels, strict=True):
            for operation in dict.fromkeys(e.operation for e in summary.effects if e.target == target):
                line = _line(summary, operation, name, label)
                if line is not None:
                    panels.setdefault(operation, []).append(line)
        if panels:
            found.append(Panels(x_label, metric_label(*name), panels))
    return found


def _line(summary: SweepSummary, operation: str, name: Name, label: str) -> Series | None:
    effects = [e for e in summary.effects if e.operation == operation and name in e.values]
    if len(effects) < 2:
        return None
    low, high = summary.clean_bounds.get(name, (None, None))
    clean = Point(0.0, summary.clean[name], low=low, high=high)
    return Series(label, (clean, *(_point(e, name) for e in sorted(effects, key=lambda e: e.level))))


def _point(effect: Effect, name: Name) -> Point:
    value, bound = effect.values[name], effect.bounds.get(name)
    seeds = tuple(number for _, number in value.values)
    return Point(
        effect.level,
        value.mean,
        low=bound.low if bound else None,
        high=bound.high if bound else None,
        seeds=seeds,
    )


def _labels(summaries: Sequence[SweepSummary]) -> list[str]:
    models = [one.clean_run.model for one in summaries]
    return [
        model if models.count(model) == 1 else f"{model} ({one.sweep.name})"
        for model, one in zip(models, summaries, strict=True)
    ]
