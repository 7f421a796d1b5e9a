"""What is finished is final, for every program that opens the file: tried with raw SQL."""

# ruff: noqa: S608, the names in these statements are our own

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import toy_loop
from store_toys import new_store, toy_dataset, toy_extras, toy_run

from clipbench.home import Home
from clipbench.store.triggers import APPENDED, CHILDREN, PARENTS

TABLES = (*PARENTS, *CHILDREN, *APPENDED)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "store")


def sql(database: Path) -> sqlite3.Connection:
    """Open the file as any other program would, with its own settings."""
    return sqlite3.connect(database, isolation_level=None)


@pytest.fixture
def finished(home: Home) -> Iterator[sqlite3.Connection]:
    store = new_store(home.root)
    toy_run(store)
    toy_loop(store, toy_dataset())
    toy_extras(store)
    with closing(sql(home.database)) as connection:
        yield connection


def content(connection: sqlite3.Connection) -> dict[str, list[object]]:
    return {t: connection.execute(f"SELECT * FROM {t}").fetchall() for t in TABLES}


@pytest.mark.parametrize("references", ["ON", "OFF"])
@pytest.mark.parametrize("table", TABLES)
def test_finished_rows_can_be_neither_changed_deleted_nor_replaced(
    finished: sqlite3.Connection, table: str, references: str
) -> None:
    finished.execute(f"PRAGMA foreign_keys = {references}")
    before = content(finished)
    assert before[table]
    names = [row[1] for row in finished.execute(f"PRAGMA table_info({table})")]
    statements = [f"DELETE FROM {table}", *(f"UPDATE {table} SET {name} = {name}" for name in names)]
    statements += [
        f"{verb} INTO {table} SELECT * FROM {table}" for verb in ("INSERT OR REPLACE", "REPLACE", "INSERT")
    ]
    for statement in statements:
        with pytest.raises(sqlite3.IntegrityError, match=r"final|already stored"):
            finished.execute(statement)
    assert content(finished) == before


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO metric SELECT run_id, 'both', 'new', 99, 1, NULL, NULL, 1, '', NULL FROM metric LIMIT 1",
        "INSERT INTO ledger SELECT run_id, 'new', 1, 1, 1, '', '', '', '', '', '', '', '', '', NULL FROM ledger LIMIT 1",
        "INSERT INTO shortlist SELECT run_id, 'new', 1, '', '' FROM shortlist LIMIT 1",
        "INSERT INTO caption SELECT dataset_id, 99, 0, 'new', 'new' FROM dataset JOIN image LIMIT 1",
        "INSERT INTO image SELECT id, 99, 'new', NULL, NULL, NULL FROM dataset LIMIT 1",
    ],
)
def test_nothing_is_added_to_what_is_finished(finished: sqlite3.Connection, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="is final"):
        finished.execute(statement)


def test_leave_to_delete_one_run_is_no_leave_to_delete_another(home: Home) -> None:
    store = new_store(home.root)
    first, second = toy_run(store), toy_run(store, seed=1)
    with closing(sql(home.database)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        (row,) = connection.execute("SELECT id FROM run WHERE key = ?", (first.key,)).fetchone()
        connection.execute("INSERT INTO deletion VALUES ('run', ?)", (row,))
        with pytest.raises(sqlite3.IntegrityError, match="final"):
            connection.execute("DELETE FROM run")
        with pytest.raises(sqlite3.IntegrityError, match="final"):
            connection.execute("DELETE FROM metric")
        connection.execute("DELETE FROM run WHERE id = ?", (row,))
        assert connection.execute("SELECT key FROM run").fetchall() == [(second.key,)]
        assert connection.execute("SELECT count(*) FROM metric").fetchone() == (7,)


def test_a_run_cannot_point_at_what_is_not_there(finished: sqlite3.Connection) -> None:
    finished.execute("PRAGMA foreign_keys = ON")
    names = [row[1] for row in finished.execute("PRAGMA table_info(run)")]
    values = ", ".join({"id": "99", "key": "'run:x'", "dataset_id": "99"}.get(name, name) for name in names)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        finished.execute(f"INSERT INTO run SELECT {values} FROM run LIMIT 1")
