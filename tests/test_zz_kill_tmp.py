"""Killed at any moment, full or crowded: a store stays whole and loses nothing it acknowledged.

Children are forked, so a kill costs no import; each reports over a pipe what the store told it is saved.
"""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import (
    ENCODER,
    item_keys,
    new_store,
    toy_dataset,
    toy_ledger,
    toy_ledgers,
    toy_metrics,
    toy_record,
    toy_run,
    unit_vectors,
)

from clipbench.errors import StoreError
from clipbench.home import Home
from clipbench.records import RunSpec
from clipbench.store import shards, views
from clipbench.store.datasets import load_dataset, save_dataset
from clipbench.store.engine import Store, open_store, reading
from clipbench.store.maintenance import backup, verify
from clipbench.store.queries import list_runs
from clipbench.store.runs import load_ledgers, load_metrics, save_run
from clipbench.store.vectors import Pool

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")

FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
SIZE = 40
"""Items in a shard."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "store")


def child(
    work: Callable[..., None], *values: object
) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    assert FORK is not None
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=work, args=(theirs, *values))
    process.start()
    theirs.close()
    return process, ours


def received(pipe: Connection) -> Iterator[tuple[str, object]]:
    """Yield everything a dead child said."""
    try:
        while True:
            yield pipe.recv()
    except EOFError:
        return


def nth_shard(number: int) -> tuple[list[bytes], npt.NDArray[np.float32]]:
    return item_keys(SIZE, number * SIZE), unit_vectors(SIZE, number)


def nth_run(spec: RunSpec, number: int) -> RunSpec:
    return replace(spec, protocol={"number": number})


def write_for_ever(pipe: Connection, home: Home, spec: RunSpec, first: int) -> None:
    """Store shards, runs and datasets without end; say so of each once the call has returned."""
    store = open_store(home)
    pool = Pool(store, ENCODER.key, "text")
    ledgers = toy_ledgers(100)
    for number in range(first, 10**6):
        keys, vectors = nth_shard(number)
        if pool.missing(keys) and not pool.adopt(keys):
            pool.write(keys, vectors)
        pipe.send(("shard", number))
        run = nth_run(spec, number)
        save_run(store, run, toy_record(), ledgers, toy_metrics())
        pipe.send(("run", run.key))
        save_dataset(store, toy_dataset(f"d{number}", images=20, word=f"w{number}"))
        pipe.send(("dataset", f"d{number}"))


def assert_whole(store: Store, shards_: set[int], runs: set[str], datasets: set[str]) -> None:
    assert verify(store, deep=True).problems == ()
    pool = Pool(store, ENCODER.key, "text")
    for number in sorted(shards_):
        keys, vectors = nth_shard(number)
        assert np.array_equal(pool.gather(keys), vectors)
    assert runs <= {run.key for run in list_runs(store)}
    for key in runs:
        assert list(load_metrics(store, key)) == toy_metrics()
        assert len(load_ledgers(store, key)) == 2
    for name in datasets:
        assert len(load_dataset(store, name).samples) == 20


@pytest.mark.slow
def test_killed_at_random_moments_nothing_acknowledged_is_lost(home: Home) -> None:
    spec = toy_run(open_store(home))
    draw = random.Random(3)  # noqa: S311, a seeded draw of moments
    said: dict[str, set[object]] = {"shard": set(), "run": set(), "dataset": set()}
    for _ in range(30):
        process, pipe = child(write_for_ever, home, spec, len(said["dataset"]))
        heard = [pipe.recv() for _ in range(draw.randint(1, 6))]
        time.sleep(draw.uniform(0, 0.06))
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        for kind, name in (*heard, *received(pipe)):
            said[kind].add(name)
        assert verify(open_store(home)).problems == ()
    assert all(said.values())
    assert_whole(open_store(home), said["shard"], said["run"], said["dataset"])  # type: ignore[arg-type]


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(function: Callable[..., None]) -> Callable[..., None]:
    def and_die(*values: object) -> None:
        function(*values)
        die()

    return and_die


def write_one_and_die(_: Connection, home: Home, place: str) -> None:
    if place == "before the name":
        shards.rename = die
    elif place == "before the row":
        shards.rename = after(shards.rename)
    elif place == "before the commit":
        Pool._insert = after(Pool._insert)  # type: ignore[method-assign]
    else:
        os.fsync = die
    Pool(open_store(home), ENCODER.key, "text").write(*nth_shard(0))


@pytest.mark.parametrize("place", ["while writing", "before the name", "before the row", "before the commit"])
def test_killed_while_a_shard_is_finished_the_same_command_resumes(home: Home, place: str) -> None:
    store = open_store(home)
    toy_run(store)
    process, _ = child(write_one_and_die, home, place)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    found = verify(store)
    assert found.problems == ()
    assert len(found.notes) == 1
    keys, vectors = nth_shard(0)
    pool = Pool(store, ENCODER.key, "text")
    assert len(pool.missing(keys)) == SIZE
    assert pool.adopt(keys) is (place in ("before the row", "before the commit"))
    pool.write(keys, vectors)
    assert np.array_equal(pool.gather(keys), vectors)
    assert verify(store, deep=True).problems == ()


def open_and_die(_: Connection, home: Home) -> None:
    views.create_views = die
    open_store(home)


def test_killed_while_a_store_is_made_the_next_opening_makes_it(home: Home) -> None:
    process, _ = child(open_and_die, home)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert home.database.exists()
    toy_run(open_store(home))
    assert verify(open_store(home), deep=True).problems == ()


def write_the_same(pipe: Connection, home: Home, spec: RunSpec, seed: int) -> None:
    """Store the same things as the other children do at the same time, in an order of one's own."""
    store = open_store(home)
    pool = Pool(store, ENCODER.key, "text")
    order = list(range(12))
    random.Random(seed).shuffle(order)  # noqa: S311, a seeded order
    for number in order:
        keys, vectors = nth_shard(number)
        pool.write(keys, vectors)
        run = nth_run(spec, number)
        saved = save_run(store, run, toy_record(), toy_ledgers(), toy_metrics())
        own = nth_run(spec, 1000 * (seed + 1) + number)
        save_run(store, own, toy_record(), toy_ledgers(), toy_metrics())
        name = save_dataset(store, toy_dataset(f"d{number}", word=f"w{number}"))
        pipe.send((f"run {number}", saved.created))
        pipe.send((f"dataset {number}", name.created))


def test_four_processes_that_write_the_same_at_once_all_end_well(home: Home, tmp_path: Path) -> None:
    spec = toy_run(open_store(home))
    children = [child(write_the_same, home, spec, seed) for seed in range(4)]
    copy = backup(open_store(home), tmp_path / "copy")
    created: dict[str, int] = {}
    for process, pipe in children:
        for what, new in received(pipe):
            created[what] = created.get(what, 0) + bool(new)
        process.join()
        assert process.exitcode == 0
    assert created == {f"{what} {n}": 1 for what in ("run", "dataset") for n in range(12)}
    store = open_store(home)
    with reading(store) as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM vector_shard WHERE rows = 40").scalar_one()
    assert count == 12
    assert len(list_runs(store)) == 1 + 12 + 4 * 12
    found = verify(store, deep=True)
    assert (found.problems, found.notes) == ((), ())
    assert verify(open_store(Home(copy.folder)), deep=True).problems == ()


def write_until_refused(pipe: Connection, home: Home, spec: RunSpec, what: str, limit: int) -> None:
    if limit:
        import resource  # POSIX only

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    store = open_store(home)
    pool = Pool(store, ENCODER.key, "text")
    ledgers = toy_ledgers(4000)
    try:
        for number in range(200):
            if what == "shards":
                pool.write(item_keys(2000, number * 2000), unit_vectors(2000, number))
                pipe.send(("shard", number))
            else:
                save_run(store, nth_run(spec, number), toy_record(), ledgers, toy_metrics())
                pipe.send(("run", nth_run(spec, number).key))
    except StoreError as error:
        pipe.send(("refused", (error.message, error.hint)))


def refusal(home: Home, spec: RunSpec, what: str, limit: int) -> tuple[str, set[object]]:
    """Write until it is refused; return what was said, and what was saved before."""
    process, pipe = child(write_until_refused, home, spec, what, limit)
    said = list(received(pipe))
    process.join()
    assert process.exitcode == 0
    assert said
    kind, told = said[-1]
    assert kind == "refused"
    assert isinstance(told, tuple)
    assert told[1]
    return str(told[0]), {name for kind, name in said if kind == "run"}


@pytest.mark.parametrize(
    ("what", "told"), [("shards", "a file would pass the size limit"), ("runs", "a file size limit")]
)
def test_a_file_size_limit_is_told_and_the_store_intact(home: Home, what: str, told: str) -> None:
    spec = toy_run(open_store(home))
    limit = 80_000 if what == "shards" else home.database.stat().st_size + 2_000_000
    said, saved = refusal(home, spec, what, limit)
    assert told in said
    store = open_store(home)
    assert verify(store, deep=True).problems == verify(store).notes == ()
    assert {run.key for run in list_runs(store)} == {spec.key, *saved}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB, where one can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "clipbench-test", str(folder)]
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip("no right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("what", ["shards", "runs"])
def test_a_full_disk_is_told_and_the_store_intact(small_disk: Path, what: str) -> None:
    home = Home(small_disk / "store")
    spec = toy_run(open_store(home))
    said, saved = refusal(home, spec, what, 0)
    assert "the disk is full" in said
    store = open_store(home)
    assert verify(store, deep=True).problems == verify(store).notes == ()
    assert {run.key for run in list_runs(store)} == {spec.key, *saved}
    with pytest.raises(StoreError, match="the disk is full"):
        backup(store, small_disk / "copy")
    assert not (small_disk / "copy").exists()


def test_a_store_from_before_the_fork_works_in_both(home: Home) -> None:
    store: Store = new_store(home.root)
    spec = toy_run(store)

    def save(pipe: Connection) -> None:
        save_run(store, nth_run(spec, 1), toy_record(), {"t2i": toy_ledger("t2i")}, [])
        pipe.send(("run", 1))

    process, pipe = child(save)
    save_run(store, nth_run(spec, 2), toy_record(), {"t2i": toy_ledger("t2i")}, [])
    assert list(received(pipe)) == [("run", 1)]
    process.join()
    assert len(list_runs(store)) == 3
    assert verify(store).problems == ()
