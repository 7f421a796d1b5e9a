"""How figures look: sizes on paper, colours, and settings that hold only while one is made or saved.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), told apart by colour-blind
readers; markers, fills and dashes tell the lines apart in black-and-white print. Nothing outside
`drawing()` is changed: neither pyplot nor anyone's global settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from clipbench.errors import ClipbenchError
from clipbench.reports.figures.records import Column

WIDTHS: Mapping[Column, float] = {"single": 3.5, "double": 7.16}
"""Figure widths in inches, as two-column journals such as the IEEE set them."""

DPI = 200

TITLE, LABEL, TICK, NOTE = 8.5, 8.0, 7.0, 6.5
"""Font sizes in points. Figures are made at their size on paper, so these are the sizes readers see."""

INK, GREY, PALE = "#1a1a1a", "#666666", "#e3e3e3"

Dashes: TypeAlias = str | tuple[float, tuple[float, ...]]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito without yellow, which vanishes on white paper."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Dashes, ...] = (
    "-",
    (0.0, (5.0, 1.5)),
    (0.0, (1.2, 1.2)),
    (0.0, (6.0, 1.5, 1.2, 1.5)),
    (0.0, (3.0, 1.2)),
)

STYLE: Mapping[Any, object] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],  # the first one comes with matplotlib
    "font.size": TICK,
    "text.color": INK,
    "text.parse_math": False,  # a label is text, also where it holds a $
    "text.usetex": False,
    "text.hinting": "none",  # else letters widen with the resolution and lines cease to fit
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": LABEL,
    "axes.titlesize": LABEL,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": TICK,
    "ytick.labelsize": TICK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": TICK,
    "hatch.linewidth": 0.5,
    "figure.facecolor": "white",
    "figure.dpi": DPI,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # whole letters, which programs for drawings can edit, not their outlines
    "svg.fonttype": "none",  # text stays text: searchable, selectable, set in the reader's fonts
    "svg.hashsalt": "clipbench",  # else the ids of clip paths and markers are random
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """How one line is told from the others: by colour, marker, fill of the marker and dashes."""

    colour: str
    marker: str
    dashes: Dashes
    fill: str


def stroke(number: int) -> Stroke:
    """Return the look of line `number`, counted from 0. The first 280 all differ.

    >>> stroke(0) == stroke(7), stroke(3).colour
    (False, '#CC79A7')
    """
    colour = COLOURS[number % len(COLOURS)]
    hollow = number % 2 == 1
    dashes = DASHES[number % len(DASHES)]
    return Stroke(colour, MARKERS[number % len(MARKERS)], dashes, "white" if hollow else colour)


def require_matplotlib() -> None:
    """Raise ClipbenchError where matplotlib is not installed; tables and CSV do without."""
    try:
        import matplotlib as mpl  # noqa: F401 - only its presence is asked for
    except ImportError as error:
        raise ClipbenchError(
            "figures need matplotlib, which is not installed", "pip install 'clipbench[plots]'"
        ) from error


@contextmanager
def drawing() -> Iterator[None]:
    """Hold the settings of our figures, whatever the user's matplotlibrc says, and give theirs back after."""
    require_matplotlib()
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield
