"""The files of indexes: where they lie, and whether they are what was stored.

Knows files as bytes. An index that is whole is one file. One in parts has a file for each, and one that lists them
with their checksums, which is the file that its row knows.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from clipbench.errors import StoreError
from clipbench.home import TEMPORARY
from clipbench.keys import Json, file_digest, short
from clipbench.store.columns import json_in, json_out
from clipbench.store.engine import Store

PARTS = "parts"
"""Says among the parameters of an index in how many parts it is."""

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


def index_files(path: Path, build: Mapping[str, int]) -> list[Path]:
    """Return where all files of an index lie: the one at `path`, and those of its parts."""
    parts = build.get(PARTS, 1)
    return [path, *(part_path(path, number) for number in range(parts if parts > 1 else 0))]


def listed_parts(path: Path, parts: int) -> list[tuple[Path, str, int]]:
    """Return path, SHA-256 and bytes of each part, as the file at `path` lists them. Raises StoreError."""
    if parts == 1:
        return []
    listed = json_out(path.read_text())[PARTS]
    if len(listed) != parts:
        raise StoreError(f"{path} lists {len(listed)} parts, not {parts}", "clipbench store verify")
    return [
        (part_path(path, number), str(one["sha256"]), int(one["bytes"])) for number, one in enumerate(listed)
    ]


def parts_list(parts: Sequence[Path]) -> str:
    """Return the text of the file that lists the parts of an index."""
    listed: list[Json] = [{"sha256": file_digest(part), "bytes": part.stat().st_size} for part in parts]
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
