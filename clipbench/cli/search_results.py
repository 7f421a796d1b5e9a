"""Shows what a search found: pictures and a table, paths, a page, a contact sheet."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clipbench.cli.console import note
from clipbench.cli.options import OutputOptions
from clipbench.cli.output import emit
from clipbench.cli.search_options import LookOptions
from clipbench.wording import plural

if TYPE_CHECKING:
    from clipbench.cli.terminal_pictures import Way
    from clipbench.study.searching.asking import Found, Place


def show(place: Place, found: Found, look: LookOptions, output: OutputOptions) -> None:
    """Print what was found, and write the files that are asked for."""
    from clipbench.reports.searching.tables import hit_table

    if look.paths:
        for hit in found.result.hits:
            if (path := found.path(hit)) is not None:
                typer.echo(path)
    else:
        way = _way(look, output)
        if way is not None:
            from clipbench.cli.search_pictures import show_pictures

            show_pictures(place, found, way)
        emit(hit_table(found), output)
    _write(place, found, look)


def _way(look: LookOptions, output: OutputOptions) -> Way | None:
    """Return how pictures are shown: not in a pipe, nor in a format for programs, unless a way is named."""
    if look.pictures == "none" or output.chosen != "table":
        return None
    if look.pictures != "auto":
        return look.pictures
    from clipbench.cli.terminal_pictures import detected

    return detected() if sys.stdout.isatty() else None


def _write(place: Place, found: Found, look: LookOptions) -> None:
    """Write the page and the sheet that are asked for, and show the page."""
    if not (look.html or look.sheet or look.open):
        return
    from clipbench.reports.searching.page import write_search_page
    from clipbench.reports.searching.sheet import write_sheet

    if look.sheet is not None:
        _told(look.sheet, write_sheet(place, found, look.sheet, force=look.force))
    page = look.html
    if page is None and look.open:
        page = Path(tempfile.mkdtemp(prefix="clipbench-")) / "search.html"
    if page is not None:
        _told(page, write_search_page(place, found, page, force=look.force))
    if page is not None and look.open:
        import webbrowser

        if not webbrowser.open(page.absolute().as_uri()):
            note(f"note: there is no browser to show {page}")


def _told(path: Path, absent: int) -> None:
    lacks = f"; {plural(absent, 'photograph')} could not be shown" if absent else ""
    note(f"wrote {path}{lacks}")
