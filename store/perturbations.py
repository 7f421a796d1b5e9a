"""Perturbation settings in the store; clean data is one of them. Applies none."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from clipbench.errors import StoreError
from clipbench.records import Perturbation
from clipbench.store import clock, tables
from clipbench.store.columns import json_in, json_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.rows import find_id, next_id


def save_perturbation(store: Store, perturbation: Perturbation) -> str:
    """Store a setting unless it is there, and return its key."""
    with writing(store) as connection:
        perturbation_id(connection, perturbation)
    return perturbation.key


def load_perturbation(store: Store, key: str) -> Perturbation:
    """Return the setting with this key. Raises StoreError where there is none."""
    with reading(store) as connection:
        row = connection.execute(select(tables.perturbation).filter_by(key=key)).one_or_none()
    if row is None:
        raise StoreError(f"perturbation {key} is not in the store", "clipbench store info")
    return perturbation_of(row)


def list_perturbations(store: Store) -> tuple[Perturbation, ...]:
    """Return all settings, the first stored first."""
    with reading(store) as connection:
        rows = connection.execute(select(tables.perturbation).order_by("id")).all()
    return tuple(perturbation_of(row) for row in rows)


def perturbation_id(connection: Connection, perturbation: Perturbation) -> int:
    """Return the row id of a setting, stored now where it was not."""
    key = perturbation.key
    row = find_id(connection, tables.perturbation, key)
    if row is None:
        row = next_id(connection, tables.perturbation)
        connection.execute(
            insert(tables.perturbation),
            {
                "id": row,
                "key": key,
                "operation": perturbation.operation,
                "target": perturbation.target,
                "level": perturbation.level,
                "seed": perturbation.seed,
                "parameters": json_in(perturbation.parameters),
                "created_at": clock.stamp(),
            },
        )
    return row


def perturbation_of(row: Row[Any]) -> Perturbation:
    """Return the setting of a row that has the columns of `perturbation`."""
    return Perturbation(row.operation, row.target, row.level, row.seed, json_out(row.parameters))
