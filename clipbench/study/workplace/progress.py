"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol

WHOLE, RUNS = "the whole sweep", "runs"
"""Labels of bars: of a whole whose units mean nothing to people, and of a count that tells no time left."""


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


class Work:
    """One bar of a whole that consists of different kinds of work, which count by what they cost.

    total: the whole, in units of the cheapest kind. Time left then follows from the work that is left, not from
    the number of things.
    """

    def __init__(self, progress: Progress, label: str, total: int) -> None:
        self._progress = progress
        self._bar = progress.start(label, total)
        self._left = total

    def did(self, units: int) -> None:
        """Move the bar on, never past its end: what was counted before may be there already."""
        step = min(units, self._left)
        self._left -= step
        self._progress.advance(self._bar, step)

    def finish(self) -> None:
        """Move the bar to its end."""
        self.did(self._left)


class Counted:
    """Shows pieces of work as they are, and counts them as a part of a whole, each item `worth` units of it."""

    def __init__(self, progress: Progress, whole: Work, worth: int) -> None:
        self._progress = progress
        self._whole = whole
        self._worth = worth

    def start(self, label: str, total: int) -> int:
        """Begin a piece of work."""
        return self._progress.start(label, total)

    def advance(self, bar: int, count: int = 1) -> None:
        """Move a piece of work on, and the whole with it."""
        self._progress.advance(bar, count)
        self._whole.did(count * self._worth)

    def say(self, bar: int, words: str) -> None:
        """Say how a piece of work stands."""
        self._progress.say(bar, words)


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
