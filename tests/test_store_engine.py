"""Opening a store: it is made, recognised, upgraded, or refused in words; two at once are one."""

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import toy_run

from clipbench.errors import StoreError
from clipbench.home import Home
from clipbench.store import sqlite_errors
from clipbench.store.connect import BUSY_SECONDS, connect
from clipbench.store.engine import Store, open_store, reading, writing
from clipbench.store.upgrade import APPLICATION, DERIVED, REVISIONS
from clipbench.store.views import VIEWS


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "a store 50% #?")


def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    with reading(store) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def test_a_new_store_is_made_with_one_file_and_the_newest_schema(home: Home) -> None:
    store = open_store(home)
    assert [path.name for path in home.root.iterdir()] == ["clipbench.db"]
    assert rows(store, "SELECT version_num FROM alembic_version") == [(REVISIONS[-1],)]
    assert rows(store, "PRAGMA application_id") == [(APPLICATION,)]


def test_a_store_that_is_not_there_is_not_made_unasked(home: Home) -> None:
    with pytest.raises(StoreError, match="there is no store at") as caught:
        open_store(home, create=False)
    assert caught.value.hint
    assert not home.root.exists()


def test_connections_use_the_log_check_references_wait_and_sync(home: Home) -> None:
    store = open_store(home)
    pragmas = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
    assert [rows(store, f"PRAGMA {name}")[0][0] for name in pragmas] == ["wal", 1, BUSY_SECONDS * 1000, 2]


def test_opening_an_up_to_date_store_imports_no_alembic_and_writes_nothing(home: Home) -> None:
    open_store(home)
    before = home.database.read_bytes()
    code = (
        "import sys\nfrom pathlib import Path\nfrom clipbench.home import Home\n"
        "from clipbench.store.engine import open_store\n"
        f"open_store(Home(Path({str(home.root)!r})))\nprint('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert home.database.read_bytes() == before


def test_every_view_has_the_columns_it_documents(home: Home) -> None:
    store = open_store(home)
    for name, view in VIEWS.items():
        with reading(store) as connection:
            found = connection.exec_driver_sql(f"SELECT * FROM {name}").keys()  # noqa: S608, our own names
            assert list(found) == list(view.columns)


def test_views_and_triggers_of_another_version_are_made_anew(home: Home) -> None:
    store = open_store(home)
    with writing(store) as connection:
        connection.exec_driver_sql("DROP VIEW runs")
        connection.exec_driver_sql("CREATE VIEW runs AS SELECT 1 AS old")
        connection.exec_driver_sql("DROP TRIGGER final_run_update")
        connection.exec_driver_sql("PRAGMA user_version = 7")
    store = open_store(home)
    assert rows(store, "PRAGMA user_version") == [(DERIVED,)]
    assert rows(store, "SELECT count(*) FROM sqlite_master WHERE name = 'final_run_update'") == [(1,)]
    assert rows(store, "SELECT * FROM runs") == []
    assert [path.name for path in home.root.iterdir()] == ["clipbench.db"]  # no backup: no data is changed


def test_an_empty_file_becomes_a_store(home: Home) -> None:
    home.root.mkdir()
    home.database.touch()
    assert rows(open_store(home), "SELECT * FROM runs") == []


def make_text_file(path: Path) -> None:
    path.write_text("not a database, but long enough to be mistaken for one")


def make_folder(path: Path) -> None:
    path.mkdir()


def make_foreign_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()


def make_foreign_alembic_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (make_text_file, "is not an SQLite file"),
        (make_folder, "is a folder"),
        (make_foreign_database, "another program's database .*songs"),
        (make_foreign_alembic_database, "another program's database"),
    ],
)
def test_what_is_not_a_store_is_refused_and_left_alone(home: Home, make: object, told: str) -> None:
    home.root.mkdir()
    make(home.database)  # type: ignore[operator]
    before = home.database.read_bytes() if home.database.is_file() else None
    with pytest.raises(StoreError, match=told) as caught:
        open_store(home)
    assert "--store" in str(caught.value.hint)
    assert (home.database.read_bytes() if home.database.is_file() else None) == before


def test_a_newer_schema_is_refused_naming_both_revisions_and_what_to_do(home: Home) -> None:
    store = open_store(home)
    with writing(store) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(StoreError, match=f"schema 0999.*{REVISIONS[-1]}") as caught:
        open_store(home)
    assert "pip install --upgrade clipbench" in str(caught.value.hint)


def test_a_truncated_database_is_called_damaged(home: Home) -> None:
    toy_run(open_store(home))
    data = home.database.read_bytes()
    home.database.write_bytes(data[: len(data) // 2])
    with pytest.raises(StoreError, match="the database is damaged") as caught:
        rows(open_store(home), "SELECT * FROM embedding_order, ledger, sweep_run, metric")
    assert caught.value.hint == "clipbench store verify"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_six_processes_that_open_a_new_store_at_once_make_one(home: Home) -> None:
    fork = multiprocessing.get_context("fork")
    together = fork.Barrier(6)

    def open_with_the_others() -> None:
        together.wait(90)
        assert rows(open_store(home), "SELECT * FROM runs") == []

    processes = [fork.Process(target=open_with_the_others) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    assert [process.exitcode for process in processes] == [0] * 6
    toy_run(open_store(home))


def test_a_lock_that_is_never_given_back_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipbench.store.connect.BUSY_SECONDS", 0.05)
    store = open_store(home)
    with writing(store), pytest.raises(StoreError, match="another process kept it locked"), writing(store):
        pass


def test_readers_do_not_wait_for_a_writer_and_see_none_of_its_work(home: Home) -> None:
    store = open_store(home)
    with writing(store) as connection:
        connection.exec_driver_sql("INSERT INTO sweep VALUES (1, 'n', 'k', '{}', 't')")
        seen: list[object] = []
        thread = threading.Thread(target=lambda: seen.extend(rows(store, "SELECT count(*) FROM sweep")))
        thread.start()
        thread.join(60)
        assert seen == [(0,)]
    assert rows(store, "SELECT count(*) FROM sweep") == [(1,)]


def test_a_transaction_that_fails_leaves_nothing(home: Home) -> None:
    store = open_store(home)

    def fail() -> None:
        with writing(store) as connection:
            connection.exec_driver_sql("INSERT INTO sweep VALUES (1, 'n', 'k', '{}', 't')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert rows(store, "SELECT * FROM sweep") == []


def test_a_full_database_is_told_and_intact(home: Home) -> None:
    store = open_store(home)

    def fill() -> None:
        with writing(store) as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            for i in range(1000):
                row = (i, f"n{i}", "k" * 1000)
                connection.exec_driver_sql("INSERT INTO sweep VALUES (?, ?, ?, '', '')", row)

    with pytest.raises(StoreError, match="the disk is full"):
        fill()
    assert rows(store, "SELECT count(*) FROM sweep") == [(0,)]
    assert rows(store, "PRAGMA integrity_check") == [("ok",)]


@pytest.fixture
def nobody() -> Iterator[None]:
    """Be an ordinary user for a while: nothing is read-only for root."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs POSIX users")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_folder_is_told(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    home = Home(tmp_path / "locked" / "store")
    store = open_store(home)
    # pytest keeps its own folders to their owner; an ordinary user must get as far as ours.
    modes = {path: path.stat().st_mode & 0o7777 for path in home.root.parents}
    closed = {path: mode for path, mode in modes.items() if not mode & 0o001}
    for path, mode in closed.items():
        path.chmod(mode | 0o055)
    home.root.chmod(0o555)
    home.database.chmod(0o444)
    try:
        request.getfixturevalue("nobody")
        with pytest.raises(StoreError, match=r"cannot be opened|nothing may be written"), writing(store):
            pass
        with pytest.raises(StoreError, match="nothing may be written"):
            open_store(Home(home.root / "deeper"))
    finally:
        if hasattr(os, "seteuid") and os.getuid() == 0:
            os.seteuid(0)
        home.root.chmod(0o755)
        for path, mode in closed.items():
            path.chmod(mode)


def test_what_is_not_known_goes_through_unchanged() -> None:
    with pytest.raises(OSError, match="odd"), sqlite_errors.translated(Path("x")):
        raise OSError(9999, "odd")
    with pytest.raises(sqlite3.ProgrammingError), sqlite_errors.translated(Path("x")):
        sqlite3.connect(":memory:").execute("SELECT ?", ())


def test_an_interruption_while_a_connection_closes_is_raised_and_not_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = connect(tmp_path / "some.db")

    def interrupted(_connection: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine.dialect, "do_close", interrupted)
    with pytest.raises(KeyboardInterrupt), engine.connect():
        pass
    assert caplog.records == []


def test_a_long_wait_for_another_process_is_told(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(home)
    monkeypatch.setattr("clipbench.store.connect.QUIET_SECONDS", 0.05)
    other = sqlite3.connect(home.database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = threading.Timer(0.4, lambda: other.execute("ROLLBACK"))
    ending.start()
    with writing(store):
        ending.join()
    other.close()
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == f"waiting for another process that writes to {home.database} (for up to 30 seconds)"


def test_a_file_system_without_a_write_ahead_log_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_plainly = sqlite3.connect

    class Plain(sqlite3.Connection):
        """As on a file system without shared memory, where SQLite stays with its old journal."""

        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            return super().execute(statement.replace("= WAL", "= DELETE"), *values)

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect_plainly(*a, **{**k, "factory": Plain}))
    with pytest.raises(StoreError, match="write-ahead log does not work there"):
        open_store(home)
    assert not home.root.exists()
