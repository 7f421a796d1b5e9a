"""The list of vector files made again from the files themselves, where rows of it are lost or wrong.

A file says whose vectors it holds and carries the digest of its content, so it needs no row to be believed; its
encoder has to be in the store. What is sound and listed is left alone, and no file is touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select

from clipbench.errors import StoreError
from clipbench.keys import file_digest
from clipbench.store import clock, shards, tables
from clipbench.store.engine import Store, transaction
from clipbench.store.rows import delete_final, find_id
from clipbench.store.shard_files import is_inside
from clipbench.store.shards import Whole, whole_shard


@dataclass(frozen=True, slots=True)
class Recovered:
    """Vector files that were listed, and what kept others from it."""

    listed: tuple[str, ...]
    sound: int
    problems: tuple[str, ...]


def recover(store: Store) -> Recovered:
    """List every sound vector file that is not listed, or listed with other values. Raises StoreError."""
    listed, sound, problems = [], 0, []
    with transaction(store) as whole:
        if whole.connection is None:
            raise StoreError("a transaction has a connection")
        for name, path in _files(store.home.embeddings):
            try:
                shard = whole_shard(path)
                listed_now = _listed(whole.connection, name, path, shard)
            except StoreError as error:
                problems.append(error.message)
                continue
            listed += [name] * listed_now
            sound += 1
    return Recovered(tuple(listed), sound, tuple(problems))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob("*/*.h5")):
        name = path.relative_to(folder).as_posix()
        if is_inside(name):
            yield name, path


def _listed(connection: Connection, name: str, path: Path, shard: Whole) -> bool:
    """List a file unless it is, and return whether it had to be. Raises StoreError where it cannot be."""
    encoder = find_id(connection, tables.encoder, shard.encoder)
    if encoder is None or shards.relative_path(shard.encoder, shard.modality, shard.key) != name:
        why = "of an encoder that is not in the store" if encoder is None else "not where its content belongs"
        raise StoreError(f"the vector file {path} is {why}")
    values = {
        "key": shard.key,
        "encoder_id": encoder,
        "modality": shard.modality,
        "path": name,
        "rows": len(shard.items),
        "dimension": shard.dimension,
        "checksum": file_digest(path),
    }
    table = tables.vector_shard
    query = select(table).where(or_(table.c.key == shard.key, table.c.path == name))
    rows = connection.execute(query).all()
    if len(rows) == 1 and _says(rows[0], values):
        return False
    for row in rows:
        delete_final(connection, table, row.id)
    connection.execute(insert(table), {**values, "created_at": clock.stamp()})
    return True


def _says(row: Row[Any], values: dict[str, Any]) -> bool:
    return all(row._mapping[name] == value for name, value in values.items())  # noqa: SLF001, SQLAlchemy's public name
