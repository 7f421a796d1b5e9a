"""Is everything in the store what it was when it was stored? Reads, and changes nothing.

Knows how to derive every key again from what is stored under it. It computes no metric: whoever can
derive metrics from ledgers hands that over as a function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, select

from clipbench.errors import ClipbenchError, StoreError
from clipbench.keys import ITEM_BYTES
from clipbench.records import Direction, Ledger, Metric, Modality, text_key
from clipbench.store import tables, triggers, views
from clipbench.store.columns import text_out
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import is_elsewhere, list_sets, load_vectors
from clipbench.store.encoders import list_encoders
from clipbench.store.engine import Store, reading
from clipbench.store.garbage import unfinished_copies
from clipbench.store.perturbations import perturbation_of
from clipbench.store.runs import StoredRun, find_run, load_ledgers, load_metrics
from clipbench.store.shard_files import UnseenError, look, shard_rows
from clipbench.store.shortlists import check_shortlist, load_shortlists
from clipbench.store.vectors import Pool

Recompute: TypeAlias = Callable[[StoredRun, Mapping[Direction, Ledger]], Iterable[Metric]]
"""Derives metrics of a run from its ledgers, all or some of those that were stored."""

TOLERANCE = 1e-9
"""How far a metric derived again may be from the stored one, relative to it."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at (thing: how many), what is wrong, and what is only untidy (`store gc`)."""

    checked: Mapping[str, int]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(store: Store, *, deep: bool = False, recompute: Recompute | None = None) -> Verification:
    """Check the database, every key, every vector file and every ledger, and tell all that is wrong.

    deep: also assemble the matrix of every embedding set and compare its checksum. recompute: also derive
    the metrics of every run again.
    """
    notes = tuple(_untidy(store))
    problems = list(_database(store))
    if problems:  # rows of a damaged database tell nothing
        return Verification({}, tuple(problems), notes)
    counted = {
        "datasets": _counted(problems, _datasets(store)),
        "encoders": _counted(problems, _encoders(store)),
        "perturbations": _counted(problems, _perturbations(store)),
        "vector files": _counted(problems, _vector_files(store)),
        "embedding sets": _counted(problems, _sets(store, deep=deep)),
        "texts": _counted(problems, _texts(store)),
        "runs": _counted(problems, _runs(store, recompute)),
    }
    return Verification(counted, tuple(problems), notes)


def _counted(problems: list[str], findings: Iterable[str | None]) -> int:
    """Collect the problems among one finding per thing (None where it is right), and count the things."""
    count = 0
    for count, problem in enumerate(findings, 1):  # noqa: B007, the last number is the count
        if problem is not None:
            problems.append(problem)
    return count


def _untidy(store: Store) -> list[str]:
    folder = store.home.embeddings
    files = sorted(path for path in folder.rglob("*") if path.is_file())  # before the rows, which come last
    with reading(store) as connection:
        known = set(connection.execute(select(tables.vector_shard.c.path)).scalars())
    left = [path for path in files if path.relative_to(folder).as_posix() not in known]
    left += unfinished_copies(store.home)
    return [f"{path} belongs to nothing that is stored" for path in left]


def _database(store: Store) -> Iterator[str]:
    try:
        with reading(store) as connection:
            told = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            yield from (f"SQLite: {line}" for line in told if line != "ok")
            for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
                yield f"a row of {row[0]} points at a row of {row[2]} that is not there"
            yield from _guards(connection)
    except StoreError as error:
        yield error.message


def _guards(connection: Connection) -> Iterator[str]:
    kept = {row.name: row.sql for row in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master")}
    for statement in triggers.statements():
        if kept.get(statement.split()[2]) != statement:
            yield f"the trigger {statement.split()[2]} is gone or changed: finished rows may have been changed"
    for name in views.VIEWS:
        if name not in kept:
            yield f"the view {name} is gone"
    open_ = connection.exec_driver_sql("SELECT count(*) FROM deletion").scalar_one()
    if open_:
        yield f"{open_} finished rows are open for deletion"


def _datasets(store: Store) -> Iterator[str | None]:
    with reading(store) as connection:
        rows = connection.execute(select(tables.dataset).order_by("id")).all()
    for row in rows:
        try:
            dataset = load_dataset(store, row.key)
        except (ClipbenchError, ValueError, IndexError) as error:
            yield f"dataset {row.key} cannot be read ({error})"
            continue
        sizes = (len(dataset.samples), len(dataset.captions))
        if (dataset.key, dataset.fingerprint) != (row.key, row.fingerprint):
            yield f"dataset {row.key} holds other content: its key is {dataset.key}"
        elif sizes != (row.n_images, row.n_captions):
            yield f"dataset {row.key} has {sizes} images and captions, not {(row.n_images, row.n_captions)}"
        else:
            yield None


def _encoders(store: Store) -> Iterator[str | None]:
    for encoder in list_encoders(store):
        right = encoder.identity.key == encoder.key
        yield None if right else f"encoder {encoder.key} describes another: {encoder.identity.key}"


def _perturbations(store: Store) -> Iterator[str | None]:
    with reading(store) as connection:
        rows = connection.execute(select(tables.perturbation).order_by("id")).all()
    for row in rows:
        key = perturbation_of(row).key
        yield None if key == row.key else f"perturbation {row.key} describes another: {key}"


def _vector_files(store: Store) -> Iterator[str | None]:
    for row in shard_rows(store):
        try:
            yield look(store.home.embeddings, row)
        except UnseenError as error:
            yield error.message


def _sets(store: Store, *, deep: bool) -> Iterator[str | None]:
    pools: dict[tuple[str, Modality], Pool] = {}
    order = tables.embedding_order.c["items"]
    for stored in list_sets(store):
        pool = pools.setdefault(
            (stored.encoder, stored.modality), Pool(store, stored.encoder, stored.modality)
        )
        query = (
            select(order)
            .join(
                tables.embedding_set, tables.embedding_set.c.id == tables.embedding_order.c.embedding_set_id
            )
            .where(tables.embedding_set.c.key == stored.key)
        )
        with reading(store) as connection:
            blob = connection.execute(query).scalar_one_or_none()
        if blob is None or len(blob) != stored.rows * ITEM_BYTES:
            yield f"embedding set {stored.key} does not name its {stored.rows} items"
            continue
        try:
            absent = pool.missing([blob[i : i + ITEM_BYTES] for i in range(0, len(blob), ITEM_BYTES)])
            if deep and not absent:
                load_vectors(store, stored)
        except StoreError as error:
            yield f"embedding set {stored.key}: {error.message}"
            continue
        lacking = f"embedding set {stored.key}: {len(absent):,} of {stored.rows:,} vectors are not stored"
        yield lacking if absent and not is_elsewhere(stored) else None


def _texts(store: Store) -> Iterator[str | None]:
    with reading(store) as connection:
        for item, text in connection.execute(select(tables.item_text)):
            right = text_key(text_out(text)) == item
            yield None if right else f"the text {text_out(text)[:60]!r} is kept under the key of another"


def _runs(store: Store, recompute: Recompute | None) -> Iterator[str | None]:
    with reading(store) as connection:
        keys = connection.execute(select(tables.run.c.key).order_by(tables.run.c.id)).scalars().all()
    for key in keys:
        run = find_run(store, key)
        if run is None:  # deleted meanwhile
            continue
        try:
            ledgers = load_ledgers(store, key)
            for direction, shortlist in load_shortlists(store, key).items():
                if direction in ledgers:  # that one is gone is told below
                    ledger = ledgers[direction]
                    check_shortlist(shortlist, ledger.queries, ledger.gallery_size)
        except (ClipbenchError, ValueError) as error:
            yield f"run {key} cannot be read ({error})"
            continue
        if run.spec.key != key:
            yield f"run {key} describes another: {run.spec.key}"
        elif sum(ledger.queries for ledger in ledgers.values()) != run.n_queries:
            yield f"run {key} does not have the {run.n_queries} queries it counts"
        else:
            yield _differences(store, run, ledgers, recompute) if recompute else None


def _differences(
    store: Store, run: StoredRun, ledgers: Mapping[Direction, Ledger], recompute: Recompute
) -> str | None:
    kept = {(metric.direction, metric.name): metric for metric in load_metrics(store, run.key)}
    wrong = []
    for metric in recompute(run, ledgers):
        stored = kept.get((metric.direction, metric.name))
        if stored is None or not _same(stored, metric):
            was = "nothing" if stored is None else f"{stored.value:g} (n = {stored.n})"
            wrong.append(
                f"{metric.direction} {metric.name} is {metric.value:g} (n = {metric.n}), stored {was}"
            )
    return f"run {run.key}: {'; '.join(wrong)}" if wrong else None


def _same(stored: Metric, derived: Metric) -> bool:
    pairs = ((stored.value, derived.value), (stored.low, derived.low), (stored.high, derived.high))
    return stored.n == derived.n and all(
        a == b if a is None or b is None else math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        for a, b in pairs
    )
