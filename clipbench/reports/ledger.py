"""A run's ledger as a file: one row per query, for the questions that no summary answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.metrics.measures import best_ranks
from clipbench.records import Caption, Direction, Ledger, Sample
from clipbench.reports.tables import Cell, Column, Table, to_csv
from clipbench.store.engine import Store
from clipbench.study.galleries import Gallery
from clipbench.study.run_kinds import kind_of
from clipbench.study.runs.loaded import LoadedRun
from clipbench.study.whole_files import whole_file

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
    wanted = [d for d in loaded.ledgers if direction in {d, "both"}]
    if not wanted:
        raise ClipbenchError(
            f"the run has no direction {direction!r}; it has {', '.join(loaded.ledgers)}", "--direction both"
        )
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
    ranks = best_ranks(ledger)
    for q, query in enumerate(queries):
        pairs = slice(int(ledger.offsets[q]), int(ledger.offsets[q + 1]))
        best = int(np.argmin(ledger.above[pairs])) + pairs.start
        score, other = float(ledger.positive_score[q]), float(ledger.negative_score[q])
        yield (
            direction,
            query.id,
            query.text if isinstance(query, Caption) else None,
            gallery.samples[int(ledger.cluster[q])].id,
            float(ranks[q]),
            int(ledger.above[best]),
            int(ledger.tied[best]),
            pairs.stop - pairs.start,
            names[int(ledger.top1[q])],
            int(int(ledger.top1[q]) in ledger.positive[pairs]),
            score,
            other,
            score - other,
        )


def _write_parquet(table: Table, out: Path) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ClipbenchError("writing Parquet needs pyarrow", "pip install 'clipbench[parquet]'") from None
    columns = {c.name: [row[i] for row in table.rows] for i, c in enumerate(table.columns)}
    parquet.write_table(pa.table(columns), out)
