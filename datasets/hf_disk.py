"""Folders that `save_to_disk` of Hugging Face's `datasets` writes: Arrow files with the pictures inside.

`dataset_info.json` and `state.json` beside `data-*.arrow`, or a folder of such folders with `dataset_dict.json`, one a
split. Arrow keeps a picture's bytes in one piece, so each is known by where it begins in its file and read from there,
and the library that wrote them is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from clipbench.datasets.fields import FieldError
from clipbench.datasets.jsonvalues import listed, member, record
from clipbench.datasets.photographs import LINKED_TEXT
from clipbench.datasets.picture_cells import BYTES, NEEDS, PATH, Gathered, Layout, Record, layout
from clipbench.datasets.rows import Parsed, ReadRequest
from clipbench.datasets.textfile import read_json
from clipbench.errors import DatasetError, Problem
from clipbench.foreign_files import inside, parsing
from clipbench.photographs.containers import slice_path

INFO, STATE, SPLITS = "dataset_info.json", "state.json", "dataset_dict.json"
"""What tells such a folder."""


def is_saved(folder: Path) -> bool:
    """Whether a folder is one that `save_to_disk` wrote."""
    return (folder / SPLITS).is_file() or ((folder / STATE).is_file() and (folder / INFO).is_file())


def parse(request: ReadRequest) -> Parsed:
    """Return the rows of a saved dataset, or of the splits of a saved dictionary of them.

    Raises DatasetError where it is none, where pyarrow is not installed, and where an Arrow file is damaged.
    """
    root = request.captions
    gathered = Gathered(root, request)
    others: tuple[str, ...] | None = None
    for split, name in _files(root, request.split):
        path = root / name
        if not request.follow_links and not path.resolve().is_relative_to(root.resolve()):
            gathered.problems.append(Problem(str(path), 0, LINKED_TEXT))
            continue
        with parsing(path, "Arrow file", error=DatasetError):
            whole, batches = _opened(path)
            for first, batch in batches:
                told = layout(path, batch.schema, request)
                others = told.names.others if others is None else others
                gathered.take(path, told, _records(batch, first, name, told, whole), split)
    return gathered.parsed(others or ())


def _files(root: Path, wanted: str | None) -> Iterator[tuple[str | None, str]]:
    """Yield each Arrow file below the root with its split, None where there is one dataset alone."""
    if not root.exists():
        raise DatasetError(f"cannot read {root}: No such file or directory", "check the path")
    if not is_saved(root):
        message = f"{root} was not written by save_to_disk: there is no {STATE} with {INFO}, and no {SPLITS}"
        raise DatasetError(message, "name the folder that save_to_disk was given")
    if (root / SPLITS).is_file():
        names = [str(name) for name in _list(root / SPLITS, "splits")]
        chosen = [name for name in names if wanted is None or name in wanted.split("+")] or names
        for name in chosen:
            if not inside(name):
                raise DatasetError(f"{root / SPLITS} names a split outside of its folder: {name!a}")
            for file in _list(root / name / STATE, "_data_files"):
                yield name, f"{name}/{_name(root / name / STATE, file)}"
        return
    for file in _list(root / STATE, "_data_files"):
        yield None, _name(root / STATE, file)


def _list(path: Path, key: str) -> list[object]:
    try:
        return listed(record(read_json(path), "the document"), key)
    except FieldError as error:
        raise DatasetError(f"{path}: {error}", "name the folder that save_to_disk was given") from error


def _name(state: Path, file: object) -> str:
    try:
        name = member(record(file, "a data file"), "filename")
    except FieldError as error:
        raise DatasetError(f"{state}: {error}") from error
    if not isinstance(name, str) or not inside(name):
        raise DatasetError(f"{state} names a file outside of its folder: {name!a}")
    return name


def _opened(path: Path) -> tuple[Any, Iterator[tuple[int, Any]]]:
    """Return a mapped Arrow file as a buffer, and its batches with the number of their first row, each checked."""
    try:
        from pyarrow import ipc, memory_map
    except ImportError as error:
        raise DatasetError(f"a dataset saved on disk needs {NEEDS[0]}", NEEDS[1]) from error
    if not path.is_file():
        raise DatasetError(f"there is no file {path}, which {STATE} names", "copy the whole folder")
    whole = memory_map(str(path)).read_buffer()

    def batches() -> Iterator[tuple[int, Any]]:
        first = 0
        for batch in ipc.open_stream(whole):
            batch.validate(full=True)  # offsets of a damaged file lead anywhere
            yield first, batch
            first += batch.num_rows

    return whole, batches()


def _records(batch: Any, first: int, name: str, told: Layout, whole: Any) -> Iterator[Record]:
    """Yield a batch's rows, with the place of their pictures in place of their bytes."""
    rows = batch.select(told.read).to_pylist() if told.read else [{}] * batch.num_rows
    if told.picture is None:
        yield from (Record(first + n + 1, cells) for n, cells in enumerate(rows))
        return
    column = batch.column(told.picture)
    names: list[str | None] = [None] * batch.num_rows
    if told.named:
        fields = [field.name for field in column.type]
        if PATH in fields:
            names = column.field(fields.index(PATH)).to_pylist()
        column = column.field(fields.index(BYTES))
    places = _places(column, whole)
    for number, (cells, own, place) in enumerate(zip(rows, names, places, strict=True), start=first + 1):
        label = (own or "").replace("\\", "/").rpartition("/")[2] or str(number - 1)
        where = None if place is None else slice_path(name, *place, label)
        yield Record(number, cells, own, where)


def _places(column: Any, whole: Any) -> list[tuple[int, int] | None]:
    """Return where in the file each value of a column of bytes begins, and how long it is; None for null."""
    from pyarrow import types

    wide = types.is_large_binary(column.type)
    _, offsets, data = column.buffers()
    if data is None:
        return [None] * len(column)
    begins = data.address - whole.address
    if not 0 <= begins <= begins + data.size <= whole.size:
        raise DatasetError(
            "its pictures are compressed, so they cannot be read in place",
            "save it without compression, or as Parquet",
        )
    ends = np.frombuffer(offsets, np.int64 if wide else np.int32)[
        column.offset : column.offset + len(column) + 1
    ]
    valid = column.is_valid().to_pylist()
    return [
        (begins + int(start), int(end - start)) if ok else None
        for start, end, ok in zip(ends[:-1], ends[1:], valid, strict=True)
    ]
