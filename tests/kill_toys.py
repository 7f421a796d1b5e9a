"""Kills the real command line at random moments and looks at what it left behind; no test is in here."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import draw, write_csv

from clipbench.home import Home
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import list_sets, load_vectors
from clipbench.store.engine import Store, open_store, reading
from clipbench.store.queries import list_runs
from clipbench.store.runs import load_ledgers, load_metrics
from clipbench.store.verify import verify
from clipbench.study.runs.run_kinds import derived

SMALL = (
    "from clipbench.study.embedding import encode; encode.TEXT_SHARD, encode.IMAGE_SHARD = {text}, {image}; "
    "from clipbench.cli.app import main; main()"
)
"""The command line with shards so small that a toy collection has many."""

COMMANDS = (
    ("evaluate", "toys", "--model", "toy"),
    ("embed", "toys", "--model", "toy"),
)
"""What is killed. The second needs nothing that the first does not encode, and the other way round."""


@dataclass(frozen=True)
class Collection:
    """A collection on disk and how its vectors are cut into shards."""

    folder: Path
    text_shard: int = 32
    image_shard: int = 16

    def start(self, home: Path, *words: str) -> subprocess.Popen[str]:
        """Start the real command line on the store at `home`."""
        code = SMALL.format(text=self.text_shard, image=self.image_shard)
        environment = {**os.environ, "CLIPBENCH_STORE": str(home), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, home: Path, *words: str) -> tuple[int, str, str]:
        """Run a command to its end; return exit code, stdout, stderr."""
        process = self.start(home, *words)
        out, err = process.communicate()
        return process.returncode, out, err

    def add(self, home: Path) -> None:
        """Make a store at `home` that has the collection and no vector."""
        words = ("--captions", str(self.folder / "captions.csv"), "--images", str(self.folder / "photos"))
        code, _, err = self.run(home, "dataset", "add", "toys", *words, "--quiet")
        if code:
            raise RuntimeError(err)


def collection(folder: Path, images: int = 160, captions: int = 6) -> Collection:
    """Draw `images` pictures of 64 × 64 with several captions each."""
    names = draw(folder / "photos", images, side=64)
    rows = [
        (name, f"picture {i} seen {j} times in {j + i % 7} colours")
        for i, name in enumerate(names)
        for j in range(captions)
    ]
    write_csv(folder / "captions.csv", rows)
    return Collection(folder)


def content(store: Store) -> dict[str, object]:
    """Everything a store holds that depends on the collection and the commands alone, to the bit."""
    found: dict[str, object] = {"dataset": load_dataset(store, "toys").key}
    for one in list_sets(store):
        found[one.key] = (one.checksum, load_vectors(store, one).tobytes(), one.unreadable, one.truncated)
    for run in list_runs(store):
        ledgers = load_ledgers(store, run.key)
        arrays = [
            getattr(ledgers[d], name)
            for d in sorted(ledgers)
            for name in ("above", "tied", "top1", "positive_score")
        ]
        found[run.key] = (load_metrics(store, run.key), [np.asarray(array).tobytes() for array in arrays])
    return found


def acknowledged(store: Store) -> set[str]:
    """The keys of all finished shards, embedding sets and runs."""
    with reading(store) as connection:
        return {
            key
            for table in ("vector_shard", "embedding_set", "run")
            for key in connection.exec_driver_sql(f"SELECT key FROM {table}").scalars()  # noqa: S608, our own names
        }


@dataclass
class Outcome:
    """What happened: kills, those of them that found something new stored, and stores that were finished."""

    kills: int = 0
    midway: int = 0
    stores: int = 0


@dataclass(frozen=True)
class Reference:
    """What an undisturbed store holds, how many vector files it has, and how long a process takes to start."""

    content: dict[str, object]
    files: int
    startup: float


def undisturbed(toys: Collection, home: Path) -> Reference:
    """Run every command to its end in a new store."""
    toys.add(home)
    for words in COMMANDS:
        _complete(toys, home, words)
    began = time.monotonic()
    toys.run(home, *COMMANDS[0])  # everything is stored, so this is little more than starting
    return Reference(content(open_store(Home(home))), len(_files(home)), time.monotonic() - began)


def disturb(
    toys: Collection,
    homes: Iterator[Path],
    reference: Reference,
    kills: int,
    seed: int,
    midway: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Kill commands at random moments; after each, and at each end, look at the store.

    Goes on until `kills` have hit, `midway` of them where something new was stored: how many do, the speed
    of the machine decides, so there is an end to it at ten times `kills`. Raises AssertionError where anything acknowledged is lost, `verify` finds anything, or a store that
    was finished in the end differs from the undisturbed one in a bit.
    """
    moments = random.Random(seed)  # noqa: S311, a seeded draw of moments
    outcome = Outcome()

    def wanting() -> bool:
        return outcome.kills < kills or (outcome.midway < midway and outcome.kills < 10 * kills)

    while wanting():
        home = next(homes)
        toys.add(home)
        # Two commands, so that both are killed while they encode; the other one finds all of it.
        words = COMMANDS[outcome.stores % 2]
        while wanting() and _killed(toys, home, words, reference, moments, outcome):
            say(f"kill {outcome.kills}: {' '.join(words)}, {len(_files(home))} of {reference.files} files")
        for each in COMMANDS:
            _complete(toys, home, each)
        store = open_store(Home(home))
        assert verify(store, deep=True, recompute=derived).problems == ()
        assert content(store) == reference.content, "the store differs from the undisturbed one"
        outcome.stores += 1
        say(f"store {outcome.stores} is as if nothing had happened")
    return outcome


def _killed(
    toys: Collection,
    home: Path,
    words: tuple[str, ...],
    reference: Reference,
    moments: random.Random,
    outcome: Outcome,
) -> bool:
    """Run a command and kill it at a random moment; return False where it came to its end before that."""
    store = open_store(Home(home))
    before = acknowledged(store)
    process = toys.start(home, *words)
    _wait(process, home, reference, moments)
    process.kill()
    _, err = process.communicate()
    if process.returncode != -signal.SIGKILL:
        assert process.returncode == 0, err
        return False
    after = acknowledged(store)
    assert before <= after, "something acknowledged is lost"
    assert verify(store, recompute=derived).problems == ()
    outcome.kills += 1
    outcome.midway += before < after
    return True


def _wait(process: subprocess.Popen[str], home: Path, reference: Reference, moments: random.Random) -> None:
    """Wait until some moment while the process starts, or until some files later, or while it ranks and saves."""
    if moments.random() < 0.15:
        time.sleep(moments.uniform(0, reference.startup))
        return
    wanted = min(len(_files(home)) + moments.randint(1, reference.files // 3), reference.files)
    while process.poll() is None and len(_files(home)) < wanted:
        time.sleep(0.002)
    time.sleep(moments.uniform(0, reference.startup if wanted == reference.files else 0.05))


def _complete(toys: Collection, home: Path, words: tuple[str, ...]) -> None:
    code, _, err = toys.run(home, *words)
    assert code == 0, err


def _files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*.h5") if not path.name.startswith(".")]
