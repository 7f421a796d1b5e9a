"""The schema: revisions make what the tables say, old stores are upgraded, finished rows stay."""

# ruff: noqa: S608, the names in these statements are our own

import multiprocessing
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import toy_loop
from store_toys import DROPOUT, ENCODER, new_store, toy_dataset, toy_metrics, toy_run

from clipbench.errors import StoreError
from clipbench.home import Home
from clipbench.store.all_tables import metadata
from clipbench.store.annotations import newest_labels
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import list_sets, load_vectors
from clipbench.store.engine import Store, open_store, reading
from clipbench.store.indexes import list_indexes, order_digest
from clipbench.store.maintenance import verify, verify_quickly
from clipbench.store.queries import RunFilter, list_runs, resolve_run
from clipbench.store.runs import delete_run, load_metrics
from clipbench.store.upgrade import REVISIONS, SCRIPTS, schema_of, upgrade

UPGRADES = Path(__file__).parent / "upgrades"

AND_NEXT = (*REVISIONS, "9999")

# A revision that does what is hardest on SQLite: it rebuilds a table that others point at.
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{down}"

def upgrade() -> None:
    with op.batch_alter_table("run", recreate="always") as batch:
        batch.add_column(sa.Column("note", sa.Text, nullable=False, server_default="none"))
    {last}
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "store")


def sql(database: Path) -> sqlite3.Connection:
    """Open the file as any other program would, with its own settings."""
    return sqlite3.connect(database, isolation_level=None)


def description(connection: sqlite3.Connection) -> dict[str, object]:
    """All that SQLite tells of tables: columns, keys, indexes, references and how rows are kept."""
    told: dict[str, object] = {}
    names = [
        r[0] for r in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]
    for name in names:
        if name == "alembic_version":
            continue
        indexes = connection.execute(
            f"SELECT name, \"unique\", origin FROM pragma_index_list('{name}')"
        ).fetchall()
        told[name] = {
            "columns": connection.execute(f"PRAGMA table_xinfo({name})").fetchall(),
            "indexes": sorted(
                (
                    "" if index.startswith("sqlite_autoindex") else index,
                    unique,
                    origin,
                    tuple(r[2] for r in connection.execute(f"PRAGMA index_info('{index}')")),
                )
                for index, unique, origin in indexes
            ),
            "references": sorted(r[2:] for r in connection.execute(f"PRAGMA foreign_key_list({name})")),
            "rowid": connection.execute(f"SELECT wr FROM pragma_table_list('{name}')").fetchall(),
            "deferred": connection.execute(
                "SELECT (length(sql) - length(replace(sql, 'DEFERRED', ''))) / 8 FROM sqlite_master WHERE name = ?",
                (name,),
            ).fetchall(),
        }
    return told


def test_the_revisions_make_exactly_what_the_tables_say(home: Home, tmp_path: Path) -> None:
    open_store(home)
    metadata.create_all(create_engine(f"sqlite:///{tmp_path / 'tables.db'}"))
    with closing(sql(home.database)) as migrated, closing(sql(tmp_path / "tables.db")) as declared:
        made, said = description(migrated), description(declared)
    assert made.keys() == said.keys()
    for name in made:
        assert made[name] == said[name], name


def test_alembic_sees_nothing_left_to_do(home: Home) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    store = open_store(home)
    with reading(store) as connection:
        left = compare_metadata(MigrationContext.configure(connection), metadata)
    assert left == []


def test_the_revisions_are_those_the_store_knows_and_each_has_an_old_database() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS
    assert sorted(path.stem for path in UPGRADES.glob("????.db")) == sorted(REVISIONS)


def old_store(revision: str, root: Path) -> Home:
    """Copy a store of an old revision, its vectors too, to a folder of its own."""
    home = Home(root)
    root.mkdir()
    shutil.copy(UPGRADES / f"{revision}.db", home.database)
    shutil.copytree(UPGRADES / f"{revision}-embeddings", home.embeddings)
    return home


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_old_store_is_upgraded_and_then_used(tmp_path: Path, revision: str) -> None:
    home = old_store(revision, tmp_path / "old")
    store = open_store(home)
    assert schema_of(home.database).current
    assert verify(store, deep=True).problems == ()
    assert load_dataset(store, "toy") == toy_dataset()
    runs = list_runs(store, RunFilter(dataset="toy"))
    assert [(run.operation, run.rsum, run.tags) for run in runs] == [
        ("word_dropout", 150, ()),
        ("clean", 300, ("first",)),
    ]
    assert list(load_metrics(store, resolve_run(store, "first").key)) == toy_metrics()
    for stored in list_sets(store):
        assert np.isfinite(load_vectors(store, stored)).all()
    toy_run(store, toy_dataset("new", images=4), DROPOUT)
    assert len(newest_labels(store)) == (3 if revision >= "0002" else 0)
    toy_loop(store, toy_dataset("new", images=4))
    assert len(newest_labels(store, toy_dataset("new", images=4).fingerprint)) == 3
    delete_run(store, resolve_run(store, "first").key)
    assert verify(store, deep=True).problems == ()


def test_an_old_index_gets_the_digest_of_its_order_and_estimated_runs_count_a_query_once(
    tmp_path: Path,
) -> None:
    store = open_store(old_store("0008-indexes", tmp_path / "old"))
    assert verify(store, deep=True).problems == verify_quickly(store).problems == ()
    (index,) = list_indexes(store)
    assert index.order == order_digest(["i0", "i1", "i2"]) != order_digest(["i0", "i2", "i1"])
    assert [(run.kind, run.n_queries) for run in list_runs(store)] == [
        ("sampled", 9),
        ("sampled", 9),
        ("evaluate", 9),
    ]


def next_scripts(folder: Path, last: str = "pass") -> Path:
    shutil.copytree(SCRIPTS, folder)
    (folder / "versions" / "9999_next.py").write_text(NEXT.format(last=last, down=REVISIONS[-1]))
    return folder


def backups(home: Home) -> list[Path]:
    return sorted(path for path in home.root.glob("clipbench-*.db"))


def test_an_upgrade_keeps_rows_triggers_views_and_a_backup(home: Home, tmp_path: Path) -> None:
    spec = toy_run(open_store(home))
    backup = upgrade(home, scripts=next_scripts(tmp_path / "scripts"), revisions=AND_NEXT)
    assert backups(home) == [backup]
    assert backup is not None
    assert backup.name.startswith(f"clipbench-{REVISIONS[-1]}-")
    assert schema_of(backup).revision == REVISIONS[-1]
    with closing(sql(home.database)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
        assert connection.execute("SELECT key, note FROM run").fetchall() == [(spec.key, "none")]
        # Rebuilding a table with foreign keys on would have deleted these.
        assert connection.execute("SELECT count(*) FROM metric").fetchone() == (7,)
        assert connection.execute("SELECT run, rsum FROM runs").fetchall() == [(spec.key, 300.0)]
        with pytest.raises(sqlite3.IntegrityError, match="final"):
            connection.execute("DELETE FROM run")
    with pytest.raises(StoreError, match="schema 9999"):
        open_store(home)


def test_an_upgrade_that_fails_changes_nothing(home: Home, tmp_path: Path) -> None:
    spec = toy_run(open_store(home))
    for name, last, told in (
        ("a", "raise RuntimeError('no')", "no"),
        ("b", "op.execute('DELETE FROM run')", "2 rows|9 rows|rows that point nowhere"),
    ):
        scripts = next_scripts(tmp_path / name, last)
        with pytest.raises((RuntimeError, StoreError), match=told):
            upgrade(home, scripts=scripts, revisions=AND_NEXT)
        store = open_store(home)
        assert [run.key for run in list_runs(store)] == [spec.key]
        assert verify(store).problems == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_of_four_processes_that_open_an_old_store_one_upgrades(home: Home, tmp_path: Path) -> None:
    toy_run(open_store(home))
    scripts = next_scripts(tmp_path / "scripts")
    fork = multiprocessing.get_context("fork")
    together, made = fork.Barrier(4), fork.Value("i", 0)

    def upgrade_with_the_others() -> None:
        together.wait(90)
        if upgrade(home, scripts=scripts, revisions=AND_NEXT) is not None:
            with made:
                made.value += 1

    processes = [fork.Process(target=upgrade_with_the_others) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    assert [process.exitcode for process in processes] == [0] * 4
    assert made.value == len(backups(home)) == 1


def make_old_database(revision: str = REVISIONS[-1]) -> None:
    """Write tests/upgrades/<revision>.db as the current code makes it; run once for each new revision."""
    root = UPGRADES / "making"
    store: Store = new_store(root)
    first = toy_run(store)
    toy_run(store, perturbation=DROPOUT, value=0.25, method={"name": "toy", "rate": 1e-5})
    from clipbench.store.runs import tag_run

    tag_run(store, first.key, "first")
    toy_loop(store, toy_dataset())
    with closing(sql(store.home.database)) as connection:
        connection.execute("VACUUM")
    assert ENCODER.dimension == 8
    shutil.move(store.home.database, UPGRADES / f"{revision}.db")
    shutil.move(store.home.embeddings, UPGRADES / f"{revision}-embeddings")
    shutil.rmtree(root)
