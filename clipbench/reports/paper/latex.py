r"""Tables as LaTeX floats: caption and label, the table in 8 points, its notes beneath.

Needs booktabs, and tabularx or siunitx for the styles of that name; a comment at the top says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from clipbench.reports.paper.columns import compact
from clipbench.reports.paper.panels import COLUMN, PAGE, Layout, Panel, laid_out
from clipbench.reports.paper.rows import panel_lines
from clipbench.reports.paper.setting import breakable
from clipbench.reports.tables import Table, cells_shown

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "plain": ("booktabs",),
    "tabularx": ("booktabs", "tabularx"),
    "siunitx": ("booktabs", "siunitx"),
}
"""The ways to set columns, and what a paper has to load for each."""

LINES = 48
"""Lines of a float; of more, the table goes on in another one."""


def to_latex(tables: Sequence[Table], style: str = "plain", *, named: bool = False) -> str:
    """Return tables as floats. named: whether somebody asked for their columns.

    Otherwise columns that say the same of every row go into a note, others may be left out, and the rest stands in
    one column of a two-column paper (240 pt), as panels beneath each other if need be. Columns that were asked for
    all stand there, across the page (500 pt) where one column has no room for them.
    """
    labels: dict[str, int] = {}
    packages = "".join(rf"\usepackage{{{name}}}" for name in PACKAGES[style])
    parts = [f"% {packages}\n"]
    for table in tables:
        label = _label(table.title)
        labels[label] = labels.get(label, 0) + 1
        unique = label if labels[label] == 1 else f"{label}-{labels[label]}"
        chosen, out = (table, ()) if named or not table.rows else compact(table)
        parts += [f"% left out: {', '.join(out)}; --columns chooses\n"] if out else []
        parts.append(_floats(chosen, unique, style, wide=named))
    return "\n".join(parts)


def _floats(table: Table, label: str, style: str, *, wide: bool) -> str:
    """Return a table as one float, or as several where it is too long for one."""
    if not table.rows:
        return _float(table, label, [rf"\emph{{{breakable(table.empty)}}}"], "table")
    align = style == "siunitx"
    layout = laid_out(table, COLUMN, align=align)
    across = wide and len(layout.panels) > 1
    if across:
        layout = laid_out(table, PAGE, align=align)
    pages = list(_pages(table, layout))
    floats = []
    for number, pieces in enumerate(pages):
        part = table if number == len(pages) - 1 else replace(table, notes=())
        lines: list[str] = []
        for panel, rows in pieces:
            lines += [r"", r"\medskip"] if lines else []
            lines += panel_lines(table, layout, panel, rows, style)
        title = f"{table.title} (continued)" if number else table.title
        floats.append(
            _float(
                replace(part, title=title),
                f"{label}-part-{number + 1}" if number else label,
                lines,
                "table*" if across else "table",
            )
        )
    return "\n".join(floats)


def _pages(table: Table, layout: Layout) -> Iterator[list[tuple[Panel, range]]]:
    """Yield, for each float, its panels with the rows they hold."""
    cells, page, used = cells_shown(table), list[tuple[Panel, range]](), 0
    for panel in layout.panels:
        start = 0
        while start < len(cells):
            used += 3  # rules and heading
            stop = start
            while stop < len(cells) and (
                used + panel.lines(cells[stop]) <= LINES or (stop == start and not page)
            ):
                used += panel.lines(cells[stop])
                stop += 1
            if stop > start:
                page.append((panel, range(start, stop)))
            if stop < len(cells):
                yield page
                page, used = [], 0
            start = stop
    if page:
        yield page


def _float(table: Table, label: str, lines: Sequence[str], kind: str) -> str:
    """Return lines in a float of a kind, with caption, label and notes."""
    notes = " ".join(breakable(_sentence(note)) for note in table.notes if note)
    beneath = [
        "",
        r"  \smallskip",
        r"  \begin{minipage}{\linewidth}\scriptsize\raggedright",
        f"    {notes}",
        r"  \end{minipage}",
    ]
    return "\n".join(
        [
            rf"\begin{{{kind}}}[t]",
            r"  \centering",
            rf"  \caption{{{breakable(table.title)}}}",
            rf"  \label{{tab:{label}}}",
            r"  \fontsize{8}{9.5}\selectfont",
            r"  \setlength{\tabcolsep}{3pt}",
            *(f"  {line}" if line else "" for line in lines),
            *(beneath if notes else []),
            rf"\end{{{kind}}}",
            "",
        ]
    )


def _sentence(note: str) -> str:
    """Return a note with a full stop, and a capital where it begins with a plain word.

    >>> _sentence("bold: the best"), _sentence("t2i: captions find images"), _sentence("p: two-sided")
    ('Bold: the best.', 't2i: captions find images.', 'p: two-sided.')
    """
    first = re.match(r"[a-z]{3,}(?=[ ,:])", note)
    return (note[0].upper() + note[1:] if first else note).rstrip(".") + "."


def _label(title: str) -> str:
    """Return a title as a label has it.

    >>> _label("f8k-test: 2 runs against demo"), _label("")
    ('f8k-test-2-runs-against-demo', 'table')
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "table"
