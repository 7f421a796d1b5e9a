"""A store where nothing may be written can be read whole, says so, and is not touched."""

import csv
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, good
from store_toys import new_store, toy_run
from test_cli_store import write_protected

from clipbench.errors import StoreError
from clipbench.home import Home
from clipbench.reports.stores import info_table
from clipbench.store import engine, protected
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store, open_store, writing
from clipbench.store.maintenance import backup, info, verify
from clipbench.store.queries import list_runs
from clipbench.store.runs import tag_run
from clipbench.store.sql import ask
from clipbench.study.embedding.embed import embed_texts
from clipbench.study.embedding.models import EncoderSource, ModelRequest
from clipbench.study.workplace.progress import Silent

UPGRADES = Path(__file__).parent / "upgrades"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    store = new_store(tmp_path / "store")
    toy_run(store)
    return store.home


@pytest.fixture
def locked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a read-only medium: nothing may be written, and SQLite cannot make its files to read by."""
    assert home.database.exists(), "made while it could be"
    monkeypatch.setattr(engine, "may_write", lambda _: False)
    monkeypatch.setattr(protected, "_opens", lambda _: False)


def contents(home: Home) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(home.root.rglob("*")) if path.is_file()}


def to_read(home: Home) -> Store:
    return open_store(home, create=False, to_read=True)


@pytest.mark.usefixtures("locked")
def test_everything_can_be_read_and_nothing_is_touched(home: Home, tmp_path: Path) -> None:
    before = contents(home)
    store = to_read(home)
    assert "immutable=1" in store.uri
    assert [run.dataset for run in list_runs(store)] == ["toy"]
    assert ask(store, "SELECT count(*) FROM runs").rows == ((1,),)
    assert verify(store).clean
    assert info_table(info(store)).notes == ("read only: nothing may be written there",)
    backup(store, tmp_path / "copy")
    assert contents(home) == before


@pytest.mark.usefixtures("locked")
def test_a_backup_of_it_can_be_written(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup(to_read(home), tmp_path / "copy")
    monkeypatch.undo()
    copy = open_store(Home(tmp_path / "copy"))
    tag_run(copy, list_runs(copy)[0].key, "mine")
    assert list_runs(copy)[0].tags == ("mine",)
    assert info_table(info(copy)).notes == ()


@pytest.mark.usefixtures("locked")
def test_what_would_write_is_refused_at_once_and_says_how_to_go_on(home: Home) -> None:
    with pytest.raises(StoreError, match="nothing may be written there") as caught:
        open_store(home, create=False)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"clipbench store backup COPY --store {home.root} ")
    with pytest.raises(StoreError, match="nothing may be written there"), writing(to_read(home)):
        pass


@pytest.mark.usefixtures("locked")
def test_what_stands_in_the_log_alone_is_seen_in_a_copy(home: Home, tmp_path: Path) -> None:
    dead = Home(tmp_path / "dead")
    dead.root.mkdir()
    with closing(sqlite3.connect(home.database)) as writer:
        writer.execute("INSERT INTO tag SELECT 'logged', id, '2024-01-01T00:00:00.000000Z' FROM run")
        writer.commit()
        for end in ("", "-wal"):  # as a killed process leaves them
            shutil.copyfile(f"{home.database}{end}", f"{dead.database}{end}")
    before = contents(dead)
    assert before["clipbench.db-wal"]
    store = to_read(dead)
    assert list_runs(store)[0].tags == ("logged",)
    assert "its log holds changes" in info(store).note
    assert contents(dead) == before


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_an_older_store_is_read_from_an_upgraded_copy(revision: str, tmp_path: Path) -> None:
    old = Home(tmp_path / "old")
    old.root.mkdir()
    shutil.copyfile(UPGRADES / f"{revision}.db", old.database)
    shutil.copytree(UPGRADES / f"{revision}-embeddings", old.embeddings)
    before = contents(old)
    store = to_read(old)
    assert list_runs(store)
    assert verify(store).clean
    assert "of an older clipbench, so an upgraded copy is read" in info(store).note
    assert contents(old) == before


@pytest.mark.usefixtures("locked")
def test_an_empty_database_is_no_store(tmp_path: Path) -> None:
    Home(tmp_path).database.touch()
    with pytest.raises(StoreError, match="there is no store at"):
        to_read(Home(tmp_path))


def labelled(folder: Path) -> None:
    """Let two annotators fill in their tables and import them."""
    tables = sorted(folder.glob("*.csv"))
    for table in tables:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows({**row, "category": "Ambiguous"} for row in rows)
    good("annotate", "import", *tables)


COMMANDS = """
import sys
from clipbench.cli.app import main
for words in (["report"], ["runs", "show"], ["runs", "list", "--json"], ["store", "info"], ["store", "verify"],
              ["report", "--query", "SELECT count(*) AS runs FROM runs"], ["dataset", "list"],
              ["evaluate", "toys", "--model", "toy"], ["embed", "export", "toys", "--model", "toy", "--out", "x.h5"],
              ["robustness", "preview", "toys", "--perturb", "word-dropout", "--out", "sheets"],
              ["robustness", "export", "toys", "--perturb", "word-dropout", "--out", "perturbed"],
              ["annotate", "list"], ["annotate", "list", "latest", "--hints"], ["annotate", "results"],
              ["annotate", "gallery"], ["annotate", "export"], ["annotate", "adjudicate", "--list"],
              ["annotate", "export-page", "--annotator", "A"],
              ["robustness", "sweep", "toys", "--model", "toy", "--perturb", "word-shuffle", "--dry-run"],
              ["annotate", "summary"], ["annotate", "agreement"]):
    sys.argv = ["clipbench", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


def test_with_real_permissions_too(own_home: Path, tmp_path: Path) -> None:
    added(tmp_path, images=4)
    good("evaluate", "toys", "--model", "toy")
    good("annotate", "sample", "--n", "3")
    good("annotate", "assign", "--annotators", "A,B", "--overlap", "2", "--per-annotator", "0", "--backup", "0",
         "--out", tmp_path / "assigned")  # fmt: skip
    labelled(tmp_path / "assigned")
    (tmp_path / "written").mkdir()
    home = Home(own_home)
    paths = [home.root, *home.root.rglob("*")]
    before = contents(home)
    try:
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        done = subprocess.run(
            [*write_protected(), sys.executable, "-c", COMMANDS],
            cwd=tmp_path / "written",
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for path in paths:
            path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "read only: nothing may be written there" in done.stdout
    assert "all of it is right" in done.stdout
    assert contents(home) == before


@pytest.mark.usefixtures("locked")
def test_work_that_could_not_be_stored_is_not_begun(home: Home) -> None:
    store = to_read(home)
    toys = load_dataset(store, "toy")
    source = EncoderSource(store, ModelRequest("toy"))
    with pytest.raises(StoreError, match="nothing may be written there"):
        embed_texts(store, toys, source, Silent())
