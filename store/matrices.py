"""Room for a matrix of vectors: in memory, or for a large one in a file without a name that is mapped to memory.

A mapped matrix is an array like any other. Its pages belong to the file, so that the system writes them out and
reads them again as memory is wanted; a process that is killed leaves nothing, since the file has no name.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import StoreError
from clipbench.store.sqlite_errors import translated

Vectors: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.integer]

IN_MEMORY = 256 << 20
"""Bytes of a matrix that is still held in memory: 131,072 vectors of 512 dimensions."""

BLOCK = 16 << 20
"""Bytes that go from one matrix to another at a time."""


def room(rows: int, dimension: int, folder: Path) -> Vectors:
    """Return a matrix (rows, dimension) of float32 to be filled; what it holds before is nothing to rely on.

    folder: where the file of a large one lies while it is used; the system's folder for such files where that
    one may not be written. Raises StoreError where the disk has no room.
    """
    size = 4 * rows * dimension
    if size <= IN_MEMORY:
        return np.empty((rows, dimension), dtype=np.float32)
    with _unnamed(folder) as file:
        try:
            _reserve(file, size)
        except OSError as error:
            raise StoreError(
                f"{size:,} bytes of vectors do not fit on the disk of {folder} beside what is there ({error.strerror})",
                "make room, or keep the store on a larger disk",
            ) from error
        # The mapping keeps the file; its descriptor and its name may go.
        mapping = mmap.mmap(file.fileno(), size)
    return np.frombuffer(mapping, dtype=np.float32).reshape(rows, dimension)


def chosen(vectors: Vectors, rows: Rows, folder: Path) -> Vectors:
    """Return rows of a matrix in this order: the matrix itself where it is all of them as they stand."""
    if len(rows) == len(vectors) and bool((rows == np.arange(len(rows))).all()):
        return vectors
    into = room(len(rows), vectors.shape[1], folder)
    for part in blocks(len(rows), vectors.shape[1]):
        into[part] = vectors[rows[part]]
    return into


def blocks(rows: int, dimension: int) -> Iterator[slice]:
    """Cut the rows of a matrix into blocks that fit in little memory.

    >>> [(part.start, part.stop) for part in blocks(10, 1 << 20)]
    [(0, 4), (4, 8), (8, 10)]
    """
    step = max(1, BLOCK // (4 * dimension))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _unnamed(folder: Path) -> IO[bytes]:
    """Return an open file that is gone when it is closed and no longer mapped."""
    if folder.is_dir() and os.access(folder, os.W_OK):
        with translated(folder):
            return tempfile.TemporaryFile(dir=folder)
    return tempfile.TemporaryFile()


def _reserve(file: IO[bytes], size: int) -> None:
    """Give a file its size and the room for it: a page that finds none later ends the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(1 << 20)
    for start in range(0, size, len(zeros)):
        file.write(zeros[: min(len(zeros), size - start)])
    file.flush()
