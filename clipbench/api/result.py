"""What a command gave back: its tables as people read them and in full, as rows, a data frame, HTML or a figure."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

from clipbench.errors import ClipbenchError
from clipbench.keys import Json
from clipbench.reports.tables import Cell, Table, is_numeric, json_value, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

WIDTH = 200
"""Columns of a printed table."""


@dataclass(frozen=True, repr=False)
class Result:
    """The outcome of a command: printed, or typed at a prompt, it is what the command prints.

    tables: what it shows, the first of them first. text: what it says beside them, "" for nothing. command: how it is
    typed. in_full: how to get the same with every number and whole keys; None where it would be done a second time.
    draw: how its figure is made, None where it has none.
    """

    tables: tuple[Table, ...]
    text: str
    command: str
    in_full: Callable[[], tuple[Table, ...]] | None = field(default=None, repr=False, compare=False)
    draw: Callable[[], Figure] | None = field(default=None, repr=False, compare=False)

    @property
    def rows(self) -> tuple[dict[str, Cell], ...]:
        """The rows of the first table in full, by the names of its columns. None is a value that does not exist."""
        whole = self._whole
        if not whole:
            return ()
        names = [column.name for column in whole[0].columns]
        return tuple(dict(zip(names, row, strict=True)) for row in whole[0].rows)

    def to_dict(self) -> dict[str, Json]:
        """Return every table in full: {"command": ..., "tables": [{"title", "rows", "notes"}, ...]}."""
        return {"command": self.command, "tables": [json_value(table) for table in self._whole]}

    def to_pandas(self, number: int = 0) -> DataFrame:
        """Return a table in full as a pandas data frame. Raises ClipbenchError where pandas is not installed."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ClipbenchError("a data frame needs pandas", "pip install pandas") from error
        table = self._whole[number]
        return pd.DataFrame(list(table.rows), columns=[column.name for column in table.columns])

    def figure(self) -> Figure:
        """Return the result as a matplotlib figure. Raises ClipbenchError where it has none."""
        if self.draw is None:
            raise ClipbenchError(f"`{self.command}` has no figure", "store.sweep(...) has one")
        return self.draw()

    @cached_property
    def _whole(self) -> tuple[Table, ...]:
        # Asked for once: a comparison resamples each time that it is typed.
        return self.tables if self.in_full is None else self.in_full()

    def __str__(self) -> str:
        from rich.console import Console

        from clipbench.cli.drawing import drawn

        out = io.StringIO()
        # Into the text and nowhere else: within a notebook rich would show the parts by itself.
        console = Console(
            file=out,
            width=WIDTH,
            highlight=False,
            soft_wrap=True,
            markup=False,
            emoji=False,
            force_terminal=False,
            force_jupyter=False,
        )
        for table in self.tables:
            for part in drawn(table, WIDTH):
                console.print(part)
            console.print()
        return (self.text + out.getvalue()).rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the tables as HTML, for notebooks; whatever is in a cell is text."""
        told = f"<pre>{escape(self.text.strip())}</pre>" if self.text.strip() else ""
        return told + "".join(_html(table) for table in self.tables)


def _html(table: Table) -> str:
    heads = "".join(f"<th>{escape(column.heading)}</th>" for column in table.columns)
    sides = ["right" if is_numeric(table, number) else "left" for number in range(len(table.columns))]
    lines = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{side}">{escape(shown(cell, column.digits))}</td>'
            for cell, column, side in zip(row, table.columns, sides, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    notes = "".join(f"<div><small>{escape(note)}</small></div>" for note in table.notes)
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>{notes}"
