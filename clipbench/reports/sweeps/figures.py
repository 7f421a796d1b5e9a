"""The figures of one sweep, or of several with a line for each model: curves, median ranks, heat maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.drawing import FigureText, Point, Series, curve, curve_grid, heat_map, save
from clipbench.reports.figures.records import Scale
from clipbench.reports.runs import shown_name
from clipbench.reports.sweeps.tables import model_labels
from clipbench.study.robustness.measures import Effect, Name, SweepSummary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN: tuple[Name, ...] = (("t2i", "hit@1"), ("t2i", "hit@10"), ("i2t", "hit@1"), ("t2i", "MedR"))
"""Metrics that have a figure of their own; the median rank has a logarithmic axis."""

TARGETS: Mapping[str, tuple[str, str]] = {
    "text": ("captions", "rate"),
    "image": ("photographs", "severity"),
}
"""What is perturbed and what its levels are called, in words."""

LINES = 4
"""Operations of one sweep that share one pair of axes; more of them have a panel each."""

WIDE = 6
"""Levels above which a heat map takes the whole width of a page."""

SHOWN_LEVELS = 2
"""Levels from which on an operation is a curve; one alone is a row of the heat map only."""


@dataclass(frozen=True)
class _Drawing:
    """One metric of several sweeps: everything a curve needs."""

    summaries: Sequence[SweepSummary]
    labels: Sequence[str]
    name: Name
    target: str

    @property
    def metric(self) -> str:
        return f"{self.name[0]} {shown_name(self.name[1])}"

    @property
    def is_rank(self) -> bool:
        return self.name[1] == "MedR"

    @property
    def y_label(self) -> str:
        return f"{self.metric} (log, lower is better)" if self.is_rank else self.metric

    @property
    def chance(self) -> float | None:
        """The score of a random order, where it is one number for all."""
        found = self.summaries[0].clean.get((self.name[0], f"chance-{self.name[1]}"))
        return None if found is None else float(f"{found:.2g}")  # its label is to be read at a glance

    def panels(self) -> dict[str, list[Series]]:
        """Return for every graded operation of the target its lines, one for each sweep that has it."""
        operations = dict.fromkeys(
            e.operation for one in self.summaries for e in one.effects if e.target == self.target
        )
        found: dict[str, list[Series]] = {}
        for operation in operations:
            lines = [self._line(one, i, operation) for i, one in enumerate(self.summaries)]
            drawn = [line for line in lines if line is not None and len(line.points) > SHOWN_LEVELS]
            if drawn:
                found[operation] = drawn
        return found

    def _line(self, one: SweepSummary, number: int, operation: str) -> Series | None:
        effects = [e for e in one.effects if e.operation == operation and self.name in e.values]
        if not effects or self.name not in one.clean:
            return None
        low, high = one.clean_bounds.get(self.name, (None, None))
        if (
            self.is_rank
        ):  # no interval of a median's mean over seeds is stored, so none of the clean one is drawn
            low = high = None
        points = [Point(0.0, one.clean[self.name], None, low, high)]
        points += [_point(e, self.name) for e in sorted(effects, key=lambda e: e.level)]
        return Series(self.labels[number], tuple(points))


def _point(effect: Effect, name: Name) -> Point:
    value, bound = effect.values[name], effect.bounds.get(name)
    seeds = tuple(number for _, number in value.values)
    return Point(
        effect.level, value.mean, value.sd, bound.low if bound else None, bound.high if bound else None, seeds
    )


def sweep_figures(summaries: Sequence[SweepSummary], folder: Path) -> tuple[Path, ...]:
    """Write every figure into a folder and return the files.

    Per target (captions, photographs): a curve of each metric against level with seeds and interval, one
    panel per operation where there are several; and per sweep a heat map operation × level. Raises
    ClipbenchError where nothing can be drawn, matplotlib is not installed, or the folder cannot be written.
    """
    labels = model_labels(summaries)
    figures: dict[str, Callable[[], Figure]] = {}
    for target in TARGETS:
        for name in DRAWN:
            drawing = _Drawing(summaries, labels, name, target)
            if panels := drawing.panels():
                stem = f"{name[0]}-{shown_name(name[1]).replace('@', '')}-{TARGETS[target][0]}"
                figures[stem] = _curves(drawing, panels)
        for number, one in enumerate(summaries):
            if any(effect.target == target for effect in one.effects):
                suffix = f"-{number + 1}" if len(summaries) > 1 else ""
                figures[f"heat-map-{TARGETS[target][0]}{suffix}"] = _heat_map(one, labels[number], target)
    if not figures:
        raise ClipbenchError("the sweep holds nothing to draw: it has no perturbed run")
    written: list[Path] = []
    for stem, draw in figures.items():
        written += save(draw(), folder, stem)
    return tuple(written)


def _curves(drawing: _Drawing, panels: Mapping[str, Sequence[Series]]) -> Callable[[], Figure]:
    where, level = TARGETS[drawing.target]
    title = _title(drawing.summaries, drawing.metric, where)
    several = len(drawing.summaries) > 1
    scale: Scale = "log" if drawing.is_rank else "linear"

    def draw() -> Figure:
        text = FigureText(title, level, drawing.y_label, "95% interval over images")
        if len(panels) > (1 if several else LINES):
            return curve_grid(panels, text, chance=drawing.chance, y_scale=scale)
        if several:  # a line for each model, of the one operation there is
            [(operation, lines)] = panels.items()
            text = replace(text, title=f"{title}, {operation}")
        else:  # a line for each operation
            lines = [Series(name, line.points) for name, [line] in panels.items()]
        return curve(lines, text, chance=drawing.chance, y_scale=scale)

    return draw


def _title(summaries: Sequence[SweepSummary], metric: str, where: str) -> str:
    run = summaries[0].clean_run
    models = f", {run.model}" if len(summaries) == 1 else ""
    return f"{run.dataset_name}{models}: {metric} with perturbed {where}"


def _heat_map(summary: SweepSummary, label: str, target: str) -> Callable[[], Figure]:
    where, words = TARGETS[target]
    name: Name = ("t2i", "hit@1") if ("t2i", "hit@1") in summary.clean else ("i2t", "hit@1")
    metric = f"{name[0]} {shown_name(name[1])}"
    effects = {(e.operation, e.level): e.values[name].mean for e in summary.effects if e.target == target}
    rows = list(dict.fromkeys(operation for operation, _ in effects))
    levels = sorted({level for _, level in effects})
    clean = summary.clean[name]
    values = [[clean, *(effects.get((row, level)) for level in levels)] for row in rows]
    return lambda: heat_map(
        rows,
        ["clean", *(f"{level:g}" for level in levels)],
        values,
        title=f"{summary.clean_run.dataset_name}, {label}: {metric} with perturbed {where}",
        x_label=words,
        value_format=".3f",
        column="double" if len(levels) > WIDE else "single",
    )
