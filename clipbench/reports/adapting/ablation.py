"""An ablation as tables: what validation says of every cell, what test and origin say, and the chosen cell in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clipbench.errors import ClipbenchError
from clipbench.records import Perturbation
from clipbench.reports.runs import shown_name
from clipbench.reports.tables import Cell as TableCell
from clipbench.reports.tables import Column, Table
from clipbench.statistics.multiple import holm
from clipbench.statistics.seeds import SeedSummary
from clipbench.study.adapting.ablation import Ablation, Place
from clipbench.study.adapting.ablation_numbers import MEASURED, AblationNumbers, Effect, Key
from clipbench.study.adapting.grid import Cell, named
from clipbench.study.robustness.settings import shown_operation

METRICS: Mapping[str, str] = {shown_name(name): name for name in MEASURED}
"""What a table or figure shows, by the word of the command line."""

TOLD = (("t2i", "hit@1"), ("t2i", "hit@10"), ("i2t", "hit@1"))
"""What people see of the chosen cell; programs get everything."""


@dataclass(frozen=True)
class Shown:
    """An ablation with its numbers, and the metric (of text → image) that tables of cells show."""

    ablation: Ablation
    numbers: AblationNumbers
    metric: str

    @property
    def label(self) -> str:
        """The metric for people."""
        return shown_name(self.metric)

    def name(self, cell: Cell) -> str:
        """Return what a cell is called here."""
        return named(cell, self.ablation.request.grid.scanned)

    def dataset(self, place: Place) -> str:
        """Return the name of the dataset of a place."""
        return self.ablation.zero_shot[place][0].dataset_name


def metric_named(word: str) -> str:
    """Return the metric of a word. Raises ClipbenchError that lists them."""
    if word not in METRICS:
        raise ClipbenchError(
            f"an ablation does not show {word!r}; it shows {', '.join(METRICS)}", "--metric R@1"
        )
    return METRICS[word]


def setting_words(setting: Perturbation) -> str:
    """Return a setting for people: "clean", "word-dropout 0.5"."""
    if setting.operation == "clean":
        return "clean"
    level = "" if setting.level == 1 else f" {setting.level:g}"
    return f"{shown_operation(setting)}{level}"


def ablation_tables(shown: Shown, *, wide: bool) -> list[Table]:
    """Return the tables for people, or for programs one with every number in full."""
    if wide:
        return [_everything(shown)]
    places = [_cells(shown, place) for place in shown.ablation.zero_shot]
    return [*places, _chosen(shown)]


def _cells(shown: Shown, place: Place) -> Table:
    ablation, told = shown.ablation, shown.numbers
    columns = [Column("cell"), Column("chosen", " ")]
    if place == "target":
        columns += [
            Column("epoch", "best epoch", right=True),
            Column("validation", "validation RSUM", right=True),
        ]
    for setting in ablation.settings:
        words = setting_words(setting)
        columns += [
            Column(words, f"{words} {shown.label}", right=True),
            Column(f"Δ {words}", "Δ [95 %]", right=True),
        ]
    rows = [_zero_shot(shown, place)]
    for cell in ablation.cells:
        row: list[TableCell] = [shown.name(cell), _mark(ablation, cell)]
        if place == "target":
            row += [f"{told.epochs[cell]:.0f}", _spread(told.validation[cell], 1)]
        for number in range(len(ablation.settings)):
            effect = told.effect(cell, place, number, shown.metric)
            row += [_spread(effect.values, 4), _difference(effect)]
        rows.append(tuple(row))
    title = {
        "target": f"{shown.dataset(place)}: {shown.label} of text → image, cells chosen on {ablation.request.validation}",
        "origin": f"forgetting: {shown.dataset(place)}, {shown.label} of text → image",
    }[place]
    return Table(title, tuple(columns), tuple(rows), _notes(shown) if place == "target" else ())


def _zero_shot(shown: Shown, place: Place) -> tuple[TableCell, ...]:
    some = shown.ablation.cells[0]
    row: list[TableCell] = ["zero-shot", None]
    if place == "target":
        row += [None, _before(shown)]
    for number in range(len(shown.ablation.settings)):
        row += [f"{shown.numbers.effect(some, place, number, shown.metric).zero_shot:.4f}", None]
    return tuple(row)


def _before(shown: Shown) -> str | None:
    """Return the validation RSUM of epoch 0 of a head that starts at the identity."""
    for one in shown.ablation.measured:
        if one.cell.head not in {"mlp", "two-tower"}:
            return f"{float(one.adapter.log[0]['scores']['rsum']):.1f}"
    return None


def _mark(ablation: Ablation, cell: Cell) -> str | None:
    return "control" if cell.control else "chosen" if cell == ablation.chosen else None


def _notes(shown: Shown) -> tuple[str, ...]:
    seeds = shown.ablation.request.grid.seeds
    spread = f"± is the sd over {seeds} seeds; " if seeds > 1 else ""
    return (
        "chosen: the highest mean validation RSUM; nothing was chosen on the test set",
        f"{spread}Δ is cell − zero-shot, its interval resamples images (paired) on the mean over seeds",
    )


def _chosen(shown: Shown) -> Table:
    ablation = shown.ablation
    cell = ablation.chosen
    keys = [key for key in shown.numbers.effects if key.cell == cell and (key.direction, key.metric) in TOLD]
    adjusted = holm([shown.numbers.effects[key].p for key in keys]).tolist()
    rows = []
    for key, p in zip(keys, adjusted, strict=True):
        effect = shown.numbers.effects[key]
        rows.append(
            (
                shown.dataset(key.place),
                setting_words(ablation.settings[key.setting]),
                f"{key.direction} {shown_name(key.metric)}",
                effect.zero_shot,
                _spread(effect.values, 4),
                _difference(effect),
                float(p),
            )
        )
    columns = (
        Column("dataset"),
        Column("captions"),
        Column("metric"),
        Column("zero_shot", "zero-shot"),
        Column("value", "chosen", right=True),
        Column("delta", "Δ [95 %]", right=True),
        Column("p_holm", "p (Holm)"),
    )
    names = ", ".join(one.adapter.name for one in ablation.of(cell))
    note = f"adapters of this cell, by seed: {names}"
    return Table(
        f"chosen on {ablation.request.validation}: {shown.name(cell)}", columns, tuple(rows), (note,)
    )


def _everything(shown: Shown) -> Table:
    ablation, told = shown.ablation, shown.numbers
    columns = (
        *(
            Column(name)
            for name in ("cell", "head", "loss", "alpha", "share", "rate", "temperature", "control", "chosen")
        ),
        *(Column(name) for name in ("place", "dataset", "operation", "level", "direction", "metric")),
        *(Column(name) for name in ("zero_shot", "mean", "sd", "delta", "low", "high", "p")),
        *(Column(name) for name in ("validation_rsum", "seeds", "adapters", "runs")),
    )
    rows = [_full(shown, key, effect) for key, effect in told.effects.items()]
    return Table(
        f"ablation of {ablation.model} on {shown.dataset('target')}", columns, tuple(rows), _notes(shown)
    )


def _full(shown: Shown, key: Key, effect: Effect) -> tuple[TableCell, ...]:
    ablation, cell = shown.ablation, key.cell
    setting, bound = ablation.settings[key.setting], effect.difference.bca or effect.difference.percentile
    own = ablation.of(cell)
    return (
        shown.name(cell),
        cell.head,
        cell.loss,
        cell.alpha,
        cell.share,
        cell.rate,
        cell.temperature,
        cell.control,
        cell == ablation.chosen,
        key.place,
        shown.dataset(key.place),
        shown_operation(setting),
        setting.level,
        key.direction,
        key.metric,
        effect.zero_shot,
        effect.values.mean,
        effect.values.sd,
        effect.difference.delta,
        bound.low,
        bound.high,
        effect.p,
        shown.numbers.validation[cell].mean,
        len(own),
        " ".join(one.adapter.name for one in own),
        " ".join(one.runs[key.place][key.setting].key for one in own),
    )


def _spread(values: SeedSummary, digits: int) -> str:
    mean = f"{values.mean:.{digits}f}"
    return mean if values.sd is None else f"{mean} ± {values.sd:.{digits}f}"


def _difference(effect: Effect) -> str:
    bound = effect.difference.bca or effect.difference.percentile
    return f"{effect.difference.delta:+.4f} [{bound.low:+.4f}, {bound.high:+.4f}]"
