"""A sweep that is killed goes on where it stopped: equal results, nothing encoded twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, environment, good

from clipbench.home import Home
from clipbench.store.engine import open_store, reading
from clipbench.store.runs import load_metrics
from clipbench.store.sweeps import find_sweep
from clipbench.store.vectors import Pool

ASKED = (
    "robustness", "sweep", "toys", "--model", "toy", "-q", "--name", "all",
    "--perturb", "word-dropout,keyboard,jpeg", "--seeds", "3",
)  # fmt: skip


def rows(store: Path, table: str) -> int:
    file = store / "clipbench.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  our own names


def killed_after(store: Path, table: str, count: int) -> int:
    """Start the sweep, kill it without warning once a table has so many rows; return how many it has then."""
    command = [sys.executable, "-m", "clipbench", *ASKED]
    process = subprocess.Popen(
        command, env={**os.environ, "CLIPBENCH_STORE": str(store)}, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while rows(store, table) < count:
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline, f"the sweep adds nothing to {table}"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return rows(store, table)


def outcome(folder: Path) -> tuple[list[object], dict[str, int], dict[str, int]]:
    """Metrics of every run, and per modality how many vectors and how many distinct items are stored."""
    store = open_store(Home(folder))
    found = [load_metrics(store, key) for key in find_sweep(store, "all").runs]
    with reading(store) as connection:
        stored = {
            row.modality: row.total
            for row in connection.exec_driver_sql(
                "SELECT modality, sum(rows) AS total FROM vector_shard GROUP BY modality"
            )
        }
        encoder = connection.exec_driver_sql("SELECT key FROM encoder").scalar_one()
    distinct = {}
    for modality in stored:
        index = Pool(store, encoder, modality).index()
        distinct[modality] = len(set(zip(index.high.tolist(), index.low.tolist(), strict=True)))
    return list(found), stored, distinct


@pytest.mark.slow
def test_a_killed_sweep_goes_on_where_it_stopped(tmp_path: Path) -> None:
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    for folder in (broken, whole):
        with environment(CLIPBENCH_STORE=str(folder)):
            added(tmp_path / f"{folder.name}-toys", images=20)
    good(*ASKED, store=whole)
    total = rows(whole, "run")
    assert killed_after(broken, "vector_shard", 2) < rows(whole, "vector_shard")
    for count in (1, 12):
        assert count <= killed_after(broken, "run", count) < total
    good(*ASKED, store=broken)
    assert rows(broken, "run") == total
    expected, stored, distinct = outcome(whole)
    assert outcome(broken) == (expected, stored, distinct)
    assert stored == distinct
    good("store", "verify", "--deep", store=broken)
