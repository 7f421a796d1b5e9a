"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives labels, totals and advances."""

    def start(self, label: str, total: int) -> int:
        """Begin a piece of work of `total` items and return its number."""

    def advance(self, bar: int, count: int = 1) -> None:
        """Say that `count` more items of work `bar` are done."""


class Silent:
    """Listens to nothing."""

    def start(self, label: str, total: int) -> int:
        """Return 0; nothing is shown."""
        del label, total
        return 0

    def advance(self, bar: int, count: int = 1) -> None:
        """Do nothing."""
