"""Columns that a table had besides image and caption: kept for re-ranking by words.

No part of a dataset's content or key: the newest columns of a dataset count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select

from clipbench.errors import StoreError
from clipbench.keys import digest
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
