"""Embedding sets: one modality of one dataset under one perturbation, encoded by one encoder.

Knows which items a set has and in what order, and the checksum of its matrix; the vectors themselves
are in the encoder's pool, where equal items of all sets are kept once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Select, insert, select

from clipbench.errors import StoreError
from clipbench.keys import Json, digest
from clipbench.records import Modality, Perturbation
from clipbench.store import clock, tables
from clipbench.store.columns import Items, items_array, items_from, json_in, json_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.matrices import Rows, chosen
from clipbench.store.perturbations import perturbation_id, perturbation_of
from clipbench.store.rows import need_id, next_id
from clipbench.store.shards import Vectors
from clipbench.store.vectors import Pool

ELSEWHERE = "vectors elsewhere"
"""Name in the audit of a set that came without its vectors."""


ORDER_BLOCK = 1 << 20
"""Items of a set whose keys are one value of the database: 16 MB, where SQLite takes 1e9 bytes at most."""


@dataclass(frozen=True)
class Encoding:
    """What came of encoding one modality of a dataset; every vector is in the pool by now.

    items: the item key of each row, in order. An item that cannot be read has no row: `unreadable`
    gives its id and why. audit: what the perturbation did, as counted.
    """

    dataset: str
    encoder: str
    perturbation: Perturbation
    modality: Modality
    items: Sequence[bytes]
    truncated: int = 0
    unreadable: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    audit: Mapping[str, Json] | None = None

    @property
    def key(self) -> str:
        """Key of the embedding set."""
        return set_key(self.dataset, self.encoder, self.perturbation.key, self.modality)


@dataclass(frozen=True)
class EmbeddingSet:
    """A stored embedding set. `checksum` is the SHA-256 of its float32 matrix (rows, dimension)."""

    key: str
    dataset: str
    encoder: str
    perturbation: Perturbation
    modality: Modality
    rows: int
    dimension: int
    unique_items: int
    truncated: int
    unreadable: Mapping[str, str]
    checksum: str
    seconds: float
    audit: Mapping[str, Json] | None
    created_at: datetime


def set_key(dataset: str, encoder: str, perturbation: str, modality: Modality) -> str:
    """Return the key of an embedding set, which is known before anything is encoded."""
    return digest("embeddings", [dataset, encoder, perturbation, modality])


def save_set(store: Store, encoding: Encoding) -> EmbeddingSet:
    """Store an embedding set unless it is there, and return the stored one.

    Raises StoreError where a vector is not in the pool, or the stored set has other vectors.
    """
    items = items_array(encoding.items)
    pool = Pool(store, encoding.encoder, encoding.modality)
    checksum = matrix_checksum(pool.gather_items(items))
    with writing(store) as connection:
        stored = connection.execute(_query(encoding.key)).one_or_none()
        if stored is None:
            if (pool.index_in(connection).find(items) < 0).any():  # old ones are in no set yet
                raise StoreError(
                    "vectors were tidied away (clipbench store gc) while a set was made of them",
                    "run the same command again: what is gone is encoded again",
                )
            _insert(connection, encoding, items, checksum)
            stored = connection.execute(_query(encoding.key)).one()
    if stored.checksum != checksum:
        raise StoreError(
            f"embedding set {encoding.key} was stored on {stored.created_at} with checksum "
            f"{stored.checksum[:12]}, and encoding it again gave {checksum[:12]}",
            "clipbench store verify",
        )
    return _set(stored)


def save_set_elsewhere(store: Store, encoding: Encoding, checksum: str) -> None:
    """Store an embedding set whose vectors are in another store, unless it is here; `checksum` is of its matrix.

    Its runs can be read and derived again. Encoding it here finds out whether the vectors are the same.
    Raises StoreError where the set is here and its matrix another.
    """
    with writing(store) as connection:
        stored = connection.execute(_query(encoding.key)).one_or_none()
        if stored is None:
            _insert(connection, encoding, items_array(encoding.items), checksum)
        elif stored.checksum != checksum:
            raise StoreError(
                f"embedding set {encoding.key} is here with checksum {stored.checksum[:12]}, "
                f"and was {checksum[:12]} there",
                "read it into a store of its own: --store FOLDER",
            )


def is_elsewhere(embedding_set: EmbeddingSet) -> bool:
    """Whether a set came without its vectors: see `save_set_elsewhere`."""
    return (embedding_set.audit or {}).get(ELSEWHERE) is True


def find_set(store: Store, key: str) -> EmbeddingSet | None:
    """Return the embedding set with this key, None where there is none."""
    with reading(store) as connection:
        row = connection.execute(_query(key)).one_or_none()
    return None if row is None else _set(row)


def list_sets(store: Store) -> tuple[EmbeddingSet, ...]:
    """Return all embedding sets, the first stored first."""
    with reading(store) as connection:
        rows = connection.execute(_query().order_by(tables.embedding_set.c.id)).all()
    return tuple(_set(row) for row in rows)


def set_items(connection: Connection, key: str) -> Items:
    """Return the item keys of a set's rows in order, shape (rows, 16)."""
    row = need_id(connection, tables.embedding_set, key)
    query = select(tables.embedding_order.c["items"]).filter_by(embedding_set_id=row).order_by("block")
    return items_from(b"".join(connection.execute(query).scalars()))


def load_vectors(store: Store, embedding_set: EmbeddingSet) -> Vectors:
    """Return the matrix of a set, float32 (rows, dimension); a large one is mapped, see `matrices`.

    Raises StoreError where a vector is gone or the matrix is not the one that was stored.
    """
    with reading(store) as connection:
        items = set_items(connection, embedding_set.key)
    vectors = Pool(store, embedding_set.encoder, embedding_set.modality).gather_items(items)
    checksum = matrix_checksum(vectors)
    if checksum != embedding_set.checksum:
        raise StoreError(
            f"the vectors of {embedding_set.key} have checksum {checksum[:12]}, "
            f"{embedding_set.checksum[:12]} was stored",
            "clipbench store verify",
        )
    return vectors


def load_rows(store: Store, embedding_set: EmbeddingSet, rows: Rows) -> Vectors:
    """Return some rows of a set's matrix in this order, float32 (n, dimension). Raises StoreError as `load_vectors`."""
    return chosen(load_vectors(store, embedding_set), rows, store.home.embeddings)


def is_complete(store: Store, embedding_set: EmbeddingSet) -> bool:
    """Whether all vectors of a set are still in the pool; a damaged shard may have been given up."""
    with reading(store) as connection:
        items = set_items(connection, embedding_set.key)
    index = Pool(store, embedding_set.encoder, embedding_set.modality).index()
    return bool((index.find(items) >= 0).all())


def matrix_checksum(vectors: Vectors) -> str:
    """Return the SHA-256 of a matrix's little-endian float32 bytes, row after row."""
    return hashlib.sha256(np.ascontiguousarray(vectors, dtype="<f4").data).hexdigest()


def _query(key: str | None = None) -> Select[Any]:
    query = (
        select(
            tables.embedding_set,
            *(c for c in tables.perturbation.c if c.name not in tables.embedding_set.c),
            tables.dataset.c.key.label("dataset"),
            tables.encoder.c.key.label("encoder"),
            tables.encoder.c.dimension,
        )
        .join(tables.dataset, tables.dataset.c.id == tables.embedding_set.c.dataset_id)
        .join(tables.encoder, tables.encoder.c.id == tables.embedding_set.c.encoder_id)
        .join(tables.perturbation, tables.perturbation.c.id == tables.embedding_set.c.perturbation_id)
    )
    return query if key is None else query.where(tables.embedding_set.c.key == key)


def _set(row: Row[Any]) -> EmbeddingSet:
    return EmbeddingSet(
        key=row.key,
        dataset=row.dataset,
        encoder=row.encoder,
        perturbation=perturbation_of(row),
        modality=row.modality,
        rows=row.rows,
        dimension=row.dimension,
        unique_items=row.unique_items,
        truncated=row.truncated,
        unreadable={item["id"]: item["reason"] for item in json_out(row.unreadable)},
        checksum=row.checksum,
        seconds=row.seconds,
        audit=None if row.audit is None else json_out(row.audit),
        created_at=clock.moment(row.created_at),
    )


def _insert(connection: Connection, encoding: Encoding, items: Items, checksum: str) -> None:
    row = next_id(connection, tables.embedding_set)
    starts = range(0, max(1, len(items)), ORDER_BLOCK)
    for block, start in enumerate(starts):  # one at a time: together they are the whole order once more
        part = items[start : start + ORDER_BLOCK].tobytes()
        values = {"embedding_set_id": row, "block": block, "items": part}
        connection.execute(insert(tables.embedding_order), values)
    unreadable = [{"id": id_, "reason": reason} for id_, reason in encoding.unreadable.items()]
    connection.execute(
        insert(tables.embedding_set),
        {
            "id": row,
            "key": encoding.key,
            "dataset_id": need_id(connection, tables.dataset, encoding.dataset),
            "encoder_id": need_id(connection, tables.encoder, encoding.encoder),
            "perturbation_id": perturbation_id(connection, encoding.perturbation),
            "modality": encoding.modality,
            "rows": len(items),
            "unique_items": len(np.unique(items.view("V16"))),
            "truncated": encoding.truncated,
            "n_unreadable": len(unreadable),
            "unreadable": json_in(unreadable),
            "checksum": checksum,
            "seconds": encoding.seconds,
            "audit": None if encoding.audit is None else json_in(encoding.audit),
            "created_at": clock.stamp(),
        },
    )
