"""Is everything there? The quick half of `store verify`: rows, files and sizes, without reading what is in them.

Its cost goes with the number of rows and files. What was changed in place is for `clipbench.store.verify` to find, which
reads everything.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Row, text

from clipbench.keys import ITEM_BYTES, Json
from clipbench.store import digests
from clipbench.store.columns import json_out
from clipbench.store.engine import Store, reading
from clipbench.store.protocols import ledger_parts
from clipbench.store.shard_files import is_inside, most_bytes, shard_rows

Findings = Iterator[str | None]
"""One finding for each thing that was looked at: None where it is there, else what is wrong."""


def rows_there(store: Store) -> Findings:
    """Look for rows and digests that lack the other, and for a definition of the tables that was changed."""
    with reading(store) as connection:
        kept = {
            (entity, row): digest
            for entity, row, digest in connection.exec_driver_sql(
                "SELECT entity, row, digest FROM content_digest"
            )
        }
        changed = "the tables are not as they were made: their definition has another digest"
        yield changed if digests.schema_digest(connection) != kept.pop(digests.SCHEMA, None) else None
        for table in digests.DIGESTED:
            for row in digests.row_names(connection, table):
                undigested = f"{table} {row} was written by another program: it has no digest"
                yield None if kept.pop((table, row), None) else undigested
    for table, row in kept:
        yield f"{table} {row.replace(chr(digests.MARK), ' ')} was stored and is gone"


def files_there(store: Store) -> Findings:
    """Look for the file of every shard, and whether its size can be right."""
    folder = store.home.embeddings
    for row in shard_rows(store):
        yield _file(folder, row)


def _file(folder: Path, row: Row[Any]) -> str | None:
    if not is_inside(row.path):
        return (
            f"vector shard {row.key} names a file outside of the store, or in no form of ours: {row.path!r}"
        )
    path = folder / row.path
    try:
        status = path.stat()
    except OSError as error:
        return f"the vector file {path} cannot be looked at ({error.strerror or error})"
    least = row.rows * (ITEM_BYTES + 4 * row.dimension)
    if not stat.S_ISREG(status.st_mode) or not least <= status.st_size <= most_bytes(row.rows, row.dimension):
        return f"the vector file {path} is no file of {row.rows:,} vectors: it has {status.st_size:,} bytes"
    return None


def sets_there(store: Store) -> Findings:
    """Look whether every embedding set names as many items as it has rows."""
    query = """SELECT embedding_set.key, rows, coalesce(sum(length(items)), 0) AS bytes FROM embedding_set
      LEFT JOIN embedding_order ON embedding_set_id = embedding_set.id
      GROUP BY embedding_set.id ORDER BY embedding_set.id"""
    with reading(store) as connection:
        for key, rows, size in connection.execute(text(query)):
            yield None if size == rows * ITEM_BYTES else f"embedding set {key} does not name its {rows} items"


def runs_there(store: Store) -> Findings:
    """Look whether every run has ledgers of as many queries as it counts, and metrics."""
    with reading(store) as connection:
        ledgers = defaultdict(list)
        for run, queries, gallery in connection.execute(
            text("SELECT run_id, queries, gallery_size FROM ledger")
        ):
            ledgers[run].append((queries, gallery))
        measured = set(connection.execute(text("SELECT DISTINCT run_id FROM metric")).scalars())
        asked = connection.execute(text("SELECT id, key, n_queries, protocol FROM run ORDER BY id"))
        for id_, key, queries, protocol in asked:
            told: Mapping[str, Json] = json_out(protocol)
            counted = sum(count // ledger_parts(told, gallery) for count, gallery in ledgers[id_])
            if counted != queries:
                yield f"run {key} has ledgers of {counted} queries, and counts {queries}"
            else:
                yield None if id_ in measured else f"run {key} has no metrics"
