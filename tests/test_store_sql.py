"""Questions in SQL read and nothing else; the page on the store describes every view and column."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import new_store, toy_dataset, toy_run

from clipbench.errors import StoreError
from clipbench.reports.formats import written
from clipbench.reports.stores import answer_table
from clipbench.reports.tables import to_csv
from clipbench.store import sql
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.runs import tag_run
from clipbench.store.sql import Answer, ask
from clipbench.store.views import VIEWS

PAGE = Path(__file__).parent.parent / "docs" / "store.md"
BEGIN, END = "<!-- views -->\n", "<!-- end of views -->\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path / "odd name #1 %20?")
    tag_run(made, toy_run(made).key, "paper")
    return made


def test_an_answer_has_names_and_rows(store: Store) -> None:
    found = ask(store, "SELECT dataset, t2i_hit1 FROM runs")
    assert found == Answer(("dataset", "t2i_hit1"), (("toy", 0.525),), more=False)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_can_be_asked_for_every_column(store: Store, view: str) -> None:
    columns = ", ".join(VIEWS[view].columns)
    assert ask(store, f"SELECT {columns} FROM {view}").columns == tuple(VIEWS[view].columns)  # noqa: S608, our own names


@pytest.mark.parametrize(
    "question",
    [
        "DELETE FROM run",
        "UPDATE tag SET tag = 'x'",
        "INSERT INTO deletion VALUES ('run', 1)",
        "DROP VIEW runs",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "ATTACH '/tmp/x.db' AS other",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 7",
        "PRAGMA writable_schema = ON",
        "VACUUM INTO '/tmp/copy.db'",
        "ANALYZE",
        "REINDEX",
        "BEGIN IMMEDIATE",
        "SELECT load_extension('x')",
        "WITH gone AS (SELECT 1) DELETE FROM run",
        "EXPLAIN DELETE FROM run",
    ],
)
def test_nothing_but_reading_is_let_through(store: Store, question: str, tmp_path: Path) -> None:
    before = store.home.database.read_bytes()
    with pytest.raises(StoreError):
        ask(store, question)
    assert store.home.database.read_bytes() == before
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("SELECT 1; SELECT 2", "one statement"),
        ("", "no statement"),
        ("-- nothing", "no statement"),
        ("SELECT dirction FROM metrics", "near: direction"),
        ("SELECT * FROM run_s", "near: runs"),
        ("SELEC 1", "syntax error"),
        ("VACUUM INTO '/tmp/copy.db'", "--query only reads"),
        ("SELECT zeroblob(1000000000)", "too big"),
        ("SELECT '\x00", r"unrecognized token|null character"),
    ],
)
def test_a_mistake_is_told(store: Store, question: str, told: str) -> None:
    with pytest.raises(StoreError, match=told):
        ask(store, question)


def test_a_question_without_end_is_stopped(store: Store) -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    with pytest.raises(StoreError, match=r"longer than 0\.2 seconds"):
        ask(store, endless, seconds=0.2)


SLOW = {
    "instr": "SELECT instr(hex(zeroblob(8000000)), hex(zeroblob(4000000)) || '1')",
    "replace": "SELECT replace(hex(zeroblob(8000000)), hex(zeroblob(4000000)) || '1', '')",
    "like": "SELECT hex(zeroblob(8000000)) LIKE '%' || hex(zeroblob(20000)) || '1%'",
}
"""One instruction of SQLite's machine each, in which it looks at no clock."""


@pytest.mark.parametrize("function", SLOW)
def test_one_call_that_takes_hours_is_stopped(
    store: Store, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "GRACE", 0.2)
    with pytest.raises(StoreError, match=r"longer than 0\.3 seconds"):
        ask(store, SLOW[function], seconds=0.3)


def test_values_and_sorts_that_would_fill_memory_or_disk_are_stopped(store: Store) -> None:
    blobs = ", ".join(["zeroblob(16000000)"] * 1900)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
    for question in (
        f"SELECT {blobs}",  # 30 GB in one row
        f"{endless} SELECT randomblob(1000000) AS b FROM n ORDER BY b",  # noqa: S608, sorted on the disk without end
        f"{endless} SELECT group_concat(hex(randomblob(8000000)) || x) OVER () FROM n",  # noqa: S608, our own words
    ):
        with pytest.raises(StoreError, match=r"more than the 512 MB of memory|too big"):
            ask(store, question, seconds=60)


def test_ctrl_c_is_heard_at_once_and_leaves_no_process(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def noted(*words: Any, **more: Any) -> subprocess.Popen[bytes]:
        begun.append(start(*words, **more))
        Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(store, SLOW["instr"], seconds=600)
    finally:
        signal.signal(signal.SIGINT, before)
    assert begun[0].returncode == -signal.SIGKILL


def test_every_kind_of_value_comes_back(store: Store) -> None:
    question = "SELECT NULL, 9223372036854775807, -1, 0.1, 1e999, x'00ff', 'a\u00e9\U0001f600', '', x''"
    values = (None, 2**63 - 1, -1, 0.1, float("inf"), b"\x00\xff", "a\u00e9\U0001f600", "", b"")
    assert ask(store, question).rows == (values,)


def test_a_file_in_the_folder_where_one_types_takes_no_librarys_place(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sqlite3.py").write_text("raise SystemExit(3)")
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ask(store, "SELECT 1").rows == ((1,),)


def test_rows_are_limited_and_that_is_told(store: Store) -> None:
    many = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 50) SELECT x FROM c"
    table = answer_table(store, many, rows=20)
    assert len(table.rows) == 20
    assert "only the first 20 rows" in table.notes[0]
    assert not answer_table(store, many, rows=50).notes


def test_an_answer_that_would_fill_the_memory_is_stopped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "ANSWER", 1000)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT zeroblob(400) FROM n"
    with pytest.raises(StoreError, match="larger than 0 MB after 3 rows"):
        ask(store, endless)
    assert len(ask(store, endless, rows=1).rows) == 1
    assert len(ask(store, "SELECT 1", rows=10**30).rows) == 1


def test_describing_pragmas_are_let_through(store: Store) -> None:
    assert ask(store, "PRAGMA table_info(run)").rows
    assert ask(store, "PRAGMA user_version").rows


def test_columns_of_one_name_stay_apart_in_every_format(store: Store) -> None:
    table = answer_table(store, "SELECT 1 AS a, 2 AS a, 3 AS 'a:2'")
    assert [column.name for column in table.columns] == ["a", "a:2", "a:2:2"]
    assert '"a": 1' in written(table, "json")


def test_blobs_and_odd_text_can_be_shown(store: Store) -> None:
    save_dataset(store, toy_dataset("odd", word="half \ud83d pair"))
    table = answer_table(store, "SELECT offsets FROM ledger WHERE direction = 't2i'")
    assert table.rows == (("(28 bytes)",),)  # 6 captions, so 7 offsets of 4 bytes
    text = to_csv(answer_table(store, "SELECT text, x'ff' AS raw FROM captions_of WHERE dataset = 'odd'"))
    text.encode()


def test_another_process_may_write_meanwhile(store: Store) -> None:
    with sqlite3.connect(store.home.database) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert ask(store, "SELECT count(*) FROM runs").rows == ((1,),)
    writer.close()


def described() -> str:
    """Every view as the page shows it."""
    parts = []
    for name, view in VIEWS.items():
        rows = "".join(f"| `{column}` | {meaning} |\n" for column, meaning in view.columns.items())
        parts.append(f"### {name}\n\n{view.description}\n\n| column | meaning |\n|---|---|\n{rows}\n")
    return "\n" + "".join(parts)


def test_the_page_describes_every_view_and_column() -> None:
    text = PAGE.read_text(encoding="utf-8")
    told = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    assert told == described(), "python tests/test_store_sql.py --write brings it up to date"


if __name__ == "__main__" and "--write" in sys.argv:
    whole = PAGE.read_text(encoding="utf-8")
    start, stop = whole.index(BEGIN) + len(BEGIN), whole.index(END)
    PAGE.write_text(whole[:start] + described() + whole[stop:], encoding="utf-8")
