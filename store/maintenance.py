"""Looking after a store: what is in it, and a copy of it; `verify` and `gc` are here to be found.

Knows counts, sizes and files, nothing of what they mean.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from clipbench.errors import StoreError
from clipbench.foreign_files import open_foreign
from clipbench.store import tables
from clipbench.store.engine import Store, reading
from clipbench.store.garbage import Collected, Garbage, gc
from clipbench.store.shard_files import most_bytes, shard_path
from clipbench.store.shards import TEMPORARY, sync_folder
from clipbench.store.sqlite_errors import translated
from clipbench.store.upgrade import copy_database, schema_of
from clipbench.store.verify import Recompute, Verification, verify

__all__ = [
    "Backup",
    "Collected",
    "Garbage",
    "Recompute",
    "StoreInfo",
    "Verification",
    "backup",
    "gc",
    "info",
    "verify",
]

CHUNK = 1 << 20

_COUNTED = {
    "datasets": tables.dataset,
    "images": tables.image,
    "captions": tables.caption,
    "encoders": tables.encoder,
    "perturbations": tables.perturbation,
    "vector files": tables.vector_shard,
    "embedding sets": tables.embedding_set,
    "runs": tables.run,
    "metrics": tables.metric,
    "failures": tables.failure,
    "labels": tables.annotation,
}


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """Where a store is, its schema revision, how many of each thing, and bytes on the disk.

    note: how it is read where nothing may be written there, "" where it may.
    """

    root: Path
    revision: str
    counts: Mapping[str, int]
    vectors: int
    database_bytes: int
    embedding_bytes: int
    artifact_bytes: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was made: its folder, vector files and bytes."""

    folder: Path
    files: int
    bytes: int


def info(store: Store) -> StoreInfo:
    """Return what is in a store and how much room it takes."""
    with reading(store) as connection:
        counts = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in _COUNTED.items()
        }
        rows = connection.execute(select(func.coalesce(func.sum(tables.vector_shard.c.rows), 0))).scalar_one()
    home = store.home
    database = sum(_bytes(home.database.with_name(home.database.name + end)) for end in ("", "-wal", "-shm"))
    return StoreInfo(
        root=home.root,
        revision=schema_of(home.database, uri=store.uri).revision or "",
        counts=counts,
        vectors=rows,
        database_bytes=database,
        embedding_bytes=_bytes_below(home.embeddings),
        artifact_bytes=_bytes_below(home.artifacts),
        note=store.source.note if store.source else "",
    )


def backup(store: Store, folder: Path) -> Backup:
    """Copy the database and its vector files to a new folder, which is a store itself; others may write.

    The copy holds what was finished when it began; artifacts can be made again and are left out. Raises
    StoreError where the folder is the store's or there and not empty, a file is not what was stored, or room runs out;
    then there is no copy.
    """
    folder = folder.absolute()
    if store.home.root.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise StoreError(
            f"{folder} is the store itself, or inside it, where gc would tidy it away", "name a new folder"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is there already, and a backup overwrites nothing", "name a new folder")
    partial = folder.with_name(f".{folder.name}{TEMPORARY}{uuid.uuid4().hex}")
    with translated(folder):
        try:
            partial.mkdir(parents=True)
            copy_database(store.home.database, partial / store.home.database.name, uri=store.uri)
            files = _copy_vectors(store, partial)
            size = _bytes_below(partial)
            if folder.exists():
                folder.rmdir()
            partial.rename(folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # gone already where all went well
    return Backup(folder, files, size)


def _copy_vectors(store: Store, target: Path) -> int:
    """Copy the files that the copied database names. They never change, so they may be copied later."""
    with closing(sqlite3.connect(target / store.home.database.name)) as connection:
        query = "SELECT path, checksum, rows, dimension FROM vector_shard ORDER BY id"
        wanted = connection.execute(query).fetchall()
    below = target / store.home.embeddings.name
    for name, checksum, rows, dimension in wanted:
        source = shard_path(store.home.embeddings, name)
        _copy_checked(source, shard_path(below, name), checksum, most_bytes(rows, dimension))
    return len(wanted)


def _copy_checked(source: Path, target: Path, checksum: str, limit: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    hasher = hashlib.sha256()
    if not source.exists():
        raise StoreError(f"the vector file {source} is gone", "clipbench store verify")
    with open_foreign(source, limit, error=StoreError) as reader, target.open("xb") as writer:
        while chunk := reader.read(CHUNK):
            hasher.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    if hasher.hexdigest() != checksum:
        raise StoreError(f"the vector file {source} is not what was stored", "clipbench store verify")


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _bytes_below(folder: Path) -> int:
    return sum(_bytes(path) for path in folder.rglob("*") if path.is_file())
