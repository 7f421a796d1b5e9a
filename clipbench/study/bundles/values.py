"""Plain values of a bundle's JSON: each is looked at before a store or a screen has to hold it.

What a key covers is checked by its key, and still may be what no database takes: half a character, a number
of a thousand digits, the year 0. Knows nothing of what a value is for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Object: TypeAlias = Mapping[str, Any]

LARGEST = 2**63 - 1
"""The largest number of a database's column."""

LONGEST, LONGEST_NAME = 1 << 16, 1000
"""Most characters of words and of a name."""

FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
CHECKSUM = re.compile(r"[0-9a-f]{64}")


def read(made: Callable[[Object], T], told: Any) -> T:
    """Return what `made` makes of a JSON object. Raises ValueError for whatever is wrong with it."""
    try:
        return made(mapping(told, deep=False))
    except KeyError as error:
        raise ValueError(f"says nothing of {error}") from error
    except (TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"is not what it should be ({error})") from error


def same_key(found: T, key: str, told: Object) -> T:
    """Return `found`, whose content has `key`. Raises ValueError where it goes by another."""
    if key != told["key"]:
        raise ValueError(f"goes by {str(told['key'])[:60]}, its content is {key}")
    return found


def text(value: Any) -> str:
    """Return a value that is a text, whatever its characters: ids are file names. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!r} is no text")
    return value


def maybe(value: Any) -> str | None:
    """Return a value that is a text or nothing. Raises TypeError."""
    return None if value is None else text(value)


def words(value: Any) -> str:
    """Return a text of whole characters, and not a book of them. Raises TypeError or ValueError."""
    told = text(value)
    if len(told) > LONGEST:
        raise ValueError(f"{told[:40]!r} goes on for {len(told):,} characters")
    try:
        told.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{told[:40]!r} holds half a character") from error
    return told


def name(value: Any) -> str:
    """Return a text that can be the name of a dataset. Raises TypeError or ValueError."""
    told = words(value)
    if not told.strip() or not told.isprintable() or len(told) > LONGEST_NAME:
        raise ValueError(f"{told[:40]!r} is no name")
    return told


def checksum(value: Any) -> str:
    """Return a text that can be a SHA-256. Raises TypeError or ValueError."""
    told = text(value)
    if not CHECKSUM.fullmatch(told):
        raise ValueError(f"{told[:40]!r} is no checksum")
    return told


def number(value: Any) -> float:
    """Return a value that is a finite number. Raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{str(value)[:40]!r} is no number")
    if not math.isfinite(value):
        raise ValueError(f"{value} is no finite number")
    return float(value)


def whole(value: Any) -> int:
    """Return a value that is a whole number of 64 bits. Raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{str(value)[:40]!r} is no whole number")
    if abs(value) > LARGEST:
        raise ValueError("a number is larger than any that is stored")
    return value


def count(value: Any) -> int:
    """Return a whole number from 0 up. Raises TypeError or ValueError."""
    if whole(value) < 0:
        raise ValueError(f"{value} counts nothing")
    return int(value)


def moment(value: Any) -> datetime:
    """Return a moment with its time zone. Raises TypeError or ValueError."""
    found = datetime.fromisoformat(text(value))
    if found.tzinfo is None or not FIRST <= found <= LAST:
        raise ValueError(f"{value[:40]} is no moment of a clock with a time zone")
    return found


def mapping(value: Any, *, deep: bool = True) -> Object:
    """Return a value that is a JSON object; `deep`, one of plain values all the way down.

    Raises TypeError or ValueError.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:40]!r} is no object")
    if deep:
        _plain(value)
    return value


def _plain(value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            words(key)
            _plain(inner)
    elif isinstance(value, list):
        for inner in value:
            _plain(inner)
    elif isinstance(value, str):
        words(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number(value) if isinstance(value, float) else whole(value)
    elif value is not None and not isinstance(value, bool):
        raise TypeError(f"{str(value)[:40]!r} is no plain value")
