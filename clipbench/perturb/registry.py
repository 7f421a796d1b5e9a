"""Finds operations by name, family or preset, in the lists of `text_operations`, `image_operations`, `presets`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from clipbench.errors import ClipbenchError
from clipbench.perturb.image_operations import IMAGE_OPERATIONS
from clipbench.perturb.operation import FAMILIES, ImageOperation, Operation, TextOperation
from clipbench.perturb.presets import PRESETS
from clipbench.perturb.text_operations import TEXT_OPERATIONS


@dataclass(frozen=True, slots=True)
class Selection:
    """An operation and the levels to run it at."""

    operation: Operation
    levels: tuple[float, ...]


def operations() -> list[Operation]:
    """Return all operations, those of text first."""
    return [*TEXT_OPERATIONS, *IMAGE_OPERATIONS]


@cache
def _by_name() -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for one in operations():
        if _plain(one.name) in found:
            raise ValueError(f"two operations are called {one.name}")
        found[_plain(one.name)] = one
    return found


def operation(name: str) -> Operation:
    """Return the operation of this name; `_` and `-` are the same. Raises ClipbenchError."""
    found = _by_name().get(_plain(name))
    if found is None:
        raise _unknown("operation", name, [one.name for one in _by_name().values()])
    return found


def text_operation(name: str) -> TextOperation:
    """Return the text operation of this name. Raises ClipbenchError, also for an image operation."""
    found = operation(name)
    if not isinstance(found, TextOperation):
        raise ClipbenchError(f"{found.name} corrupts images, not captions", "clipbench robustness list")
    return found


def image_operation(name: str) -> ImageOperation:
    """Return the image operation of this name. Raises ClipbenchError, also for a text operation."""
    found = operation(name)
    if not isinstance(found, ImageOperation):
        raise ClipbenchError(f"{found.name} corrupts captions, not images", "clipbench robustness list")
    return found


def select(spec: str) -> tuple[Selection, ...]:
    """Return what a specification names: an operation, `family:NAME`, a preset, or several with commas.

    An operation named twice is taken once, with the levels of its first mention. Operations that need
    data from the user (`rewrite`) are taken only by name. Raises ClipbenchError for an unknown name.
    """
    chosen: dict[str, Selection] = {}
    for part in (part.strip() for part in spec.split(",")):
        for one in _select_one(part):
            chosen.setdefault(one.operation.name, one)
    return tuple(chosen.values())


def _select_one(part: str) -> list[Selection]:
    if part.startswith("family:"):
        family = part.removeprefix("family:")
        if family not in FAMILIES:
            raise _unknown("family", family, FAMILIES)
        return [_whole(one) for one in _by_name().values() if one.family == family and not _needs_user(one)]
    for preset in PRESETS:
        if preset.name == part:
            found = ((operation(name), levels) for name, levels in preset.entries)
            return [Selection(one, one.levels if levels is None else levels) for one, levels in found]
    known = [one.name for one in _by_name().values()]
    if _plain(part) not in _by_name():
        families = [f"family:{family}" for family in FAMILIES]
        raise _unknown("operation, family or preset", part, [*known, *families, *(p.name for p in PRESETS)])
    return [_whole(operation(part))]


def _whole(one: Operation) -> Selection:
    return Selection(one, one.levels)


def _needs_user(one: Operation) -> bool:
    return isinstance(one, TextOperation) and "rewrites" in one.needs


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _unknown(what: str, name: str, known: Iterable[str]) -> ClipbenchError:
    near = difflib.get_close_matches(_plain(name), list(known), n=3, cutoff=0.5)
    close = f"; did you mean {' or '.join(near)}?" if near else ""
    return ClipbenchError(f"no {what} is called '{name}'{close}", "clipbench robustness list")
