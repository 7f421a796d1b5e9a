"""Columns that a table had besides image and caption: for filters, groups of queries and re-ranking by words.

No part of a dataset's content or key: the newest columns of a dataset count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from clipbench.errors import StoreError
from clipbench.keys import Json, digest
from clipbench.store import clock, tables
from clipbench.store.columns import json_in, json_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.rows import find_id, need_id, next_id


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
    """Keep the columns of a dataset (by key) as its newest; what is the newest already is kept once."""
    content: list[Json] = [dataset, list(columns.names), [list(row) for row in columns.cells]]
    with writing(store) as connection:
        row_id = need_id(connection, tables.dataset, dataset)
        if _newest(connection, row_id) == columns:
            return
        key = digest("columns", content)
        if find_id(connection, tables.dataset_columns, key) is not None:
            # They were kept before others were: as the newest they need a key of their own.
            key = digest("columns", [*content, next_id(connection, tables.dataset_columns)])
        connection.execute(
            insert(tables.dataset_columns),
            {
                "id": next_id(connection, tables.dataset_columns),
                "key": key,
                "dataset_id": row_id,
                "names": json_in(list(columns.names)),
                "cells": json_in([list(row) for row in columns.cells]),
                "created_at": clock.stamp(),
            },
        )


def load_columns(store: Store, dataset: str) -> DatasetColumns | None:
    """Return the newest columns of a dataset (by key), None where its source had none."""
    with reading(store) as connection:
        return _newest(connection, need_id(connection, tables.dataset, dataset))


def column_names(store: Store) -> Mapping[str, tuple[str, ...]]:
    """Return the names of the newest columns of every dataset that has any, by the dataset's key."""
    kept = tables.dataset_columns.c
    query = (
        select(tables.dataset.c.key, kept.names)
        .join(tables.dataset, tables.dataset.c.id == kept.dataset_id)
        .order_by(kept.id)
    )
    with reading(store) as connection:
        return {row.key: tuple(json_out(row.names)) for row in connection.execute(query)}


def _newest(connection: Connection, row_id: int) -> DatasetColumns | None:
    query = select(tables.dataset_columns).filter_by(dataset_id=row_id)
    row = connection.execute(query.order_by(tables.dataset_columns.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return DatasetColumns(tuple(json_out(row.names)), tuple(tuple(cells) for cells in json_out(row.cells)))
