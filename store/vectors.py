"""The pool of vectors of one encoder: item key to vector, spread over finished shards.

Knows items by their 16-byte keys only, not what they are nor how they are encoded. Big file first, row
last: a shard's file is whole under its final name before its row is written, and the name is given and
the row inserted under the database's write lock, so two processes with the same shard both end well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, insert, select

from clipbench.errors import StoreError
from clipbench.keys import file_digest
from clipbench.records import Modality
from clipbench.store import clock, shards, tables
from clipbench.store.columns import Items, items_array
from clipbench.store.engine import Store, reading, writing
from clipbench.store.item_texts import keep_texts
from clipbench.store.matrices import room
from clipbench.store.rows import find_id
from clipbench.store.shard_files import check_inside, shard_path
from clipbench.store.shard_index import Index, Shard, index_of
from clipbench.store.shards import Vectors
from clipbench.store.sqlite_errors import translated


@dataclass(frozen=True)
class ShardPlace:
    """Where shards of one encoder and modality go, as data: for those who make files and touch no database."""

    folder: Path
    encoder: str
    modality: Modality
    dimension: int

    def write(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Write the file of a shard as `Pool.write` does, without a row: `Pool.adopt` gives it one.

        A whole file of the same shard is left as it is. Raises StoreError.
        """
        items = items_array(keys)
        key = shards.shard_key(self.encoder, self.modality, items)
        final = self.folder / shards.relative_path(self.encoder, self.modality, key)
        if not self.folder.is_dir():
            raise StoreError(
                f"there is no folder {self.folder}", "put the store into a folder that all machines share"
            )
        check_inside(self.folder, final)
        checked = shards.check_vectors(vectors, len(keys), self.dimension)
        data = shards.file_bytes(self.encoder, self.modality, items, checked)
        try:
            with shards.temporary(final, data) as temporary:
                if not shards.is_shard(final, self.encoder, self.modality, items, self.dimension):
                    shards.rename(temporary, final)
        except OSError as error:
            raise StoreError(f"{final} cannot be written ({error.strerror or error})") from error


@dataclass(frozen=True)
class Pool:
    """All vectors of one encoder (by key) and modality in a store."""

    store: Store
    encoder: str
    modality: Modality

    @cached_property
    def _encoder_row(self) -> Row[Any, Any]:
        columns = (tables.encoder.c.id, tables.encoder.c.dimension)
        with reading(self.store) as connection:
            row = connection.execute(
                select(*columns).where(tables.encoder.c.key == self.encoder)
            ).one_or_none()
        if row is None:
            raise StoreError(f"encoder {self.encoder} is not in the store", "clipbench store info")
        return row

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._encoder_row.dimension)

    @property
    def place(self) -> ShardPlace:
        """Where the files of this pool go: the folder itself where a link leads to one that machines share."""
        folder = self.store.home.embeddings
        folder.mkdir(parents=True, exist_ok=True)
        return ShardPlace(folder.resolve(), self.encoder, self.modality, self.dimension)

    def missing(self, keys: Sequence[bytes]) -> list[int]:
        """Return the positions, in order, of the keys that are in no shard; a repeated key every time."""
        absent: list[int] = np.flatnonzero(self.index().find(items_array(keys)) < 0).tolist()
        return absent

    def shard_key(self, keys: Sequence[bytes]) -> str:
        """Return the key of the shard that would hold these items in this order."""
        return shards.shard_key(self.encoder, self.modality, items_array(keys))

    def path(self, key: str) -> Path:
        """Return the file of a shard."""
        return self.store.home.embeddings / shards.relative_path(self.encoder, self.modality, key)

    def write(self, keys: Sequence[bytes], vectors: Vectors, texts: Sequence[str] = ()) -> None:
        """Store one shard: unit vectors float32 (n, D), one per key; nothing happens if it is there.

        A whole file of the same shard that has no row is taken as it is, a broken one is replaced.
        texts: what the items say, where they are texts; kept in the same transaction.
        Raises StoreError for vectors that are no unit vectors, ValueError for no or repeated keys, and for
        texts that have other keys.
        """
        if not keys or len(set(keys)) != len(keys):
            raise ValueError("a shard holds at least one item, each once")
        items, key = items_array(keys), self.shard_key(keys)
        final = self.path(key)
        check_inside(self.store.home.embeddings, final)
        checked = shards.check_vectors(vectors, len(keys), self.dimension)
        data = shards.file_bytes(self.encoder, self.modality, items, checked)
        named = False
        try:
            with (
                translated(self.store.home.root),
                shards.temporary(final, data) as temporary,
                writing(self.store) as connection,
            ):
                self._keep(connection, keys, texts)
                if find_id(connection, tables.vector_shard, key) is not None:
                    self._still_there(final)
                elif self._is_whole(final, items):
                    self._insert(connection, key, len(keys), file_digest(final))
                else:
                    shards.rename(temporary, final)
                    named = True
                    self._insert(connection, key, len(keys), hashlib.sha256(data).hexdigest())
        except StoreError:
            if named:
                self._forget(key, final)
            raise

    def _forget(self, key: str, final: Path) -> None:
        """Remove a file whose row could not be written, on a full disk say, unless somebody has adopted it since."""
        with suppress(StoreError), writing(self.store) as connection:
            if find_id(connection, tables.vector_shard, key) is None:
                final.unlink(missing_ok=True)

    def adopt(self, keys: Sequence[bytes], texts: Sequence[str] = ()) -> bool:
        """Take a finished file of this shard that has no row, and return whether the shard is stored now.

        Such a file is left by a process killed between giving the file its name and writing the row.
        texts: as in `write`.
        """
        items, key = items_array(keys), self.shard_key(keys)
        final = self.path(key)
        if not final.exists() or not self._is_whole(final, items):
            return False
        with writing(self.store) as connection:
            if not final.exists():  # it was removed as garbage a moment ago
                return False
            self._keep(connection, keys, texts)
            if find_id(connection, tables.vector_shard, key) is None:
                self._insert(connection, key, len(keys), file_digest(final))
        return True

    def _keep(self, connection: Connection, keys: Sequence[bytes], texts: Sequence[str]) -> None:
        if texts:
            keep_texts(connection, dict(zip(keys, texts, strict=True)))

    def gather(self, keys: Sequence[bytes]) -> Vectors:
        """Return the vectors of these items in this order, float32 (n, D). A key may repeat.

        Raises StoreError where one is in no shard, or a shard's file is gone or damaged.
        """
        return self.gather_items(items_array(keys))

    def gather_items(self, items: Items) -> Vectors:
        """Return the vectors of the items of an array (n, 16), as `gather` does.

        A large matrix lies in a file that is mapped (see `matrices`), so memory holds one shard and little else.
        """
        index = self.index()
        rows = index.find(items)
        absent = int((rows < 0).sum())
        if absent:
            raise StoreError(
                f"{absent:,} of {len(items):,} {self.modality} vectors of {self.encoder} are not stored",
                "run clipbench embed again: it encodes what is missing",
            )
        order = np.argsort(rows)
        cuts = np.searchsorted(rows[order], index.starts)
        vectors = room(len(items), self.dimension, self.store.home.embeddings)
        # One buffer for all shards: touching new memory costs more than reading the file.
        buffer = np.empty((max((s.rows for s in index.shards), default=0), self.dimension), np.float32)
        for number, shard in enumerate(index.shards):
            wanted = order[cuts[number] : cuts[number + 1]]
            if len(wanted):
                whole = shards.read_vectors(shard.path, buffer[: shard.rows])
                vectors[wanted] = whole[rows[wanted] - index.starts[number]]
        return vectors

    def index(self) -> Index:
        """Return where every stored item is, reading the keys of files not seen before."""
        with reading(self.store) as connection:
            return self.index_in(connection)

    def index_in(self, connection: Connection) -> Index:
        """Return where every item is that is stored as `connection` sees it."""
        query = (
            select(tables.vector_shard)
            .filter_by(encoder_id=self._encoder_row.id, modality=self.modality)
            .order_by("id")
        )
        rows = connection.execute(query).all()
        folder = self.store.home.embeddings
        return index_of([Shard(row.id, row.key, shard_path(folder, row.path), row.rows) for row in rows])

    def _is_whole(self, final: Path, items: Items) -> bool:
        return shards.is_shard(final, self.encoder, self.modality, items, self.dimension)

    def _still_there(self, final: Path) -> None:
        if not final.exists():
            raise StoreError(
                f"the vector file {final} is gone", "clipbench store gc --damaged, then run again"
            )

    def _insert(self, connection: Connection, key: str, rows: int, checksum: str) -> None:
        connection.execute(
            insert(tables.vector_shard),
            {
                "key": key,
                "encoder_id": self._encoder_row.id,
                "modality": self.modality,
                "path": shards.relative_path(self.encoder, self.modality, key),
                "rows": rows,
                "dimension": self.dimension,
                "checksum": checksum,
                "created_at": clock.stamp(),
            },
        )
