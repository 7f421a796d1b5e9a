"""What a run of a bundle ranked: ledgers and shortlists as members, and back. Looks at shapes, not at truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from clipbench.records import DIRECTIONS, Direction, Ledger, Shortlist
from clipbench.store.ledgers import ARRAYS, FLOATS, check_ledger
from clipbench.store.shortlists import check_shortlist
from clipbench.study.bundles.archive import array_bytes, array_value, json_bytes, json_value

Ledgers: TypeAlias = Mapping[Direction, Ledger]

GALLERY, DEPTH, LENGTH = "gallery.json", "depth.json", "shortlist_depth.json"
ITEMS, SCORES = "shortlist_items.npy", "shortlist_scores.npy"
NEEDED = (GALLERY, *(f"{array}.npy" for array in ARRAYS))
MEMBERS = frozenset((*NEEDED, DEPTH, LENGTH, ITEMS, SCORES))
"""Every member that a direction of a run may have; DEPTH only where a ledger is of limited depth."""

MOST = 2**31
"""Sizes and depths are below this: ledgers count in 32 bits."""


@dataclass(frozen=True)
class Rankings:
    """The ledgers of one run, and the shortlists that it has."""

    ledgers: Ledgers
    shortlists: Mapping[Direction, Shortlist] = field(default_factory=dict)


def ledger_members(folder: str, ledger: Ledger) -> dict[str, bytes]:
    """Return a ledger as members of a folder."""
    members = {f"{folder}/{array}.npy": array_bytes(getattr(ledger, array)) for array in ARRAYS}
    members[f"{folder}/{GALLERY}"] = json_bytes(ledger.gallery_size)
    if ledger.depth is not None:
        members[f"{folder}/{DEPTH}"] = json_bytes(ledger.depth)
    return members


def shortlist_members(folder: str, shortlist: Shortlist) -> dict[str, bytes]:
    """Return a shortlist as members of a folder."""
    return {
        f"{folder}/{LENGTH}": json_bytes(shortlist.depth),
        f"{folder}/{ITEMS}": array_bytes(shortlist.items),
        f"{folder}/{SCORES}": array_bytes(shortlist.scores),
    }


def rankings_of(path: Path, folder: str, members: Mapping[str, bytes]) -> Rankings:
    """Return what a run's folder holds. Raises ValueError or InputError for what is no ledger or shortlist."""
    ledgers: dict[Direction, Ledger] = {}
    shortlists: dict[Direction, Shortlist] = {}
    for direction in DIRECTIONS:
        place = f"{folder}/{direction}"
        if not any(name.startswith(f"{place}/") for name in members):
            continue
        lacking = [name for name in NEEDED if f"{place}/{name}" not in members]
        if lacking:
            raise ValueError(f"{direction} lacks {', '.join(lacking)}")
        ledgers[direction] = _ledger(path, direction, place, members)
        if f"{place}/{LENGTH}" in members:
            shortlists[direction] = _shortlist(path, ledgers[direction], place, members)
        elif f"{place}/{ITEMS}" in members or f"{place}/{SCORES}" in members:
            raise ValueError(f"{direction} lacks {LENGTH}")
    if not ledgers:
        raise ValueError("has no ledger")
    return Rankings(ledgers, shortlists)


def _ledger(path: Path, direction: Direction, place: str, members: Mapping[str, bytes]) -> Ledger:
    size = json_value(path, f"{place}/{GALLERY}", members[f"{place}/{GALLERY}"])
    if not _counts(size):
        raise ValueError(f"{direction} has a gallery of {size!r} items")
    depth = None
    if f"{place}/{DEPTH}" in members:
        depth = json_value(path, f"{place}/{DEPTH}", members[f"{place}/{DEPTH}"])
        if not _counts(depth):
            raise ValueError(f"{direction} has a depth of {depth!r} items")
    arrays: dict[str, Any] = {}
    for array in ARRAYS:
        name = f"{place}/{array}.npy"
        kind = "<f4" if array in FLOATS else "<i4"
        arrays[array] = array_value(path, name, members[name], kind).copy()
    ledger = Ledger(direction=direction, gallery_size=size, depth=depth, **arrays)
    if not len(ledger.offsets):
        raise ValueError(f"{direction} has no offsets")
    check_ledger(ledger)
    return ledger


def _shortlist(path: Path, ledger: Ledger, place: str, members: Mapping[str, bytes]) -> Shortlist:
    lacking = [name for name in (ITEMS, SCORES) if f"{place}/{name}" not in members]
    if lacking:
        raise ValueError(f"{ledger.direction} lacks {', '.join(lacking)}")
    depth = json_value(path, f"{place}/{LENGTH}", members[f"{place}/{LENGTH}"])
    if not _counts(depth):
        raise ValueError(f"{ledger.direction} has a shortlist of {depth!r} items")
    items = array_value(path, f"{place}/{ITEMS}", members[f"{place}/{ITEMS}"], "<i4", depth)
    scores = array_value(path, f"{place}/{SCORES}", members[f"{place}/{SCORES}"], "<f4", depth)
    shortlist = Shortlist(ledger.direction, items.copy(), scores.copy())
    check_shortlist(shortlist, ledger.queries, ledger.gallery_size)
    return shortlist


def _counts(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int) and 0 < value < MOST
