"""The figures of one sweep, or of several with a line for each model: curves, median ranks, heat maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.drawing import FigureText, Series, curve, curve_grid, heat_map, save
from clipbench.reports.figures.records import Scale
from clipbench.reports.left_out import left_out_in_figures
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


def sweep_figures(summaries: Sequence[SweepSummary], folder: Path) -> tuple[Path, ...]:
    """Write every figure into a folder and return the files.

    Per target (captions, photographs): a curve of each metric against level with seeds and interval, one
    panel per operation where there are several; and per sweep a heat map operation × level. Raises
    ClipbenchError where nothing can be drawn, matplotlib is not installed, or the folder cannot be written.
    """
    written: list[Path] = []
    for stem, figure in _figures(summaries):
        written += save(figure, folder, stem)
    if not written:
        raise ClipbenchError("the sweep holds nothing to draw: it has no perturbed run")
    return tuple(written)


def first_figure(summaries: Sequence[SweepSummary]) -> Figure:
    """Return the first figure of sweeps, a curve of t2i R@1 as a rule. Raises ClipbenchError where there is none."""
    for _, figure in _figures(summaries):
        return figure
    raise ClipbenchError("the sweep holds nothing to draw: it has no perturbed run")


def _figures(summaries: Sequence[SweepSummary]) -> Iterator[tuple[str, Figure]]:
    """Yield every figure with the name of its files."""
    labels = model_labels(summaries)
    for target, (where, _) in TARGETS.items():
        for name in DRAWN:
            if panels := sweep_lines(summaries, name, target):
                stem = f"{name[0]}-{shown_name(name[1]).replace('@', '')}-{where}"
                yield stem, _curves(summaries, name, target, panels)
        for number, one in enumerate(summaries):
            if any(effect.target == target for effect in one.effects):
                suffix = f"-{number + 1}" if len(summaries) > 1 else ""
                yield f"heat-map-{where}{suffix}", _heat_map(one, labels[number], target)


def _curves(
    summaries: Sequence[SweepSummary], name: Name, target: str, panels: Mapping[str, Sequence[Series]]
) -> Figure:
    where, level = TARGETS[target]
    direction, measure = name
    metric = f"{direction} {shown_name(measure)}"
    scale: Scale = "log" if measure == "MedR" else "linear"
    y_label = f"{metric} (log, lower is better)" if scale == "log" else metric
    gone = left_out_in_figures([one.clean_run for one in summaries])
    text = FigureText(_title(summaries, metric, where), level, y_label, "95% interval over images", gone)
    chance = summaries[0].clean.get((direction, f"chance-{measure}"))
    if chance is not None:
        chance = float(f"{chance:.2g}")  # its label is to be read at a glance
    several = len(summaries) > 1
    if len(panels) > (1 if several else LINES):
        return curve_grid(panels, text, chance=chance, y_scale=scale)
    if several:  # a line for each model, of the one operation there is
        [(operation, lines)] = panels.items()
        text = replace(text, title=f"{text.title}, {operation}")
    else:  # a line for each operation
        lines = [Series(operation, line.points) for operation, [line] in panels.items()]
    return curve(lines, text, chance=chance, y_scale=scale)


def _title(summaries: Sequence[SweepSummary], metric: str, where: str) -> str:
    run = summaries[0].clean_run
    models = f", {run.model}" if len(summaries) == 1 else ""
    return f"{run.dataset_name}{models}: {metric} with perturbed {where}"


def _heat_map(summary: SweepSummary, label: str, target: str) -> Figure:
    where, words = TARGETS[target]
    name: Name = ("t2i", "hit@1") if ("t2i", "hit@1") in summary.clean else ("i2t", "hit@1")
    metric = f"{name[0]} {shown_name(name[1])}"
    effects = {(e.operation, e.level): e.values[name].mean for e in summary.effects if e.target == target}
    rows = list(dict.fromkeys(operation for operation, _ in effects))
    levels = sorted({level for _, level in effects})
    clean = summary.clean[name]
    values = [[clean, *(effects.get((row, level)) for level in levels)] for row in rows]
    return heat_map(
        rows,
        ["clean", *(f"{level:g}" for level in levels)],
        values,
        title=f"{summary.clean_run.dataset_name}, {label}: {metric} with perturbed {where}",
        x_label=words,
        value_label=metric,
        note=left_out_in_figures([summary.clean_run]),
        value_format=".3f",
        column="double" if len(levels) > WIDE else "single",
    )
