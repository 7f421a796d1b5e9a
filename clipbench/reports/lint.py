"""The findings of lint as a table, and the thresholds a command line sets for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipbench.datasets.findings import Finding, failed
from clipbench.errors import DatasetError
from clipbench.reports.tables import Column, Table

_COLUMNS = ("severity", "finding", "count", "of", "what", "examples")


def thresholds(allowed: Sequence[str]) -> dict[str, float | None]:
    """Return the thresholds that KIND=SHARE words set; a share of `any` lets everything pass.

    >>> thresholds(["missing-image=0.01", "empty-caption=any"])
    {'missing-image': 0.01, 'empty-caption': None}

    Raises DatasetError for a word of another form, a kind that does not exist, a share outside 0..1.
    """
    limits: dict[str, float | None] = {}
    for word in allowed:
        kind, _, share = word.partition("=")
        try:
            limits[kind] = None if share == "any" else float(share)
        except ValueError:
            message = f"{word!r} is not of the form KIND=SHARE"
            raise DatasetError(message, "--allow missing-image=0.01") from None
    failed((), limits)  # to be told now, not after every photograph was decoded
    return limits


def lint_table(
    name: str, findings: Sequence[Finding], limits: Mapping[str, float | None]
) -> tuple[Table, bool]:
    """Return the findings, worst first, and whether any is above its threshold."""
    above = failed(findings, limits)
    rows = tuple(
        (
            f.severity.upper() if f in above else f.severity,
            f.kind,
            f.count,
            f.of,
            f.message,
            ", ".join(f.examples) + (", ..." if f.count > len(f.examples) else ""),
        )
        for f in findings
    )
    if above:
        verdict = (
            f"above the threshold: {', '.join(f.kind for f in above)} (tolerate with --allow KIND=SHARE)"
        )
    else:
        verdict = "nothing above its threshold"
    columns = tuple(Column(c) for c in _COLUMNS)
    notes = (verdict,) if rows else ()
    return Table(f"Lint of {name}", columns, rows, notes, empty="nothing found"), bool(above)
