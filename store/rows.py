"""Finding rows by key, and the one way to delete a finished one.

Knows that finished things have `id` and `key`, and nothing else of them.
"""

import re
from collections.abc import Sequence

from sqlalchemy import Connection, Table, delete, func, insert, select

from clipbench.errors import StoreError
from clipbench.store import tables

_HEX = re.compile(r"(?:(?P<tag>[a-z]+):)?(?P<digits>[0-9a-f]{4,40})")


def find_id(connection: Connection, table: Table, key: str) -> int | None:
    """Return the id of the row with this key, None where there is none."""
    return connection.execute(select(table.c.id).where(table.c.key == key)).scalar_one_or_none()


def need_id(connection: Connection, table: Table, key: str) -> int:
    """Return the id of the row with this key. Raises StoreError where there is none."""
    found = find_id(connection, table, key)
    if found is None:
        raise StoreError(f"{table.name.replace('_', ' ')} {key} is not in the store", "clipbench store info")
    return found


def next_id(connection: Connection, table: Table) -> int:
    """Return the id a new row will have; children need it before their parent is there."""
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0) + 1)).scalar_one())


def keys_with_prefix(connection: Connection, table: Table, tag: str, reference: str) -> Sequence[str]:
    """Return the keys `tag:…` that begin with `reference`, at least 4 hex digits with or without the tag."""
    told = _HEX.fullmatch(reference)
    if told is None or told["tag"] not in (None, tag):
        return ()
    start = f"{tag}:{told['digits']}"
    within = (table.c.key >= start) & (table.c.key < start + "g")  # "g" sorts after every hex digit
    return connection.execute(select(table.c.key).where(within).order_by(table.c.key)).scalars().all()


def delete_final(connection: Connection, table: Table, row_id: int) -> None:
    """Delete one finished row and its children; the triggers allow it while `deletion` names it."""
    named = {"entity": table.name, "row_id": row_id}
    connection.execute(insert(tables.deletion), named)
    connection.execute(delete(table).where(table.c.id == row_id))
    connection.execute(delete(tables.deletion).filter_by(**named))
