"""Text in figures: made harmless, measured, broken into lines; numbers that people can read.

Labels come from file names, model names and users, so anything may be in them. Widths are in points,
of the font that `style` names.
"""

from __future__ import annotations

import math
import textwrap
from functools import lru_cache

LONGEST_LABEL, LONGEST_PROSE = 160, 800
"""Characters of a label, and of a title or note, that are drawn; of longer ones the middle is left out."""

LINE = 1.25
"""Distance of two lines of text, in font sizes."""


def printable(text: str, longest: int = LONGEST_LABEL) -> str:
    r"""Return `text` as one line that XML and fonts can hold; what cannot be shown becomes U+FFFD.

    >>> printable("a\tb\x00"), printable("x" * 200)[77:83]
    ('a b�', 'xxx…xx')
    """
    line = "".join(char if char.isprintable() else "\ufffd" for char in " ".join(text.split()))
    if len(line) > longest:
        half = longest // 2
        return f"{line[: longest - half]}…{line[1 - half :]}"
    return line


@lru_cache(maxsize=4096)
def width_of(text: str, size: float) -> float:
    """Return the width of one line in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return float(width)


def wrapped(text: str, limit: float, size: float) -> list[str]:
    """Return `text` in lines of at most `limit` points, broken between words or, if need be, anywhere.

    An empty text has no lines. matplotlib's own wrapping never breaks a word, and names of models are long.
    """
    line = printable(text, LONGEST_PROSE)
    # Letters differ in width: start from the average of this text and take fewer until all lines fit.
    letters = math.ceil(len(line) * min(1.0, 1.3 * limit / max(width_of(line, size), 1.0)))
    for width in range(letters, 0, -1):
        lines = textwrap.wrap(line, width)
        if all(width_of(part, size) <= limit for part in lines):
            return lines
    return textwrap.wrap(line, 1)


def shortened(text: str, limit: float, size: float) -> str:
    """Return `text` without as much of its middle as is needed to be `limit` points wide."""
    short, half = text, len(text) // 2
    while half > 1 and width_of(short, size) > limit:
        half -= 1
        short = f"{text[:half]}…{text[-half:]}"
    return short


def number(value: float) -> str:
    """Return a number in few characters.

    >>> [number(v) for v in (0.30000000000000004, 5, 1000000, 0.00019996)]
    ['0.3', '5', '1,000,000', '0.0002']
    """
    if value and abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{float(f'{value:.4g}'):,.10g}" if abs(value) < 1000 else f"{value:,.0f}"
