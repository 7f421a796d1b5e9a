"""Content keys: canonical JSON turned into a tagged digest.

A key is identity. It depends on nothing but the value, so equal values have equal keys on every
platform and Python version. This module knows no nouns; `records` decides what goes into a key.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

DECIMALS = 4
"""Decimals of what has no more by nature: levels of a perturbation, constants of a preprocessing."""

ITEM_BYTES = 16
"""Length of an item key in bytes; 128 bits make a chance collision among 10^9 items 10^-21."""


def canonical(value: Json) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, every float exact.

    A float is written with the fewest digits that give it back, one without a fraction as an integer, since
    a level typed as 5 and as 5.0 is one level (so -0.0 is 0). Whoever has a value of few decimals by nature
    puts it through `rounded` first.

    >>> canonical({"b": 1e-5, "a": [1, True, None, 5.0]})
    '{"a":[1,true,null,5],"b":1e-05}'

    Raises ValueError for a float that is not finite: NaN is equal to nothing, so it names nothing.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plain(value: Json) -> Json:
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a key cannot hold {value}")
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, Sequence):
        return [_plain(part) for part in value]
    raise TypeError(f"a key cannot hold a {type(value).__name__}")


def rounded(value: Json) -> Json:
    """Return `value` with all floats in it at 4 decimals, as a level or a preprocessing constant enters a key.

    >>> rounded({"level": 0.1 + 0.2, "mean": [0.48145466]})
    {'level': 0.3, 'mean': [0.4815]}
    """
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, Mapping):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rounded(part) for part in value]
    return value


def digest(tag: str, value: Json) -> str:
    """Return `tag:<40 hex digits>`, the BLAKE2b-160 digest of the canonical JSON of `value`.

    The tag enters the hash too, so the same JSON under two tags has two digests.
    """
    text = f"clipbench\n{tag}\n{canonical(value)}"
    return f"{tag}:{hashlib.blake2b(text.encode(), digest_size=20).hexdigest()}"


def digest_of_list(tag: str, head: Sequence[Json], items: Iterable[Json]) -> str:
    """Return `digest(tag, [*head, [*items]])` without ever holding the JSON of all items.

    >>> digest_of_list("t", ["a"], iter([1, [2]])) == digest("t", ["a", [1, [2]]])
    True
    """
    hasher = hashlib.blake2b(f"clipbench\n{tag}\n".encode(), digest_size=20)
    hasher.update("".join(("[", *(f"{canonical(value)}," for value in head), "[")).encode())
    for number, item in enumerate(items):
        hasher.update((f",{canonical(item)}" if number else canonical(item)).encode())
    hasher.update(b"]]")
    return f"{tag}:{hasher.hexdigest()}"


def item_key(parts: Iterable[str]) -> bytes:
    """Return the 16-byte key of one item to encode, e.g. of ("text", "a red ball")."""
    hasher = hashlib.blake2b(digest_size=ITEM_BYTES)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.digest()


def bytes_digest(data: bytes) -> str:
    """Return the SHA-256 of `data` in hex, as `sha256sum` prints it."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, as `sha256sum` prints it. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short(key: str, length: int = 10) -> str:
    """Return the first hex digits of a key, for people: `run:3f2a…` becomes `3f2a…`."""
    return key.rpartition(":")[2][:length]
