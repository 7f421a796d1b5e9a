"""Looking after a store: what is in it, and a copy of it; `verify` and `gc` are here to be found.

Knows counts, sizes and files, nothing of what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from clipbench.store import annotation_tables, index_tables, tables
from clipbench.store.backups import Backup, backup
from clipbench.store.engine import Store, reading
from clipbench.store.garbage import Collected, Garbage, gc
from clipbench.store.upgrade import schema_of
from clipbench.store.verify import Recompute, Verification, verify, verify_quickly

__all__ = [
    "Backup",
    "Collected",
    "Garbage",
    "Recompute",
    "StoreInfo",
    "Verification",
    "backup",
    "gc",
    "info",
    "verify",
    "verify_quickly",
]

CHUNK = 1 << 20

_COUNTED = {
    "datasets": tables.dataset,
    "images": tables.image,
    "captions": tables.caption,
    "encoders": tables.encoder,
    "perturbations": tables.perturbation,
    "vector files": tables.vector_shard,
    "embedding sets": tables.embedding_set,
    "indexes": index_tables.vector_index,
    "runs": tables.run,
    "metrics": tables.metric,
    "failures": annotation_tables.failure,
    "labels": annotation_tables.annotation,
}


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """Where a store is, its schema revision, how many of each thing, and bytes on the disk.

    note: how it is read where nothing may be written there, "" where it may.
    """

    root: Path
    revision: str
    counts: Mapping[str, int]
    vectors: int
    database_bytes: int
    embedding_bytes: int
    index_bytes: int
    artifact_bytes: int
    note: str = ""


def info(store: Store) -> StoreInfo:
    """Return what is in a store and how much room it takes."""
    with reading(store) as connection:
        counts = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in _COUNTED.items()
        }
        rows = connection.execute(select(func.coalesce(func.sum(tables.vector_shard.c.rows), 0))).scalar_one()
    home = store.home
    database = sum(_bytes(home.database.with_name(home.database.name + end)) for end in ("", "-wal", "-shm"))
    return StoreInfo(
        root=home.root,
        revision=schema_of(home.database, uri=store.uri).revision or "",
        counts=counts,
        vectors=rows,
        database_bytes=database,
        embedding_bytes=_bytes_below(home.embeddings),
        index_bytes=_bytes_below(home.indexes),
        artifact_bytes=_bytes_below(home.artifacts),
        note=store.source.note if store.source else "",
    )


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _bytes_below(folder: Path) -> int:
    return sum(_bytes(path) for path in folder.rglob("*") if path.is_file())
