"""A copy of a store that is a store itself, made while others write.

The database comes last, as the row does after the file: a folder with a database is a whole copy. A killed
backup leaves a folder that says so by its marker and holds no database; the same command goes on with it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from clipbench.errors import StoreError
from clipbench.foreign_files import open_foreign
from clipbench.home import TEMPORARY, Home
from clipbench.store.columns import json_out
from clipbench.store.engine import Store
from clipbench.store.index_files import PARTS, index_path, listed_parts
from clipbench.store.shard_files import most_bytes, shard_path
from clipbench.store.shards import sync_folder
from clipbench.store.sqlite_errors import translated
from clipbench.store.upgrade import copy_database

CHUNK = 1 << 20

MARKER = "unfinished-backup.txt"
"""In a copy that is being made, and in none that is whole."""

_TELLS = "A clipbench store backup is being made here, or was stopped. The same command goes on with it.\n"


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was made: its folder, files of vectors and of indexes, and bytes."""

    folder: Path
    files: int
    bytes: int


def backup(store: Store, folder: Path) -> Backup:
    """Copy the database and the files of its vectors and indexes to a new folder, which is a store itself; others may write.

    The copy holds what was finished when it began; artifacts can be made again and are left out. A folder in
    which a backup was killed is gone on with. Raises StoreError where the folder is the store's or there and
    not empty, a file is not what was stored, or room runs out; then there is no copy.
    """
    folder = folder.absolute()
    _check_place(store, folder)
    copy = Home(folder)
    new = not folder.exists()
    with translated(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / MARKER).write_text(_TELLS, encoding="utf-8")
            _remove_partial_databases(copy)
            database = folder / f".{copy.database.name}{TEMPORARY}{uuid.uuid4().hex}"
            copy_database(store.home.database, database, uri=store.uri)
            files = _copy_vectors(store, database, copy) + _copy_indexes(store, database, copy)
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            database.replace(copy.database)
            (folder / MARKER).unlink()
            sync_folder(folder)
        except BaseException:
            _remove(copy, new=new)
            raise
    return Backup(folder, files, size - len(_TELLS))


def _check_place(store: Store, folder: Path) -> None:
    if store.home.root.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise StoreError(
            f"{folder} is the store itself, or inside it, where gc would tidy it away", "name a new folder"
        )
    if not folder.exists():
        return
    unfinished = (folder / MARKER).is_file() and not Home(folder).database.exists()
    if not folder.is_dir() or (any(folder.iterdir()) and not unfinished):
        raise StoreError(f"{folder} is there already, and a backup overwrites nothing", "name a new folder")


def _remove(copy: Home, *, new: bool) -> None:
    """Take away what was made, and the folder where it was new; what else is in it stays."""
    for made in (copy.embeddings, copy.indexes):
        shutil.rmtree(made, ignore_errors=True)
    _remove_partial_databases(copy)
    copy.database.unlink(missing_ok=True)
    (copy.root / MARKER).unlink(missing_ok=True)
    if new:
        shutil.rmtree(copy.root, ignore_errors=True)


def _remove_partial_databases(copy: Home) -> None:
    for path in copy.root.glob(f".*{copy.database.name}{TEMPORARY}*"):
        path.unlink()


def _copy_vectors(store: Store, database: Path, copy: Home) -> int:
    """Copy the files that the copied database names. They never change, so they may be copied later."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT path, checksum, rows, dimension FROM vector_shard ORDER BY id"
        wanted = connection.execute(query).fetchall()
    for name, checksum, rows, dimension in wanted:
        source = shard_path(store.home.embeddings, name)
        _copy_checked(source, shard_path(copy.embeddings, name), checksum, most_bytes(rows, dimension))
    return len(wanted)


def _copy_indexes(store: Store, database: Path, copy: Home) -> int:
    """Copy the files of the indexes that the copied database names."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT key, checksum, bytes, build FROM vector_index WHERE checksum IS NOT NULL ORDER BY id"
        wanted = connection.execute(query).fetchall()
    for key, checksum, size, build in wanted:
        source = index_path(store, key)
        _copy_checked(source, copy.indexes / source.name, checksum, size)
        for part, part_checksum, part_size in listed_parts(source, json_out(build).get(PARTS, 1)):
            _copy_checked(part, copy.indexes / part.name, part_checksum, part_size)
    return len(wanted)


def _copy_checked(source: Path, target: Path, checksum: str, limit: int) -> None:
    """Copy a file of vectors or of an index. One that an unfinished backup left is written again: it may be cut off."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hasher = hashlib.sha256()
    if not source.exists():
        raise StoreError(f"the file {source} is gone", "clipbench store verify")
    target.unlink(missing_ok=True)
    with open_foreign(source, limit, error=StoreError) as reader, target.open("xb") as writer:
        while chunk := reader.read(CHUNK):
            hasher.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    if hasher.hexdigest() != checksum:
        raise StoreError(f"the file {source} is not what was stored", "clipbench store verify")
