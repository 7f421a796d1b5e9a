"""The list of vector files is made again from the files, and nothing unsound gets into it."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import DROPOUT, new_store, toy_run
from test_store_maintenance import files, tamper

from clipbench.store import shards
from clipbench.store.engine import Store
from clipbench.store.maintenance import verify
from clipbench.store.recovery import recover


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = new_store(tmp_path / "store")
    toy_run(found)
    toy_run(found, perturbation=DROPOUT)
    return found


def test_a_sound_list_is_left_alone(store: Store) -> None:
    done = recover(store)
    assert (done.listed, done.sound, done.problems) == ((), 3, ())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM vector_shard",
        "UPDATE vector_shard SET rows = 7 WHERE id = 1",
        "UPDATE vector_shard SET checksum = 'x'",
        "UPDATE vector_shard SET path = '../../x.h5' WHERE id = 2",
    ],
)
def test_rows_that_are_lost_or_wrong_are_made_again(store: Store, statement: str) -> None:
    tamper(store, statement)
    assert not verify(store).clean
    done = recover(store)
    assert len(done.listed) in {1, 3}
    assert done.problems == ()
    assert verify(store, deep=True).clean


def test_what_is_damaged_or_elsewhere_is_not_listed(store: Store) -> None:
    first, second, _ = files(store)
    tamper(store, "DELETE FROM vector_shard")
    data = bytearray(first.read_bytes())
    data[data.index(shards.read_items(first, 3).tobytes())] ^= 1
    first.write_bytes(data)
    shutil.copyfile(second, second.with_name("text-0000.h5"))
    done = recover(store)
    assert (len(done.listed), done.sound) == (2, 2)
    assert len(done.problems) == 2
    assert any("is damaged" in problem for problem in done.problems)
    assert any("not where its content belongs" in problem for problem in done.problems)
