"""Pictures in a terminal: by kitty's, iTerm's or the sixel protocol where it has one, else by half blocks.

A picture stands in a box of so many columns and rows of characters; whoever shows it puts the cursor into the box's
upper left corner and takes it back there afterwards. Knows escapes and pixels, not where pictures come from.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

Way: TypeAlias = Literal["kitty", "iterm", "sixel", "blocks"]

CELL = (10, 20)
"""Pixels of a character where the terminal does not tell."""

CHUNK = 4096
"""Characters of a picture's data in one escape of kitty's."""

COLOURS = 64
"""Colours of a sixel picture."""

SIXEL_TERMINALS = ("foot", "mlterm", "contour", "yaft")
KITTY_PROGRAMS = frozenset({"ghostty", "WezTerm"})
ITERM_PROGRAMS = frozenset({"iTerm.app", "mintty"})


@dataclass(frozen=True, slots=True)
class Box:
    """Columns and rows of characters, and the pixels of one character."""

    columns: int
    rows: int
    cell: tuple[int, int] = CELL

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.columns * self.cell[0], self.rows * self.cell[1]


def detected(environment: Mapping[str, str] = os.environ) -> Way | None:
    """Return how a terminal shows pictures, by what it says of itself; None for one that shows none.

    Inside tmux or screen graphics would land in the wrong place, so there it is half blocks.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if term in {"", "dumb"} or environment.get("NO_COLOR"):
        return None
    if environment.get("TMUX") or term.startswith(("screen", "tmux")):
        return "blocks"
    if term == "xterm-kitty" or "KITTY_WINDOW_ID" in environment or program in KITTY_PROGRAMS:
        return "kitty"
    if program in ITERM_PROGRAMS or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    if term.startswith(SIXEL_TERMINALS) or "sixel" in term:
        return "sixel"
    return "blocks"


def cell_size() -> tuple[int, int]:
    """Return the pixels of one character of the terminal on stdout, as it tells, else 10 × 20."""
    try:
        import fcntl
        import struct
        import termios

        packed = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns, width, height = struct.unpack("HHHH", packed)
    except (ImportError, OSError, ValueError):
        return CELL
    if not (rows and columns and width >= columns and height >= rows):
        return CELL
    return width // columns, height // rows


def drawn(way: Way, picture: Image.Image, box: Box) -> str:
    """Return what draws an RGB picture into a box from where the cursor is, as large as its shape allows."""
    return _WAYS[way](picture, box)


def _kitty(picture: Image.Image, box: Box) -> str:
    fitted = _fitted(picture, box.pixels)
    columns, rows = -(-fitted.width // box.cell[0]), -(-fitted.height // box.cell[1])
    data = _png(fitted)
    parts = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    # C=1 leaves the cursor where it is, q=2 asks for no reply, which a shell would take for typing.
    first = f"a=T,f=100,C=1,q=2,c={min(columns, box.columns)},r={min(rows, box.rows)},"
    return "".join(
        f"\x1b_G{first if not number else ''}m={int(number < len(parts) - 1)};{part}\x1b\\"
        for number, part in enumerate(parts)
    )


def _iterm(picture: Image.Image, box: Box) -> str:
    data = _png(_fitted(picture, box.pixels))
    size = f"width={box.columns};height={box.rows};preserveAspectRatio=1;doNotMoveCursor=1"
    return f"\x1b]1337;File=inline=1;{size}:{data}\x07"


def _sixel(picture: Image.Image, box: Box) -> str:
    from PIL import Image

    fitted = _fitted(picture, box.pixels)
    indexed = fitted.quantize(COLOURS, dither=Image.Dither.FLOYDSTEINBERG)
    palette = (indexed.getpalette() or [])[: 3 * COLOURS]
    pixels = np.asarray(indexed)
    parts = [f'\x1bPq"1;1;{fitted.width};{fitted.height}']
    used = np.unique(pixels).tolist()
    for colour in used:
        shares = (round(100 * value / 255) for value in palette[3 * colour : 3 * colour + 3])
        parts.append(f"#{colour};2;{';'.join(map(str, shares))}")
    parts += _bands(pixels)
    return "".join(parts) + "\x1b\\"


def _bands(pixels: np.ndarray) -> Iterator[str]:
    """Yield six rows of pixels after six: for each colour one character a column, whose bits are its rows."""
    for top in range(0, len(pixels), 6):
        band = pixels[top : top + 6]
        weights = 1 << np.arange(len(band))
        for colour in np.unique(band).tolist():
            bits = (weights[:, None] * (band == colour)).sum(axis=0) + 63
            yield f"#{colour}{_repeated(bits.tolist())}$"
        yield "-"


def _repeated(codes: list[int]) -> str:
    """Return sixel characters with runs of four or more shortened."""
    parts: list[str] = []
    start = 0
    for place in range(1, len(codes) + 1):
        if place == len(codes) or codes[place] != codes[start]:
            run, character = place - start, chr(codes[start])
            parts.append(f"!{run}{character}" if run > 3 else character * run)
            start = place
    return "".join(parts)


def _blocks(picture: Image.Image, box: Box) -> str:
    """Return two pixels a character: the upper as foreground, the lower as background."""
    fitted = _fitted(picture, (box.columns, 2 * box.rows))
    pixels = np.asarray(fitted)
    lines = []
    for row in range(0, fitted.height, 2):
        upper = pixels[row].tolist()
        lower = pixels[row + 1].tolist() if row + 1 < fitted.height else None
        line = [
            f"\x1b[38;2;{_colour(above)}m"
            + ("\x1b[49m" if lower is None else f"\x1b[48;2;{_colour(lower[column])}m")
            + "▀"
            for column, above in enumerate(upper)
        ]
        lines.append("".join(line) + "\x1b[0m")
    # Down one line and back to the column of the first.
    return f"\x1b[{fitted.width}D\x1b[1B".join(lines)


def _colour(pixel: list[int]) -> str:
    return ";".join(map(str, pixel))


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    from PIL import Image

    scale = min(size[0] / picture.width, size[1] / picture.height)
    shape = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(shape, Image.Resampling.LANCZOS)


def _png(picture: Image.Image) -> str:
    data = io.BytesIO()
    picture.save(data, "PNG", compress_level=1)
    return base64.b64encode(data.getvalue()).decode()


_WAYS: Mapping[Way, Callable[[Image.Image, Box], str]] = {
    "kitty": _kitty,
    "iterm": _iterm,
    "sixel": _sixel,
    "blocks": _blocks,
}
