"""Whatever is changed in a database behind the store's back, `store verify` finds it, and never fails itself."""

# ruff: noqa: S608, the names in these statements are our own

from __future__ import annotations

import random
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import toy_loop
from damage_toys import LONGER
from store_toys import DROPOUT, new_store, toy_dataset, toy_extras, toy_run

from clipbench.errors import StoreError
from clipbench.home import Home
from clipbench.store.all_tables import metadata
from clipbench.store.digests import DIGESTED, UNCOUNTED
from clipbench.store.engine import Store, open_store
from clipbench.store.maintenance import backup, verify
from clipbench.store.queries import list_runs
from clipbench.store.runs import delete_run, tag_run
from clipbench.store.sweeps import save_sweep
from clipbench.store.verify import Verification

CHILDREN = {child for digested in DIGESTED.values() for child in digested.children}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with something in every table; tests work on copies."""
    store = new_store(tmp_path_factory.mktemp("fuzz") / "store")
    first = toy_run(store)
    second = toy_run(store, perturbation=DROPOUT, value=0.25)
    tag_run(store, first.key, "first")
    save_sweep(store, "swept", "sweep:1", {"operations": {}}, [first.key, second.key])
    toy_loop(store, toy_dataset())
    toy_extras(store)
    assert verify(store, deep=True).clean
    return store


@pytest.fixture
def copies(sound: Store, tmp_path: Path) -> Iterator[Home]:
    """Copies of the store without end, one after another in one place."""

    def endless() -> Iterator[Home]:
        while True:
            shutil.rmtree(tmp_path / "copy", ignore_errors=True)
            shutil.copytree(sound.home.root, tmp_path / "copy")
            yield Home(tmp_path / "copy")

    return endless()


def change(home: Home, statement: str, values: tuple[object, ...] = ()) -> bool:
    """Change what is finished, as damage does or somebody who takes the triggers away and puts them back."""
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        kept = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in kept:
            connection.execute(f"DROP TRIGGER {name}")
        before = connection.total_changes
        try:
            connection.execute(statement, values)
        except sqlite3.IntegrityError:  # a key or a null that SQLite itself does not take
            return False
        changed = connection.total_changes > before
        for _, sql in kept:
            connection.execute(sql)
        connection.commit()
    return changed


def looked_at(home: Home) -> Verification | StoreError:
    """Open and verify a store; only an error of ours is another outcome than findings."""
    try:
        return verify(open_store(home, create=False), deep=True)
    except StoreError as error:
        return error


def is_noticed(home: Home) -> bool:
    found = looked_at(home)
    return isinstance(found, StoreError) or not found.clean


def other(value: object, drawn: random.Random) -> object:
    """Return another value than this one, near it more often than not."""
    if isinstance(value, bytes) and value:
        at = drawn.randrange(len(value))
        return value[:at] + bytes([value[at] ^ (1 << drawn.randrange(8))]) + value[at + 1 :]
    if isinstance(value, str):
        return drawn.choice([value + "x", value[:-1] or "y", value.swapcase() + "\u00e9", b"\xff\xfe", 7])
    if isinstance(value, int | float):
        return drawn.choice([value + 1, -value - 1, value * 2 + 0.5, "words", 10**12])
    return drawn.choice(["", 1, "words", b"\x00"])


def places(sound: Store) -> list[tuple[str, str]]:
    """Every column of every table that says something."""
    return [(name, column.name) for name, table in metadata.tables.items() for column in table.columns]


def test_every_table_has_digests_or_a_reason_not_to() -> None:
    assert {*DIGESTED, *CHILDREN, *UNCOUNTED} == {*metadata.tables, "alembic_version"}


def test_any_single_value_that_is_changed_is_noticed(sound: Store, copies: Iterator[Home]) -> None:
    drawn = random.Random(5)  # noqa: S311, a seeded draw of damage
    silent, tried = [], 0
    every = places(sound)
    drawn.shuffle(every)
    for table, column in every[: 40 * LONGER]:
        home = next(copies)
        with closing(sqlite3.connect(home.database)) as connection:
            rows = connection.execute(f"SELECT rowid_of.* FROM {table} AS rowid_of").fetchall()
            names = [c[1] for c in connection.execute(f"PRAGMA table_info({table})")]
        if not rows:
            continue
        row = drawn.choice(rows)
        where = " AND ".join(f'"{name}" IS ?' for name in names)
        value = other(row[names.index(column)], drawn)
        if change(home, f'UPDATE {table} SET "{column}" = ? WHERE {where}', (value, *row)):
            tried += 1
            if not is_noticed(home):
                silent.append((table, column, row[names.index(column)], value))
    assert silent == []
    assert tried > 25


@pytest.mark.parametrize("table", sorted({*DIGESTED, *CHILDREN}))
def test_a_row_that_is_gone_is_noticed(table: str, copies: Iterator[Home]) -> None:
    home = next(copies)
    with closing(sqlite3.connect(home.database)) as connection:
        key = connection.execute(f"SELECT * FROM {table}").fetchone()
        names = [c[1] for c in connection.execute(f"PRAGMA table_info({table})")]
    if key is None:  # toys have no shortlist
        assert table == "shortlist"
        return
    where = " AND ".join(f'"{name}" IS ?' for name in names)
    assert change(home, f"DELETE FROM {table} WHERE {where}", key)
    assert is_noticed(home)


def test_bytes_of_the_file_that_are_damaged_are_noticed_or_mean_nothing(
    sound: Store, copies: Iterator[Home]
) -> None:
    drawn = random.Random(7)  # noqa: S311, a seeded draw of damage
    before = dump(sound.home)
    for _ in range(25 * LONGER):
        home = next(copies)
        data = bytearray(home.database.read_bytes())
        data[drawn.randrange(len(data))] ^= 1 << drawn.randrange(8)
        home.database.write_bytes(bytes(data))
        assert is_noticed(home) or dump(home) == before


def dump(home: Home) -> list[str]:
    """All that a database says, as SQL."""
    with closing(sqlite3.connect(home.database)) as connection:
        return sorted(connection.iterdump())


def test_what_another_program_writes_is_noticed_even_through_the_triggers(copies: Iterator[Home]) -> None:
    home = next(copies)
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute("UPDATE dataset_name SET dataset_id = dataset_id, format = 'other'")
        connection.commit()
    (problem,) = verify(open_store(home)).problems
    assert "dataset_name toy was written by another program" in problem


def test_what_the_store_changes_itself_is_not(copies: Iterator[Home], tmp_path: Path) -> None:
    store = open_store(next(copies))
    first = list_runs(store)[-1].key
    tag_run(store, first, "another")
    save_sweep(store, "swept", "sweep:1", {"operations": {}}, [first])
    assert verify(store).clean
    delete_run(store, first)
    assert verify(store).clean, "tags and sweeps that named the run are right too"
    backup(store, tmp_path / "backup")
    assert verify(open_store(Home(tmp_path / "backup"))).clean


def test_a_protocol_without_cutoffs_is_a_finding(copies: Iterator[Home]) -> None:
    home = next(copies)
    assert change(home, "UPDATE run SET protocol = '{}' WHERE id = 1")
    assert is_noticed(home)


@pytest.mark.parametrize("name", ["runs", "metrics"])
def test_a_view_that_says_something_else_is_noticed(name: str, copies: Iterator[Home]) -> None:
    home = next(copies)
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute(f"DROP VIEW {name}")
        connection.execute(f"CREATE VIEW {name} AS SELECT 1 AS run")
    assert is_noticed(home)
