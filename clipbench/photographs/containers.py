"""Photographs that lie in a larger file: a slice of a tar or Arrow file, or a cell of a Parquet file.

Such a photograph has a path like any other, CONTAINER/PLACE/NAME: `shard-00.tar/bytes-1536-40211/cat.jpg`, or
`train.parquet/row-17-column-0/cat.jpg`. So whoever holds a folder and a path below it holds all that is needed,
nothing is unpacked, and no index lies beside the files: the places are looked up once, when a dataset is added.
What is at a place is known by its SHA-256, as of any photograph. Knows no dataset.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clipbench.errors import ContainerChangedError, PhotographError
from clipbench.foreign_files import ANY_SIZE, open_foreign

PATH = re.compile(r"(.+?)/(?:bytes-(\d{1,18})-(\d{1,18})|row-(\d{1,18})-column-(\d{1,9}))/(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Contained:
    """Where a photograph lies: bytes of its container, or the row and column of a Parquet file."""

    container: Path
    start: int = 0
    length: int = 0
    row: int | None = None
    column: int = 0


def slice_path(container: str, start: int, length: int, name: str) -> str:
    """Return the path of a photograph that is `length` bytes of a container from `start` on.

    >>> slice_path("shard-00.tar", 1536, 40211, "cat.jpg")
    'shard-00.tar/bytes-1536-40211/cat.jpg'
    """
    return f"{container}/bytes-{start}-{length}/{name}"


def cell_path(container: str, row: int, column: int, name: str) -> str:
    """Return the path of a photograph in a Parquet file. column: among the file's leaf columns, from 0 as the row.

    >>> cell_path("train.parquet", 17, 0, "cat.jpg")
    'train.parquet/row-17-column-0/cat.jpg'
    """
    return f"{container}/row-{row}-column-{column}/{name}"


def contained(path: str | Path) -> Contained | None:
    """Return the place that a path names, None for the path of a file of its own. Looks at no disk."""
    match = PATH.fullmatch(path if isinstance(path, str) else path.as_posix())
    if match is None:
        return None
    container, start, length, row, column, _ = match.groups()
    if row is None:
        return Contained(Path(container), int(start), int(length))
    return Contained(Path(container), row=int(row), column=int(column))


def open_contained(place: Contained, limit: int) -> tuple[BinaryIO, int]:
    """Return a file that holds just the photograph, and its size; the caller closes it.

    Raises PhotographError, its message beginning with the container's name, where the container is absent, has
    nothing at this place, or more than `limit` bytes.
    """
    name = place.container.name
    if place.row is not None:
        from clipbench.photographs.parquet_cells import cell

        data = cell(place.container, place.row, place.column, limit)
        return io.BytesIO(data), len(data)
    if place.length > limit:
        raise PhotographError(f"{name} has {place.length:,} bytes there, at most {limit:,} are read")
    file = open_foreign(place.container, ANY_SIZE, error=PhotographError)
    size = os.fstat(file.fileno()).st_size
    if size < place.start + place.length:
        file.close()
        raise ContainerChangedError(
            f"{name} has changed: it has {size:,} bytes, and the photograph ended at {place.start + place.length:,}"
        )
    return io.BufferedReader(_Slice(file, place.start, place.length)), place.length


class _Slice(io.RawIOBase):
    """Some bytes of an open file as a file of its own, which closes the other with it."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file = file
        self._start = start
        self._length = length
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(0, self._length - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
