"""The table of embedding sets that `clipbench embed` prints."""

from __future__ import annotations

from collections.abc import Mapping

from clipbench.keys import short
from clipbench.records import EncoderIdentity, Modality
from clipbench.reports.tables import Column, Table
from clipbench.study.embedding.embed import SHOWN, Embedded

_COLUMNS = (
    Column("side"),
    Column("items"),
    Column("unique"),
    Column("encoded_now", "encoded now"),
    Column("truncated"),
    Column("unusable"),
    Column("dimension"),
    Column("seconds", digits=1),
    Column("set"),
)


def embedded_table(dataset: str, identity: EncoderIdentity, done: Mapping[Modality, Embedded]) -> Table:
    """Return one row per side, and the unusable photographs by name beneath."""
    rows = tuple(
        (
            side,
            e.set.rows,
            e.set.unique_items,
            e.encoded,
            e.set.truncated if side == "text" else None,
            len(e.set.unreadable),
            e.set.dimension,
            e.set.seconds,
            short(e.set.key),
        )
        for side, e in done.items()
    )
    return Table(f"{dataset} × {identity.label} ({identity.precision})", _COLUMNS, rows, _notes(done))


def _notes(done: Mapping[Modality, Embedded]) -> tuple[str, ...]:
    notes = []
    for side, e in done.items():
        if e.set.unreadable:
            named = [f"{id_} ({reason})" for id_, reason in list(e.set.unreadable.items())[:SHOWN]]
            more = f" and {len(e.set.unreadable) - SHOWN:,} more" if len(e.set.unreadable) > SHOWN else ""
            notes.append(f"left out, {side}: {', '.join(named)}{more}")
    if all(e.found for e in done.values()):
        notes.append("all of it was stored before; nothing was encoded")
    return tuple(notes)
