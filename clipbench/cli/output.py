"""Writes tables to stdout in the format that was asked for."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from clipbench.cli.options import OutputOptions
from clipbench.reports.choosing import with_columns
from clipbench.reports.formats import written
from clipbench.reports.tables import Table

PIPED_WIDTH = 200
"""Columns of a table written to a file or a pipe, where $COLUMNS does not say otherwise."""


_collected: ContextVar[list[Table] | None] = ContextVar("collected", default=None)


@contextmanager
def collecting() -> Iterator[list[Table]]:
    """Yield a list that takes the tables in place of stdout: for callers who want them as they are."""
    tables: list[Table] = []
    token = _collected.set(tables)
    try:
        yield tables
    finally:
        _collected.reset(token)


def emit(tables: Table | Sequence[Table], output: OutputOptions = OutputOptions()) -> None:
    """Print a table on stdout, or several: with a blank line between them, in JSON as one list.

    Raises ClipbenchError where columns are asked for that no table has.
    """
    several = (tables,) if isinstance(tables, Table) else tuple(tables)
    if named := output.names:
        several = with_columns(several, named)
    if (collected := _collected.get()) is not None:
        collected.extend(several)
    elif output.chosen == "table":
        _draw(several)
    else:
        whole = several[0] if isinstance(tables, Table) else several
        sys.stdout.write(written(whole, output.chosen, named=bool(named)))


def emit_several(tables: Sequence[Table], output: OutputOptions) -> None:
    """Print one table by itself, several as a list."""
    emit(tables[0] if len(tables) == 1 else tables, output)


def columns() -> int:
    """Return how wide to draw: $COLUMNS, else the terminal's width, else what suits a file or a pipe."""
    return shutil.get_terminal_size((PIPED_WIDTH, 24)).columns


def _draw(tables: Sequence[Table]) -> None:
    """Draw tables for people, as wide as the terminal allows; what does not fit goes below, not away."""
    from rich.console import Console

    from clipbench.cli.drawing import drawn

    width = columns()
    # Nothing is folded here: `drawn` has made it fit, and notes are left to the terminal.
    console = Console(width=width, highlight=False, soft_wrap=True, markup=False, emoji=False)
    for number, table in enumerate(tables):
        if number:
            console.print()
        for part in drawn(table, width):
            console.print(part)
