"""Where the rows say that shards lie, and whether what lies there is what was stored.

A store may be somebody else's, so a row is input: its path is believed only where it is of the form that we
give, and a file only where it is a regular one of about the size that the row announces. And "cannot be
looked at" is not "is damaged": a stale mount must not cost vectors that cannot be made again.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

from clipbench.errors import StoreError
from clipbench.keys import ITEM_BYTES, file_digest
from clipbench.store import shards, tables
from clipbench.store.engine import Store, reading

_PATH = re.compile(r"[0-9a-f]{1,16}/(?:image|text)-[0-9a-f]{1,40}\.h5")
"""What `shards.relative_path` gives: no root, no drive, no step upwards."""

OVERHEAD = 1 << 20
"""Bytes that HDF5 may need beside keys and vectors; it needs some thousands."""


class UnseenError(StoreError):
    """A file that cannot be looked at, so that nobody knows whether it is sound."""


@dataclass(frozen=True, slots=True)
class ShardFinding:
    """What looking at one shard's file found. problem: None where it is what was stored."""

    id: int
    name: str
    problem: str | None


def is_inside(name: object) -> bool:
    """Whether the path of a row is one that we would have given, so inside the embeddings folder."""
    return isinstance(name, str) and _PATH.fullmatch(name) is not None


def shard_path(folder: Path, name: str) -> Path:
    """Return where the file of a shard lies. Raises StoreError for a path that leads elsewhere."""
    if not is_inside(name):
        raise StoreError(
            f"the store names a vector file outside of itself or in no form of ours: {name!r}",
            "do not trust this store; clipbench store verify tells what else is wrong with it",
        )
    return folder / name


def most_bytes(rows: int, dimension: int) -> int:
    """Return how many bytes the file of a shard of this size may have."""
    return int(rows) * (ITEM_BYTES + 4 * int(dimension)) + OVERHEAD


def check_inside(folder: Path, path: Path) -> None:
    """Raise StoreError where links inside the embeddings folder lead a file to be written out of it."""
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise StoreError(
            f"{path.parent} is a link out of the store, so nothing is written there",
            "put a folder in its place; to keep vectors on another disk, let all of embeddings be the link",
        )


def shard_findings(store: Store) -> Iterator[ShardFinding]:
    """Look at every shard's file, in order of storing.

    Raises UnseenError at the first that cannot be looked at; `look` tells of one.
    """
    for row in shard_rows(store):
        yield ShardFinding(row.id, str(row.path), look(store.home.embeddings, row))


def shard_rows(store: Store) -> tuple[Row[Any], ...]:
    """Return the rows of all shards in order of storing."""
    with reading(store) as connection:
        return tuple(connection.execute(select(tables.vector_shard).order_by("id")))


def look(folder: Path, row: Row[Any]) -> str | None:
    """Return what is wrong with the file of a shard's row, None where it is what was stored.

    Raises UnseenError where that cannot be known: no permission, a failing disk, a folder that is not there.
    """
    if not is_inside(row.path):
        return (
            f"vector shard {row.key} names a file outside of the store, or in no form of ours: {row.path!r}"
        )
    path = folder / row.path
    try:
        problem = _unlike(path, row)
    except FileNotFoundError:
        if not _is_folder(path.parent):
            raise UnseenError(
                f"the folder {path.parent} of vector files is not there",
                f"mount its disk; if it is lost, mkdir -p {path.parent} says so",
            ) from None
        return f"the vector file {path} is gone"
    except OSError as error:
        raise UnseenError(
            f"the vector file {path} cannot be read ({error.strerror or error})",
            "mend its permissions or its disk, then the same command again",
        ) from error
    if problem is not None:
        return problem
    try:
        shards.read_items(path, row.rows)
    except StoreError as error:
        return error.message
    return None


def _unlike(path: Path, row: Row[Any]) -> str | None:
    """Return what of a file's kind, size and bytes is not as its row says. Raises OSError."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return f"the vector file {path} is no regular file"
    most = most_bytes(row.rows, row.dimension)
    if status.st_size > most:  # said before terabytes are read
        return (
            f"the vector file {path} has {status.st_size:,} bytes, at most {most:,} fit its {row.rows:,} rows"
        )
    digest = file_digest(path)
    if digest != row.checksum:
        return f"the vector file {path} has checksum {digest[:12]}, {str(row.checksum)[:12]} was stored"
    return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
