"""The columns of a table that are neither image, caption, id nor split, kept beside the dataset that it makes."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.datasets.fields import FieldError, identifier, posix, roles
from clipbench.datasets.rows import ReadRequest
from clipbench.records import Dataset
from clipbench.store.dataset_columns import DatasetColumns
from clipbench.tabular.table import read_table

TABLES = frozenset({"csv", "tsv"})
"""Formats whose other columns are kept."""


def kept_columns(request: ReadRequest, dataset: Dataset) -> DatasetColumns | None:
    """Return the other columns of a table for every image of the dataset that was read from it.

    Where an image has several rows, its first one counts. None for other formats and for tables that have none.
    """
    if dataset.format not in TABLES:
        return None
    table = read_table(
        request.captions, known=lambda header: _readable(request, header), quoting=request.quoting
    )
    names = roles(request.columns, list(table.header))
    used = {names.image, names.caption, names.image_id, names.caption_id, names.split}
    other = tuple(name for name in table.header if name not in used)
    if not other:
        return None
    cells: dict[str, tuple[str, ...]] = {}
    for row in table.rows:
        told = table.named(row)
        for name in (names.image_id, names.image):
            if name is not None and told.get(name, "").strip():
                cells.setdefault(posix(identifier(told[name], name)), tuple(told[n] for n in other))
    empty = ("",) * len(other)
    return DatasetColumns(
        other, tuple(cells.get(s.id, cells.get(s.path or "", empty)) for s in dataset.samples)
    )


def _readable(request: ReadRequest, header: Sequence[str]) -> bool:
    try:
        roles(request.columns, list(header))
    except FieldError:
        return False
    return True
