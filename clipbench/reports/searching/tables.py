"""What a search found as a table."""

from __future__ import annotations

from clipbench.reports.tables import Column, Table
from clipbench.study.searching.asking import Found

COLUMNS = (
    Column("rank"),
    Column("score", digits=3),
    Column("gap", digits=3),
    Column("percentile", digits=1),
    Column("id"),
    Column("caption"),
    Column("path"),
)


def hit_table(found: Found) -> Table:
    """Return the hits, best first; paths lead to the files from here."""
    rows = tuple(
        (hit.rank, hit.score, hit.gap, hit.percentile, hit.id, hit.caption, _path(found, hit.path))
        for hit in found.result.hits
    )
    return Table(_title(found), COLUMNS, rows, _notes(found), empty="nothing was found")


def _title(found: Found) -> str:
    return f"{found.words} among {found.result.searched:,} photographs of {found.gallery.dataset.name}"


def _notes(found: Found) -> tuple[str, ...]:
    result = found.result
    if result.mean is None or result.spread is None:
        return ()
    said = f"cosines of all {result.gallery:,} photographs: mean {result.mean:.3f}, sd {result.spread:.3f}"
    if result.hits and result.spread > 0:
        said += f"; rank 1 is {(result.hits[0].score - result.mean) / result.spread:.1f} sd above the mean"
    return (said,)


def _path(found: Found, path: str | None) -> str | None:
    folder = found.gallery.dataset.image_folder
    return None if folder is None or path is None else str(folder / path)
