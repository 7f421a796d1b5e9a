"""Bytes in the cells of Parquet files, read in place: one row group's pictures at a time, a few kept.

Rows are asked for in order nearly always, so that a row group is decoded once; a row group that is larger than
what is kept is read in pieces. Knows pyarrow, and no pictures.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from clipbench.errors import ContainerChangedError, PhotographError
from clipbench.foreign_files import ANY_SIZE, open_foreign, parsing

ROOM = 1 << 28
"""Bytes of decoded cells that are kept in a process. The newest piece stays whatever its size."""

OPEN = 16
"""Files whose layout is remembered."""

PIECE = 64
"""Rows that are decoded together of a row group that is larger than the room."""

OBJECT = 48
"""Bytes that a cell takes beside its content."""

NEEDS = ("Parquet needs pyarrow, which is not installed", "pip install 'clipbench[parquet]'")


@dataclass(slots=True)
class _Open:
    """A file and where its row groups begin. `pieces` is the row group that is being read in pieces."""

    stamp: tuple[int, int]
    file: Any
    raw: Any
    starts: list[int]
    pieces: Iterator[Any] | None = None
    group: int = -1
    column: int = -1
    next_row: int = 0


@dataclass(slots=True)
class _Cells:
    """What is kept, for all threads: cells by file, column and first row."""

    lock: Lock = field(default_factory=Lock)
    files: OrderedDict[Path, _Open] = field(default_factory=OrderedDict)
    kept: OrderedDict[tuple[Path, int, int], list[bytes | None]] = field(default_factory=OrderedDict)
    size: int = 0


_CELLS = _Cells()


def cell(path: Path, row: int, column: int, limit: int) -> bytes:
    """Return the bytes in a cell. row: of the whole file. column: among its leaf columns, as Parquet numbers them.

    Raises PhotographError, its message beginning with the file's name, where there is no such file or cell.
    """
    with _CELLS.lock:
        try:
            data = _cell(path, row, column)
        except ImportError as error:
            raise PhotographError(": ".join(NEEDS)) from error
    if data is None:
        raise PhotographError(f"{path.name} has no bytes in row {row}")
    if len(data) > limit:
        raise PhotographError(f"{path.name} has {len(data):,} bytes in row {row}, at most {limit:,} are read")
    return data


def _cell(path: Path, row: int, column: int) -> bytes | None:
    opened = _opened(path)
    for key, cells in reversed(_CELLS.kept.items()):
        if key[:2] == (path, column) and key[2] <= row < key[2] + len(cells):
            _CELLS.kept.move_to_end(key)
            return cells[row - key[2]]
    group = bisect_right(opened.starts, row) - 1
    if group >= len(opened.starts) - 1 or not 0 <= column < len(opened.file.schema.names):
        raise ContainerChangedError(f"{path.name} has changed: there is no row {row} with such a column")
    with parsing(path.name, "Parquet file", error=PhotographError):
        while True:
            first, cells = _piece(opened, group, column, row)
            _keep((path, column, first), cells)
            if row < first + len(cells):
                return cells[row - first]


def _piece(opened: _Open, group: int, column: int, row: int) -> tuple[int, list[bytes | None]]:
    """Return the first row and the cells of the next piece: the whole row group where there is room for it."""
    chunk = opened.file.metadata.row_group(group).column(column)
    if max(chunk.total_uncompressed_size, chunk.total_compressed_size) <= ROOM // 2:
        table = opened.file.read_row_group(group, columns=[chunk.path_in_schema], use_threads=False)
        return opened.starts[group], _values(table)
    if (opened.group, opened.column) != (group, column) or row < opened.next_row or opened.pieces is None:
        opened.pieces = opened.file.iter_batches(
            PIECE, row_groups=[group], columns=[chunk.path_in_schema], use_threads=False
        )
        opened.group, opened.column, opened.next_row = group, column, opened.starts[group]
    batch = next(opened.pieces)
    first = opened.next_row
    opened.next_row += batch.num_rows
    return first, _values(batch)


def _values(table: Any) -> list[bytes | None]:
    """Return the cells of the one leaf column that was read, whatever it is nested in."""
    values = table.column(0)
    while values.type.num_fields:
        values = values.combine_chunks() if hasattr(values, "combine_chunks") else values
        values = values.field(0)
    return list(values.to_pylist())


def _keep(key: tuple[Path, int, int], cells: list[bytes | None]) -> None:
    _drop(key)
    _CELLS.kept[key] = cells
    _CELLS.size += _size(cells)
    while _CELLS.size > ROOM and len(_CELLS.kept) > 1:
        _drop(next(iter(_CELLS.kept)))


def _drop(key: tuple[Path, int, int]) -> None:
    _CELLS.size -= _size(_CELLS.kept.pop(key, []))


def _size(cells: list[bytes | None]) -> int:
    return sum(OBJECT + len(data) for data in cells if data is not None)


def _opened(path: Path) -> _Open:
    """Return a file's layout, anew where the file is another than it was."""
    from pyarrow import parquet

    status = path.stat() if path.exists() else None
    stamp = (0, 0) if status is None else (status.st_size, status.st_mtime_ns)
    known = _CELLS.files.get(path)
    if known is not None and known.stamp == stamp:
        _CELLS.files.move_to_end(path)
        return known
    if known is not None:
        _forget(path)
    raw = open_foreign(path, ANY_SIZE, error=PhotographError)
    with parsing(path.name, "Parquet file", error=PhotographError):
        file = parquet.ParquetFile(raw, pre_buffer=False)
        starts = [0]
        for group in range(file.num_row_groups):
            starts.append(starts[-1] + file.metadata.row_group(group).num_rows)
    size = os.fstat(raw.fileno()).st_size
    _CELLS.files[path] = opened = _Open((size, stamp[1]), file, raw, starts)
    while len(_CELLS.files) > OPEN:
        _forget(next(iter(_CELLS.files)))
    return opened


def _forget(path: Path) -> None:
    _CELLS.files.pop(path).raw.close()
    for key in [key for key in _CELLS.kept if key[0] == path]:
        _drop(key)
