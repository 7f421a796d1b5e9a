"""Which items of a dataset have certain values in their columns: `type = 'Chair' AND price < 20`.

The columns are put into a table in memory that holds nothing else, and the condition is asked there, by a
connection that may do nothing but select. Cells are text; a column whose cells are all numbers is compared as
numbers, and an empty cell is NULL.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from clipbench.errors import DatasetError
from clipbench.records import Dataset
from clipbench.store.columns import text_in
from clipbench.store.dataset_columns import load_columns
from clipbench.store.engine import Store
from clipbench.store.where import EXAMPLE, FUNCTIONS, condition_sql

SECONDS = 10.0
"""How long a condition may take."""

LARGEST = 1 << 20
"""Bytes that a value may have while a condition is worked out."""

STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock, about a millisecond."""

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")
_OPERATORS = frozenset({"like", "glob"})


class ItemColumns:
    """The columns of a dataset's images, ready to be asked; threads take turns.

    names: image_id, path and captions (how many), then the columns of the dataset's table; one of those that has
    the same name stands for it. Build it once where many conditions are asked.
    """

    def __init__(self, store: Store, dataset: Dataset) -> None:
        columns = load_columns(store, dataset.key)
        own = ("image_id", "path", "captions")
        other = () if columns is None else columns.names
        facts = [(s.id, s.path or "", str(len(s.captions))) for s in dataset.samples]
        kept = [place for place, name in enumerate(own) if name not in other]
        self.names = (*(own[place] for place in kept), *other)
        cells = facts if columns is None else columns.cells
        rows = [
            (*(fact[place] for place in kept), *(row if columns is not None else ()))
            for fact, row in zip(facts, cells, strict=True)
        ]
        self._ids = tuple(sample.id for sample in dataset.samples)
        self._numeric = tuple(_is_numeric([row[place] for row in rows]) for place in range(len(self.names)))
        self._lock = Lock()
        self._connection = _table(rows, self._numeric)

    def ids(self, where: str) -> tuple[str, ...]:
        """Return the ids of the images that a condition holds for, in the dataset's order.

        Raises DatasetError for a condition that is none, names no column or takes too long.
        """
        sql = condition_sql(where, self.names, self._numeric)
        with self._lock, _told(where):
            end = time.monotonic() + SECONDS
            self._connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
            chosen = self._connection.execute(f"SELECT position FROM item WHERE ({sql}) ORDER BY position")  # noqa: S608, written by condition_sql
            return tuple(self._ids[position] for (position,) in chosen.fetchall())


def item_ids_where(store: Store, dataset: Dataset, where: str) -> tuple[str, ...]:
    """Return the ids of the images of a dataset that a condition on their columns holds for, in its order.

    Raises DatasetError for a condition that is none, names no column or takes too long.
    """
    return ItemColumns(store, dataset).ids(where)


def _is_numeric(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(_NUMBER.fullmatch(cell) for cell in filled)


def _table(rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    columns = ", ".join(f"c{n} {'NUMERIC' if number else 'TEXT'}" for n, number in enumerate(numeric))
    connection.execute(f"CREATE TABLE item (position INTEGER PRIMARY KEY, {columns})")
    marks = ", ".join("?" * (1 + len(numeric)))
    connection.executemany(
        f"INSERT INTO item VALUES ({marks})",  # noqa: S608, question marks
        [(position, *(text_in(cell) if cell else None for cell in row)) for position, row in enumerate(rows)],
    )
    connection.commit()
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, _first: str | None, second: str | None, *_: str | None) -> int:
    """Say what SQLite may do: select, read, and the functions of a condition."""
    if action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}:
        return sqlite3.SQLITE_OK
    name = (second or "").casefold()
    if action == sqlite3.SQLITE_FUNCTION and name in FUNCTIONS | _OPERATORS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if "interrupted" in str(error):
            raise DatasetError(f"the condition took longer than {SECONDS:g} seconds: {where[:80]}") from error
        raise DatasetError(f"the condition {where[:80]!r} is wrong: {error}", EXAMPLE) from error
