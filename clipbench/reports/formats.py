"""Tables in every text format by name; the command line draws "table" itself, to fit the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from clipbench.reports.tables import Table, json_value, to_csv, to_markdown


def written(tables: Table | Sequence[Table], form: str, *, named: bool = False) -> str:
    """Return a table, or several one after another, in a text format; in JSON several are a list.

    named: whether the columns are those that somebody asked for, of which a paper's table leaves out none.
    """
    several = (tables,) if isinstance(tables, Table) else tuple(tables)
    if form == "json":
        values = [json_value(table) for table in several]
        return json.dumps(values[0] if isinstance(tables, Table) else values, indent=2) + "\n"
    if form in LATEX:
        from clipbench.reports.paper.latex import to_latex

        return to_latex(several, LATEX[form], named=named)
    return "\n".join(RENDERERS[form](table) for table in several)


RENDERERS: Mapping[str, Callable[[Table], str]] = {"csv": to_csv, "markdown": to_markdown}
LATEX: Mapping[str, str] = {"latex": "plain", "latex-tabularx": "tabularx", "latex-siunitx": "siunitx"}
"""The formats for papers, and how each sets its columns."""
