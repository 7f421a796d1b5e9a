"""The files of indexes: where they lie, and whether they are what was stored.

Knows files as bytes. An index that is whole is one file. One in parts has a file for each, and one that lists them
with their checksums, which is the file that its row knows.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from clipbench.errors import StoreError
from clipbench.home import TEMPORARY
from clipbench.keys import Json, file_digest, short
from clipbench.store.columns import json_in, json_out
from clipbench.store.engine import Store

PARTS = "parts"
"""Says among the parameters of an index in how many parts it is."""

LISTED = 200
"""Bytes for each part that the list of them may have."""

_FILE = re.compile(r"[0-9a-f]{40}\.index")


def index_path(store: Store, key: str) -> Path:
    """Return where the file of an index (by key) lies."""
    name = f"{short(key, 40)}.index"
    if not _FILE.fullmatch(name):
        raise StoreError(f"{key!r} is no key of an index", "clipbench store verify")
    return store.home.indexes / name


def partial_path(store: Store, key: str) -> Path:
    """Return a path beside the file of an index (by key) for what is not stored yet; `store gc` takes what is left there."""
    final = index_path(store, key)
    final.parent.mkdir(parents=True, exist_ok=True)
    return final.with_name(f".{final.name}{TEMPORARY}{uuid.uuid4().hex}")


def part_path(path: Path, number: int) -> Path:
    """Return where a part lies of the index whose file is at `path`."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def files_of_none(files: Iterable[Path], paths: Iterable[Path]) -> list[Path]:
    """Return the files that are neither at one of these paths of indexes nor a part of one."""
    known = {path.name for path in paths}
    whole = {path: f"{path.stem.partition('-')[0]}{path.suffix}" for path in files}
    return [path for path, name in whole.items() if name not in known]


def finish_part(partial: Path, path: Path, number: int) -> Path:
    """Give a part that was written the name by which `finished_part` knows it: its checksum is in it."""
    sync_file(partial)
    finished = path.with_name(f".{path.name}{TEMPORARY}{number}-{file_digest(partial)}")
    partial.replace(finished)
    return finished


def finished_part(path: Path, number: int) -> Path | None:
    """Return the part that a build of the index at `path` finished before it was stopped, None where there is none."""
    for found in path.parent.glob(f".{path.name}{TEMPORARY}{number}-*"):
        if file_digest(found) == _announced(found):
            return found
    return None


def _announced(finished: Path) -> str:
    """Return the checksum in the name of a finished part."""
    return finished.name.rpartition("-")[2]


def listed_parts(path: Path, parts: int) -> list[tuple[Path, str, int]]:
    """Return path, SHA-256 and bytes of each part, as the file at `path` lists them. Raises StoreError."""
    if parts == 1:
        return []
    try:
        listed = json_out(path.read_text() if path.stat().st_size < LISTED * parts else "")[PARTS]
        found = [
            (part_path(path, number), str(one["sha256"]), int(one["bytes"]))
            for number, one in enumerate(listed)
        ]
    except (StoreError, OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path} is no list of parts of an index", "clipbench store verify") from error
    if len(found) != parts:
        raise StoreError(f"{path} lists {len(found)} parts, not {parts}", "clipbench store verify")
    return found


def parts_list(parts: Sequence[Path]) -> str:
    """Return the text of the file that lists the finished parts of an index."""
    listed: list[Json] = [{"sha256": _announced(part), "bytes": part.stat().st_size} for part in parts]
    return json_in({PARTS: listed})


def sync_file(path: Path) -> None:
    """Have the disk keep what was written to a file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def unlike(path: Path, name: str, checksum: str, bytes_: int | None) -> str | None:
    """Return what is wrong with a file of an index of this name, None where it has the bytes that were stored."""
    try:
        if path.is_symlink() or not path.is_file():
            return f"the file of index {name} is gone: {path}"
        size = path.stat().st_size
        if bytes_ not in {None, size}:  # said before it is read
            return f"the file of index {name} has {size:,} bytes, {bytes_:,} were stored"
        found = file_digest(path)
    except OSError as error:
        return f"the file of index {name} cannot be read ({error.strerror or error}): {path}"
    if found != checksum:
        return f"the file of index {name} has checksum {found[:12]}, {checksum[:12]} was stored: {path}"
    return None
