"""Text in figures: made harmless, measured, broken into lines; numbers and ticks that people can read.

Labels come from file names, model names and users, so anything may be in them. Widths are in points,
of the font that `figure_style` names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from clipbench.reports.figures.records import Scale

LONGEST_LABEL, LONGEST_PROSE = 160, 800
"""Characters of a label, and of a title or note, that are drawn; of longer ones the middle is left out."""

PIECE = re.compile(r"[^\s\-_/,:]*[\-_/,:]+|[^\s\-_/,:]+|\s+")
"""What a line is not broken within."""

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
    """Return `text` in lines of at most `limit` points, broken after spaces and - _ / , : or, if need be, anywhere.

    An empty text has no lines.
    """
    lines: list[str] = []
    line = ""
    for piece in PIECE.findall(printable(text, LONGEST_PROSE)):
        if line and width_of((line + piece).rstrip(), size) > limit:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
        while len(line) > 1 and width_of(line.rstrip(), size) > limit:
            cut = _fitting(line, limit, size)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line.rstrip()] if line.strip() else lines


def _fitting(word: str, limit: float, size: float) -> int:
    """Return how many letters of a word that is too long fit, at least 1."""
    fits, misses = 1, len(word)
    while misses - fits > 1:
        middle = (fits + misses) // 2
        if width_of(word[:middle], size) <= limit:
            fits = middle
        else:
            misses = middle
    return fits


def widest_piece(text: str, size: float) -> float:
    """Return the width in points of the widest word or part of one, the narrowest that lines can be."""
    return max((width_of(piece, size) for piece in PIECE.findall(text)), default=0.0)


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


def roomy(places: Sequence[float], labels: Sequence[str], inches: float, size: float) -> list[bool]:
    """Say which tick labels fit side by side when `places`, ascending in 0..1, lie on an axis so long.

    The first and, if it fits, the last are kept: they are the ends of what was measured.
    """
    halves = [width_of(label, size) / 2 + 1.5 for label in labels]
    at = [place * inches * 72 for place in places]

    def clear(one: int, other: int) -> bool:
        return abs(at[one] - at[other]) >= halves[one] + halves[other]

    kept = [False] * len(labels)
    last = len(labels) - 1
    keep_end = last > 0 and clear(0, last)
    latest = 0
    for index in range(len(labels)):
        fits = index == 0 or clear(latest, index)
        before_end = not keep_end or index in {0, last} or clear(index, last)
        if fits and before_end:
            kept[index] = True
            latest = index
    return kept


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten within a range, only the powers where those would be many.

    >>> log_ticks(0.9, 60)
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    inside = [value for value in fine if low <= value <= high]
    coarse = [10.0**power for power in powers if low <= 10.0**power <= high]
    return coarse if len(inside) > 7 and len(coarse) > 1 else inside


def share(value: float, low: float, high: float, scale: Scale) -> float:
    """Return where a value lies on an axis from `low` (0) to `high` (1)."""
    if scale == "log":
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions at least `gap` apart, in the order wanted, as near to `wanted` as can be, within low..high.

    Least squares: positions that collide move together and share the way (pooled neighbours).
    Where they cannot all fit, the gap shrinks.

    >>> apart([5, 5, 9], 2, 0, 10)
    [4.0, 6.0, 9]
    """
    count = len(wanted)
    if count > 1:
        gap = min(gap, (high - low) / (count - 1))
    order = sorted(range(count), key=lambda index: (wanted[index], index))
    pools: list[tuple[float, int]] = []
    for place, index in enumerate(order):
        mean, size = wanted[index] - place * gap, 1
        while pools and pools[-1][0] > mean:
            before, members = pools.pop()
            mean = (before * members + mean * size) / (members + size)
            size += members
        pools.append((mean, size))
    flat = [mean for mean, size in pools for _ in range(size)]
    top = high - (count - 1) * gap
    result = [0.0] * count
    for place, index in enumerate(order):
        result[index] = min(max(flat[place], low), top) + place * gap
    return result
