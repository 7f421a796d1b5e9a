"""Failures, the samples drawn of them, who labels which, and hints.

Knows how these become rows and come back; draws, assigns and guesses nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from clipbench.errors import StoreError
from clipbench.failures.items import Assignment, Failure, FailureSample, SampledFailure, Task
from clipbench.failures.sampling import Stratum
from clipbench.failures.suggestions import Suggestion
from clipbench.keys import Json
from clipbench.store import annotation_tables, clock, tables
from clipbench.store.columns import json_in, json_out, text_in, text_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.rows import find_id, keys_with_prefix, need_id, next_id
from clipbench.store.runs import LATEST


@dataclass(frozen=True)
class StoredSample:
    """A sample that is in the store; `created` is False where the same request was there before."""

    key: str
    sample: FailureSample
    created_at: datetime
    created: bool = False


def failure_ids(connection: Connection, dataset: str, failures: Sequence[Failure]) -> dict[str, int]:
    """Return the row ids of failures by key, adding those that are new. dataset: key of where they occurred."""
    wanted = {failure.key: failure for failure in failures}
    known = _known(connection, list(wanted))
    first = next_id(connection, annotation_tables.failure)
    fresh = [key for key in wanted if key not in known]
    if fresh:
        of = need_id(connection, tables.dataset, dataset)
        stamp = clock.stamp()
        rows = [
            {"id": first + place, "key": key, "dataset_id": of, "created_at": stamp, **_columns(wanted[key])}
            for place, key in enumerate(fresh)
        ]
        connection.execute(insert(annotation_tables.failure), rows)
        known |= {row["key"]: row["id"] for row in rows}
    return known


def find_failures(store: Store, keys: Sequence[str]) -> dict[str, Failure]:
    """Return the stored failures with these keys; a key that is not stored is absent."""
    with reading(store) as connection:
        found: dict[str, Failure] = {}
        for part in _parts(list(keys)):
            rows = connection.execute(_failures().where(annotation_tables.failure.c.key.in_(part))).all()
            found |= {row.key: failure_of(row) for row in rows}
    return found


def save_sample(store: Store, sample: FailureSample) -> StoredSample:
    """Store a sample with its failures and scores; the same request is kept as it is."""
    key = sample.key
    with writing(store) as connection:
        known = find_id(connection, annotation_tables.failure_sample, key)
        if known is None:
            _insert_sample(connection, sample)
        row = connection.execute(_samples().where(annotation_tables.failure_sample.c.key == key)).one()
        return _stored(connection, row, created=known is None)


def has_sample(store: Store, key: str) -> bool:
    """Whether the sample with this key is stored."""
    with reading(store) as connection:
        return find_id(connection, annotation_tables.failure_sample, key) is not None


def find_sample(store: Store, reference: str) -> StoredSample:
    """Return the sample that a word means: "latest", or the beginning of its key (4 or more digits).

    Raises StoreError that lists the samples where it means none or several.
    """
    table = annotation_tables.failure_sample
    with reading(store) as connection:
        rows = connection.execute(_samples().order_by(table.c.created_at.desc(), table.c.id.desc())).all()
        keys = (
            [row.key for row in rows[:1]]
            if reference == LATEST
            else list(keys_with_prefix(connection, table, "sample", reference))
        )
        if len(keys) == 1:
            return _stored(connection, next(row for row in rows if row.key == keys[0]))
    if not rows:
        raise StoreError("no failures were drawn in this store yet", "clipbench annotate sample RUN --n 200")
    names = ", ".join(row.key.partition(":")[2][:10] for row in rows[:8])
    raise StoreError(
        f"{reference!r} means {len(keys)} samples; there are: {names}", "clipbench annotate list"
    )


def list_samples(store: Store) -> tuple[StoredSample, ...]:
    """Return all samples, the newest first."""
    table = annotation_tables.failure_sample
    with reading(store) as connection:
        rows = connection.execute(_samples().order_by(table.c.created_at.desc(), table.c.id.desc())).all()
        return tuple(_stored(connection, row) for row in rows)


def save_assignment(store: Store, assignment: Assignment) -> bool:
    """Store who labels what; return False where the same was stored before and is kept."""
    with writing(store) as connection:
        if find_id(connection, annotation_tables.assignment, assignment.key) is not None:
            return False
        sample = connection.execute(
            _samples().where(annotation_tables.failure_sample.c.key == assignment.sample)
        ).one()
        failures = [task.failure for task in assignment.tasks]
        ids = failure_ids(connection, sample.dataset, failures)
        number = next_id(connection, annotation_tables.assignment)
        places: dict[str, int] = {}
        rows = []
        for task in assignment.tasks:
            position = places[task.part] = places.get(task.part, -1) + 1
            rows.append(
                {
                    "assignment_id": number,
                    "part": task.part,
                    "position": position,
                    "failure_id": ids[task.failure.key],
                    "swapped": int(task.swapped),
                }
            )
        connection.execute(insert(annotation_tables.assignment_item), rows)
        connection.execute(
            insert(annotation_tables.assignment),
            {
                "id": number,
                "key": assignment.key,
                "failure_sample_id": sample.id,
                "request": json_in(assignment.request),
                "created_at": clock.stamp(),
            },
        )
    return True


def latest_assignment(store: Store, sample: str) -> Assignment | None:
    """Return the newest assignment of a sample (by key), None where nobody was assigned yet."""
    with reading(store) as connection:
        query = (
            select(annotation_tables.assignment)
            .join(annotation_tables.failure_sample)
            .where(annotation_tables.failure_sample.c.key == sample)
            .order_by(annotation_tables.assignment.c.id.desc())
        )
        row = connection.execute(query.limit(1)).one_or_none()
        if row is None:
            return None
        request = json_out(row.request)
        item = annotation_tables.assignment_item
        rows = connection.execute(
            _failures(item.c.part, item.c.swapped)
            .join(item, item.c.failure_id == annotation_tables.failure.c.id)
            .where(item.c.assignment_id == row.id)
            .order_by(item.c.position)
        ).all()
    order = {part: place for place, part in enumerate(request["parts"])}
    ranked = sorted(rows, key=lambda found: order[found.part])  # stable: positions stay in order
    tasks = tuple(Task(found.part, failure_of(found), bool(found.swapped)) for found in ranked)
    return Assignment(sample, request, tasks)


def save_suggestions(store: Store, found: Mapping[str, Sequence[Suggestion]]) -> int:
    """Store hints by the key of their failure, which must be stored; return how many are new."""
    with writing(store) as connection:
        ids = _known(connection, list(found))
        stamp = clock.stamp()
        rows = [
            {
                "failure_id": ids[key],
                "rule": hint.rule,
                "category": hint.category,
                "subtype": hint.subtype,
                "detail": text_in(hint.detail),
                "score": hint.score,
                "created_at": stamp,
            }
            for key, hints in found.items()
            for hint in hints
        ]
        fresh = 0
        for row in rows:
            fresh += connection.execute(
                upsert(annotation_tables.suggestion).values(**row).on_conflict_do_nothing()
            ).rowcount
    return fresh


def load_suggestions(store: Store, keys: Sequence[str]) -> dict[str, tuple[Suggestion, ...]]:
    """Return the hints of these failures (by key), in the order they were found."""
    table = annotation_tables.suggestion
    found: dict[str, list[Suggestion]] = {key: [] for key in keys}
    with reading(store) as connection:
        for part in _parts(list(found)):
            query = (
                select(annotation_tables.failure.c.key, table)
                .join(table, table.c.failure_id == annotation_tables.failure.c.id)
                .where(annotation_tables.failure.c.key.in_(part))
                .order_by(table.c.id)
            )
            for row in connection.execute(query):
                found[row.key].append(
                    Suggestion(row.rule, row.category, row.subtype, text_out(row.detail), row.score)
                )
    return {key: tuple(hints) for key, hints in found.items()}


def failure_of(row: Row[Any]) -> Failure:
    """Return the failure of a row that holds the failure's columns and its dataset's fingerprint."""
    return Failure(
        fingerprint=row.fingerprint,
        direction=row.direction,
        caption_id=text_out(row.caption_id),
        image_id=text_out(row.image_id),
        retrieved_id=text_out(row.retrieved_id),
        caption=row.caption,
        image=row.image,
        retrieved=row.retrieved,
    )


def _failures(*more: Any) -> Select[Any]:
    return select(annotation_tables.failure, tables.dataset.c.fingerprint, *more).join(
        tables.dataset, tables.dataset.c.id == annotation_tables.failure.c.dataset_id
    )


def _columns(failure: Failure) -> dict[str, Any]:
    return {
        "direction": failure.direction,
        "caption_id": text_in(failure.caption_id),
        "image_id": text_in(failure.image_id),
        "retrieved_id": text_in(failure.retrieved_id),
        "caption": failure.caption,
        "image": failure.image,
        "retrieved": failure.retrieved,
    }


def _known(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    table = annotation_tables.failure.c
    known: dict[str, int] = {}
    for part in _parts(keys):
        known |= {
            row.key: row.id
            for row in connection.execute(select(table.key, table.id).where(table.key.in_(part)))
        }
    return known


def _parts(keys: Sequence[str], size: int = 500) -> list[Sequence[str]]:
    """Return the keys in pieces, for SQLite limits how many values one statement may hold."""
    return [keys[start : start + size] for start in range(0, len(keys), size)]


def _samples() -> Select[Any]:
    return select(annotation_tables.failure_sample, tables.dataset.c.key.label("dataset")).join(
        tables.dataset, tables.dataset.c.id == annotation_tables.failure_sample.c.dataset_id
    )


def _insert_sample(connection: Connection, sample: FailureSample) -> None:
    ids = failure_ids(connection, sample.dataset, [item.failure for item in sample.items])
    number = next_id(connection, annotation_tables.failure_sample)
    rows = [
        {
            "failure_sample_id": number,
            "position": position,
            "failure_id": ids[item.failure.key],
            "role": item.role,
            "stratum": item.stratum,
            "rank": item.rank,
            "positive_score": item.positive_score,
            "negative_score": item.negative_score,
        }
        for position, item in enumerate(sample.items)
    ]
    if rows:
        connection.execute(insert(annotation_tables.failure_sample_item), rows)
    strata: list[Json] = [[stratum.name, stratum.population, stratum.drawn] for stratum in sample.strata]
    connection.execute(
        insert(annotation_tables.failure_sample),
        {
            "id": number,
            "key": sample.key,
            "dataset_id": need_id(connection, tables.dataset, sample.dataset),
            "run": sample.run,
            "direction": sample.direction,
            "request": json_in(sample.request),
            "strata": json_in(strata),
            "population": sample.population,
            "created_at": clock.stamp(),
        },
    )


def _stored(connection: Connection, row: Row[Any], *, created: bool = False) -> StoredSample:
    item = annotation_tables.failure_sample_item
    rows = connection.execute(
        _failures(item)
        .join(item, item.c.failure_id == annotation_tables.failure.c.id)
        .where(item.c.failure_sample_id == row.id)
        .order_by(item.c.position)
    ).all()
    items = tuple(
        SampledFailure(
            failure_of(found),
            found.role,
            found.stratum,
            found.rank,
            found.positive_score,
            found.negative_score,
        )
        for found in rows
    )
    sample = FailureSample(
        run=row.run,
        dataset=row.dataset,
        direction=row.direction,
        request=json_out(row.request),
        strata=tuple(Stratum(*values) for values in json_out(row.strata)),
        population=row.population,
        items=items,
    )
    return StoredSample(row.key, sample, clock.moment(row.created_at), created)
