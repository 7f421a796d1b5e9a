"""Columns of numbers alone, as siunitx aligns them: so many digits before and behind the point, signs, marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.reports.paper.setting import tex, width_of
from clipbench.reports.tables import split_marks

NUMBER = re.compile(r"([+−-]?)(\d[\d,]*)(\.\d+)?")
NONE = "-"
"""What is shown where there is no value."""


@dataclass(frozen=True, slots=True)
class Decimals:
    """The longest of everything in a column. marks: what stands behind a number."""

    signed: bool
    before: int
    behind: int
    marks: str

    @property
    def width(self) -> float:
        """Points that siunitx gives the column, whatever its longest number is."""
        commas = "," * ((self.before - 1) // 3)
        point = f".{'0' * self.behind}" if self.behind else ""
        return width_of(f"{'+' * self.signed}{'0' * self.before}{commas}{point}{self.marks}")

    @property
    def column(self) -> str:
        """The column as siunitx is told of it."""
        form = f"{'+' if self.signed else ''}{self.before}{f'.{self.behind}' if self.behind else ''}"
        after = f", table-space-text-post={{{tex(self.marks)}}}" if self.marks else ""
        return (
            f"S[table-format={form}, detect-weight, retain-explicit-plus, group-digits=integer, "
            f"group-separator={{,}}, group-minimum-digits=4{after}]"
        )


def decimals(cells: Sequence[str]) -> Decimals | None:
    """Return how a column is aligned, None where it holds something else than numbers."""
    parts = [split_marks(cell) for cell in cells if cell not in {NONE, ""}]
    found = [NUMBER.fullmatch(number) for number, _ in parts]
    numbers = [match for match in found if match]
    if not numbers or len(numbers) < len(found):
        return None
    return Decimals(
        signed=any(match[1] for match in numbers),
        before=max(len(match[2].replace(",", "")) for match in numbers),
        behind=max(len(match[3] or ".") - 1 for match in numbers),
        marks=max((marks for _, marks in parts), key=len),
    )
