"""What people see: results on stdout, progress and notes on stderr, errors in one line."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError, InputError, StoppedError

if TYPE_CHECKING:
    from rich.console import Console

    from clipbench.study.embedding.models import VectorSource
    from clipbench.study.workplace.progress import Progress

SHOWN_PROBLEMS = 20

_OBEYED = {"Cc", "Cf"}
"""Unicode's control characters, and those that turn the direction of writing round."""


def stderr() -> Console:
    """Return the console for notes and progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def visible(text: str) -> str:
    r"""Return text without characters that a terminal obeys instead of showing: file names may hold them.

    >>> print(visible("\x1b[2Ja b.png\nnext"))
    \x1b[2Ja b.png
    next
    """
    kept = {"\n", "\t"}
    return "".join(
        c if c.isprintable() or c in kept or unicodedata.category(c) not in _OBEYED else _escaped(c)
        for c in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def note(message: str) -> None:
    """Print one note on stderr."""
    # A terminal would break words; what goes to a file or a pipe stays in one line for programs to find.
    stderr().print(visible(message), markup=False, style="dim", soft_wrap=not sys.stderr.isatty())


def notes(messages: Iterable[str]) -> None:
    """Print notes on stderr, one a line."""
    for message in messages:
        note(f"note: {message}")


def renamed(used: bool, old: str, new: str) -> bool:
    """Return whether an old spelling was used, which still works for one version and is told of."""
    if used:
        note(f"note: {old} is called {new} now; the old spelling goes with the next version")
    return used


def print_error(error: ClipbenchError) -> None:
    """Print an error and, on a line of its own, what to type next."""
    console = stderr()
    if isinstance(error, StoppedError):
        console.print(visible(error.message), style="bold", markup=False, soft_wrap=True)
    else:
        console.print(f"error: {visible(error.message)}", style="bold red", markup=False, soft_wrap=True)
    if isinstance(error, InputError):
        for problem in error.problems[:SHOWN_PROBLEMS]:
            console.print(f"  {visible(str(problem))}", markup=False, soft_wrap=True)
        hidden = len(error.problems) - SHOWN_PROBLEMS
        if hidden > 0:
            console.print(f"  ... and {hidden:,} more", markup=False)
    if error.hint:
        console.print(f"  try: {visible(error.hint)}", markup=False, soft_wrap=True)


@contextmanager
def progress(quiet: bool = False, source: VectorSource | None = None) -> Iterator[Progress]:
    """Yield a progress display with rate and remaining time; silent where stderr is no terminal.

    source: a model that may be loaded meanwhile, and then says so there.
    """
    with _bars(quiet) as bars:
        if source is not None:
            source.progress = bars
        yield bars


@contextmanager
def _bars(quiet: bool) -> Iterator[Progress]:
    from clipbench.study.workplace.progress import Silent

    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    from rich.progress import (
        BarColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bars

    from clipbench.cli.bars import CountColumn, LeftColumn, RateColumn, RichProgress

    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(bar_width=30),
        CountColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        LeftColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Bars(*columns, console=stderr()) as bars:
        yield RichProgress(bars)
