"""Checked access to parsed JSON: objects, lists and members, with the place of whatever is wrong.

Knows no format.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clipbench.datasets.fields import FieldError
from clipbench.errors import Problem


def record(value: object, what: str) -> Mapping[str, object]:
    """Return a JSON object. Raises FieldError where the value is something else."""
    if not isinstance(value, dict):
        raise FieldError(f"{what} is no object")
    return value


def member(value: Mapping[str, object], name: str) -> object:
    """Return a member of a JSON object. Raises FieldError where it has none of that name."""
    if name not in value:
        raise FieldError(f"{name} is missing")
    return value[name]


def listed(value: object, name: str) -> list[object]:
    """Return the list under a name of a JSON object. Raises FieldError."""
    found = member(record(value, "the document"), name)
    if not isinstance(found, list):
        raise FieldError(f"{name} is no list")
    return found


def fault(path: Path, error: FieldError, place: str = "") -> Problem:
    """Return the problem of a file that a FieldError tells of, with the place in the document."""
    text = str(error)
    return Problem(str(path), 0, text if not place or text.startswith(place) else f"{place}: {text}")
