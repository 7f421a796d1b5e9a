"""One panel of a paper's table: the columns' specification, its headings and its rows, in one of three styles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from clipbench.reports.paper.decimals import NONE, NUMBER
from clipbench.reports.paper.panels import Layout, Panel, PaperColumn
from clipbench.reports.paper.setting import breakable, tex
from clipbench.reports.tables import Table, cells_shown, split_marks


def panel_lines(table: Table, layout: Layout, panel: Panel, rows: range, style: str) -> list[str]:
    """Return the lines of a tabular environment with some of the rows."""
    cells = [[row[i] for i in panel.columns] for row in cells_shown(table)]
    columns = [layout.columns[i] for i in panel.columns]
    opening, closing = _environment(layout, panel, style)
    lines = [opening, r"\toprule", *_heads(columns), r"\midrule"]
    grouped = _is_grouped([row[0] for row in cells]) and not columns[0].right
    for y in rows:
        starts = y == rows.start or cells[y][0] != cells[y - 1][0]
        if grouped and starts and y != rows.start:
            lines.append(r"\addlinespace")
        written = [
            _cell(text, columns[x], bold=(y, i) in table.best, folds=i in panel.folded)
            for x, (i, text) in enumerate(zip(panel.columns, cells[y], strict=True))
        ]
        if grouped and not starts:  # a group is named once
            written[0] = ""
        lines.append(" & ".join(written) + r" \\")
    lines.append(r"\bottomrule")
    return [lines[0], *(f"  {line}" for line in lines[1:]), closing]


def _environment(layout: Layout, panel: Panel, style: str) -> tuple[str, str]:
    """Return how the environment begins and ends; panels beneath each other are all as wide as the column."""
    kinds = []
    for i in panel.columns:
        column, wide = layout.columns[i], panel.folded.get(i)
        kind = column.numbers.column if column.numbers else "r" if column.right else "l"
        kinds.append(
            kind
            if wide is None
            else rf">{{\raggedright\arraybackslash}}p{{{wide / layout.room:.2f}\linewidth}}"
        )
    if style == "tabularx":
        for x in [x for x, i in enumerate(panel.columns) if i in panel.folded] or [0]:
            side = "raggedleft" if layout.columns[panel.columns[x]].right else "raggedright"
            kinds[x] = rf">{{\{side}\arraybackslash}}X"
        return rf"\begin{{tabularx}}{{\linewidth}}{{@{{}}{''.join(kinds)}@{{}}}}", r"\end{tabularx}"
    if len(layout.panels) > 1 or panel.folded:
        kinds[0] += r"@{\extracolsep{\fill}}"
        return rf"\begin{{tabular*}}{{\linewidth}}{{@{{}}{''.join(kinds)}@{{}}}}", r"\end{tabular*}"
    return rf"\begin{{tabular}}{{@{{}}{''.join(kinds)}@{{}}}}", r"\end{tabular}"


def _heads(columns: Sequence[PaperColumn]) -> list[str]:
    """Return the lines of headings: directions that several columns share above, with a rule beneath."""
    above, rules, place = [], [], 1
    for direction, group in groupby(columns, lambda column: column.direction):
        count = len(list(group))
        if direction:
            above.append(rf"\multicolumn{{{count}}}{{c}}{{{tex(direction)}}}")
            rules.append(rf"\cmidrule(lr){{{place}-{place + count - 1}}}")
        else:
            above += [""] * count
        place += count
    own = " & ".join(map(_head, columns)) + r" \\"
    return [" & ".join(above) + r" \\", "".join(rules), own] if rules else [own]


def _head(column: PaperColumn) -> str:
    stacked = r"\\".join(map(tex, column.heading))
    if len(column.heading) > 1:
        stacked = rf"\shortstack[{'r' if column.right else 'l'}]{{{stacked}}}"
    return f"{{{stacked}}}" if column.numbers else stacked


def _cell(text: str, column: PaperColumn, *, bold: bool, folds: bool) -> str:
    if text in {NONE, ""}:
        return ("{--}" if column.numbers else "--") if text else ""
    plain, marks = split_marks(text)
    if column.numbers:
        number = plain.replace(",", "").replace("−", "-")
        return (r"\bfseries " if bold else "") + number + (f"{{{tex(marks)}}}" if marks else "")
    if NUMBER.fullmatch(plain):
        plain = plain.replace("-", "−")
    whole = breakable(plain) if folds else tex(plain)
    return (rf"\textbf{{{whole}}}" if bold else whole) + tex(marks)


def _is_grouped(firsts: Sequence[str]) -> bool:
    """Whether a first column names groups: equal neighbours, none of which comes back later."""
    runs = [name for name, _ in groupby(firsts)]
    return 1 < len(runs) < len(firsts) and len(set(runs)) == len(runs)
