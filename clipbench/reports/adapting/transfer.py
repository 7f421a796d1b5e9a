"""Every model and adapter × dataset of the store, clean and perturbed, as a table."""

from __future__ import annotations

from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter
from clipbench.study.adapting.transfer import (
    CLEAN_SETTING,
    Setting,
    TransferLine,
    settings_of,
    transfer,
    warnings,
)

SHOWN = 3
"""Perturbed settings that people see; programs get all of them."""


def transfer_table(store: Store, filters: RunFilter, *, wide: bool = False) -> Table:
    """Return the table, one row a model and dataset; `wide` has a row for each setting, and the runs' keys."""
    lines = transfer(store, filters)
    if wide:
        return _long(lines)
    settings = settings_of(lines)
    columns = [
        Column("dataset"),
        Column("model"),
        Column("relation", "was to it"),
        Column("t2i_r1", "t2i R@1"),
        Column("delta", "Δ base", right=True),
        Column("i2t_r1", "i2t R@1"),
        Column("rsum", "RSUM", digits=1),
    ]
    for setting in settings[:SHOWN]:
        columns += [Column(_words(setting)), Column(f"Δ {_words(setting)}", "Δ base", right=True)]
    rows = tuple(_row(line, settings[:SHOWN]) for line in lines)
    notes = [
        "perturbed columns are t2i R@1, means over seeds; Δ base: the change from the model that the adapter stands on",
        "was to it: what the dataset was to an adapter; a row with such words is no test of it",
    ]
    if len(settings) > SHOWN:
        notes.append(f"and {len(settings) - SHOWN:,} more settings: --format csv has all of them")
    empty = "no runs yet: clipbench evaluate DATASET --model MODEL, clipbench robustness sweep DATASET"
    return Table("transfer", tuple(columns), rows, (*notes, *warnings(store, lines)) if rows else (), empty)


def _row(line: TransferLine, settings: tuple[Setting, ...]) -> tuple[Cell, ...]:
    clean = line.clean
    cells: list[Cell] = [line.dataset, line.model, line.relation or None]
    cells += [clean.t2i if clean else None, _signed(line.change(CLEAN_SETTING))]
    cells += [clean.i2t if clean else None, clean.rsum if clean else None]
    for setting in settings:
        found = line.scores.get(setting)
        cells += [found.t2i if found else None, _signed(line.change(setting))]
    return tuple(cells)


def _long(lines: tuple[TransferLine, ...]) -> Table:
    columns = (
        *(Column(name) for name in ("dataset", "model", "encoder", "base", "relation", "images")),
        *(Column(name) for name in ("operation", "level", "t2i_r1", "i2t_r1", "rsum", "t2i_r1_change")),
        Column("runs"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *(line.dataset, line.model, line.encoder, line.base, line.relation or None, line.images),
            *(*setting, scores.t2i, scores.i2t, scores.rsum, line.change(setting)),
            " ".join(scores.runs),
        )
        for line in lines
        for setting, scores in sorted(
            line.scores.items(), key=lambda pair: (pair[0] != CLEAN_SETTING, pair[0])
        )
    ]
    return Table("transfer", columns, tuple(rows))


def _words(setting: Setting) -> str:
    name, level = setting
    return name if level == 1 else f"{name} {level:g}"


def _signed(value: float | None) -> str | None:
    return None if value is None else f"{value:+.4f}"
