"""A digest of every row that means something, so that `store verify` need not trust what it checks.

A row's own columns say what it is of; nothing in them says that one of them was changed. So the digest of a
row, its children's included, stands apart in `content_digest`. Triggers note what was written (an empty
digest), and the transaction that wrote it computes the digests before it is committed, so no writer can forget
to. A program that writes to the file by itself leaves the empty ones, and whoever changes a finished row behind
the triggers' back leaves one that does not fit.

Knows tables, columns and types, and nothing of what they mean.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType

from sqlalchemy import Connection

UNCOUNTED = ("content_digest", "item_text", "deletion", "alembic_version")
"""Tables without digests: this one, texts under their own digest, leave to delete, the revision."""

MARK = 31
"""Stands between the columns of a primary key of several."""


@dataclass(frozen=True, slots=True)
class Digested:
    """A table whose rows have a digest: the columns of its primary key, and the tables of its children."""

    key: tuple[str, ...] = ("id",)
    children: tuple[str, ...] = ()

    def named(self, row: str = "") -> str:
        """Return SQL for the name of a row: its primary key as text. row: "NEW." or "OLD." in a trigger."""
        return f" || char({MARK}) || ".join(f"{row}{column}" for column in self.key)


DIGESTED: Mapping[str, Digested] = MappingProxyType(
    {
        "dataset": Digested(children=("image", "caption")),
        "dataset_columns": Digested(),
        "dataset_name": Digested(("name",)),
        "adapter": Digested(),
        "encoder": Digested(),
        "encoder_signature": Digested(("signature",)),
        "perturbation": Digested(),
        "vector_shard": Digested(),
        "embedding_set": Digested(children=("embedding_order",)),
        "vector_index": Digested(),
        "run": Digested(children=("ledger", "shortlist", "metric")),
        "tag": Digested(("tag", "run_id")),
        "sweep": Digested(children=("sweep_run",)),
        "failure": Digested(),
        "failure_sample": Digested(children=("failure_sample_item",)),
        "assignment": Digested(children=("assignment_item",)),
        "annotator": Digested(),
        "annotation_source": Digested(),
        "annotation": Digested(),
        "suggestion": Digested(),
    }
)
"""Every table whose rows have digests. Children that stand in no table of their own are written before their parent."""

SCHEMA = ("schema", "tables")
"""Under which the digest of the tables themselves is kept."""

LATER_CHILDREN = ("sweep_run",)
"""Children that are written after their parent, whose digest they are part of all the same."""


def trigger_bodies() -> Iterator[tuple[str, str, str]]:
    """Yield (table, event, statements) of the triggers that note what was written."""
    for table, digested in DIGESTED.items():
        yield table, "INSERT", _mark(table, digested.named("NEW."))
        yield table, "UPDATE", _unmark(table, digested.named("OLD.")) + _mark(table, digested.named("NEW."))
        yield table, "DELETE", _unmark(table, digested.named("OLD."))
        for child in set(digested.children) & set(LATER_CHILDREN):
            for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
                parent = f"{row}.{table}_id"
                exists = f"WHERE EXISTS (SELECT 1 FROM {table} WHERE id = {parent})"  # noqa: S608, our own names
                yield child, event, _unmark(table, parent) + _mark(table, parent, exists)


def _mark(table: str, row: str, where: str = "") -> str:
    return (
        f"DELETE FROM content_digest WHERE entity = '{table}' AND row = CAST({row} AS TEXT); "  # noqa: S608, our own names
        f"INSERT INTO content_digest SELECT '{table}', CAST({row} AS TEXT), '' {where}; "
    )


def _unmark(table: str, row: str) -> str:
    return f"DELETE FROM content_digest WHERE entity = '{table}' AND row = CAST({row} AS TEXT); "  # noqa: S608, our own names


def is_there(connection: Connection) -> bool:
    """Whether the database keeps digests: those before revision 0004 do not."""
    query = "SELECT count(*) FROM sqlite_master WHERE name = 'content_digest'"
    return bool(connection.exec_driver_sql(query).scalar_one())


def mark_all(connection: Connection) -> None:
    """Note every row as written now: the upgrade that brings digests gives old rows theirs."""
    for table, digested in DIGESTED.items():
        connection.exec_driver_sql(
            f"INSERT INTO content_digest SELECT '{table}', CAST({digested.named()} AS TEXT), '' FROM {table}"  # noqa: S608, our own names
        )


def sound_rows(connection: Connection) -> list[tuple[str, str]]:
    """Return the (table, row) that have the digest they should: a later upgrade digests these anew, no others."""
    query = "SELECT entity, row, digest FROM content_digest"
    return [
        (entity, row)
        for entity, row, digest in connection.exec_driver_sql(query).all()
        if entity in DIGESTED and row_digest(connection, entity, row) == digest
    ]


def mark_again(connection: Connection, rows: Sequence[tuple[str, str]]) -> None:
    """Note rows as written now: a revision gave their tables other columns."""
    for entity, row in rows:
        connection.exec_driver_sql("DELETE FROM content_digest WHERE entity = ? AND row = ?", (entity, row))
        connection.exec_driver_sql("INSERT INTO content_digest VALUES (?, ?, '')", (entity, row))


def digest_marked(connection: Connection) -> None:
    """Give everything that was written its digest; called at the end of every transaction that writes."""
    query = "SELECT entity, row FROM content_digest WHERE digest = ''"
    marked = connection.exec_driver_sql(query).all()
    for entity, row in marked:
        connection.exec_driver_sql(
            "UPDATE content_digest SET digest = ? WHERE entity = ? AND row = ?",
            (row_digest(connection, entity, row), entity, row),
        )


def keep_schema(connection: Connection) -> None:
    """Keep the digest of the tables and indexes as they are now: an upgrade has just made them."""
    connection.exec_driver_sql("DELETE FROM content_digest WHERE entity = ? AND row = ?", SCHEMA)
    connection.exec_driver_sql(
        "INSERT INTO content_digest VALUES (?, ?, ?)", (*SCHEMA, schema_digest(connection))
    )


def schema_digest(connection: Connection) -> str:
    """Return the digest of the statements that made the tables and indexes, as the database has them."""
    query = "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL ORDER BY name"
    told = "\n".join(f"{name} {sql}" for name, sql in connection.exec_driver_sql(query))
    return blake2b(told.encode(), digest_size=16).hexdigest()


def row_names(connection: Connection, table: str) -> list[str]:
    """Return the names of a table's rows, as `content_digest` has them, in order."""
    name = f"CAST(CAST({DIGESTED[table].named()} AS TEXT) AS BLOB)"
    query = f"SELECT {name} FROM {table} ORDER BY 1"  # noqa: S608, our own names
    return [bytes(row[0]).decode("utf-8", "replace") for row in connection.exec_driver_sql(query)]


def row_digest(connection: Connection, table: str, row: str) -> str:
    """Return the digest of a row and its children, hex; of no row, where there is none.

    A column that is null does not enter it, so a revision may add columns that are null in old rows.
    """
    hasher = blake2b(digest_size=16)
    digested = DIGESTED[table]
    keys = tuple(row.split(chr(MARK))) if len(digested.key) > 1 else (row,)
    _add(hasher, connection, table, (" AND ".join(f"{column} = ?" for column in digested.key), keys))
    for child in digested.children:
        _add(hasher, connection, child, (f"{table}_id = ?", keys))
    return hasher.hexdigest()


def _add(hasher: blake2b, connection: Connection, table: str, where: tuple[str, tuple[str, ...]]) -> None:
    """Add the rows of a table that a condition names, in order of their key: each value with column and type."""
    columns, key = _columns(connection, table)
    # Text as bytes: damaged text is not UTF-8, and has a digest all the same.
    values = ", ".join(
        f"typeof({c}), CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END" for c in columns
    )
    query = f"SELECT {values} FROM {table} WHERE {where[0]} ORDER BY {key}"  # noqa: S608, our own names
    count = 0
    for found in connection.exec_driver_sql(query, where[1]):
        count += 1
        for column, kind, value in zip(columns, found[::2], found[1::2], strict=True):
            if value is not None:
                content = _bytes(value)
                hasher.update(f"{column} {kind} {len(content)} ".encode())
                hasher.update(content)
        hasher.update(b"\n")
    hasher.update(f"{table} {count}\n".encode())


def _columns(connection: Connection, table: str) -> tuple[list[str], str]:
    """Return the columns of a table in the order of their names, and those of its primary key, quoted."""
    found = connection.exec_driver_sql(f"PRAGMA table_info({table})").all()
    key = ", ".join(f'"{column[1]}"' for column in found if column[5])
    return sorted(f'"{column[1]}"' for column in found), key


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return struct.pack("<d", value) if isinstance(value, float) else str(value).encode()
