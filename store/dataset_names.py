"""Names of datasets: what can be one, giving another, and taking a dataset away with what nothing else needs.

Content is never renamed: its key and its runs stay what they are, and lists show the new name for them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from shlex import quote

from sqlalchemy import Connection, delete, select, text, update

from clipbench.errors import DatasetError
from clipbench.store import annotation_tables, clock, index_tables, tables
from clipbench.store.datasets import check_name, named_row
from clipbench.store.engine import Store, writing
from clipbench.store.indexes import delete_index_file
from clipbench.store.rows import delete_final
from clipbench.wording import plural


@dataclass(frozen=True, slots=True)
class Removed:
    """What went with a name. kept: why the content stays all the same, "" where it went too. indexes: of its vectors."""

    name: str
    images: int
    captions: int
    runs: int
    kept: str = ""
    indexes: int = 0


def rename_dataset(store: Store, old: str, new: str) -> None:
    """Let a stored dataset be called otherwise. Raises DatasetError for an unknown, a taken or a bad name."""
    check_name(new)
    with writing(store) as connection:
        named_row(connection, old)
        taken = select(tables.dataset_name.c.name).filter_by(name=new)
        if connection.execute(taken).scalar_one_or_none() is not None and new != old:
            raise DatasetError(
                f"the name {new!r} is taken", f"take another, or clipbench dataset remove {quote(new)} first"
            )
        connection.execute(
            update(tables.dataset_name).filter_by(name=old).values(name=new, named_at=clock.stamp())
        )


def remove_dataset(store: Store, name: str, *, runs: bool = False, dry_run: bool = False) -> Removed:
    """Take a name away, and the content with it: images, captions, columns, embedding sets and their indexes.

    The content stays where another name means it or people's labels are about it. runs: delete the runs on
    it too, and those that ranked its images or learned from its captions beside their own. Vectors stay until
    `clipbench.store.maintenance.gc`. Raises DatasetError for an unknown name, where there are
    runs and they are not to be deleted, and where a server keeps an index of it.
    """
    with writing(store) as connection:
        row = named_row(connection, name)
        connection.execute(delete(tables.dataset_name).filter_by(name=name))
        others = connection.execute(
            select(tables.dataset_name.c.name).filter_by(dataset_id=row.id).order_by("name")
        ).scalars()
        kept = "".join(f"it is called {other!r} too" for other in list(others)[:1])
        on_it = [] if kept else _runs(connection, row.id, row.key)
        if on_it and not runs:
            raise DatasetError(
                f"{name!r} has {plural(len(on_it), 'run')}, which would be of nothing",
                f"clipbench dataset remove {quote(name)} --runs deletes them too; clipbench dataset rename keeps them",
            )
        for run in on_it:
            delete_final(connection, tables.run, run)
        if not kept:
            kept = _labels(connection, row.id)
        indexes = {} if kept else _indexes(connection, row.id)
        for index in indexes:
            delete_final(connection, index_tables.vector_index, index)
        if not kept:
            _delete_content(connection, row.id)
        if dry_run:
            connection.rollback()
    for key in () if dry_run else indexes.values():
        delete_index_file(store, key)
    return Removed(name, row.n_images, row.n_captions, len(on_it), kept, len(indexes))


def _runs(connection: Connection, dataset: int, key: str) -> list[int]:
    """Return the runs on a dataset, and those whose gallery or method says that they used it."""
    sets = connection.execute(select(tables.embedding_set.c.key).filter_by(dataset_id=dataset)).scalars()
    query = """SELECT id FROM run WHERE dataset_id = :dataset OR EXISTS
      (SELECT 1 FROM json_each(:keys) WHERE instr(run.protocol, value) OR instr(run.method, value))"""
    given = {"dataset": dataset, "keys": json.dumps([key, *sets])}
    return list(connection.execute(text(query), given).scalars())


def _indexes(connection: Connection, dataset: int) -> dict[int, str]:
    """Return the keys of the indexes of a dataset's vectors, by id. Raises DatasetError for one that a server keeps a part of."""
    index, held = index_tables.vector_index.c, tables.embedding_set.c
    query = select(index.id, index.key, index.name, index.place).join(
        tables.embedding_set, held.id == index.embedding_set_id
    )
    rows = connection.execute(query.where(held.dataset_id == dataset)).all()
    for row in rows:
        if row.place is not None:
            raise DatasetError(
                f"its index {row.name} is kept at {row.place}", f"clipbench index delete {quote(row.name)}"
            )
    return {row.id: row.key for row in rows}


def _labels(connection: Connection, dataset: int) -> str:
    query = """SELECT count(*) FROM annotation JOIN failure ON failure.id = annotation.failure_id
      WHERE failure.dataset_id = :dataset"""
    labels = connection.execute(text(query), {"dataset": dataset}).scalar_one()
    drawn = select(annotation_tables.failure.c.id).filter_by(dataset_id=dataset).limit(1)
    if labels:
        return f"{labels:,} labels are about it"
    return "failures were drawn from it" if connection.execute(drawn).first() else ""


def _delete_content(connection: Connection, dataset: int) -> None:
    for table in (tables.embedding_set, tables.dataset_columns):
        for row in list(connection.execute(select(table.c.id).filter_by(dataset_id=dataset)).scalars()):
            delete_final(connection, table, row)
    delete_final(connection, tables.dataset, dataset)
