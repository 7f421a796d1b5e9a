"""Writes a table to stdout in the format that was asked for."""

from __future__ import annotations

import shutil
import sys

from clipbench.cli.options import Format
from clipbench.reports.tables import RENDERERS, Table, to_rich

PIPED_WIDTH = 200
"""Columns of a table written to a file or a pipe: wide enough that nothing is folded."""


def chosen(form: Format, as_json: bool) -> Format:
    """Return the format that --format and --json ask for together."""
    return Format.json if as_json else form


def emit(table: Table, form: Format = Format.table) -> None:
    """Print `table` on stdout."""
    if form is not Format.table:
        sys.stdout.write(RENDERERS[form.value](table))
        return
    from rich.console import Console

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(width=width, highlight=False)
    if not table.rows:
        console.print(f"{table.title}: nothing yet" if table.title else "nothing yet", markup=False)
        return
    console.print(to_rich(table))
