"""Indexes in the store: what each is of and how it was made, found by name or key, and the file it is read from.

Knows files as bytes and orders as digests of ids; knows no library. A file is written beside its place, its row comes last,
and it is read only after its bytes were held against the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from clipbench.errors import StoreError
from clipbench.keys import Json, digest, file_digest, short
from clipbench.records import Dataset, Modality
from clipbench.store import clock, index_tables, tables
from clipbench.store.columns import json_in, json_out
from clipbench.store.embeddings import EmbeddingSet
from clipbench.store.engine import Store, reading, writing
from clipbench.store.index_files import (
    PARTS,
    index_path,
    listed_parts,
    part_path,
    partial_path,
    parts_list,
    sync_file,
    unlike,
)
from clipbench.store.rows import delete_final, find_id, need_id, next_id
from clipbench.store.shards import sync_folder
from clipbench.store.sqlite_errors import translated


@dataclass(frozen=True)
class IndexContent:
    """What an index is: which vectors, made how. Everything here determines what it answers.

    embedding_set: key of the set. vectors: checksum of its matrix. build: every parameter. library: version of
    what builds it. block: rows added at a time, 0 where that cannot matter.
    """

    embedding_set: str
    vectors: str
    type: str
    build: Mapping[str, int]
    library: str
    block: int

    @property
    def key(self) -> str:
        """Digest of all of it."""
        content: dict[str, Json] = {
            "set": self.embedding_set,
            "vectors": self.vectors,
            "type": self.type,
            "build": self.build,
            "library": self.library,
            "block": self.block,
        }
        return digest("index", content)

    @property
    def parts(self) -> int:
        """How many parts it is kept in, each in a file of its own; 1 for one that is whole."""
        return self.build.get(PARTS, 1)


@dataclass(frozen=True)
class IndexRecord:
    """A stored index.

    dataset, dataset_name, encoder, model: keys and names of what its vectors are of. checksum: SHA-256 of its
    file, None where it has none. bytes, seconds: size of the file, and how long it took to build. place: where
    it is kept outside of the store, None for inside. order: `order_digest` of its items' ids.
    """

    key: str
    name: str
    content: IndexContent
    modality: Modality
    dataset: str
    dataset_name: str
    encoder: str
    model: str
    rows: int
    dimension: int
    checksum: str | None
    bytes: int
    seconds: float
    place: str | None
    created_at: datetime
    order: str


@dataclass(frozen=True)
class NewIndex:
    """An index that was just built, to be stored.

    items: ids in the order of its numbers. write: puts its file to a path, None for an index without one.
    parts: its finished parts in order, see `finish_part`, for an index that is kept in several.
    """

    content: IndexContent
    name: str
    items: Sequence[str]
    seconds: float
    write: Callable[[Path], None] | None = None
    place: str | None = None
    parts: tuple[Path, ...] = ()


def save_index(store: Store, new: NewIndex) -> IndexRecord:
    """Store an index, and return it as it is stored; one with the same key is kept as it is.

    Raises StoreError where its name means another index, or its embedding set is not stored.
    """
    check_index_name(new.name)
    with translated(store.home.root):
        final = index_path(store, new.content.key)
        partial = partial_path(store, new.content.key)
        try:
            checksum, size = _written(new, partial)
            with writing(store) as connection:
                _insert(connection, new, checksum, size)
                for number, part in enumerate(new.parts):
                    part.replace(part_path(final, number))
                if partial.exists():
                    partial.replace(final)  # under the lock: a row never stands with another file
                    sync_folder(final.parent)
        except _KnownError:
            for part in new.parts:
                part.unlink(missing_ok=True)
        except FileNotFoundError:  # another process finished the same parts, and has stored them
            if find_index(store, new.content.key) is None:
                raise
        finally:  # parts stay where this failed: the same command goes on with them
            partial.unlink(missing_ok=True)
    return load_index(store, new.content.key)


class _KnownError(Exception):
    """The index is stored already."""


def _written(new: NewIndex, partial: Path) -> tuple[str | None, int]:
    """Write the file of an index, of one in parts a list of theirs. Return its SHA-256, and the bytes of all files."""
    if new.write is None and not new.parts:
        return None, 0
    if new.write is None:
        partial.write_text(parts_list(new.parts))
    else:
        new.write(partial)
    sync_file(partial)
    return file_digest(partial), sum(path.stat().st_size for path in (partial, *new.parts))


def _insert(connection: Connection, new: NewIndex, checksum: str | None, size: int) -> None:
    if find_id(connection, index_tables.vector_index, new.content.key) is not None:
        raise _KnownError
    _check_free(connection, new.name)
    connection.execute(
        insert(index_tables.vector_index),
        {
            "id": next_id(connection, index_tables.vector_index),
            "key": new.content.key,
            "name": new.name,
            "embedding_set_id": need_id(connection, tables.embedding_set, new.content.embedding_set),
            "type": new.content.type,
            "build": json_in(new.content.build),
            "library": new.content.library,
            "block": new.content.block,
            "vectors": new.content.vectors,
            "rows": len(new.items),
            "items": order_digest(new.items),
            "checksum": checksum,
            "bytes": size,
            "seconds": new.seconds,
            "place": new.place,
            "created_at": clock.stamp(),
        },
    )


def check_index_name(name: str) -> None:
    """Raise StoreError for a name that is not one printable word without a colon."""
    if not name or not name.isprintable() or len(name.split()) != 1 or name.strip() != name or ":" in name:
        raise StoreError(f"{name!r} cannot name an index: it is one word without a colon", "--name NAME")


def check_name_free(store: Store, name: str) -> None:
    """Raise StoreError where a name is none, or means an index already: before minutes of building."""
    check_index_name(name)
    with reading(store) as connection:
        _check_free(connection, name)


def _check_free(connection: Connection, name: str) -> None:
    taken = connection.execute(select(index_tables.vector_index.c.key).filter_by(name=name)).scalar()
    if taken is not None:
        raise StoreError(
            f"the name {name!r} means another index ({short(taken)})",
            "--name takes a new one; clipbench index list",
        )


def find_index(store: Store, key: str) -> IndexRecord | None:
    """Return the index with this key, None where there is none."""
    with reading(store) as connection:
        row = connection.execute(_indexes().where(index_tables.vector_index.c.key == key)).one_or_none()
    return None if row is None else _record(row)


def list_indexes(store: Store) -> tuple[IndexRecord, ...]:
    """Return all indexes, the first stored first."""
    with reading(store) as connection:
        return tuple(
            _record(row) for row in connection.execute(_indexes().order_by(index_tables.vector_index.c.id))
        )


def load_index(store: Store, word: str) -> IndexRecord:
    """Return the index of this name, or whose name or key begins so.

    Raises StoreError where there is none, or several begin so.
    """
    known = list_indexes(store)
    named = [one for one in known if one.name == word]
    digits = word.rpartition(":")[2]
    begun = [one for one in known if one.name.startswith(word) or short(one.key, 40).startswith(digits)]
    named = named or (begun if digits else [])
    if len(named) == 1:
        return named[0]
    if named:
        shown = ", ".join(one.name for one in named[:5])
        raise StoreError(f"{word!r} begins {len(named)} indexes: {shown}", "clipbench index list")
    names = ", ".join(one.name for one in known) or "none"
    raise StoreError(
        f"there is no index {word!r}; there are: {names}",
        "clipbench index list" if known else "clipbench index build DATASET --model MODEL",
    )


def order_digest(ids: Iterable[str]) -> str:
    """Return the SHA-256 of ids in their order, each with its length before it."""
    hasher = sha256()
    for id_ in ids:
        data = id_.encode("utf-8", "surrogatepass")
        hasher.update(b"%d " % len(data) + data)
    return hasher.hexdigest()


def checked_file(store: Store, record: IndexRecord) -> Path:
    """Return the file of an index, whose bytes are those that were stored: before any library reads it.

    Raises StoreError where it is gone, or has other bytes.
    """
    path = index_path(store, record.key)
    problem = file_problem(path, record)
    if problem is not None:
        raise StoreError(problem, "clipbench index delete, then build it again")
    return path


def file_problem(path: Path, record: IndexRecord) -> str | None:
    """Return what is wrong with the file of an index, None where it is what was stored, or none is needed."""
    if record.checksum is None:
        return None
    parts = record.content.parts
    problem = unlike(path, record.name, record.checksum, record.bytes if parts == 1 else None)
    if problem is not None:
        return problem
    found = (unlike(part, record.name, checksum, size) for part, checksum, size in listed_parts(path, parts))
    return next((problem for problem in found if problem is not None), None)


def ids_of(dataset: Dataset, embedding_set: EmbeddingSet) -> tuple[str, ...]:
    """Return the ids of a set's rows in order: of its images with a vector, or of all captions."""
    if embedding_set.modality == "text":
        return tuple(caption.id for caption in dataset.captions)
    return tuple(sample.id for sample in dataset.samples if sample.id not in embedding_set.unreadable)


def delete_index(store: Store, key: str) -> None:
    """Delete an index (by key), row first and file after it; runs through it stay."""
    with writing(store) as connection:
        delete_final(
            connection, index_tables.vector_index, need_id(connection, index_tables.vector_index, key)
        )
    delete_index_file(store, key)


def delete_index_file(store: Store, key: str) -> None:
    """Delete the file of an index (by key) whose row is gone."""
    with writing(store):  # nobody stores it again meanwhile
        if find_index(store, key) is None:
            path = index_path(store, key)
            for left in (path, *path.parent.glob(f"{path.stem}-*{path.suffix}")):
                left.unlink(missing_ok=True)


def _indexes() -> Select[Any]:
    index, held = index_tables.vector_index, tables.embedding_set
    name = select(tables.dataset_name.c.name).where(tables.dataset_name.c.dataset_id == tables.dataset.c.id)
    newest = name.order_by(tables.dataset_name.c.named_at.desc(), tables.dataset_name.c.name).limit(1)
    return (
        select(
            index,
            held.c.key.label("embedding_set"),
            held.c.modality,
            tables.dataset.c.key.label("dataset"),
            newest.scalar_subquery().label("named"),
            tables.dataset.c.name.label("first_name"),
            tables.encoder.c.key.label("encoder"),
            tables.encoder.c.label.label("model"),
            tables.encoder.c.dimension,
        )
        .join(held, held.c.id == index.c.embedding_set_id)
        .join(tables.dataset, tables.dataset.c.id == held.c.dataset_id)
        .join(tables.encoder, tables.encoder.c.id == held.c.encoder_id)
    )


def _record(row: Row[Any]) -> IndexRecord:
    content = IndexContent(
        row.embedding_set, row.vectors, row.type, json_out(row.build), row.library, row.block
    )
    return IndexRecord(
        row.key,
        row.name,
        content,
        row.modality,
        row.dataset,
        row.named or f"{row.first_name}@{short(row.dataset, 8)}",
        row.encoder,
        row.model,
        row.rows,
        row.dimension,
        row.checksum,
        row.bytes,
        row.seconds,
        row.place,
        clock.moment(row.created_at),
        row.items,
    )
