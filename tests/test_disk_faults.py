"""Whichever write, sync or rename kills a command or fails, the store is whole and the same command ends well."""

from __future__ import annotations

import errno
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import collection, environment, good
from damage_toys import LONGER
from kill_toys import content
from shim_toys import KILL, Done, compiled, run

from clipbench.home import Home
from clipbench.store.engine import open_store
from clipbench.store.verify import verify
from clipbench.study.runs.run_kinds import derived

ERRORS = (KILL, errno.EIO, errno.ENOSPC)

TRIES = 4 * LONGER
"""Operations of a command that are hit, spread over all of them; all, where CLIPBENCH_LONGER is large enough."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = compiled(tmp_path_factory.mktemp("shim"))
    if found is None:
        pytest.skip("no C compiler, or not Linux")
    return found


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, tuple[str, ...]]]:
    """By name: the store before a command (a folder that may not exist), and the command."""
    folder = tmp_path_factory.mktemp("stages")
    captions = collection(folder, 5)
    found: dict[str, tuple[Path, tuple[str, ...]]] = {}

    def stage(name: str, *words: str) -> None:
        before = folder / name
        if (folder / "store").exists():
            shutil.copytree(folder / "store", before)
        found[name] = (before, words)
        with environment(CLIPBENCH_STORE=str(folder / "store")):
            good(*words)

    stage(
        "add", "dataset", "add", "toys", "--captions", str(captions), "--images", str(folder / "photos"), "-q"
    )
    stage("evaluate", "evaluate", "toys", "--model", "toy", "-q")
    stage("sample", "annotate", "sample", "--n", "3", "-q")
    stage("tag", "runs", "tag", "latest", "kept")
    return found


NAMES = ("add", "evaluate", "sample", "tag")


def spread(count: int, tries: int) -> Iterator[int]:
    """Yield up to `tries` of the numbers 1 to `count`, the first and the last among them."""
    yield from sorted({1 + (count - 1) * i // max(1, tries - 1) for i in range(tries)})


def prepared(before: Path, home: Path) -> Path:
    shutil.rmtree(home, ignore_errors=True)
    if before.exists():
        shutil.copytree(before, home)
    return home


def is_told(done: Done, error: int) -> bool:
    """Whether a command ended as it should: killed, or well, or with one line that is no traceback."""
    if error == KILL:
        return done.code in {-signal.SIGKILL, 0}
    return done.code == 0 or (done.code == 1 and "Traceback" not in done.err and "error: " in done.err)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_a_disk_operation_ends_leaves_a_whole_store_and_can_be_repeated(
    name: str, library: Path, stages: dict[str, tuple[Path, tuple[str, ...]]], tmp_path: Path
) -> None:
    before, words = stages[name]
    home = prepared(before, tmp_path / "store")
    undisturbed = run(library, home, words)
    assert undisturbed.code == 0, undisturbed.err
    assert undisturbed.operations > 3, "the shim sees what the command does"
    expected = content(open_store(Home(home)))
    for number, at in enumerate(spread(undisturbed.operations, TRIES)):
        error = ERRORS[number % len(ERRORS)]
        prepared(before, home)
        done = run(library, home, words, at, error)
        assert is_told(done, error), (at, error, done)
        if Home(home).database.exists() and done.code != 0:
            assert verify(open_store(Home(home)), recompute=derived).problems == (), (at, error)
        again = run(library, home, words)
        assert again.code == 0, (at, error, again.err)
        assert verify(open_store(Home(home)), deep=True, recompute=derived).problems == (), (at, error)
        assert content(open_store(Home(home))) == expected, (at, error)
