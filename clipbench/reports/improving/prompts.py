"""What a family of prompts would cost, before anything is encoded."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.reports.tables import Column, Table
from clipbench.study.improving.variants import Variant


def dry_run_table(variants: Sequence[Variant]) -> Table:
    """Return every variant with the strings that it ranks by; equal strings of two variants are encoded once."""
    columns = (Column("variant"), Column("strings"), Column("needs"))
    rows = tuple((one.label, one.strings or None, one.needs or None) for one in variants)
    return Table("variants", columns, rows, ("nothing was encoded or ranked but the plain run",))
