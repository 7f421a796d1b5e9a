"""A store of an earlier clipbench with a run of every kind keeps every key and number, and answers every request."""

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from every_kind_toys import NAME, UPGRADES, ask, contents

from clipbench.home import Home
from clipbench.store.engine import Store, open_store
from clipbench.store.upgrade import schema_of
from clipbench.store.verify import verify
from clipbench.study.runs.run_kinds import derived


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a copy of the old store in `store`."""
    (tmp_path / "store").mkdir()
    shutil.copy(UPGRADES / f"{NAME}.db", tmp_path / "store" / "clipbench.db")
    shutil.copytree(UPGRADES / f"{NAME}-embeddings", tmp_path / "store" / "embeddings")
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Store:
    return open_store(Home(folder / "store"))


def before() -> object:
    return json.loads((UPGRADES / f"{NAME}.json").read_text())


def now(store: Store) -> object:
    return json.loads(json.dumps(contents(store.home.database)))


def test_every_key_and_number_is_as_it_was(store: Store) -> None:
    assert schema_of(store.home.database).current
    assert now(store) == before()


def test_every_number_follows_from_its_ledger(store: Store) -> None:
    found = verify(store, deep=True, recompute=derived)
    assert (found.problems, found.notes) == ((), ())
    assert found.checked["runs"] == 33


def test_the_same_requests_find_the_stored_runs(folder: Path, store: Store) -> None:
    # The photographs are not there, so whatever was encoded again would be refused.
    ask(folder)
    assert now(store) == before()
