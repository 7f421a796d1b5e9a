"""Is everything in the store what it was when it was stored? Reads, and changes nothing.

Knows how to derive every key again from what is stored under it. It computes no metric: whoever can
derive metrics from ledgers hands that over as a function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from sqlalchemy import Connection, Table, select

from clipbench.errors import ClipbenchError
from clipbench.foreign_files import reason
from clipbench.records import Direction, Ledger, Metric, text_key
from clipbench.store import digests, index_tables, presence, tables, triggers, views
from clipbench.store.columns import Items, text_out
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import find_set, is_elsewhere, load_vectors, set_items
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store, reading
from clipbench.store.garbage import needless_index_files, unfinished_copies
from clipbench.store.index_files import index_path
from clipbench.store.indexes import file_problem, ids_of, load_index, order_digest
from clipbench.store.perturbations import load_perturbation
from clipbench.store.runs import StoredRun, find_run, load_ledgers, load_metrics, query_count
from clipbench.store.shard_files import look, shard_rows
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
    """Check the database, every digest and key, every vector file and every ledger, and tell all that is wrong.

    deep: also assemble the matrix of every embedding set and compare its checksum. recompute: also derive
    the metrics of every run again. Whatever cannot be looked at is a problem too, and ends nothing.
    """
    problems = [problem for problem in _looked("the database", _database(store)) if problem is not None]
    if problems:  # rows of a damaged database tell nothing
        return Verification({}, tuple(problems), ())
    counted = {
        name: _counted(problems, _looked(name, findings))
        for name, findings in (
            ("rows", _rows(store)),
            ("datasets", _datasets(store)),
            ("encoders", _encoders(store)),
            ("perturbations", _perturbations(store)),
            ("vector files", _vector_files(store)),
            ("embedding sets", _sets(store, deep=deep)),
            ("texts", _texts(store)),
            ("indexes", _indexes(store)),
            ("runs", _runs(store, recompute)),
        )
    }
    notes = [note for note in _looked("the folder of vectors", _untidy(store)) if note is not None]
    return Verification(counted, tuple(problems), tuple(notes))


def verify_quickly(store: Store) -> Verification:
    """Check that every row, digest, file and ledger that should be there is, by names, counts and sizes.

    Nothing that is stored is read whole but what is small: what was changed in place, `verify` finds.
    """
    problems = [problem for problem in _looked("the database", _database(store)) if problem is not None]
    if problems:
        return Verification({}, tuple(problems), ())
    counted = {
        name: _counted(problems, _looked(name, findings))
        for name, findings in (
            ("rows", presence.rows_there(store)),
            ("datasets", _datasets(store)),
            ("encoders", _encoders(store)),
            ("vector files", presence.files_there(store)),
            ("embedding sets", presence.sets_there(store)),
            ("runs", presence.runs_there(store)),
        )
    }
    notes = [note for note in _looked("the folder of vectors", _untidy(store)) if note is not None]
    return Verification(counted, tuple(problems), tuple(notes))


def _looked(what: str, findings: Iterable[str | None]) -> Iterator[str | None]:
    """Yield findings; where looking itself fails, that is the last one."""
    try:
        yield from findings
    except ClipbenchError as error:
        yield f"{what}: {error.message}"
    except Exception as error:
        yield f"{what} cannot be read ({reason(error)})"


def _each(what: str, keys: Sequence[str], check: Callable[[str], str | None]) -> Iterator[str | None]:
    """Yield what is wrong with each thing; one that cannot be looked at does not hide the others."""
    for key in keys:
        yield from _looked(f"{what} {key}", _once(check, key))


def _once(check: Callable[[str], str | None], key: str) -> Iterator[str | None]:
    yield check(key)


def _keys(store: Store, table: Table) -> Sequence[str]:
    with reading(store) as connection:
        return connection.execute(select(table.c.key).order_by(table.c.id)).scalars().all()


def _rows(store: Store) -> Iterator[str | None]:
    """Look at the digest of every row that has one, and for rows and digests that lack the other."""
    with reading(store) as connection:
        query = "SELECT entity, row, digest FROM content_digest"
        kept = {(entity, row): digest for entity, row, digest in connection.exec_driver_sql(query)}
        made = kept.pop(digests.SCHEMA, None)
        changed = "the tables are not as they were made: their definition has another digest"
        yield changed if digests.schema_digest(connection) != made else None
        for table in digests.DIGESTED:
            for row in digests.row_names(connection, table):
                digest = kept.pop((table, row), None)
                yield from _looked(f"{table} {row}", _fitting(connection, (table, row), digest))
    for table, row in kept:
        yield f"{table} {row.replace(chr(digests.MARK), ' ')} was stored and is gone"


def _fitting(connection: Connection, named: tuple[str, str], digest: str | None) -> Iterator[str | None]:
    table, row = named
    shown = f"{table} {row.replace(chr(digests.MARK), ' ')}"
    if not digest:
        yield f"{shown} was written by another program: it has no digest"
    else:
        changed = digests.row_digest(connection, table, row) != digest
        yield f"{shown} was changed since it was stored: it has another digest" if changed else None


def _counted(problems: list[str], findings: Iterable[str | None]) -> int:
    """Collect the problems among one finding per thing (None where it is right), and count the things."""
    count = 0
    for count, problem in enumerate(findings, 1):  # noqa: B007, the last number is the count
        if problem is not None:
            problems.append(problem)
    return count


def _untidy(store: Store) -> Iterator[str]:
    folder = store.home.embeddings
    files = sorted(path for path in folder.rglob("*") if path.is_file())  # before the rows, which come last
    with reading(store) as connection:
        known = set(connection.execute(select(tables.vector_shard.c.path)).scalars())
    left = [path for path in files if path.relative_to(folder).as_posix() not in known]
    for path in (*left, *needless_index_files(store), *unfinished_copies(store.home)):
        yield f"{path} belongs to nothing that is stored"


def _database(store: Store) -> Iterator[str]:
    with reading(store) as connection:
        told = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        yield from (f"SQLite: {line}" for line in told if line != "ok")
        for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            yield f"a row of {row[0]} points at a row of {row[2]} that is not there"
        yield from _schema(connection)


def _schema(connection: Connection) -> Iterator[str]:
    query = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')"
    kept = {row.name: row.sql for row in connection.exec_driver_sql(query)}
    for statement in triggers.statements():
        if kept.pop(statement.split()[2], None) != statement:
            yield f"the trigger {statement.split()[2]} is gone or changed: finished rows may have been changed"
    for name in views.VIEWS:
        if kept.pop(name, None) != views.statement(name):
            yield f"the view {name} is gone or changed"
    for name in kept:
        yield f"{name} is a trigger or view that is not ours"
    open_ = connection.exec_driver_sql("SELECT count(*) FROM deletion").scalar_one()
    if open_:
        yield f"{open_} finished rows are open for deletion"


def _datasets(store: Store) -> Iterator[str | None]:
    def check(key: str) -> str | None:
        with reading(store) as connection:
            row = connection.execute(select(tables.dataset).filter_by(key=key)).one()
        dataset = load_dataset(store, key)
        sizes = (len(dataset.samples), len(dataset.captions))
        if (dataset.key, dataset.fingerprint) != (row.key, row.fingerprint):
            return f"dataset {key} holds other content: its key is {dataset.key}"
        if sizes != (row.n_images, row.n_captions):
            return f"dataset {key} has {sizes} images and captions, not {(row.n_images, row.n_captions)}"
        return None

    return _each("dataset", _keys(store, tables.dataset), check)


def _encoders(store: Store) -> Iterator[str | None]:
    def check(key: str) -> str | None:
        own = load_encoder(store, key).key
        return None if own == key else f"encoder {key} describes another: {own}"

    return _each("encoder", _keys(store, tables.encoder), check)


def _perturbations(store: Store) -> Iterator[str | None]:
    def check(key: str) -> str | None:
        own = load_perturbation(store, key).key
        return None if own == key else f"perturbation {key} describes another: {own}"

    return _each("perturbation", _keys(store, tables.perturbation), check)


def _vector_files(store: Store) -> Iterator[str | None]:
    rows = {row.key: row for row in shard_rows(store)}
    return _each("vector shard", list(rows), lambda key: look(store.home.embeddings, rows[key]))


def _sets(store: Store, *, deep: bool) -> Iterator[str | None]:
    # To look for what the disk says of thousands of files takes longer than to look a set's items up.
    index_of = cache(lambda encoder, modality: Pool(store, encoder, modality).index())

    def check(key: str) -> str | None:
        stored = find_set(store, key)
        if stored is None:
            return f"embedding set {key} refers to what is not there"
        items = _items(store, key)
        if items is None or len(items) != stored.rows:
            return f"embedding set {key} does not name its {stored.rows} items"
        absent = int((index_of(stored.encoder, stored.modality).find(items) < 0).sum())
        if deep and not absent:
            load_vectors(store, stored)
        lacking = f"embedding set {key}: {absent:,} of {stored.rows:,} vectors are not stored"
        return lacking if absent and not is_elsewhere(stored) else None

    return _each("embedding set", _keys(store, tables.embedding_set), check)


def _items(store: Store, key: str) -> Items | None:
    """Return the item keys of a set, None where what is stored of them is no list of keys."""
    with reading(store) as connection:
        try:
            return set_items(connection, key)
        except ValueError:
            return None


def _texts(store: Store) -> Iterator[str | None]:
    with reading(store) as connection:
        for item, text in connection.execute(select(tables.item_text)):
            right = text_key(text_out(text)) == item
            yield None if right else f"the text {text_out(text)[:60]!r} is kept under the key of another"


def _indexes(store: Store) -> Iterator[str | None]:
    def check(key: str) -> str | None:
        record = load_index(store, key)
        embedding_set = find_set(store, record.content.embedding_set)
        if record.content.key != key or embedding_set is None:
            return f"index {record.name} describes another: {record.content.key}"
        if record.order != order_digest(ids_of(load_dataset(store, record.dataset), embedding_set)):
            return f"index {record.name} names its items in another order than its vectors stand in"
        if embedding_set.checksum != record.content.vectors:
            return f"index {record.name} is of other vectors than its embedding set has"
        return file_problem(index_path(store, key), record)

    return _each("index", _keys(store, index_tables.vector_index), check)


def _runs(store: Store, recompute: Recompute | None) -> Iterator[str | None]:
    def check(key: str) -> str | None:
        run = find_run(store, key)
        if run is None:
            return f"run {key} refers to what is not there"
        ledgers = load_ledgers(store, key)
        for direction, shortlist in load_shortlists(store, key).items():
            if direction in ledgers:  # that one is gone is told below
                ledger = ledgers[direction]
                check_shortlist(shortlist, ledger.queries, ledger.gallery_size)
        if run.spec.key != key:
            return f"run {key} describes another: {run.spec.key}"
        if sum(query_count(run.spec.protocol, ledger) for ledger in ledgers.values()) != run.n_queries:
            return f"run {key} does not have the {run.n_queries} queries it counts"
        return _differences(store, run, ledgers, recompute) if recompute else None

    return _each("run", _keys(store, tables.run), check)


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
