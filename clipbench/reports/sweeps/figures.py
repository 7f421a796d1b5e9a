"""The figures of one sweep, or of several with a line for each model: curves, median ranks, heat maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.drawing import FigureText, Series, curve, curve_grid, heat_map, save
from clipbench.reports.figures.records import Scale
from clipbench.reports.runs import shown_name
from clipbench.reports.sweeps.lines import sweep_lines
from clipbench.reports.sweeps.tables import model_labels
from clipbench.study.robustness.measures import Name, SweepSummary

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


@dataclass(frozen=True)
class _Drawing:
    """One metric of several sweeps: everything a curve needs."""

    summaries: Sequence[SweepSummary]
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
            drawing = _Drawing(summaries, name, target)
            if panels := sweep_lines(summaries, name, target):
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
