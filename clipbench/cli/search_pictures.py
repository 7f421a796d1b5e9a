"""Found photographs in rows across the terminal, each with its rank, score and name beneath."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from clipbench.cli.drawing import printable
from clipbench.cli.terminal_pictures import Box, Way, cell_size, drawn

if TYPE_CHECKING:
    from clipbench.reports.searching.thumbnails import Thumbnail
    from clipbench.study.searching.asking import Found, Place

WIDTH, HEIGHT = 26, 12
"""Columns and rows of a picture at most."""

LEAST = 3
"""Rows below which a picture shows nothing."""

GAP = 2
WORDS = 2
"""Rows of words under a picture."""

SIDE = 520
"""Pixels of a picture's longer side before it is fitted."""


def show_pictures(place: Place, found: Found, way: Way) -> None:
    """Draw the photographs of what was found on stdout; where there is none, its place says why."""
    from clipbench.reports.searching.thumbnails import thumbnails

    width, height = shutil.get_terminal_size()
    rows = min(HEIGHT, height - WORDS - 2)  # a row has to fit, or the cursor would not find back
    if rows < LEAST:
        return
    columns = max(1, (width + GAP) // (WIDTH + GAP))
    box = Box(min(WIDTH, width), rows, cell_size())
    shown = thumbnails(place, found.result.hits, SIDE)
    for start in range(0, len(shown), columns):
        sys.stdout.write(_row(shown[start : start + columns], box, way))
    sys.stdout.flush()


def _row(shown: Sequence[Thumbnail], box: Box, way: Way) -> str:
    """Return a row of pictures: room is made first, so that nothing scrolls while the cursor goes back and forth."""
    rows = box.rows + WORDS
    parts = ["\n" * rows, f"\x1b[{rows}A"]
    for number, one in enumerate(shown):
        right = number * (box.columns + GAP)
        move = f"\x1b[{right}C" if right else ""
        inside = _line(f"no photograph: {one.problem}", box.columns)
        parts.append(f"\r{move}\x1b7{inside if one.picture is None else drawn(way, one.picture, box)}\x1b8")
        for line, words in enumerate((f"{one.hit.rank}  {one.hit.score:.3f}", one.hit.id)):
            parts.append(f"\r\x1b7\x1b[{box.rows + line}B{move}{_line(words, box.columns)}\x1b8")
    return "".join(parts) + f"\r\x1b[{rows}B\n"


def _line(text: str, width: int) -> str:
    line = printable(text)
    return line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…"
