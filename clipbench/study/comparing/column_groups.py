"""Queries by what the columns of a catalogue say of their images: the value of one, or which are empty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError
from clipbench.records import Direction
from clipbench.store.dataset_columns import DatasetColumns

COLUMN, MISSING = "column", "missing"

MOST = 12
"""Values of a column that are groups of their own; the others are one group together."""

LEAST = 5
"""Images that such a value has, unless none has so many."""

PARTS = 4
"""Groups that a column of numbers is cut into."""

Named = tuple[str, Mapping[Direction, npt.NDArray[np.bool_]]]
"""A group's name, and for each direction which queries (Q,) are in it."""


def is_of_columns(by: str) -> bool:
    """Whether a grouping asks for the columns of a dataset."""
    return by.partition(":")[0] in {COLUMN, MISSING}


def groups_by_columns(
    by: str, columns: DatasetColumns, places: Mapping[Direction, npt.NDArray[np.int64]]
) -> list[Named]:
    """Return the groups by "column:NAME", "missing" or "missing:NAME,NAME".

    places: for each direction, the image of each query as its position in the dataset. Raises CompareError for a
    column that there is not.
    """
    kind, _, wanted = by.partition(":")
    names = [name.strip() for name in wanted.split(",")] if wanted.strip() else list(columns.names)
    if kind == COLUMN and not wanted.strip():
        raise _unknown("a grouping by column needs the column", columns)
    if kind == COLUMN:
        names = [wanted.strip()]
    for name in names:
        if name not in columns.names:
            raise _unknown(f"there is no column {name!r}", columns)
    cells = {
        name: [" ".join(row[columns.names.index(name)].split()) for row in columns.cells] for name in names
    }
    images = np.unique(np.concatenate(list(places.values())))
    if kind == COLUMN:
        labels, order = _labels(names[0], cells[names[0]], images)
        marks = {label: np.array([one == label for one in labels]) for label in order}
    else:
        marks = _gaps(cells)
    return [
        (label, {direction: inside[rows] for direction, rows in places.items()})
        for label, inside in marks.items()
    ]


def _labels(column: str, cells: Sequence[str], images: npt.NDArray[np.int64]) -> tuple[list[str], list[str]]:
    """Return the group of every image of the dataset, and the groups in order."""
    none, values = f"no {column}", [cells[place] for place in images.tolist() if cells[place]]
    counts = Counter(values)
    numbers = _numbers(counts)
    if numbers is not None and len(counts) > MOST:
        return _ranges(column, cells, np.array([float(value) for value in values]), none)
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    kept = set(ranked)
    if len(ranked) > MOST:
        often = [value for value in ranked[:MOST] if counts[value] >= LEAST]
        kept = set(often or ranked[:MOST])
    others = f"other {column} ({len(ranked) - len(kept):,} values)"
    named = [f"{column} {cell}" if cell in kept else others if cell else none for cell in cells]
    return named, [*(f"{column} {value}" for value in ranked if value in kept), others, none]


def _ranges(
    column: str, cells: Sequence[str], values: npt.NDArray[np.float64], none: str
) -> tuple[list[str], list[str]]:
    shares = np.linspace(0, 1, PARTS + 1)[1:]
    ends = np.unique(np.quantile(values, shares, method="inverted_cdf"))
    # Both ends are inclusive, so each part begins at the least value above the part before it.
    starts = [values.min(), *(values[values > end].min() for end in ends[:-1])]
    names = [
        f"{column} {start:g}" if start == end else f"{column} {start:g}–{end:g}"
        for start, end in zip(starts, ends, strict=True)
    ]
    places = np.searchsorted(ends[:-1], [float(cell or 0) for cell in cells], side="left").tolist()
    named = [names[place] if cell else none for cell, place in zip(cells, places, strict=True)]
    return named, [*names, none]


def _numbers(counts: Mapping[str, int]) -> list[float] | None:
    try:
        found = [float(value) for value in counts]
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def _gaps(cells: Mapping[str, Sequence[str]]) -> dict[str, npt.NDArray[np.bool_]]:
    gaps = {name: np.array([not cell for cell in own]) for name, own in cells.items()}
    whole = ~np.any(list(gaps.values()), axis=0)
    complete = f"with {next(iter(gaps))}" if len(gaps) == 1 else "nothing missing"
    return {f"no {name}": missing for name, missing in gaps.items()} | {complete: whole}


def _unknown(what: str, columns: DatasetColumns) -> CompareError:
    return CompareError(
        f"{what}; there are {', '.join(columns.names)}",
        f"--by {COLUMN}:{columns.names[0]}, or --by {MISSING}",
    )
