"""Two nodes of Ray: the vectors are those of one process to the byte, whatever is killed meanwhile."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import Popen

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cluster_toys import needs_ray, two_nodes
from kill_toys import collection

from clipbench.home import Home
from clipbench.store.embeddings import list_sets
from clipbench.store.engine import open_store
from clipbench.store.verify import verify

pytestmark = [pytest.mark.slow, needs_ray]

EMBED = ("embed", "toys", "--model", "python:gated:load")
SECONDS = 120.0

GATED = """
import os, time
from pathlib import Path

import numpy as np

GATE = Path(__file__).parent / "gate"


class Gated:
    version = "1"

    def encode_texts(self, texts):
        return self.passed([[len(text), *text.encode()[:32].ljust(32)] for text in texts])

    def encode_images(self, images):
        return self.passed([np.append(np.asarray(image)[7, :11].ravel() + 1.0, 1)[:33] for image in images])

    def passed(self, vectors):
        if len(vectors) > 1:  # with one it is asked for its dimension, when it is loaded
            (GATE / str(os.getpid())).touch()
            while not (GATE / "open").exists():
                time.sleep(0.01)
        return np.array(vectors, dtype=np.float32)


def load():
    return Gated()
"""
"""A model that says which process is at a shard, and holds it for as long as there is no file `open`."""


def ended(process: Popen[str]) -> str:
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return out + err


def files(store: Path) -> dict[str, Path]:
    folder = store / "embeddings"
    return {p.name: p for p in folder.rglob("*.h5") if not p.name.startswith(".")}


def checksums(store: Path) -> dict[str, str]:
    return {one.key: one.checksum for one in list_sets(open_store(Home(store)))}


def wait_until(true: Callable[[], bool], process: Popen[str] | None = None) -> None:
    """Wait for what must come to pass, before the process ends if there is one."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True)
class Gate:
    """Who is at a shard, and whether they may finish it."""

    folder: Path

    def open(self) -> None:
        (self.folder / "open").touch()

    def close(self) -> None:
        for one in self.folder.iterdir():
            one.unlink()

    def workers(self) -> list[int]:
        """Return the processes that have been at a shard since it was closed."""
        return [int(one.name) for one in self.folder.iterdir() if one.name != "open"]


def test_a_killed_driver_and_a_killed_node_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, gate = tmp_path / "here", tmp_path / "there", Gate(tmp_path / "gate")
    gate.folder.mkdir()
    gate.open()
    (tmp_path / "gated.py").write_text(GATED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with two_nodes(PYTHONPATH=os.environ["PYTHONPATH"]) as nodes:
        toys = replace(collection(tmp_path), text_shard=12, image_shard=4)
        for home in (here, there):
            toys.add(home)
        assert toys.run(here, *EMBED)[0] == 0
        spread = (*EMBED, "--engine", "ray", "--address", nodes.address())
        for name, value in nodes.environment.items():
            monkeypatch.setenv(name, value)

        driver = toys.start(there, *spread)
        wait_until(lambda: len(files(there)) >= 4, driver)
        driver.kill()
        driver.communicate()
        finished = {name: path.stat().st_mtime_ns for name, path in files(there).items()}
        assert len(finished) < len(files(here))

        wait_until(lambda: not any(map(runs, gate.workers())))  # Ray ends the workers of a lost driver
        gate.close()
        driver = toys.start(there, *spread)
        wait_until(lambda: len(gate.workers()) == 2, driver)
        nodes.remove_one()
        wait_until(lambda: sum(map(runs, gate.workers())) == 1, driver)
        gate.open()
        assert "was lost, its shards go to others" in ended(driver)

    bytes_of = [{name: path.read_bytes() for name, path in files(home).items()} for home in (here, there)]
    assert bytes_of[0] == bytes_of[1]
    assert {name: files(there)[name].stat().st_mtime_ns for name in finished} == finished
    assert checksums(there) == checksums(here)
    assert verify(open_store(Home(there)), deep=True).problems == ()
