"""What `clipbench doctor` found, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.reports.tables import Column, Table
from clipbench.study.health import Examined


def health_table(found: Sequence[Examined]) -> Table:
    """Return one row per thing that was examined; what to do about the failed ones stands beneath."""
    rows = tuple(("ok" if e.passed else "FAILED", e.name, e.detail) for e in found)
    hints = tuple(f"{e.name}: {e.hint}" for e in found if not e.passed and e.hint)
    failed = sum(not e.passed for e in found)
    verdict = f"{failed} of {len(found)} failed" if failed else f"{len(found)} of {len(found)} passed"
    columns = (Column("result"), Column("what"), Column("detail"))
    return Table("Doctor", columns, rows, (verdict, *hints))
