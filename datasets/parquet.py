"""Parquet: captions with the photographs' paths, or with the photographs themselves as Hugging Face keeps them.

One file, a pattern or a folder of many. Pictures are read in place, by row group, and only captions, names and ids
while the dataset is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clipbench.datasets.photographs import LINKED_TEXT
from clipbench.datasets.picture_cells import BYTES, NEEDS, PATH, Gathered, Layout, Record, layout, split_of
from clipbench.datasets.rows import Parsed, ReadRequest
from clipbench.datasets.shards import shards
from clipbench.errors import DatasetError, Problem
from clipbench.foreign_files import ANY_SIZE, open_foreign, parsing
from clipbench.photographs.containers import cell_path

SUFFIXES = (".parquet", ".pq")
ROWS = 4096
"""Rows of captions that are decoded together."""


def parse(request: ReadRequest) -> Parsed:
    """Return the rows of Parquet files, one per table row; a caption column of lists gives several.

    Raises DatasetError where pyarrow is not installed, InputError where a file is no Parquet or lacks a column.
    """
    files = shards(request.captions, SUFFIXES, links=request.follow_links)
    gathered = Gathered(files.root, request)
    others: tuple[str, ...] = ()
    for name, path in files:
        if (
            len(files.names) > 1
            and not request.follow_links
            and not path.resolve().is_relative_to(files.root.resolve())
        ):
            gathered.problems.append(Problem(str(path), 0, LINKED_TEXT))
            continue
        with (
            open_foreign(path, ANY_SIZE, error=DatasetError) as raw,
            parsing(path, "Parquet file", error=DatasetError),
        ):
            file = _opened(raw)
            told = layout(path, file.schema_arrow, request)
            if others and told.names.others != others:
                raise DatasetError(
                    f"{path} has other columns than {files.names[0]}", "name files of one table"
                )
            others = told.names.others
            records = _records(file, name, told)
            gathered.take(path, told, records, split_of(name) if told.picture else None)
    return gathered.parsed(others)


def _opened(raw: Any) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DatasetError(f"Parquet needs {NEEDS[0]}", NEEDS[1]) from error
    return parquet.ParquetFile(raw)


def _records(file: Any, name: str, told: Layout) -> Iterator[Record]:
    """Yield a file's rows without the bytes of their pictures."""
    named = f"{told.picture}.{PATH}" if told.named else None
    leaves = [file.schema.column(n).path for n in range(len(file.schema.names))]
    wanted = [*told.read, *([named] if named in leaves else [])]
    column = (
        -1
        if told.picture is None
        else leaves.index(f"{told.picture}.{BYTES}" if told.named else told.picture)
    )
    number = 0
    for batch in file.iter_batches(ROWS, columns=wanted):
        for cells in batch.to_pylist():
            number += 1
            if told.picture is None:
                yield Record(number, cells)
                continue
            picture = cells.get(told.picture) or {}
            own = picture.get(PATH)
            label = (own or "").replace("\\", "/").rpartition("/")[2] or str(number - 1)
            yield Record(number, cells, own, cell_path(name, number - 1, column, label))
    if not wanted:  # pictures alone: a table without columns has no batches
        for number in range(1, file.metadata.num_rows + 1):
            yield Record(number, {}, None, cell_path(name, number - 1, column, str(number - 1)))
