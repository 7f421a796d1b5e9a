"""The answer to a question in SQL as a table."""

from __future__ import annotations

from clipbench.reports.tables import Cell, Column, Table
from clipbench.store.engine import Store
from clipbench.store.sql import ROWS, SECONDS, Value, ask


def answer_table(store: Store, question: str, *, rows: int = ROWS, seconds: float = SECONDS) -> Table:
    """Return what the store answers to one SELECT. Raises StoreError as `clipbench.store.sql.ask`."""
    answer = ask(store, question, rows=rows, seconds=seconds)
    notes = (f"only the first {rows:,} rows; --limit N asks for more",) if answer.more else ()
    cells = tuple(tuple(_cell(value) for value in row) for row in answer.rows)
    return Table("", tuple(Column(name) for name in answer.columns), cells, notes, empty="no rows")


def _cell(value: Value) -> Cell:
    # A ledger's arrays are blobs; `clipbench runs export` writes them out.
    return f"({len(value):,} bytes)" if isinstance(value, bytes) else value
