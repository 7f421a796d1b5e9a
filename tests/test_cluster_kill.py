"""Two nodes of Ray: the vectors are those of one process to the byte, whatever is killed meanwhile."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
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

EMBED = ("embed", "toys", "--model", "toy")
SECONDS = 120.0


def ended(process: Popen[str]) -> str:
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return out + err


def files(store: Path) -> dict[str, Path]:
    folder = store / "embeddings"
    return {p.name: p for p in folder.rglob("*.h5") if not p.name.startswith(".")}


def checksums(store: Path) -> dict[str, str]:
    return {one.key: one.checksum for one in list_sets(open_store(Home(store)))}


def wait_for(process: Popen[str], store: Path, count: int) -> None:
    end = time.monotonic() + SECONDS
    while process.poll() is None and len(files(store)) < count and time.monotonic() < end:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()


def test_a_killed_driver_and_a_killed_node_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with two_nodes() as nodes:
        toys = replace(collection(tmp_path), text_shard=12, image_shard=4)
        for home in (here, there):
            toys.add(home)
        assert toys.run(here, *EMBED)[0] == 0
        spread = (*EMBED, "--engine", "ray", "--address", nodes.address())
        for name, value in nodes.environment.items():
            monkeypatch.setenv(name, value)

        driver = toys.start(there, *spread)
        wait_for(driver, there, 4)
        driver.kill()
        driver.communicate()
        finished = {name: path.stat().st_mtime_ns for name, path in files(there).items()}

        driver = toys.start(there, *spread)
        wait_for(driver, there, len(finished) + 6)
        nodes.remove_one()
        assert "was lost, its shards go to others" in ended(driver)

    bytes_of = [{name: path.read_bytes() for name, path in files(home).items()} for home in (here, there)]
    assert bytes_of[0] == bytes_of[1]
    assert {name: files(there)[name].stat().st_mtime_ns for name in finished} == finished
    assert checksums(there) == checksums(here)
    assert verify(open_store(Home(there)), deep=True).problems == ()
