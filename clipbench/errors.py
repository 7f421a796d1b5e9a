"""The one exception family. The command line prints these in one line; anything else is a bug.

A message states the fact, the numbers on both sides of it, and the next command to type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ClipbenchError(Exception):
    """A failure a user can understand and mend.

    `hint` is the next command to type, or the one thing to do; it is printed on a line of its own.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with an input file: where, and what. `line` is 1-based, 0 for the whole file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}"


class InputError(ClipbenchError):
    """All problems of an input at once; nothing of the input was taken."""

    def __init__(self, what: str, problems: Sequence[Problem], hint: str | None = None) -> None:
        self.what = what
        self.problems = tuple(problems)
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        super().__init__(f"{what}: {count} {noun}, nothing was imported", hint)


class DatasetError(ClipbenchError):
    """A dataset that cannot be read, found or used."""


class PhotographError(ClipbenchError):
    """A photograph that cannot be used. The message is the reason alone: whoever reports it names the photograph."""


class ContainerChangedError(PhotographError):
    """The file that photographs lie in is another than it was when their places were looked up."""


class EncoderError(ClipbenchError):
    """A model that cannot be loaded, or not with certainty about what it is."""


class StoreError(ClipbenchError):
    """An experiment store that cannot be opened, upgraded, written or trusted."""


class CompareError(ClipbenchError):
    """Runs that are not comparable."""


class StoppedError(ClipbenchError):
    """Work the user stopped with Ctrl-C. What was finished is stored; the message says how to go on."""
