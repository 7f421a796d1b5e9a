"""Labels: who gave which failure which label, from where, and what they said before.

A label is never changed: a newer one of the same annotator is added and counts, an empty one takes it
back. Knows rows; recognises no words, merges nothing and counts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from clipbench.errors import StoreError
from clipbench.failures.items import Failure
from clipbench.store import annotation_tables, clock, tables
from clipbench.store.columns import json_in, json_out, text_in, text_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.failures import failure_ids, failure_of
from clipbench.store.rows import next_id

PERSON, ADJUDICATOR, SIMULATED = "person", "adjudicator", "simulated"


@dataclass(frozen=True, slots=True)
class Source:
    """Where labels come from: "csv", "page", ... ; a file's name and the SHA-256 of its bytes."""

    kind: str
    name: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class NewLabel:
    """A label to store, as understood and as written; category None takes the annotator's label back."""

    failure: Failure
    category: str | None
    subtype: str | None = None
    raw_category: str = ""
    raw_subtype: str = ""
    rules: tuple[str, ...] = ()
    note: str = ""
    line: int = 0

    @property
    def written(self) -> tuple[str, str, str]:
        """What the annotator wrote: equal means that nothing changed."""
        return (self.raw_category, self.raw_subtype, self.note)

    @property
    def says(self) -> tuple[bool, str, str, str]:
        """Whether it is a label or takes one back, and what the annotator wrote."""
        return (self.category is not None, *self.written)


@dataclass(frozen=True, slots=True)
class StoredLabel:
    """A label that is in the store. `number` grows in the order of storing."""

    failure: Failure
    key: str
    annotator: str
    kind: str
    category: str | None
    subtype: str | None
    raw_category: str
    raw_subtype: str
    rules: tuple[str, ...]
    note: str
    source: str
    line: int
    created_at: datetime
    number: int

    @property
    def written(self) -> tuple[str, str, str]:
        """What the annotator wrote."""
        return (self.raw_category, self.raw_subtype, self.note)


@dataclass(frozen=True, slots=True)
class Batch:
    """All labels of one annotator from one source. dataset: key of the dataset they are about.

    Of several labels of one failure the last one counts, those before it are history.
    """

    annotator: str
    source: Source
    dataset: str
    labels: tuple[NewLabel, ...]
    kind: str = PERSON


@dataclass(frozen=True, slots=True)
class Saved:
    """What storing a batch did: labels that are new, changed an earlier one, and said nothing new."""

    annotator: str
    added: int
    changed: int
    unchanged: int


def save_batches(store: Store, batches: Sequence[Batch]) -> tuple[Saved, ...]:
    """Store all batches or none, in one transaction. Raises StoreError for an annotator of another kind.

    A batch that says nothing new leaves no trace.
    """
    with writing(store) as connection:
        return tuple(_save(connection, batch) for batch in batches)


def earlier_import(store: Store, digest: str, annotator: str) -> datetime | None:
    """Return when a file with these bytes was imported for an annotator, None where it was not."""
    source, label, person = (
        annotation_tables.annotation_source,
        annotation_tables.annotation,
        annotation_tables.annotator,
    )
    query = (
        select(func.min(source.c.created_at))
        .join(label, label.c.annotation_source_id == source.c.id)
        .join(person, person.c.id == label.c.annotator_id)
        .where(source.c.digest == digest, person.c.name == annotator)
    )
    with reading(store) as connection:
        found = connection.execute(query).scalar_one_or_none()
    return None if found is None else clock.moment(found)


def newest_labels(
    store: Store, dataset: str | None = None, *, taken_back: bool = False
) -> tuple[StoredLabel, ...]:
    """Return what counts: each annotator's newest label of each failure, in the order they were given.

    dataset: fingerprint, None for all datasets. Labels that were taken back are left out unless
    `taken_back`; they may still carry a note.
    """
    newest = select(func.max(annotation_tables.annotation.c.id)).group_by(
        annotation_tables.annotation.c.annotator_id, annotation_tables.annotation.c.failure_id
    )
    query = _labels().where(annotation_tables.annotation.c.id.in_(newest))
    if not taken_back:
        query = query.where(annotation_tables.annotation.c.category.is_not(None))
    if dataset is not None:
        query = query.where(tables.dataset.c.fingerprint == dataset)
    with reading(store) as connection:
        return tuple(_label(row) for row in connection.execute(query))


def label_history(store: Store, annotator: str | None = None) -> tuple[StoredLabel, ...]:
    """Return every label ever given, of one annotator or all, the first given first."""
    query = _labels()
    if annotator is not None:
        query = query.where(annotation_tables.annotator.c.name == annotator)
    with reading(store) as connection:
        return tuple(_label(row) for row in connection.execute(query))


def annotators(store: Store) -> Mapping[str, str]:
    """Return the kind of every annotator there is, by name, the first one first."""
    with reading(store) as connection:
        rows = connection.execute(
            select(annotation_tables.annotator).order_by(annotation_tables.annotator.c.id)
        ).all()
    return {row.name: row.kind for row in rows}


def _save(connection: Connection, batch: Batch) -> Saved:
    ids = failure_ids(connection, batch.dataset, [label.failure for label in batch.labels])
    person = _annotator_id(connection, batch.annotator, batch.kind)
    history = _written(connection, person, list(ids.values()))
    last = {label.failure.key: label for label in batch.labels}
    fresh: list[NewLabel] = []
    changed = 0
    for label in batch.labels:
        known = history.setdefault(ids[label.failure.key], [])
        newest = last[label.failure.key]
        if known[-1:] == [newest.says] or (not known and label.says == (False, "", "", "")):
            continue
        if (
            label is not newest and label.says in known
        ):  # told before; the newest of a batch counts in any case
            continue
        changed += bool(known)
        known.append(label.says)
        fresh.append(label)
    if fresh:
        source = _insert_source(connection, batch.source)
        stamp = clock.stamp()
        rows = [_row(label, ids[label.failure.key], (person, source), stamp) for label in fresh]
        connection.execute(insert(annotation_tables.annotation), rows)
    return Saved(batch.annotator, len(fresh) - changed, changed, len(batch.labels) - len(fresh))


def _annotator_id(connection: Connection, name: str, kind: str) -> int:
    row = connection.execute(select(annotation_tables.annotator).filter_by(name=name)).one_or_none()
    if row is not None:
        if row.kind != kind:
            raise StoreError(
                f"the annotator {name!r} is stored as {row.kind}, these labels are those of a {kind}",
                "give the labels another name with --annotator",
            )
        return int(row.id)
    number = next_id(connection, annotation_tables.annotator)
    values = {"id": number, "name": name, "kind": kind, "created_at": clock.stamp()}
    connection.execute(insert(annotation_tables.annotator), values)
    return number


def _insert_source(connection: Connection, source: Source) -> int:
    """Return the id of a source, added unless it is the same sitting going on."""
    table = annotation_tables.annotation_source.c
    if source.digest is None:
        same = select(table.id).where(table.kind == source.kind, table.name == text_in(source.name))
        known = connection.execute(same.where(table.digest.is_(None))).scalars().first()
        if known is not None:
            return int(known)
    number = next_id(connection, annotation_tables.annotation_source)
    values = {"kind": source.kind, "name": text_in(source.name), "digest": source.digest}
    connection.execute(
        insert(annotation_tables.annotation_source), {"id": number, "created_at": clock.stamp(), **values}
    )
    return number


def _written(
    connection: Connection, person: int, failures: Sequence[int]
) -> dict[int, list[tuple[bool, str, str, str]]]:
    """Return what a person wrote about each of the failures, the oldest first."""
    table = annotation_tables.annotation.c
    query = select(table.failure_id, table.category, table.raw_category, table.raw_subtype, table.note).where(
        table.annotator_id == person
    )
    wanted = set(failures)
    written: dict[int, list[tuple[bool, str, str, str]]] = {}
    for row in connection.execute(query.order_by(table.id)):
        if row.failure_id in wanted:
            says = (text_out(row.raw_category), text_out(row.raw_subtype), text_out(row.note))
            written.setdefault(row.failure_id, []).append((row.category is not None, *says))
    return written


def _row(label: NewLabel, failure: int, by: tuple[int, int], stamp: str) -> dict[str, Any]:
    return {
        "failure_id": failure,
        "annotator_id": by[0],
        "annotation_source_id": by[1],
        "category": label.category,
        "subtype": label.subtype,
        "raw_category": text_in(label.raw_category),
        "raw_subtype": text_in(label.raw_subtype),
        "rules": json_in(list(label.rules)),
        "note": text_in(label.note),
        "line": label.line,
        "created_at": stamp,
    }


def _labels() -> Select[Any]:
    return (
        select(
            annotation_tables.annotation.c.id.label("number"),
            *(c for c in annotation_tables.annotation.c if c.name not in {"id", "created_at"}),
            annotation_tables.annotation.c.created_at.label("given_at"),
            *(c for c in annotation_tables.failure.c if c.name not in {"id", "created_at"}),
            tables.dataset.c.fingerprint,
            annotation_tables.annotator.c.name.label("annotator"),
            annotation_tables.annotator.c.kind,
            annotation_tables.annotation_source.c.name.label("source"),
        )
        .join(
            annotation_tables.failure,
            annotation_tables.failure.c.id == annotation_tables.annotation.c.failure_id,
        )
        .join(tables.dataset, tables.dataset.c.id == annotation_tables.failure.c.dataset_id)
        .join(
            annotation_tables.annotator,
            annotation_tables.annotator.c.id == annotation_tables.annotation.c.annotator_id,
        )
        .join(
            annotation_tables.annotation_source,
            annotation_tables.annotation_source.c.id == annotation_tables.annotation.c.annotation_source_id,
        )
        .order_by(annotation_tables.annotation.c.id)
    )


def _label(row: Row[Any]) -> StoredLabel:
    return StoredLabel(
        failure=failure_of(row),
        key=row.key,
        annotator=row.annotator,
        kind=row.kind,
        category=row.category,
        subtype=row.subtype,
        raw_category=text_out(row.raw_category),
        raw_subtype=text_out(row.raw_subtype),
        rules=tuple(json_out(row.rules)),
        note=text_out(row.note),
        source=text_out(row.source),
        line=row.line,
        created_at=clock.moment(row.given_at),
        number=row.number,
    )
