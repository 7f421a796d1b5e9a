"""Columns that a table had besides image and caption: kept for re-ranking by words, filters and groups of queries.

No part of a dataset's content or key: the newest columns of a dataset count. Conditions over them are the
user's SQL, which runs over a table of its own in memory and sees nothing else of the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import insert, select

from clipbench.errors import StoreError
from clipbench.keys import digest
from clipbench.store import clock, tables
from clipbench.store.columns import json_in, json_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.rows import find_id, need_id, next_id

STEPS = 50_000_000
"""Virtual machine steps after which a condition is stopped: some seconds."""


@dataclass(frozen=True)
class DatasetColumns:
    """names: of the columns. cells: one row for each image of the dataset in order, "" where the table has none."""

    names: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]

    def joined(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return the cells of some columns as one text for each image.

        Raises StoreError for a column that there is not.
        """
        unknown = [name for name in wanted if name not in self.names]
        if unknown:
            raise StoreError(
                f"there is no column {unknown[0]!r}; there are {', '.join(self.names) or 'none'}",
                "clipbench dataset show NAME",
            )
        places = [self.names.index(name) for name in wanted]
        return tuple(" ".join(row[place] for place in places if row[place]) for row in self.cells)


def save_columns(store: Store, dataset: str, columns: DatasetColumns) -> None:
    """Keep the columns of a dataset (by key); what is kept already is kept once."""
    key = digest("columns", [dataset, list(columns.names), [list(row) for row in columns.cells]])
    with writing(store) as connection:
        if find_id(connection, tables.dataset_columns, key) is not None:
            return
        connection.execute(
            insert(tables.dataset_columns),
            {
                "id": next_id(connection, tables.dataset_columns),
                "key": key,
                "dataset_id": need_id(connection, tables.dataset, dataset),
                "names": json_in(list(columns.names)),
                "cells": json_in([list(row) for row in columns.cells]),
                "created_at": clock.stamp(),
            },
        )


def load_columns(store: Store, dataset: str) -> DatasetColumns | None:
    """Return the newest columns of a dataset (by key), None where its source had none."""
    with reading(store) as connection:
        row_id = need_id(connection, tables.dataset, dataset)
        query = select(tables.dataset_columns).filter_by(dataset_id=row_id)
        row = connection.execute(query.order_by(tables.dataset_columns.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return DatasetColumns(tuple(json_out(row.names)), tuple(tuple(cells) for cells in json_out(row.cells)))


def matching(columns: DatasetColumns, condition: str) -> tuple[int, ...]:
    """Return the positions of the images for which a SQL condition over the columns holds, ascending.

    Columns whose every cell is a number, or empty, compare as numbers; empty cells are NULL. Raises StoreError
    for a condition that SQLite does not take, that takes too long, or asks for anything but these columns.
    """
    # ";" would begin another statement; a comment could hide the end of this one.
    if ";" in condition or "--" in condition or "/*" in condition:
        raise StoreError(f"{condition!r} is no single condition", "--where \"type = 'chair'\"")
    with closing(sqlite3.connect(":memory:")) as memory:
        quoted = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in columns.names]
        memory.execute(f"CREATE TABLE items (clipbench_position INTEGER, {', '.join(quoted)})")
        marks = ", ".join("?" * (len(quoted) + 1))
        values = list(zip(*(_typed(column) for column in zip(*columns.cells, strict=True)), strict=True))
        memory.executemany(
            f"INSERT INTO items VALUES ({marks})",  # noqa: S608, marks are question marks
            [(place, *row) for place, row in enumerate(values)],
        )
        memory.set_authorizer(_only_reads)
        left = [STEPS // 1000]
        memory.set_progress_handler(lambda: _spent(left), 1000)
        try:
            query = f"SELECT clipbench_position FROM items WHERE ({condition}) ORDER BY 1"  # noqa: S608, the user's own condition, over this table alone
            return tuple(row[0] for row in memory.execute(query))
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise StoreError(
                f"the condition {condition!r} cannot be used: {error}",
                f"columns: {', '.join(columns.names)}",
            ) from error


def _spent(left: list[int]) -> int:
    left[0] -= 1
    return int(left[0] < 0)


def _only_reads(
    action: int, first: str | None, second: str | None, _db: str | None, _trigger: str | None
) -> int:
    if action == sqlite3.SQLITE_SELECT or (action == sqlite3.SQLITE_READ and first == "items"):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second not in {
        "load_extension",
        "zeroblob",
        "randomblob",
        "printf",
        "format",
    }:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _typed(column: Sequence[str]) -> list[str | float | None]:
    """Return a column as numbers where all that it has are, with None for empty cells."""
    given = [cell for cell in column if cell.strip()]
    try:
        numbers = {cell: float(cell) for cell in given}
    except ValueError:
        return [cell if cell.strip() else None for cell in column]
    return [numbers.get(cell) for cell in column]
