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
    """Return the hits, best first, with what their scores mean beneath."""
    rows = tuple(
        (hit.rank, hit.score, hit.gap, hit.percentile, hit.id, hit.caption, found.path(hit))
        for hit in found.result.hits
    )
    return Table(title(found), COLUMNS, rows, (*score_notes(found), *found.notes), empty=nothing(found))


def title(found: Found) -> str:
    """Return the heading of what was found."""
    result = found.result
    many = (
        f"{result.searched:,}"
        if result.searched == result.gallery
        else f"{result.searched:,} of {result.gallery:,}"
    )
    return f"{found.asked.in_words}, among {many} photographs of {found.place} by {found.model}"


def nothing(found: Found) -> str:
    """Return why nothing was found."""
    if not found.result.searched:
        return "the condition leaves no photograph" if found.asked.where else "there is no other photograph"
    least = found.asked.min_score
    return "nothing was found" if least is None else f"nothing scores {least:g} or more"


def score_notes(found: Found) -> tuple[str, ...]:
    """Return in words how the scores of the whole gallery are spread, and where the best one stands."""
    result = found.result
    if result.mean is None or result.spread is None:
        return ()
    said = f"cosines of all {result.gallery:,} photographs: mean {result.mean:.3f}, sd {result.spread:.3f}"
    if result.hits and result.spread > 0:
        said += f"; rank 1 is {(result.hits[0].score - result.mean) / result.spread:.1f} sd above the mean"
    return (said,)
