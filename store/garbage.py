"""What nothing refers to: finding it, and removing it while others write.

Knows who refers to whom: names and runs to datasets, runs and indexes to embedding sets, sets to shards. Rows go
first and files after them, each under the write lock, so a row never stands without its file.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from sqlalchemy import Connection, bindparam, delete, select, text

from clipbench.home import TEMPORARY, Home
from clipbench.records import Modality
from clipbench.store import clock, index_tables, tables
from clipbench.store.columns import Items, items_array
from clipbench.store.engine import Store, reading, writing
from clipbench.store.in_use import named_groups
from clipbench.store.index_files import files_of_none, index_path
from clipbench.store.rows import delete_final
from clipbench.store.shard_files import is_inside, shard_findings
from clipbench.store.shard_index import keys_of
from clipbench.store.vectors import Pool

FETCHED = 1 << 16
"""Rows that are fetched, or deleted, at a time."""

GRACE = timedelta(days=1)
"""What is younger stays: another process may be about to refer to it, or to go on with it."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """One thing that is not needed: "embedding set", "dataset", "vector shard", "texts" or "file", and its size."""

    kind: str
    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed, or would be."""

    garbage: tuple[Garbage, ...]

    @property
    def bytes(self) -> int:
        """Bytes of files that are freed; the database gives its pages to later rows."""
        return sum(item.bytes for item in self.garbage)


def gc(
    store: Store,
    *,
    dry_run: bool = False,
    unused: bool = False,
    damaged: bool = False,
    grace: timedelta = GRACE,
) -> Collected:
    """Remove what nothing refers to and is older than `grace`; with `dry_run` only tell what that is.

    Gone are files of no shard, shards whose vectors are in no embedding set, texts without a vector, and
    datasets without name, run and labelled failure, with their embedding sets. unused: embedding sets without
    a run or an index too. damaged: shards whose file was looked at and is gone or not what was stored too, whatever their
    age, so that the next command that wants their items encodes them again. Raises StoreError, and removes
    nothing, where a file cannot be looked at.
    """
    broken = [found.id for found in shard_findings(store) if found.problem is not None] if damaged else []
    before = clock.stamp(clock.now() - grace)
    with writing(store) as connection:
        rows = [
            *_shards(store, connection, broken),
            *_sets(connection, before, unused=unused),
            *_datasets(connection, before),
            *_shards(store, connection, _unreferenced(store, connection, before)),
            *_texts(store, connection),
        ]
        known = _paths(connection)
        if dry_run:
            connection.rollback()
    shards = {item.name for item in rows if item.kind == "vector shard"}
    if dry_run:
        left = [item for item, _ in _files(store, known, shards, grace) if item.name not in shards]
        return Collected((*rows, *left))
    with writing(store) as connection:  # a shard may have been stored again since
        files = list(_files(store, _paths(connection), shards, grace))
        for _, path in files:
            path.unlink(missing_ok=True)
    return Collected((*rows, *(item for item, _ in files if item.name not in shards)))


def _paths(connection: Connection) -> set[str]:
    return set(connection.execute(select(tables.vector_shard.c.path)).scalars())


def _sets(connection: Connection, before: str, *, unused: bool) -> Iterator[Garbage]:
    """Remove sets that no run and no index uses, of datasets that have no name (of all, where `unused`)."""
    query = """SELECT id, key FROM embedding_set
      WHERE created_at < :before
        AND id NOT IN (SELECT image_set_id FROM run UNION ALL SELECT text_set_id FROM run)
        AND NOT EXISTS (SELECT 1 FROM vector_index WHERE embedding_set_id = embedding_set.id)
        AND (:unused OR NOT EXISTS
          (SELECT 1 FROM dataset_name WHERE dataset_name.dataset_id = embedding_set.dataset_id))
      ORDER BY id"""
    for row in connection.execute(text(query), {"before": before, "unused": unused}).all():
        delete_final(connection, tables.embedding_set, row.id)
        yield Garbage("embedding set", row.key, 0)


def _datasets(connection: Connection, before: str) -> Iterator[Garbage]:
    query = """SELECT id, key FROM dataset
      WHERE created_at < :before
        AND NOT EXISTS (SELECT 1 FROM dataset_name WHERE dataset_id = dataset.id)
        AND NOT EXISTS (SELECT 1 FROM embedding_set WHERE dataset_id = dataset.id)
        AND NOT EXISTS (SELECT 1 FROM run WHERE dataset_id = dataset.id)
        AND NOT EXISTS (SELECT 1 FROM failure WHERE dataset_id = dataset.id)
      ORDER BY id"""
    for row in connection.execute(text(query), {"before": before}).all():
        columns = select(tables.dataset_columns.c.id).filter_by(dataset_id=row.id)
        for kept in list(connection.execute(columns).scalars()):
            delete_final(connection, tables.dataset_columns, kept)
        delete_final(connection, tables.dataset, row.id)
        yield Garbage("dataset", row.key, 0)


def _unreferenced(store: Store, connection: Connection, before: str) -> list[int]:
    """Return the ids of shards that serve no row of any embedding set."""
    shard = tables.vector_shard.c
    groups = connection.execute(
        select(tables.encoder.c.id, tables.encoder.c.key, shard.modality)
        .join(tables.encoder, tables.encoder.c.id == shard.encoder_id)
        .distinct()
    ).all()
    young = set(connection.execute(select(shard.id).where(shard.created_at >= before)).scalars())
    found: list[int] = []
    for encoder_id, key, modality in groups:
        index = Pool(store, key, modality).index_in(connection)
        used = named_groups(index, index.starts, _orders(connection, encoder_id, modality))
        found += [s.id for s, needed in zip(index.shards, used, strict=True) if not needed]
    return sorted(set(found) - young)


def _texts(store: Store, connection: Connection) -> Iterator[Garbage]:
    """Remove the texts of no embedding set and no vector: a text is kept with its vector, before any set."""
    items = _text_items(connection)
    encoders = connection.execute(select(tables.encoder.c.id, tables.encoder.c.key)).all()
    for _, key in encoders:
        items = items[Pool(store, key, "text").index_in(connection).find(items) < 0]
    for encoder_id, _ in encoders:  # few are left, if any
        each = np.arange(len(items) + 1)
        items = items[~named_groups(keys_of(items), each, _orders(connection, encoder_id, "text"))]
    remove = delete(tables.item_text).where(tables.item_text.c.item == bindparam("gone"))
    for start in range(0, len(items), FETCHED):
        connection.execute(remove, [{"gone": item.tobytes()} for item in items[start : start + FETCHED]])
    if len(items):
        yield Garbage("texts", f"{len(items):,} texts of no vector", 0)


def _text_items(connection: Connection) -> Items:
    """Return the item keys of all texts, shape (n, 16)."""
    raw = cast("sqlite3.Connection", connection.connection.driver_connection)
    # Rows of SQLAlchemy would take four times as long, for millions of them.
    cursor = raw.execute("SELECT item FROM item_text")
    parts = [items_array([item for (item,) in rows]) for rows in iter(partial(cursor.fetchmany, FETCHED), [])]
    return np.concatenate([items_array([]), *parts])


def _orders(connection: Connection, encoder_id: int, modality: Modality) -> Iterator[bytes]:
    """Yield the items of an encoder's sets, block after block."""
    query = (
        select(tables.embedding_order.c["items"])
        .join(tables.embedding_set, tables.embedding_set.c.id == tables.embedding_order.c.embedding_set_id)
        .where(tables.embedding_set.c.encoder_id == encoder_id, tables.embedding_set.c.modality == modality)
    )
    yield from connection.execute(query).scalars()


def _shards(store: Store, connection: Connection, ids: list[int]) -> Iterator[Garbage]:
    for row in ids:
        found = connection.execute(select(tables.vector_shard.c.path).filter_by(id=row)).scalar_one_or_none()
        if found is not None:
            delete_final(connection, tables.vector_shard, row)
            size = _size(store.home.embeddings / found) if is_inside(found) else 0
            yield Garbage("vector shard", str(found), size)


def _files(
    store: Store, known: set[str], shards: set[str], grace: timedelta
) -> Iterator[tuple[Garbage, Path]]:
    """Yield the files that no row names: of shards just removed, and old ones left by killed processes."""
    folder = store.home.embeddings
    oldest = time.time() - grace.total_seconds()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name in known or (path.is_dir() and not path.is_symlink()):
            continue
        if name in shards or path.lstat().st_mtime <= oldest:
            yield Garbage("file", name, _size(path)), path
    for path in (*needless_index_files(store), *unfinished_copies(store.home)):
        if path.lstat().st_mtime <= oldest:
            yield Garbage("file", path.name, _size(path)), path


def needless_index_files(store: Store) -> list[Path]:
    """Return the files among those of indexes that belong to none: left by killed processes."""
    files = sorted(store.home.indexes.glob("*"))
    with reading(store) as connection:  # after the files, since rows come last
        keys = connection.execute(select(index_tables.vector_index.c.key)).scalars().all()
    return files_of_none(files, [index_path(store, key) for key in keys])


def unfinished_copies(home: Home) -> list[Path]:
    """Return the copies of the database that killed upgrades left; finished ones are kept as backups."""
    pattern = f".{home.database.stem}*{TEMPORARY}*"
    return sorted(path for path in home.root.glob(pattern) if path.is_file())


def _size(path: Path) -> int:
    return path.lstat().st_size if path.is_symlink() or path.exists() else 0
