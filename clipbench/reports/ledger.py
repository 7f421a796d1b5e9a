"""A run's ledger as a file: one row per query, for the questions that no summary answers."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.metrics.measures import best_rank
from clipbench.metrics.ties import groups, known_queries
from clipbench.records import UNKNOWN, Caption, Direction, Ledger, Sample
from clipbench.reports.tables import Cell, Column, Table, to_csv
from clipbench.store.engine import Store
from clipbench.study.comparing.rankings import rankings
from clipbench.study.evaluation.galleries import Gallery
from clipbench.study.output.whole_files import whole_file
from clipbench.study.runs.loaded import LoadedRun
from clipbench.study.runs.run_kinds import kind_of

COLUMNS = (
    "direction",
    "query",
    "caption",
    "own image",
    "rank",
    "above",
    "tied",
    "positives",
    "top1",
    "top1 right",
    "positive score",
    "other score",
    "margin",
)


def write_ledger(ledger: Table, out: Path, *, form: str, force: bool = False) -> None:
    """Write the table of a ledger to `out` ("-": stdout) as "csv" or "parquet".

    Raises ClipbenchError for a file that exists and `force` is False, or that cannot be written.
    """
    if str(out) == "-":
        if form == "parquet":
            raise ClipbenchError("Parquet cannot go to stdout", "--out ledger.parquet")
        sys.stdout.write(to_csv(ledger))
        return
    with whole_file(out, force=force) as path:
        if form == "parquet":
            _write_parquet(ledger, path)
        else:
            path.write_text(to_csv(ledger), encoding="utf-8", errors="backslashreplace", newline="")


def ledger_table(store: Store, loaded: LoadedRun, direction: str = "both") -> Table:
    """Return the ledger of one direction or both as a table, a row per query.

    rank is the best positive's (expected value where tied), margin its score less the best other's.
    Raises ClipbenchError for a direction the run has not.
    """
    wanted = _directions(loaded, direction)
    run = loaded.run.spec
    added = kind_of(run.kind).added_items(store, run.protocol, loaded.gallery)
    rows = [row for d in wanted for row in _rows(d, loaded.ledgers[d], loaded.gallery, added)]
    return Table("", tuple(Column(name) for name in COLUMNS), tuple(rows))


def _rows(
    direction: Direction, ledger: Ledger, gallery: Gallery, added: Sequence[str]
) -> Iterator[tuple[Cell, ...]]:
    queries: Sequence[Caption | Sample] = gallery.captions if direction == "t2i" else gallery.samples
    items: Sequence[Caption | Sample] = gallery.images if direction == "t2i" else gallery.captions
    names = [*(item.id for item in items), *added]
    ranks, known = best_rank(groups(ledger)), known_queries(ledger)
    for q, query in enumerate(queries):
        pairs = slice(int(ledger.offsets[q]), int(ledger.offsets[q + 1]))
        above = np.where(ledger.above[pairs] == UNKNOWN, ledger.gallery_size, ledger.above[pairs])
        best = int(np.argmin(above)) + pairs.start
        score, other = float(ledger.positive_score[q]), float(ledger.negative_score[q])
        yield (
            direction,
            query.id,
            query.text if isinstance(query, Caption) else None,
            gallery.samples[int(ledger.cluster[q])].id,
            # Of an item deeper than an index looked, nothing is known: the cells stay empty.
            float(ranks[q]) if known[q] else None,
            int(ledger.above[best]) if known[q] else None,
            int(ledger.tied[best]) if known[q] else None,
            pairs.stop - pairs.start,
            names[int(ledger.top1[q])],
            int(int(ledger.top1[q]) in ledger.positive[pairs]),
            *(value if math.isfinite(value) else None for value in (score, other, score - other)),
        )


TOP_COLUMNS = ("direction", "query", "rank", "item", "score", "right")


def top_table(store: Store, loaded: LoadedRun, depth: int, direction: str = "both") -> Table:
    """Return the first `depth` items of every query with their scores, a row per item; `right` is 1 or 0.

    Raises ClipbenchError for a direction the run has not, StoreError where its first items are not known.
    """
    rows = [
        (d, ranking.query, rank, item, score, int(item in ranking.right))
        for d in _directions(loaded, direction)
        for ranking in rankings(store, loaded, d, depth)
        for rank, (item, score) in enumerate(ranking.items, 1)
    ]
    return Table("", tuple(Column(name) for name in TOP_COLUMNS), tuple(rows))


def _directions(loaded: LoadedRun, direction: str) -> list[Direction]:
    wanted = [d for d in loaded.ledgers if direction in {d, "both"}]
    if not wanted:
        raise ClipbenchError(
            f"the run has no direction {direction!r}; it has {', '.join(loaded.ledgers)}", "--direction both"
        )
    return wanted


def _write_parquet(table: Table, out: Path) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ClipbenchError("writing Parquet needs pyarrow", "pip install 'clipbench[parquet]'") from None
    columns = {c.name: [row[i] for row in table.rows] for i, c in enumerate(table.columns)}
    parquet.write_table(pa.table(columns), out)
