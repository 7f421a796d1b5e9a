"""Shortlists: the first items of every query with their scores, where they cannot be derived from vectors.

Knows how they become columns and come back. They belong to a run as its ledgers do, and are as final.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from clipbench.records import UNKNOWN, Direction, Shortlist
from clipbench.store import tables
from clipbench.store.columns import float_array, float_blob, int_array, int_blob
from clipbench.store.engine import Store, reading
from clipbench.store.rows import need_id


def check_shortlist(shortlist: Shortlist, queries: int, gallery_size: int) -> None:
    """Raise ValueError where a shortlist cannot be one of so many queries in a gallery of that size."""
    import numpy as np

    items, scores = shortlist.items, shortlist.scores
    what = f"the {shortlist.direction} shortlist"
    if items.shape != scores.shape or items.ndim != 2 or len(items) != queries or not items.shape[1]:
        raise ValueError(f"{what} has items {items.shape} and scores {scores.shape}, of {queries} queries")
    unknown = items == UNKNOWN
    if (items < UNKNOWN).any() or (items >= gallery_size).any():
        raise ValueError(f"{what} holds items that are not among the {gallery_size}")
    if (
        np.isnan(scores).any()
        or (scores[unknown] != -np.inf).any()
        or (unknown[:, :-1] & ~unknown[:, 1:]).any()
    ):
        raise ValueError(f"{what} has scores where no item is, or items after the last one")
    if (scores[:, 1:] > scores[:, :-1]).any():
        raise ValueError(f"{what} is not in the order of its scores")
    ordered = np.sort(items, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != UNKNOWN)).any():
        raise ValueError(f"{what} holds an item twice")


def shortlist_values(shortlist: Shortlist) -> dict[str, Any]:
    """Return the columns of a shortlist's row, without its run."""
    return {
        "direction": shortlist.direction,
        "depth": shortlist.depth,
        "items": int_blob(shortlist.items),
        "scores": float_blob(shortlist.scores),
    }


def shortlist_of(row: Row[Any]) -> Shortlist:
    """Return the shortlist of a row."""
    shape = (-1, row.depth)
    # By position too: `items` is a method of rows.
    items, scores = row._mapping["items"], row.scores  # noqa: SLF001, SQLAlchemy's public name for access by column
    return Shortlist(row.direction, int_array(items).reshape(shape), float_array(scores).reshape(shape))


def load_shortlists(store: Store, run: str) -> dict[Direction, Shortlist]:
    """Return the stored shortlists of a run (by key), by direction; empty where it has none.

    Raises StoreError where there is no such run.
    """
    with reading(store) as connection:
        row_id = need_id(connection, tables.run, run)
        query = select(tables.shortlist).filter_by(run_id=row_id).order_by("direction")
        rows = connection.execute(query).all()
    return {row.direction: shortlist_of(row) for row in rows}
