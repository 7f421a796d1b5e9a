"""Killed, interrupted, crowded or out of room: the same command goes on, and nothing acknowledged is lost."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import good
from kill_toys import COMMANDS, Collection, Reference, collection, content, disturb, undisturbed

from clipbench.home import Home
from clipbench.store.engine import open_store
from clipbench.store.queries import list_runs
from clipbench.store.verify import verify
from clipbench.study.runs.run_kinds import derived

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="signals work differently on Windows"),
]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collection(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="module")
def reference(toys: Collection, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return undisturbed(toys, tmp_path_factory.mktemp("reference") / "store")


def test_killed_twenty_times_the_same_commands_give_the_same_store_to_the_bit(
    toys: Collection, reference: Reference, tmp_path: Path
) -> None:
    homes = (tmp_path / f"store{number}" for number in count())
    outcome = disturb(toys, homes, reference, kills=20, seed=20, midway=8)
    assert outcome.kills >= 20
    assert outcome.midway >= 8, "too few kills came in the middle of the work to tell anything"


@pytest.mark.parametrize("side", ["image", "text"])
def test_ctrl_c_says_how_much_is_stored_and_the_same_command_goes_on(
    side: str, tmp_path: Path, toys: Collection
) -> None:
    home = tmp_path / "store"
    fine = Collection(toys.folder, text_shard=16, image_shard=8)
    fine.add(home)
    words = ("embed", "toys", "--model", "toy", "--only", side)
    process = fine.start(home, *words)
    while process.poll() is None and len(list(home.rglob("*.h5"))) < 3:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[1] == "  try: the same command again goes on where this one stopped"
    told, _, rest = lines[0].removeprefix("interrupted: ").partition(" of ")
    total = {"image": "160 images", "text": "960 captions"}[side]
    assert rest == f"{total} of this run are stored, nothing is lost"
    stored = int(told.replace(",", ""))
    size = {"image": 8, "text": 16}[side]
    facts = {row["what"]: row["value"] for row in good("store", "info", "--json", store=home).json["rows"]}
    rows = int(facts["vectors"].replace(",", ""))
    assert stored <= rows <= stored + size, "at most the shard that was being counted"
    assert rows >= 2 * size
    assert "all of it is right" in good("store", "verify", "--deep", store=home).out
    (row,) = good(*words, "--json", store=home).json["rows"]
    assert row["encoded_now"] == int(total.split()[0].replace(",", "")) - rows


def test_four_processes_at_once_store_one_run(toys: Collection, reference: Reference, tmp_path: Path) -> None:
    home = tmp_path / "store"
    coarse = Collection(toys.folder, text_shard=300, image_shard=60)
    coarse.add(home)
    several = [coarse.start(home, *COMMANDS[0]) for _ in range(4)]
    ended = [(*process.communicate(), process.returncode) for process in several]
    assert [code for _, _, code in ended] == [0] * 4, ended
    assert len({out for out, _, _ in ended}) == 1, "all four print the same run"
    assert sum("stored before" in err for _, err, _ in ended) == 3
    store = open_store(Home(home))
    assert len(list_runs(store)) == 1
    found = verify(store, deep=True, recompute=derived)
    assert (found.problems, found.notes) == ((), ())
    assert content(store).items() <= reference.content.items()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB, where one can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("no mount here")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "clipbench-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("free", [150_000])
def test_a_full_disk_is_one_line_and_the_store_goes_on_once_there_is_room(
    free: int, small_disk: Path, toys: Collection, reference: Reference
) -> None:
    home, ballast = small_disk / "store", small_disk / "ballast"
    toys.add(home)
    ballast.write_bytes(bytes(max(0, shutil.disk_usage(small_disk).free - free)))
    code, out, err = toys.run(home, *COMMANDS[0])
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 2, err
    assert err.startswith(f"error: the store at {home}: the disk is full")
    assert "try: make room, then run the same command again; what was finished is kept" in err
    ballast.unlink()
    assert "all of it is right" in good("store", "verify", "--deep", store=home).out
    code, _, err = toys.run(home, *COMMANDS[0])
    assert code == 0, err
    assert content(open_store(Home(home))).items() <= reference.content.items()
