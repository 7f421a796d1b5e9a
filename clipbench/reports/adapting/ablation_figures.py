"""An ablation as figures: the metric against what is scanned, and what a gain costs elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clipbench.reports.adapting.ablation import Shown, setting_words
from clipbench.reports.figures.drawing import FigureText, Point, Series, curve, curve_grid, save
from clipbench.reports.figures.trade import Spot, trade
from clipbench.study.adapting.ablation import Place
from clipbench.study.adapting.ablation_numbers import Effect, pareto
from clipbench.study.adapting.grid import AXES, Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS: Mapping[str, str] = {
    "alpha": "α, share of the residual",
    "share": "share that is kept of a trained head",
    "rate": "learning rate",
    "temperature": "temperature",
}

SHARES = ("alpha", "share")
"""Axes from 0 (the base) to 1, in small multiples; the others are logarithmic."""


def write_ablation_figures(shown: Shown, folder: Path) -> tuple[Path, ...]:
    """Write every figure into a folder and return the files.

    Raises ClipbenchError where matplotlib is not installed, or the folder cannot be written.
    """
    written: list[Path] = []
    for stem, figure in _figures(shown):
        written += save(figure, folder, stem)
    return tuple(written)


def _figures(shown: Shown) -> Iterator[tuple[str, Figure]]:
    scanned = shown.ablation.request.grid.scanned
    axis = next((name for name in AXES if name in scanned), None)
    metric = shown.label.replace("@", "")
    if axis is not None:
        yield f"{metric}-against-{axis}", _against(shown, axis)
    if "origin" in shown.ablation.zero_shot:
        yield f"{metric}-target-against-origin", _target_origin(shown)
    if len(shown.ablation.settings) > 1:
        yield f"{metric}-clean-against-robust", _clean_robust(shown)


def _against(shown: Shown, axis: str) -> Figure:
    """Draw the metric against one axis: a panel for each place and setting, a line for each of the other choices."""
    ablation = shown.ablation
    others = tuple(name for name in ablation.request.grid.scanned if name != axis)
    cells = [cell for cell in ablation.cells if not cell.control and getattr(cell, axis) is not None]
    lines: dict[str, list[Cell]] = {}
    for cell in cells:
        lines.setdefault(_line(cell, others), []).append(cell)
    panels: dict[str, list[Series]] = {}
    for place in ablation.zero_shot:
        for number, setting in enumerate(ablation.settings):
            panel = f"{shown.dataset(place)}, {setting_words(setting)}"
            panels[panel] = [
                Series(label, _points(shown, own, axis, place, number)) for label, own in lines.items()
            ]
            if axis not in SHARES:
                continue
            level = shown.numbers.effect(cells[0], place, number, shown.metric).zero_shot
            ends = sorted({float(getattr(cell, axis)) for cell in cells})
            panels[panel].append(Series("zero-shot", tuple(Point(end, level) for end in ends)))
    text = FigureText(
        f"{ablation.model} adapted to {ablation.request.train}: {shown.label} of text → image",
        LABELS[axis],
        shown.label,
        "95% interval of the difference from zero-shot",
    )
    if axis in SHARES:
        return curve_grid(panels, text, zero="zero-shot")
    flat = [
        Series(f"{panel}, {line.label}" if len(lines) > 1 else panel, line.points)
        for panel, own in panels.items()
        for line in own
    ]
    return curve(flat, text, x_scale="log")


def _line(cell: Cell, others: tuple[str, ...]) -> str:
    words = [cell.head]
    if "loss" in others:
        words.append(cell.loss)
    numbers = (name for name in AXES if name in others and getattr(cell, name) is not None)
    return " ".join([*words, *(f"{name} {getattr(cell, name):g}" for name in numbers)])


def _points(shown: Shown, cells: list[Cell], axis: str, place: Place, setting: int) -> tuple[Point, ...]:
    points = []
    for cell in sorted(cells, key=lambda one: float(getattr(one, axis))):
        effect = shown.numbers.effect(cell, place, setting, shown.metric)
        seeds = tuple(value for _, value in effect.values.values)
        low, high = _bounds(effect)
        points.append(
            Point(float(getattr(cell, axis)), effect.values.mean, effect.values.sd, low, high, seeds)
        )
    return tuple(points)


def _bounds(effect: Effect) -> tuple[float, float]:
    """Return zero-shot plus the interval of the difference, so that a band above the line is a gain."""
    bound = effect.difference.bca or effect.difference.percentile
    mean = effect.values.mean
    low, high = effect.zero_shot + bound.low, effect.zero_shot + bound.high
    return min(low, mean), max(high, mean)


def _target_origin(shown: Shown) -> Figure:
    def score(cell: Cell, place: Place) -> float:
        return shown.numbers.effect(cell, place, 0, shown.metric).values.mean

    def zero(place: Place) -> float:
        return shown.numbers.effect(shown.ablation.cells[0], place, 0, shown.metric).zero_shot

    text = FigureText(
        f"{shown.ablation.model}: what {shown.dataset('target')} gains, {shown.dataset('origin')} loses",
        f"{shown.label} on {shown.dataset('origin')}",
        f"{shown.label} on {shown.dataset('target')}",
    )
    return _trade(
        shown,
        text,
        lambda cell: (score(cell, "origin"), score(cell, "target")),
        (zero("origin"), zero("target")),
    )


def _clean_robust(shown: Shown) -> Figure:
    settings = range(1, len(shown.ablation.settings))

    def robust(values: Callable[[int], float]) -> float:
        return sum(values(number) for number in settings) / len(settings)

    def score(cell: Cell) -> tuple[float, float]:
        def value(number: int) -> float:
            return shown.numbers.effect(cell, "target", number, shown.metric).values.mean

        return value(0), robust(value)

    def before(number: int) -> float:
        return shown.numbers.effect(shown.ablation.cells[0], "target", number, shown.metric).zero_shot

    names = ", ".join(setting_words(setting) for setting in shown.ablation.settings[1:])
    text = FigureText(
        f"{shown.ablation.model} adapted to {shown.ablation.request.train}: clean against robust",
        f"{shown.label} on {shown.dataset('target')}, clean",
        f"mean {shown.label} under {names}",
    )
    return _trade(shown, text, score, (before(0), robust(before)))


def _trade(
    shown: Shown, text: FigureText, at: Callable[[Cell], tuple[float, float]], zero_shot: tuple[float, float]
) -> Figure:
    recipe = shown.ablation.request.recipe
    cells = [cell for cell in shown.ablation.cells if not cell.is_base(recipe) and cell.share > 0]
    points = [zero_shot, *(at(cell) for cell in cells)]
    edge = set(pareto(points))
    scanned = shown.ablation.request.grid.scanned
    names = ["zero-shot", *(_short(cell, scanned) for cell in cells)]
    groups = ["zero-shot", *(_group(cell, scanned) for cell in cells)]
    spots = [
        Spot(x, y, name, group, number in edge)
        for number, ((x, y), name, group) in enumerate(zip(points, names, groups, strict=True))
    ]
    return trade(spots, text, note="Filled: no other setting is better in both. Means over seeds.")


def _short(cell: Cell, scanned: tuple[str, ...]) -> str:
    """Return the numbers that tell a cell from the others of its colour."""
    if cell.control:
        return "control"
    numbers = {"alpha": "α", "share": "×", "rate": "rate", "temperature": "τ"}
    told = ((sign, getattr(cell, name)) for name, sign in numbers.items() if name in scanned)
    return " ".join(f"{sign} {value:g}" for sign, value in told if value is not None)


def _group(cell: Cell, scanned: tuple[str, ...]) -> str:
    words = [cell.head, *([cell.loss] if "loss" in scanned or cell.control else [])]
    return " ".join(words)
