"""How counts are said to people."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "caption"), plural(1213, "image")
    ('1 caption', '1,213 images')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
