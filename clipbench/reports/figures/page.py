"""What stands around the axes: title above, names of the lines, notes beneath. All lengths in inches.

The figure grows in height by what it has to say, so that the axes keep their size and nothing is
clipped or covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipbench.reports.figures.records import Scale
from clipbench.reports.figures.style import GREY, INK, NOTE, TICK, TITLE, Stroke
from clipbench.reports.figures.text import LINE, apart, printable, share, width_of, wrapped

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

PAD = 0.04
"""Space at the edges and between the blocks of text."""

END_MARK, END_TEXT = 11.0, 17.0
"""Points from a line's last point to the marker, and to the text, of its name."""


@dataclass(frozen=True, slots=True)
class Page:
    """The space left for axes between head and foot, in inches from the lower left corner."""

    width: float
    height: float
    foot: float
    head: float


@dataclass(frozen=True, slots=True)
class End:
    """A name to write beside a line's end. `look` is None for the chance line, which has no marker."""

    label: str
    level: float
    value: float
    look: Stroke | None


def new_figure(width: float) -> Figure:
    """Return an empty figure of this width on a canvas of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 1.0))
    FigureCanvasAgg(figure)
    return figure


def set_page(figure: Figure, body: float, *, title: str, handles: Sequence[Artist], note: str) -> Page:
    """Write title, legend and note around a body of this height, and size the figure to hold them."""
    width = figure.get_figwidth()
    room = (width - 2 * PAD) * 72
    titles = wrapped(title, room, TITLE)
    notes = wrapped(note, room, NOTE)
    head = _lines_height(titles, TITLE)
    foot = _lines_height(notes, NOTE)
    if handles:
        legend = _legend(figure, handles, width - 2 * PAD)
        foot += legend[1] + 2 * PAD
    height = head + body + foot
    figure.set_figheight(height)
    if handles:
        legend[0].set_bbox_to_anchor((PAD / width, (foot - PAD / 2) / height))
    figure.text(
        PAD / width, 1 - PAD / height, "\n".join(titles), size=TITLE, va="top", linespacing=LINE, color=INK
    )
    figure.text(
        PAD / width, PAD / height, "\n".join(notes), size=NOTE, va="bottom", linespacing=LINE, color=GREY
    )
    figure.set_label(" ".join(titles))
    return Page(width, height, foot, head)


def lay_out(figure: Figure, page: Page, *, left: float = 0.0, right: float = 0.0, below: float = 0.0) -> None:
    """Fit the axes with their labels into the body, less some space at its sides, and fix them there.

    Fixed, because PNG and SVG measure text differently and would else differ in layout.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    foot = page.foot + below
    box = (
        left / page.width,
        foot / page.height,
        1 - (left + right) / page.width,
        1 - (foot + page.head) / page.height,
    )
    aside = [*figure.texts, *figure.legends]
    for artist in aside:
        artist.set_in_layout(False)
    ConstrainedLayoutEngine(rect=box, w_pad=PAD, h_pad=PAD, wspace=0.02, hspace=0.02).execute(figure)


def ends_width(ends: Sequence[End]) -> float:
    """Return the inches that names beside the line ends take, to the right of the axes."""
    return (max(width_of(printable(end.label), TICK) for end in ends) + END_TEXT - 4) / 72


def write_ends(figure: Figure, axes: Axes, ends: Sequence[End]) -> None:
    """Write each name beside its line's end, moved up or down where names would collide.

    Call after `lay_out`: it needs the height of the axes.
    """
    from matplotlib.transforms import ScaledTranslation

    tall = axes.get_position().height * figure.get_figheight() * 72
    low, high = axes.get_ylim()
    scale: Scale = "log" if axes.get_yscale() == "log" else "linear"
    wanted = [share(end.value, low, high, scale) * tall for end in ends]
    for end, from_, to in zip(ends, wanted, apart(wanted, TICK * LINE, 0.0, tall), strict=True):
        shift = to - from_
        moved = abs(shift) > 1.5
        axes.annotate(
            printable(end.label),
            xy=(end.level, end.value),
            xytext=(END_TEXT if end.look else END_MARK, shift),
            textcoords="offset points",
            va="center",
            color=INK if end.look else GREY,
            size=TICK,
            annotation_clip=False,
        )
        if end.look is None:
            continue
        transform = axes.transData + ScaledTranslation(END_MARK / 72, shift / 72, figure.dpi_scale_trans)
        mark = axes.plot([end.level], [end.value], transform=transform, marker=end.look.marker, markersize=4)[
            0
        ]
        mark.set(markerfacecolor=end.look.fill, markeredgecolor=end.look.colour, markeredgewidth=0.8)
        mark.set_clip_on(False)
        if moved:
            axes.annotate(
                "",
                xy=(end.level, end.value),
                xytext=(END_MARK, shift),
                textcoords="offset points",
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": GREY, "shrinkA": 3, "shrinkB": 3},
            )


def _lines_height(lines: Sequence[str], size: float) -> float:
    return len(lines) * size * LINE / 72 + (2 * PAD if lines else 0.0)


def _legend(figure: Figure, handles: Sequence[Artist], room: float) -> tuple[Legend, float]:
    """Return a legend of as many columns as fit into `room`, and its height."""
    swatch = 2.6 * TICK + 0.6 * TICK  # handle and gap, as handlelength and handletextpad say
    labels = [
        "\n".join(wrapped(printable(str(h.get_label())), room * 72 - swatch - 4, TICK)) for h in handles
    ]
    widest = max(width_of(line, TICK) for label in labels for line in label.splitlines())
    columns = max(1, min(len(handles), int((room * 72 + TICK) / (widest + swatch + TICK + 2))))
    legend = figure.legend(
        handles,
        labels,
        loc="upper left",
        ncols=columns,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=2.6,
        handletextpad=0.6,
        columnspacing=1.0,
        labelspacing=0.35,
    )
    legend.set_in_layout(False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.draw_without_rendering()
    return legend, legend.get_window_extent().height / figure.dpi
