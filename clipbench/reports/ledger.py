"""A run's ledger as a file: one row per query, for the questions that no summary answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from clipbench.errors import ClipbenchError, StoreError
from clipbench.metrics.measures import best_ranks
from clipbench.records import DIRECTIONS, Caption, Direction, Ledger, Sample
from clipbench.reports.tables import Cell, Column, Table, to_csv
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, find_set
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, load_ledgers
from clipbench.study.galleries import Gallery, gallery_of
from clipbench.study.run_kinds import kind_of
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


def ledger_table(store: Store, run: StoredRun, direction: str = "both") -> Table:
    """Return the ledger of one direction or both as a table, a row per query.

    rank is the best positive's (expected value where tied), margin its score less the best other's.
    Raises ClipbenchError for a direction the run has not.
    """
    ledgers = load_ledgers(store, run.key)
    wanted = [d for d in DIRECTIONS if direction in {d, "both"} and d in ledgers]
    if not wanted:
        raise ClipbenchError(
            f"the run has no direction {direction!r}; it has {', '.join(ledgers)}", "--direction both"
        )
    gallery = stored_gallery(store, run)
    added = kind_of(run.spec.kind).added_items(store, run.spec.protocol, gallery)
    rows = [row for d in wanted for row in _rows(d, ledgers[d], gallery, added)]
    return Table("", tuple(Column(name) for name in COLUMNS), tuple(rows))


def stored_gallery(store: Store, run: StoredRun) -> Gallery:
    """Return the images and captions that a stored run ranked; its ledgers' positions count these."""
    images = need_set(store, run, run.spec.images)
    return gallery_of(load_dataset(store, run.spec.dataset), images.unreadable)


def need_set(store: Store, run: StoredRun, key: str) -> EmbeddingSet:
    """Return an image set of a run. Raises StoreError where it is gone."""
    found = find_set(store, key)
    if found is None:
        raise StoreError(f"the image set {key} of run {run.key} is gone", "clipbench store verify")
    return found


def _rows(
    direction: Direction, ledger: Ledger, gallery: Gallery, added: Sequence[str]
) -> Iterator[tuple[Cell, ...]]:
    queries: Sequence[Caption | Sample] = gallery.captions
    items: Sequence[Caption | Sample] = gallery.samples
    if direction == "i2t":
        queries, items = items, queries
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
