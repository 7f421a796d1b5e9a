"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives labels, totals and advances."""

    def start(self, label: str, total: int) -> int:
        """Begin a piece of work of `total` items and return its number."""

    def advance(self, bar: int, count: int = 1) -> None:
        """Say that `count` more items of work `bar` are done."""

    def say(self, bar: int, words: str) -> None:
        """Say how work `bar` stands, in a few words that replace the last ones."""


class Silent:
    """Listens to nothing."""

    def start(self, label: str, total: int) -> int:
        """Return 0; nothing is shown."""
        del label, total
        return 0

    def advance(self, bar: int, count: int = 1) -> None:
        """Do nothing."""

    def say(self, bar: int, words: str) -> None:
        """Do nothing."""


class OneBar:
    """Shows many pieces of work of one kind as a single bar of their common total."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._bar: int | None = None

    def start(self, label: str, total: int) -> int:
        """Open the bar with the first piece of work; later pieces go on with it."""
        del total
        if self._bar is None:
            self._bar = self._progress.start(label, self._total)
        return self._bar

    def advance(self, bar: int, count: int = 1) -> None:
        """Move the bar on."""
        self._progress.advance(bar, count)

    def say(self, bar: int, words: str) -> None:
        """Say how it stands."""
        self._progress.say(bar, words)
