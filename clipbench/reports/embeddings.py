"""The table of embedding sets that `clipbench embed` prints."""

from __future__ import annotations

from collections.abc import Mapping

from clipbench.keys import short
from clipbench.records import EncoderIdentity, Modality
from clipbench.reports.tables import Column, Table
from clipbench.study.embedding.adopting import Adopted
from clipbench.study.embedding.embed import SHOWN, Embedded
from clipbench.study.embedding.parts import Part, PartEncoded

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

_PART = (
    Column("side"),
    Column("plan", "items of all parts"),
    Column("items", "of this part"),
    Column("encoded_now", "encoded now"),
    Column("unusable"),
)
_ADOPTED = (Column("side"), Column("items"), Column("adopted", "adopted now"), Column("lacking"))


def part_table(
    dataset: str, identity: EncoderIdentity, part: Part, done: Mapping[Modality, PartEncoded]
) -> Table:
    """Return one row per side of a part, and beneath what to do with the parts."""
    rows = tuple((side, e.plan, e.items, e.encoded, len(e.unreadable)) for side, e in done.items())
    left_out = [(f"{side} of this part", e.unreadable) for side, e in done.items() if e.unreadable]
    title = f"{dataset} × {identity.label} ({identity.precision}), part {part}"
    notes = [_left_out(side, unreadable) for side, unreadable in left_out]
    notes.append(
        f"a part makes no embedding set; clipbench embed adopt {dataset} FOLDER... brings the parts together"
    )
    return Table(title, _PART, rows, tuple(notes))


def adopted_table(dataset: str, done: Adopted) -> Table:
    """Return one row per side, and beneath how many files were read and what is to be done still."""
    rows = tuple((side, one.items, one.adopted, one.lacking) for side, one in done.sides.items())
    notes = [f"{done.files:,} vector files read, {len(done.refused):,} refused"]
    if done.elsewhere:
        notes.append(f"{done.elsewhere:,} of them hold nothing of {dataset}")
    if done.empty:
        more = f" and {len(done.empty) - SHOWN:,} more" if len(done.empty) > SHOWN else ""
        notes.append(f"no vector files in {', '.join(map(str, done.empty[:SHOWN]))}{more}")
    lacking = sum(one.lacking for one in done.sides.values())
    rest = (
        f"encodes the {lacking:,} that are lacking and makes" if lacking else "now encodes nothing and makes"
    )
    notes.append(f"clipbench embed {dataset} {rest} the embedding sets")
    title = f"{dataset} × {done.identity.label} ({done.identity.precision})"
    return Table(title, _ADOPTED, rows, tuple(notes))


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
            notes.append(_left_out(side, e.set.unreadable))
    if all(e.found for e in done.values()):
        notes.append("all of it was stored before; nothing was encoded")
    return tuple(notes)


def _left_out(side: str, unreadable: Mapping[str, str]) -> str:
    named = [f"{id_} ({reason})" for id_, reason in list(unreadable.items())[:SHOWN]]
    more = f" and {len(unreadable) - SHOWN:,} more" if len(unreadable) > SHOWN else ""
    return f"left out, {side}: {', '.join(named)}{more}"
