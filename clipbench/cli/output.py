"""Writes tables to stdout in the format that was asked for."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from clipbench.cli.options import Format
from clipbench.reports.tables import RENDERERS, Table, json_value

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


def emit(tables: Table | Sequence[Table], form: Format = "table") -> None:
    """Print a table on stdout, or several: with a blank line between them, in JSON as one list."""
    several = (tables,) if isinstance(tables, Table) else tuple(tables)
    if (collected := _collected.get()) is not None:
        collected.extend(several)
        return
    if form == "table":
        _draw(several)
    elif form == "json":
        values = [json_value(table) for table in several]
        whole = values[0] if isinstance(tables, Table) else values
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(RENDERERS[form](table) for table in several))


def emit_several(tables: Sequence[Table], form: Format) -> None:
    """Print one table by itself, several as a list."""
    emit(tables[0] if len(tables) == 1 else tables, form)


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
