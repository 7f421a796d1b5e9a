"""Ledgers as blobs: a million ranks are written in a hundredth of a second. Knows no metric."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Row

from clipbench.records import UNKNOWN, Ledger
from clipbench.store.columns import float_array, float_blob, int_array, int_blob

FLOATS = ("positive_score", "negative_score")
PER_QUERY = ("top1", "cluster", *FLOATS)
PER_PAIR = ("positive", "above", "tied", "tied_positives")
ARRAYS = tuple(f.name for f in fields(Ledger) if f.name not in ("direction", "gallery_size", "depth"))
"""The arrays of a Ledger, which are also the names of the columns."""


def check_ledger(ledger: Ledger) -> None:
    """Raise ValueError where a ledger's arrays do not belong together, or hold what 32 bits cannot."""
    import numpy as np

    lengths = {name: len(getattr(ledger, name)) for name in ARRAYS}
    pairs = int(ledger.offsets[-1]) if len(ledger.offsets) else 0
    expected = dict.fromkeys(PER_QUERY, ledger.queries) | dict.fromkeys(PER_PAIR, pairs)
    expected["offsets"] = ledger.queries + 1
    wrong = sorted(name for name in ARRAYS if lengths[name] != expected[name])
    if wrong or (np.diff(ledger.offsets) < 0).any():
        raise ValueError(
            f"the {ledger.direction} ledger of {ledger.queries} queries and {pairs} pairs does not fit "
            f"together: {', '.join(f'{name} has {lengths[name]}' for name in wrong) or 'offsets go down'}"
        )
    _check_depth(ledger)


def _check_depth(ledger: Ledger) -> None:
    """Raise ValueError where a ledger does not know what it should, or knows more than its depth allows."""
    if ledger.depth is None:
        if (ledger.above == UNKNOWN).any():
            raise ValueError(
                f"the {ledger.direction} ledger lacks ranks and does not say to what depth it goes"
            )
        return
    if ledger.depth < 1:
        raise ValueError(f"the {ledger.direction} ledger has a depth of {ledger.depth}")
    unknown = ledger.above == UNKNOWN
    if ((ledger.tied == 0) != unknown).any() or ((ledger.tied_positives == 0) != unknown).any():
        raise ValueError(
            f"the {ledger.direction} ledger counts ties of ranks it does not know, or none of others"
        )
    if (ledger.above >= ledger.depth).any():
        raise ValueError(f"the {ledger.direction} ledger of depth {ledger.depth} knows ranks that lie deeper")


def ledger_values(ledger: Ledger) -> Mapping[str, Any]:
    """Return the columns of a ledger's row, without its run. Raises ValueError as `check_ledger` does."""
    check_ledger(ledger)
    blobs = {name: (float_blob if name in FLOATS else int_blob)(getattr(ledger, name)) for name in ARRAYS}
    sizes = {"queries": ledger.queries, "pairs": len(ledger.positive)}
    head = {"direction": ledger.direction, "gallery_size": ledger.gallery_size, "depth": ledger.depth}
    return {**head, **sizes, **blobs}


def ledger_of(row: Row[Any]) -> Ledger:
    """Return the ledger of a row."""
    columns = row._mapping  # noqa: SLF001, SQLAlchemy's public name for access by column
    arrays: dict[str, Any] = {
        name: (float_array if name in FLOATS else int_array)(columns[name]) for name in ARRAYS
    }
    ledger = Ledger(direction=row.direction, gallery_size=row.gallery_size, depth=row.depth, **arrays)
    check_ledger(ledger)
    return ledger
