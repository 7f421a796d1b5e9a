"""Runs: one evaluation with its ledgers, metrics and provenance, saved whole in one transaction.

Knows how a run becomes rows and comes back; computes and compares nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from clipbench.errors import StoreError
from clipbench.keys import Json, canonical
from clipbench.records import Direction, Ledger, Metric, Perturbation, RunSpec, Shortlist
from clipbench.store import clock, tables
from clipbench.store.columns import json_in, json_out
from clipbench.store.engine import Store, reading, writing
from clipbench.store.ledgers import ledger_of, ledger_values
from clipbench.store.left_out import NOTHING, LeftOut, left_out_in
from clipbench.store.perturbations import perturbation_of
from clipbench.store.protocols import ledger_parts
from clipbench.store.rows import delete_final, find_id, need_id, next_id
from clipbench.store.shortlists import check_shortlist, shortlist_values

LATEST = "latest"
"""The word for the run stored last, so it cannot be a tag."""

COMPLETE = "complete"
"""The status of every run there is: one that fails or is killed leaves no row."""


@dataclass(frozen=True)
class RunRecord:
    """What a run's specification does not say: what was under test, and how the result came about.

    encoder, perturbation: keys. command: as typed. version: clipbench's. environment: library versions,
    device, git state, platform; "dataset_name" in it is the name that lists show while it means the same
    content. timings: seconds by stage. confidence: of the metrics' intervals.
    """

    encoder: str
    perturbation: str
    command: str
    version: str
    environment: Mapping[str, Json] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.95
    created_at: datetime | None = None


@dataclass(frozen=True)
class StoredRun:
    """A run as it is stored. n_images and n_texts are the gallery sizes of t2i and i2t.

    left_out: the images of its dataset that it does not rank.
    """

    key: str
    spec: RunSpec
    dataset_name: str
    fingerprint: str
    encoder: str
    model: str
    perturbation: Perturbation
    status: str
    n_images: int
    n_texts: int
    n_queries: int
    command: str
    version: str
    environment: Mapping[str, Json]
    timings: Mapping[str, float]
    tags: tuple[str, ...]
    created_at: datetime
    left_out: LeftOut = NOTHING


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run that is in the store; `created` is False where it was there before and was kept."""

    key: str
    created: bool


_NO_SHORTLISTS: Mapping[Direction, Shortlist] = MappingProxyType({})


def save_run(
    store: Store,
    spec: RunSpec,
    record: RunRecord,
    ledgers: Mapping[Direction, Ledger],
    metrics: Sequence[Metric],
    shortlists: Mapping[Direction, Shortlist] = _NO_SHORTLISTS,
) -> SavedRun:
    """Store a run with all it has, or nothing of it. A run with the same key is kept as it is.

    Raises StoreError where what the run refers to is not stored; ValueError for a metric that is not a
    finite number or comes twice, no ledger, a ledger whose arrays do not fit together, or a shortlist that
    does not fit its ledger.
    """
    key = spec.key
    shortlist_rows = [
        _shortlist_row(direction, one, ledgers) for direction, one in sorted(shortlists.items())
    ]
    metric_rows = _metric_rows(metrics, record.confidence)
    ledger_rows = [_ledger_row(direction, ledger) for direction, ledger in sorted(ledgers.items())]
    if not ledger_rows:
        raise ValueError("a run has at least one ledger")
    with writing(store) as connection:
        if find_id(connection, tables.run, key) is not None:
            return SavedRun(key, created=False)
        row = next_id(connection, tables.run)
        values = _run_row(connection, spec, record, ledgers)
        connection.execute(insert(tables.ledger), [{"run_id": row, **ledger} for ledger in ledger_rows])
        if shortlist_rows:
            connection.execute(insert(tables.shortlist), [{"run_id": row, **one} for one in shortlist_rows])
        if metric_rows:
            connection.execute(insert(tables.metric), [{"run_id": row, **metric} for metric in metric_rows])
        connection.execute(insert(tables.run), {"id": row, "key": key, **values})
    return SavedRun(key, created=True)


def query_count(protocol: Mapping[str, Json], ledger: Ledger) -> int:
    """Return how many queries a ledger of a run of this stored protocol is of."""
    return ledger.queries // ledger_parts(protocol, ledger.gallery_size)


def find_run(store: Store, key: str) -> StoredRun | None:
    """Return the run with this key, None where there is none."""
    with reading(store) as connection:
        return run_by_key(connection, key)


def load_ledger(store: Store, run: str, direction: Direction) -> Ledger:
    """Return the ledger of one direction of a run (by key). Raises StoreError where there is none."""
    with reading(store) as connection:
        row_id = need_id(connection, tables.run, run)
        query = select(tables.ledger).filter_by(run_id=row_id, direction=direction)
        row = connection.execute(query).one_or_none()
    if row is None:
        raise StoreError(f"run {run} has no ledger for {direction}", "clipbench runs show")
    return ledger_of(row)


def load_ledgers(store: Store, run: str) -> dict[Direction, Ledger]:
    """Return all ledgers of a run (by key). Raises StoreError where there is no such run."""
    with reading(store) as connection:
        row_id = need_id(connection, tables.run, run)
        rows = connection.execute(select(tables.ledger).filter_by(run_id=row_id).order_by("direction")).all()
    return {row.direction: ledger_of(row) for row in rows}


def load_metrics(store: Store, run: str) -> tuple[Metric, ...]:
    """Return the metrics of a run (by key) in the order they were given. Raises StoreError."""
    with reading(store) as connection:
        row_id = need_id(connection, tables.run, run)
        rows = connection.execute(select(tables.metric).filter_by(run_id=row_id).order_by("position")).all()
    return tuple(metric_of(row) for row in rows)


def delete_run(store: Store, run: str) -> None:
    """Delete a run (by key) with its ledgers, metrics and tags. Raises StoreError where there is none.

    Its embedding sets and vectors stay: `clipbench.store.maintenance.gc` removes what nothing uses.
    """
    with writing(store) as connection:
        delete_final(connection, tables.run, need_id(connection, tables.run, run))


def check_tag(tag: str) -> None:
    """Raise StoreError for a tag that is not one printable word or is "latest"."""
    if not tag or not tag.isprintable() or len(tag.split()) != 1 or tag.strip() != tag or tag == LATEST:
        raise StoreError(f"{tag!r} cannot be a tag: it is one word, and not {LATEST!r}")


def tag_run(store: Store, run: str, tag: str) -> None:
    """Hang a tag on a run (by key); nothing changes where it hangs there.

    Raises StoreError for an unknown run, or what is no tag.
    """
    check_tag(tag)
    with writing(store) as connection:
        values = {"tag": tag, "run_id": need_id(connection, tables.run, run), "created_at": clock.stamp()}
        connection.execute(upsert(tables.tag).values(**values).on_conflict_do_nothing())


def tagged(store: Store, run: StoredRun, tags: Sequence[str]) -> StoredRun:
    """Return the run with these tags on it. Raises StoreError as `tag_run`."""
    for tag in tags:
        tag_run(store, run.key, tag)
    return find_run(store, run.key) or run


def untag_run(store: Store, run: str, tag: str) -> None:
    """Take a tag off a run (by key). Raises StoreError where it does not hang there."""
    with writing(store) as connection:
        row = need_id(connection, tables.run, run)
        if not connection.execute(delete(tables.tag).filter_by(run_id=row, tag=tag)).rowcount:
            raise StoreError(f"run {run} has no tag {tag!r}", "clipbench runs show")


def metric_of(row: Row[Any]) -> Metric:
    """Return the metric of a row."""
    return Metric(row.direction, row.name, row.value, row.low, row.high, row.n, row.method)


def run_by_key(connection: Connection, key: str) -> StoredRun | None:
    """Return the run with this key, None where there is none."""
    images, texts = tables.embedding_set.alias(), tables.embedding_set.alias()
    query = (
        select(
            tables.run,
            tables.dataset.c.key.label("dataset"),
            images.c.key.label("images"),
            texts.c.key.label("texts"),
        )
        .join(tables.dataset, tables.dataset.c.id == tables.run.c.dataset_id)
        .join(images, images.c.id == tables.run.c.image_set_id)
        .join(texts, texts.c.id == tables.run.c.text_set_id)
        .where(tables.run.c.key == key)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    shown = connection.exec_driver_sql("SELECT * FROM runs WHERE run = ?", (key,)).one()
    setting = connection.execute(select(tables.perturbation).filter_by(id=row.perturbation_id)).one()
    hung = select(tables.tag.c.tag).filter_by(run_id=row.id).order_by("tag")
    protocol = json_out(row.protocol)
    return StoredRun(
        key=row.key,
        spec=RunSpec(
            row.kind, row.dataset, row.images, row.texts, protocol, row.metric_version, method_out(row.method)
        ),
        dataset_name=shown.dataset,
        fingerprint=shown.fingerprint,
        encoder=shown.encoder_key,
        model=shown.model,
        perturbation=perturbation_of(setting),
        status=row.status,
        n_images=row.n_images,
        n_texts=row.n_texts,
        n_queries=row.n_queries,
        command=row.command,
        version=row.clipbench_version,
        environment=json_out(row.environment),
        timings=json_out(row.timings),
        tags=tuple(connection.execute(hung).scalars()),
        created_at=clock.moment(row.created_at),
        left_out=left_out_in(connection, [row.key])[row.key],
    )


def _ledger_row(direction: Direction, ledger: Ledger) -> Mapping[str, Any]:
    if direction != ledger.direction:
        raise ValueError(f"a {ledger.direction} ledger was given as {direction}")
    return ledger_values(ledger)


def _shortlist_row(
    direction: Direction, shortlist: Shortlist, ledgers: Mapping[Direction, Ledger]
) -> Mapping[str, Any]:
    ledger = ledgers.get(direction)
    if ledger is None or direction != shortlist.direction:
        raise ValueError(f"a {shortlist.direction} shortlist was given as {direction}, or without its ledger")
    check_shortlist(shortlist, ledger.queries, ledger.gallery_size)
    return shortlist_values(shortlist)


def method_out(stored: str) -> Mapping[str, Json]:
    """Return the method of a run's column; empty for the plain product."""
    method: Mapping[str, Json] = json_out(stored) if stored else {}
    return method


def _metric_rows(metrics: Sequence[Metric], confidence: float) -> list[dict[str, Any]]:
    rows = []
    for position, metric in enumerate(metrics):
        numbers = [n for n in (metric.value, metric.low, metric.high) if n is not None]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"{metric.direction} {metric.name} is not a finite number: {numbers}")
        rows.append(
            {
                "position": position,
                "direction": metric.direction,
                "name": metric.name,
                "value": float(metric.value),
                "low": None if metric.low is None else float(metric.low),
                "high": None if metric.high is None else float(metric.high),
                "n": int(metric.n),
                "method": metric.method,
                "confidence": None if metric.low is None and metric.high is None else confidence,
            }
        )
    if len({(row["direction"], row["name"]) for row in rows}) != len(rows):
        raise ValueError("a run has each metric once per direction")
    return rows


def _run_row(
    connection: Connection, spec: RunSpec, record: RunRecord, ledgers: Mapping[Direction, Ledger]
) -> dict[str, Any]:
    found, sought = ledgers.get("t2i"), ledgers.get("i2t")
    asked = {direction: query_count(spec.protocol, ledger) for direction, ledger in ledgers.items()}
    return {
        "kind": spec.kind,
        "dataset_id": need_id(connection, tables.dataset, spec.dataset),
        "encoder_id": need_id(connection, tables.encoder, record.encoder),
        "perturbation_id": need_id(connection, tables.perturbation, record.perturbation),
        "image_set_id": need_id(connection, tables.embedding_set, spec.images),
        "text_set_id": need_id(connection, tables.embedding_set, spec.texts),
        "protocol": json_in(spec.protocol),
        "metric_version": spec.metric_version,
        "status": COMPLETE,
        # One direction's gallery is the other's queries, so one ledger tells both sizes.
        "n_images": found.gallery_size if found else asked.get("i2t", 0),
        "n_texts": sought.gallery_size if sought else asked.get("t2i", 0),
        "n_queries": sum(asked.values()),
        "command": record.command,
        "clipbench_version": record.version,
        "environment": json_in(record.environment),
        "timings": json_in(record.timings),
        "created_at": clock.stamp(record.created_at),
        "method": canonical(spec.method) if spec.method else "",
    }
