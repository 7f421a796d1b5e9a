"""One panel of a paper's table: the columns' specification, its headings and its rows, in one of three styles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from clipbench.reports.paper.panels import Heading, Layout, Panel
from clipbench.reports.paper.setting import breakable, tex
from clipbench.reports.tables import Table, cells_shown, split_marks

NUMBER = re.compile(r"[+−-]?(\d[\d,]*)(\.\d+)?")
NONE = "-"


def panel_lines(table: Table, layout: Layout, panel: Panel, rows: range, style: str) -> list[str]:
    """Return the lines of a tabular environment with some of the rows."""
    cells = [[row[i] for i in panel.columns] for row in cells_shown(table)]
    bold = [[(y, i) in table.best for i in panel.columns] for y in range(len(cells))]
    right = [layout.right[i] for i in panel.columns]
    numbers = [
        style == "siunitx" and right[x] and _aligned([row[x] for row in cells]) for x in range(len(right))
    ]
    headings = [layout.headings[i] for i in panel.columns]
    opening, closing = _environment(
        layout,
        panel,
        [_decimal([row[x] for row in cells]) if numbers[x] else "" for x in range(len(right))],
        style,
    )
    lines = [opening, r"\toprule", *_heads(headings, right, numbers), r"\midrule"]
    grouped = _is_grouped([row[0] for row in cells]) and not right[0]
    for y in rows:
        starts = y == rows.start or cells[y][0] != cells[y - 1][0]
        if grouped and starts and y != rows.start:
            lines.append(r"\addlinespace")
        lines.append(
            " & ".join(
                ""
                if grouped and not starts and x == 0
                else _cell(text, bold=bold[y][x], number=numbers[x], folds=panel.columns[x] in panel.folded)
                for x, text in enumerate(cells[y])
            )
            + r" \\"
        )
    lines.append(r"\bottomrule")
    return [lines[0], *(f"  {line}" for line in lines[1:]), closing]


def _environment(layout: Layout, panel: Panel, decimals: Sequence[str], style: str) -> tuple[str, str]:
    """Return how the environment begins and ends; panels beneath each other are all as wide as the column."""
    kinds = []
    for i, decimal in zip(panel.columns, decimals, strict=True):
        kind = decimal or ("r" if layout.right[i] else "l")
        if i in panel.folded:
            kind = rf">{{\raggedright\arraybackslash}}p{{{panel.folded[i]:.0f}pt}}"
        kinds.append(kind)
    if style == "tabularx":
        folding = [x for x, i in enumerate(panel.columns) if i in panel.folded] or [0]
        for x in folding:
            side = "raggedleft" if layout.right[panel.columns[x]] else "raggedright"
            kinds[x] = rf">{{\{side}\arraybackslash}}X"
        return rf"\begin{{tabularx}}{{\linewidth}}{{@{{}}{''.join(kinds)}@{{}}}}", r"\end{tabularx}"
    if len(layout.panels) > 1 or panel.folded:
        kinds[0] += r"@{\extracolsep{\fill}}"
        return rf"\begin{{tabular*}}{{\linewidth}}{{@{{}}{''.join(kinds)}@{{}}}}", r"\end{tabular*}"
    return rf"\begin{{tabular}}{{@{{}}{''.join(kinds)}@{{}}}}", r"\end{tabular}"


def _heads(headings: Sequence[Heading], right: Sequence[bool], numbers: Sequence[bool]) -> list[str]:
    """Return the lines of headings: directions that several columns share above, with a rule beneath."""
    above, rules, place = [], [], 1
    for direction, group in groupby(headings, lambda heading: heading.direction):
        count = len(list(group))
        if direction:
            above.append(rf"\multicolumn{{{count}}}{{c}}{{{tex(direction)}}}")
            rules.append(rf"\cmidrule(lr){{{place}-{place + count - 1}}}")
        else:
            above += [""] * count
        place += count
    own = [_head(*one) for one in zip(headings, right, numbers, strict=True)]
    return [*([" & ".join(above) + r" \\", "".join(rules)] if rules else []), " & ".join(own) + r" \\"]


def _head(heading: Heading, right: bool, number: bool) -> str:  # noqa: FBT001 - of one column
    lines = [tex(line) for line in heading.lines]
    stacked = r"\\".join(lines)
    whole = stacked if len(lines) == 1 else rf"\shortstack[{'r' if right else 'l'}]{{{stacked}}}"
    return f"{{{whole}}}" if number else whole


def _cell(text: str, *, bold: bool, number: bool, folds: bool) -> str:
    if text in {NONE, ""}:
        return ("{--}" if number else "--") if text else ""
    plain, marks = split_marks(text)
    if number:
        return (
            (r"\bfseries " if bold else "")
            + plain.replace(",", "").replace("−", "-")
            + (f"{{{tex(marks)}}}" if marks else "")
        )
    if NUMBER.fullmatch(plain):
        plain = plain.replace("-", "−")
    whole = breakable(plain) if folds else tex(plain)
    return (rf"\textbf{{{whole}}}" if bold else whole) + tex(marks)


def _is_grouped(firsts: Sequence[str]) -> bool:
    """Whether a first column names groups: equal neighbours, none of which comes back later."""
    runs = [name for name, _ in groupby(firsts)]
    return 1 < len(runs) < len(firsts) and len(set(runs)) == len(runs)


def _aligned(cells: Sequence[str]) -> bool:
    return all(cell in {NONE, ""} or NUMBER.fullmatch(split_marks(cell)[0]) for cell in cells)


def _decimal(cells: Sequence[str]) -> str:
    """Return siunitx's column for numbers: so many digits before and behind the point, room for a sign and marks."""
    found = [(NUMBER.fullmatch(split_marks(cell)[0]), split_marks(cell)) for cell in cells]
    before = max((len(match[1].replace(",", "")) for match, _ in found if match), default=1)
    behind = max((len(match[2] or ".") - 1 for match, _ in found if match), default=0)
    signs = any(plain[:1] in {"+", "−", "-"} for match, (plain, _) in found if match)
    marks = max((marks for _, (_, marks) in found), key=len, default="")
    after = f", table-space-text-post={{{tex(marks)}}}" if marks else ""
    return (
        f"S[table-format={'+' if signs else ''}{before}{f'.{behind}' if behind else ''}, detect-weight, "
        f"retain-explicit-plus, group-digits=integer, group-separator={{,}}, group-minimum-digits=4{after}]"
    )
