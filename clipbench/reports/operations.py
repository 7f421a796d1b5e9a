"""The operations and presets of the registry as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clipbench.errors import ClipbenchError
from clipbench.perturb.operation import FAMILIES, Operation, Preset, TextOperation
from clipbench.perturb.presets import PRESETS
from clipbench.perturb.registry import Selection, operation, operations, select
from clipbench.reports.tables import Column, Table, to_markdown

SHORT = ("operation", "levels", "meaning", "what it does")
WHOLE = ("operation", "family", "on", "levels", "meaning", "source", "what it does")
IN_FULL = 2
"""Levels that a short table writes out; of more it shows the ends and how many there are."""


def operation_lists(family: str | None = None) -> list[Table]:
    """Return a table for each family, or for one, that fits a terminal. Raises ClipbenchError for an unknown one."""
    tables = []
    for name in _families(family):
        rows = tuple(_short_row(one) for one in operations() if one.family == name)
        tables.append(Table(f"family:{name}", tuple(Column(column) for column in SHORT), rows))
    notes = (
        "levels: rates in 0..1 for captions, severities 1 to 5 for photographs; meaning: whether the caption",
        "still describes the photograph; more of one operation: clipbench robustness list NAME",
    )
    return [*tables[:-1], replace(tables[-1], notes=notes)]


def operation_list(family: str | None = None) -> Table:
    """Return all operations, or those of one family, with all that is short. Raises ClipbenchError as above."""
    families = _families(family)
    chosen = [one for one in operations() if one.family in families]
    return Table("Operations", tuple(Column(name) for name in WHOLE), tuple(map(_whole_row, chosen)))


def _families(family: str | None) -> tuple[str, ...]:
    if family is not None and family not in FAMILIES:
        raise ClipbenchError(f"no family is called {family!r}", f"one of: {', '.join(FAMILIES)}")
    return FAMILIES if family is None else (family,)


def operation_or_preset(name: str) -> Table:
    """Return what is known of one operation, family or preset. Raises ClipbenchError for an unknown name."""
    found = [one for one in PRESETS if one.name == name]
    if found:
        return _preset_table(found[0])
    if name.removeprefix("family:") in FAMILIES:
        return operation_lists(name.removeprefix("family:"))[0]
    return _operation_facts(operation(name))


def _operation_facts(one: Operation) -> Table:
    facts = [
        ("what it does", one.description),
        ("family", one.family),
        ("on", _target(one)),
        ("levels", _levels(one.levels)),
    ]
    if isinstance(one, TextOperation):
        facts += [("a level is", one.level_means), ("meaning", one.meaning)]
        facts += [("needs", ", ".join(one.needs))] if one.needs else []
    else:
        facts += [("a level is", "a severity"), ("random", "no" if one.deterministic else "yes")]
    facts += [("source", one.source), ("version", str(one.version)), ("in presets", _presets_with(one))]
    notes = (f"see it: clipbench robustness preview DATASET --perturb {one.name}",)
    return Table(one.name, (Column("fact"), Column("value")), tuple(facts), notes)


def _preset_table(preset: Preset) -> Table:
    rows = tuple(
        (one.operation.name, one.operation.family, _levels(one.levels)) for one in select(preset.name)
    )
    columns = (Column("operation"), Column("family"), Column("levels"))
    return Table(f"preset {preset.name}", columns, rows, (preset.description,))


def _presets_with(one: Operation) -> str:
    def holds(chosen: Sequence[Selection]) -> bool:
        return any(selection.operation.name == one.name for selection in chosen)

    return ", ".join(preset.name for preset in PRESETS if holds(select(preset.name))) or "none"


def _short_row(one: Operation) -> tuple[str, ...]:
    first, last, count = one.levels[0], one.levels[-1], len(one.levels)
    shown = f"{first:g} to {last:g} ({count})" if count > IN_FULL else _levels(one.levels)
    if (isinstance(one, TextOperation) and not one.graded) or (
        count == 1 and not isinstance(one, TextOperation)
    ):
        shown = "one setting"
    return (one.name, shown, _meaning(one), one.description)


def _whole_row(one: Operation) -> tuple[str, ...]:
    levels = _levels(one.levels)
    return (one.name, one.family, _target(one), levels, _meaning(one), one.source, one.description)


def _target(one: Operation) -> str:
    return "captions" if isinstance(one, TextOperation) else "images"


def _meaning(one: Operation) -> str:
    return one.meaning if isinstance(one, TextOperation) else "kept"


def _levels(levels: Sequence[float]) -> str:
    return " ".join(f"{level:g}" for level in levels)


def preset_list() -> Table:
    """Return the presets and what they run."""
    rows = tuple((p.name, len(p.entries), p.description) for p in PRESETS)
    return Table("Presets", (Column("preset"), Column("operations"), Column("what it is")), rows)


def operation_page() -> str:
    """Return the tables of operations and presets as Markdown, for the documentation."""
    parts = []
    for family in FAMILIES:
        table = operation_list(family)
        kept = [i for i, name in enumerate(WHOLE) if name not in {"family", "on"}]
        columns = tuple(Column(WHOLE[i]) for i in kept)
        rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
        parts.append(f"### {family}\n\n{to_markdown(Table('', columns, rows))}")
    table = preset_list()
    return "\n".join([*parts, f"### Presets\n\n{to_markdown(Table('', table.columns, table.rows))}"])
