"""How figures look: sizes on paper, colours, and settings that hold only while one is made or saved.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), told apart by colour-blind
readers; markers, fills and dashes tell the lines apart in black-and-white print. Nothing outside
`drawing()` is changed: neither pyplot nor anyone's global settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TypeAlias

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

    with as_file(files(__package__) / "clipbench.mplstyle") as style, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(mpl.rc_params_from_file(style, use_default_template=False))
        yield
