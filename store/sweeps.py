"""Sweeps: named lists of runs that were asked for together.

Knows which runs belong to a sweep and in what order, and the words of the request; the runs themselves
are stored like any others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from clipbench.errors import StoreError
from clipbench.keys import Json
from clipbench.store import clock, tables
from clipbench.store.columns import json_in, json_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.rows import need_id, next_id
from clipbench.store.runs import LATEST


@dataclass(frozen=True)
class StoredSweep:
    """A sweep: `runs` are the keys of its runs in order, the clean one first."""

    name: str
    key: str
    request: Mapping[str, Json]
    runs: tuple[str, ...]
    created_at: datetime


def check_sweep_name(store: Store, name: str, key: str) -> None:
    """Raise StoreError where the name is that of another request, or no name at all."""
    with reading(store) as connection:
        _checked(connection, name, key)


def save_sweep(
    store: Store, name: str, key: str, request: Mapping[str, Json], runs: Sequence[str]
) -> StoredSweep:
    """Store a list of runs (by key) under a name; the same name takes the newer list.

    Raises StoreError where a run is not stored, or the name is that of another request.
    """
    with writing(store) as connection:
        row = _checked(connection, name, key)
        if row is not None:
            connection.execute(delete(tables.sweep_run).filter_by(sweep_id=row.id))
            connection.execute(delete(tables.sweep).filter_by(id=row.id))
        number = next_id(connection, tables.sweep)
        values = {
            "id": number,
            "name": name,
            "key": key,
            "request": json_in(request),
            "created_at": clock.stamp(),
        }
        connection.execute(insert(tables.sweep), values)
        rows = [
            {"sweep_id": number, "position": position, "run_id": need_id(connection, tables.run, run)}
            for position, run in enumerate(runs)
        ]
        connection.execute(insert(tables.sweep_run), rows)
        return _sweep(connection, connection.execute(select(tables.sweep).filter_by(id=number)).one())


def find_sweep(store: Store, name: str) -> StoredSweep:
    """Return the sweep of this name, or the newest for "latest". Raises StoreError that lists the names."""
    query = select(tables.sweep).order_by(tables.sweep.c.created_at.desc(), tables.sweep.c.id.desc())
    with reading(store) as connection:
        rows = connection.execute(query).all()
        for row in rows:
            if name in {LATEST, row.name}:
                return _sweep(connection, row)
    names = ", ".join(row.name for row in rows) or "none yet"
    raise StoreError(f"there is no sweep {name!r}; there are: {names}", "clipbench robustness sweep DATASET")


def list_sweeps(store: Store) -> tuple[StoredSweep, ...]:
    """Return all sweeps, the newest first."""
    query = select(tables.sweep).order_by(tables.sweep.c.created_at.desc(), tables.sweep.c.id.desc())
    with reading(store) as connection:
        return tuple(_sweep(connection, row) for row in connection.execute(query).all())


def _checked(connection: Connection, name: str, key: str) -> Row[Any] | None:
    """Return the row that has this name and key, None where the name is free."""
    if name == LATEST or not name.strip() or not name.isprintable():
        raise StoreError(f"{name!r} cannot be the name of a sweep", "give it another --name")
    row = connection.execute(select(tables.sweep).filter_by(name=name)).one_or_none()
    if row is not None and row.key != key:
        raise StoreError(f"the name {name!r} is that of another sweep", "give this one another --name")
    return row


def _sweep(connection: Connection, row: Row[Any]) -> StoredSweep:
    query = (
        select(tables.run.c.key)
        .join(tables.sweep_run, tables.sweep_run.c.run_id == tables.run.c.id)
        .where(tables.sweep_run.c.sweep_id == row.id)
        .order_by(tables.sweep_run.c.position)
    )
    runs = tuple(connection.execute(query).scalars())
    return StoredSweep(row.name, row.key, json_out(row.request), runs, clock.moment(row.created_at))
