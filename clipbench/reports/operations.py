"""The operations and presets of the registry as tables."""

from __future__ import annotations

from clipbench.errors import ClipbenchError
from clipbench.perturb.registry import FAMILIES, Operation, TextOperation, operations, presets
from clipbench.reports.tables import Column, Table

_COLUMNS = ("operation", "family", "on", "levels", "meaning", "source", "what it does")


def operation_list(family: str | None = None) -> Table:
    """Return all operations, or those of one family. Raises ClipbenchError for an unknown family."""
    if family is not None and family not in FAMILIES:
        raise ClipbenchError(f"no family is called {family!r}", f"one of: {', '.join(FAMILIES)}")
    rows = tuple(_row(one) for one in operations() if family in {None, one.family})
    return Table("Operations", tuple(Column(name) for name in _COLUMNS), rows)


def _row(one: Operation) -> tuple[str, ...]:
    text = isinstance(one, TextOperation)
    levels = " ".join(f"{level:g}" for level in one.levels)
    meaning = one.meaning if isinstance(one, TextOperation) else "kept"
    return (
        one.name,
        one.family,
        "captions" if text else "images",
        levels,
        meaning,
        one.source,
        one.description,
    )


def preset_list() -> Table:
    """Return the presets and what they run."""
    rows = tuple((p.name, len(p.entries), p.description) for p in presets())
    return Table("Presets", (Column("preset"), Column("operations"), Column("what it is")), rows)
