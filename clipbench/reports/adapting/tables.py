"""Stored adapters as tables: all of them, and one with its training log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipbench.keys import short
from clipbench.reports.stored_curves import curve_tables
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.adapters import AdapterRecord, list_adapters, load_adapter
from clipbench.store.engine import Store
from clipbench.study.adapting.facts import recipe_facts
from clipbench.study.runs.curves import adapter_curves

_LIST = (
    Column("adapter"),
    Column("base"),
    Column("head"),
    Column("side"),
    Column("loss"),
    Column("alpha", "α", digits=2),
    Column("rate", digits=5),
    Column("seed"),
    Column("train"),
    Column("validation"),
    Column("best_epoch", "best epoch"),
    Column("rsum_before", "RSUM before", digits=1),
    Column("rsum", "RSUM", digits=1),
    Column("parameters"),
    Column("key", aside=True),
)


def adapter_list(store: Store) -> Table:
    """Return every stored adapter with its validation RSUM before any training and at its best epoch."""
    rows = tuple(_row(one) for one in list_adapters(store))
    return Table(
        "adapters",
        _LIST,
        rows,
        (
            "RSUM is of the validation set, which chose the epoch: evaluate on a test set for a number to report",
        )
        if rows
        else (),
        empty="no adapters yet: clipbench adapt train TRAIN --val VALIDATION --model MODEL",
    )


def _row(one: AdapterRecord) -> tuple[Cell, ...]:
    recipe = recipe_facts(one)
    best = int(_number(one.record.get("best_epoch")))
    return (
        one.name,
        str(_part(one.record, "base").get("label")),
        str(recipe.get("head")),
        str(recipe.get("side")),
        str(recipe.get("loss")),
        recipe.get("alpha"),
        recipe.get("rate"),
        recipe.get("seed"),
        str(_part(one.record, "train").get("name")),
        str(_part(one.record, "validation").get("name")),
        best,
        _rsum(one, 0),
        _rsum(one, best),
        int(_number(one.record.get("parameters"))),
        short(one.key),
    )


EPOCHS = 15
"""About how many epochs are shown where a training has just been done."""


def stored_adapter_tables(store: Store, adapter: str) -> list[Table]:
    """Return what an adapter (by name or key) is, its training, and stored runs of those at another α or share."""
    one = load_adapter(store, adapter)
    return [*adapter_tables(one), *curve_tables(adapter_curves(store, one))]


def adapter_tables(one: AdapterRecord, *, brief: bool = False) -> list[Table]:
    """Return what an adapter is, and what every epoch of its training came to; brief: some epochs, the best among them."""
    facts: list[tuple[Cell, ...]] = [
        ("key", one.key),
        ("encoder", one.encoder),
        ("base", f"{_part(one.record, 'base').get('label')} ({short(one.base)})"),
        *((f"{which}", f"{_part(one.record, which).get('name')}") for which in ("train", "validation")),
        *((name, str(value)) for name, value in recipe_facts(one).items()),
    ]
    if one.record.get("noise"):
        noise = _part(one.record, "noise")
        facts.append(("noise", f"{noise.get('operation')} {noise.get('level')}"))
    if one.record.get("interpolated"):
        facts.append(
            (
                "kept",
                f"{_part(one.record, 'interpolated').get('share')} of {_part(one.record, 'interpolated').get('name')}",
            )
        )
    seen = one.record.get("seen")
    if isinstance(seen, list):
        facts.append(
            ("seen by the base", f"R@1 {seen[0]:.3f} on the training set, {seen[1]:.3f} on validation")
        )
    best = int(_number(one.record.get("best_epoch")))
    epochs: list[tuple[Cell, ...]] = []
    entries = [entry for entry in one.log if not brief or _is_shown(entry["epoch"], best, len(one.log))]
    for entry in entries:
        scores: Mapping[str, float] = entry["scores"]
        epochs.append(
            (
                entry["epoch"],
                entry["loss"],
                1 / entry["scale"],
                scores["t2i hit@1"],
                scores["i2t hit@1"],
                scores["rsum"],
                "best" if entry["epoch"] == best else None,
            )
        )
    columns = (
        Column("epoch"),
        Column("loss"),
        Column("temperature"),
        Column("t2i_r1", "t2i R@1"),
        Column("i2t_r1", "i2t R@1"),
        Column("rsum", "RSUM", digits=1),
        Column("best", " "),
    )
    notes = ["R@1 and RSUM are of the validation set; epoch 0 is before any training"]
    if len(entries) < len(one.log):
        notes.append(f"{len(entries)} of {len(one.log)} epochs; all of them: clipbench adapt show {one.name}")
    return [
        Table(f"adapter {one.name}", (Column("what"), Column("value")), tuple(facts)),
        Table("training", columns, tuple(epochs), tuple(notes)),
    ]


def interpolated_table(name: str, shares: Sequence[tuple[float, AdapterRecord]]) -> Table:
    """Return the adapters between the base (0) and a trained head (1), with their validation scores."""
    columns = (
        Column("share", digits=2),
        Column("adapter"),
        Column("t2i_r1", "t2i R@1"),
        Column("i2t_r1", "i2t R@1"),
        Column("rsum", "RSUM", digits=1),
    )
    best = max(range(len(shares)), key=lambda n: _last(shares[n][1])["rsum"])
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (share, one.name, *(_last(one)[score] for score in ("t2i hit@1", "i2t hit@1", "rsum")))
        for share, one in shares
    )
    notes = (
        f"R@1 and RSUM are of the validation set, where {shares[best][0]:g} is best",
        f"what each share keeps elsewhere: clipbench evaluate ORIGIN --model adapter:{shares[best][1].name}",
    )
    return Table(f"between the base and {name}", columns, rows, notes)


def _last(one: AdapterRecord) -> Mapping[str, float]:
    """Return the validation scores of the best epoch."""
    best = one.record.get("best_epoch")
    scores: Mapping[str, float] = next(e["scores"] for e in one.log if e["epoch"] == best)
    return scores


def _is_shown(epoch: int, best: int, count: int) -> bool:
    return epoch in {best, count - 1} or epoch % -(-count // EPOCHS) == 0


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = record.get(name)
    return part if isinstance(part, dict) else {}


def _rsum(one: AdapterRecord, epoch: int) -> float | None:
    return next((float(e["scores"]["rsum"]) for e in one.log if e["epoch"] == epoch), None)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
