r"""Text as LaTeX sets it, and how wide it comes out: widths are those of Computer Modern at 8 points.

Times, which most conferences set, is narrower.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

SPECIALS: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # after \\ a bracket would be its argument
    "*": "{*}",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "κ": r"$\kappa$",
    "τ": r"$\tau$",
    "²": r"$^{2}$",
    "−": r"$-$",
    "…": r"\ldots{}",
    "†": r"$^{\dagger}$",
    "‡": r"$^{\ddagger}$",
    "✓": r"$\surd$",
}

WIDTHS: Mapping[str, float] = {
    char: width
    for width, chars in {
        2.36: "!',.:;[]il ",
        2.6: "fj",
        2.83: "-",
        3.06: "I",
        3.31: "()rt",
        3.35: "s",
        4.01: "†‡",
        3.78: "cez",
        4.25: "?$/0123456789^ago_~*",
        4.36: "J",
        4.49: "kqvxy",
        4.72: "Sbdhnpu",
        5.31: "LZ",
        5.78: "EFP",
        6.14: "BCTw",
        6.49: "ADHNRUVXY",
        6.67: "&+=@OQGK<>−±×≤≥",
        7.1: "#%mΔ",
        8.73: "WM→…",
    }.items()
    for char in chars
}
"""Points of a character, rounded up to its neighbour's; of any other, `WIDEST`."""

WIDEST = 8.0
BOLD = 1.16
"""By how much bold letters are wider."""

LONG = 14
"""Letters of a word above which it may be broken anywhere: keys, model names, paths."""

_JOINTS = re.compile(r"(?<=[/_.,:=@+-])")


def tex(text: str) -> str:
    r"""Return text as LaTeX sets it, on one line: nothing in it is a command, and two hyphens make no dash.

    >>> tex("--model a_b")
    '-{}-model a\\_b'
    """
    line = "".join(SPECIALS.get(char, char) for char in " ".join(text.split()))
    return re.sub("-(?=-)", "-{}", line).replace("–", "--")


def breakable(text: str) -> str:
    r"""Return text as LaTeX sets it, whose long words may break: behind what joins their parts, else every few letters.

    >>> breakable("a ViT-B-32-quickgelu")
    'a ViT-\\allowbreak{}B-\\allowbreak{}32-\\allowbreak{}quickgelu'
    """
    return " ".join(r"\allowbreak{}".join(map(tex, _pieces(word))) for word in text.split())


def width_of(text: str) -> float:
    """Return the width of one line in points."""
    return sum(WIDTHS.get(char, WIDEST) for char in " ".join(text.split()))


def longest_piece(text: str) -> float:
    """Return the width of the longest part of a text that `breakable` does not break."""
    return max((width_of(piece) for word in text.split() for piece in _pieces(word)), default=0.0)


def _pieces(word: str) -> list[str]:
    if len(word) <= LONG:
        return [word]
    parts = [part for part in _JOINTS.split(word) if part]
    return [part[i : i + LONG] for part in parts for i in range(0, len(part), LONG)]
