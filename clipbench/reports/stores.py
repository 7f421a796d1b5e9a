"""Tables about the store itself: contents, health, what could be tidied, its SQL views and what they answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from clipbench.keys import short
from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.maintenance import Collected, StoreInfo, Verification
from clipbench.store.sql import ROWS, SECONDS, Value, ask
from clipbench.store.views import VIEWS
from clipbench.study.installation.health import Examined
from clipbench.wording import plural

SHOWN = 20
"""Things to be removed that are named one by one."""


def info_table(info: StoreInfo) -> Table:
    """Return counts and sizes of a store."""
    sizes = {
        "database": info.database_bytes,
        "embeddings": info.embedding_bytes,
        "indexes": info.index_bytes,
        "artifacts": info.artifact_bytes,
    }
    rows = (
        ("schema revision", info.revision),
        *((name, f"{count:,}") for name, count in info.counts.items()),
        ("vectors", f"{info.vectors:,}"),
        *((f"{name} on disk", size(count)) for name, count in sizes.items()),
    )
    notes = (info.note,) if info.note else ()
    return Table(f"Store {info.root}", (Column("what"), Column("value", right=True)), rows, notes)


def size(count: int) -> str:
    """Return a number of bytes as people read it.

    >>> size(999), size(217_088), size(3_400_000_000)
    ('999 bytes', '217.1 kB', '3.4 GB')
    """
    for unit, worth in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= worth:
            return f"{count / worth:,.1f} {unit}"
    return f"{count} bytes"


def verify_table(found: Verification) -> Table:
    """Return what was checked, and beneath it everything that is wrong."""
    rows = tuple((name, count) for name, count in found.checked.items())
    count = len(found.problems)
    verdict = "all of it is right" if found.clean else f"{plural(count, 'problem')}:"
    notes = (verdict, *found.problems, *(f"untidy: {note} (clipbench store gc)" for note in found.notes))
    return Table("Verified", (Column("what"), Column("checked")), rows, notes)


def garbage_lines(found: Collected) -> list[str]:
    """Return what gc would remove: a line a kind, the first names, and the bytes it frees."""
    if not found.garbage:
        return ["nothing to remove"]
    lines = [
        f"{item.kind}: {short(item.name) if ':' in item.name else item.name}"
        for item in found.garbage[:SHOWN]
    ]
    if len(found.garbage) > SHOWN:
        lines.append(f"... and {len(found.garbage) - SHOWN:,} more")
    return [*lines, f"in all {things(found)}"]


def things(found: Collected) -> str:
    """Return how many things, of which kinds, and their size."""
    kinds = Counter(item.kind for item in found.garbage)
    words = [f"{count:,} {kind}{'s' if count > 1 else ''}" for kind, count in kinds.items()]
    return f"{', '.join(words)} ({size(found.bytes)})"


def view_table() -> Table:
    """Return every column of every SQL view with its meaning."""
    rows = tuple(
        (name, column, meaning) for name, view in VIEWS.items() for column, meaning in view.columns.items()
    )
    notes = tuple(f"{name}: {view.description}" for name, view in VIEWS.items())
    return Table("Views of clipbench.db", (Column("view"), Column("column"), Column("meaning")), rows, notes)


def answer_table(store: Store, question: str, *, rows: int = ROWS, seconds: float = SECONDS) -> Table:
    """Return what the store answers to one SELECT. Raises StoreError as `clipbench.store.sql.ask`."""
    answer = ask(store, question, rows=rows, seconds=seconds)
    notes = (f"only the first {rows:,} rows; --limit N asks for more",) if answer.more else ()
    cells = tuple(tuple(_cell(value) for value in row) for row in answer.rows)
    return Table("", tuple(Column(name) for name in answer.columns), cells, notes, empty="no rows")


def _cell(value: Value) -> Cell:
    # A ledger's arrays are blobs; `clipbench runs export` writes them out.
    return f"({len(value):,} bytes)" if isinstance(value, bytes) else value


def health_table(found: Sequence[Examined]) -> Table:
    """Return one row per thing that was examined; what to do about the failed ones stands beneath."""
    rows = tuple(("ok" if e.passed else "FAILED", e.name, e.detail) for e in found)
    hints = tuple(f"{e.name}: {e.hint}" for e in found if not e.passed and e.hint)
    failed = sum(not e.passed for e in found)
    verdict = f"{failed} of {len(found)} failed" if failed else f"{len(found)} of {len(found)} passed"
    columns = (Column("result"), Column("what"), Column("detail"))
    return Table("Doctor", columns, rows, (verdict, *hints))
