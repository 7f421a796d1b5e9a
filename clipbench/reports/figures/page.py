"""What stands around the axes: title above, legend and note beneath. Lengths are in inches.

matplotlib's constrained layout places everything above legend and note. The figure grows in height by what it has
to say, so that the axes keep their size and nothing is clipped or covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipbench.reports.figures.style import GREY, NOTE, TICK, TITLE
from clipbench.reports.figures.text import LINE, printable, wrapped

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

PAD = 0.04
"""Space at the edges and between the blocks of text."""

ROOMY = 20.0
"""Height of a figure before it is laid out: more than any text takes, so that axes never vanish."""

HANDLE, GAP = 2.6, 0.6
"""Length of a legend's sample of a line, and its distance from the text, in font sizes."""


def new_figure(width: float) -> Figure:
    """Return an empty figure of this width on a canvas of its own; `finish` gives it its height."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD, wspace=0.02, hspace=0.0)
    figure = Figure(figsize=(width, ROOMY), layout=engine)
    FigureCanvasAgg(figure)
    return figure


def finish(
    figure: Figure, title: str, *, tall: float, handles: Sequence[Artist] = (), note: str = ""
) -> None:
    """Write title, legend and note, make every axes `tall` inches high, and fix the layout.

    Fixed, because PNG, SVG and PDF measure text differently and would else differ in layout.
    """
    width = figure.get_figwidth()
    room = (width - 2 * PAD) * 72
    titles, notes = wrapped(title, room, TITLE), wrapped(note, room, NOTE)
    figure.set_label(" ".join(titles))
    if titles:
        figure.suptitle("\n".join(titles), x=PAD / width, ha="left", size=TITLE, linespacing=LINE)
    note_height = len(notes) * NOTE * LINE / 72 + PAD
    legend = _legend(figure, handles, room) if handles else None
    foot = note_height + (legend.get_window_extent().height / figure.dpi + 2 * PAD if legend else 0.0)
    _lay_out(figure, foot)
    first = figure.axes[0]
    spec = first.get_subplotspec()
    rows = spec.get_gridspec().nrows if spec else 1
    missing = tall - first.get_position().height * figure.get_figheight()
    figure.set_figheight(figure.get_figheight() + rows * missing)  # all else keeps its height
    _lay_out(figure, foot)
    figure.set_layout_engine("none")
    left, height = PAD / width, figure.get_figheight()
    figure.text(left, PAD / height, "\n".join(notes), size=NOTE, linespacing=LINE, color=GREY, va="bottom")
    if legend is not None:
        legend.set_bbox_to_anchor((left, (note_height + PAD) / height))


def _lay_out(figure: Figure, foot: float) -> None:
    """Lay out what is above legend and note, for which constrained layout would take one place only."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine, share = figure.get_layout_engine(), foot / figure.get_figheight()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0.0, share, 1.0, 1 - share))
    figure.draw_without_rendering()


def _legend(figure: Figure, handles: Sequence[Artist], room: float) -> Legend:
    """Return a legend of as many columns as fit into `room` points."""
    beside = (HANDLE + GAP) * TICK
    labels = ["\n".join(wrapped(str(handle.get_label()), room - beside - 4, TICK)) for handle in handles]
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(
            handles,
            labels,
            loc="lower left",
            ncols=columns,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handlelength=HANDLE,
            handletextpad=GAP,
            columnspacing=1.0,
            labelspacing=0.35,
        )
        legend.set_in_layout(False)
        if columns == 1 or legend.get_window_extent().width * 72 / figure.dpi <= room:
            break
        legend.remove()
    return legend


def as_lines(text: str, inches: float, size: float) -> str:
    """Return a label in as many lines as it needs within a width."""
    return "\n".join(wrapped(printable(text), inches * 72, size))
