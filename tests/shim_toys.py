"""Runs the real command line while the n-th write, sync or rename in its store kills it or fails. No test is in here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("disk_shim.c")

KILL = 0
"""Instead of an error's number: the process ends as by kill -9."""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code (negative for a signal), stderr, and the disk operations it began."""

    code: int
    err: str
    operations: int


def compiled(folder: Path) -> Path | None:
    """Return the shim as a library, None where there is no compiler or the system is not Linux."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = folder / "disk_shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def run(library: Path, home: Path, words: tuple[str, ...], at: int = 0, error: int = KILL) -> Done:
    """Run a command on the store at `home` with the shim: its `at`-th operation there kills it or fails."""
    counted = library.with_name("operations")
    counted.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "CLIPBENCH_STORE": str(home),
        "OMP_NUM_THREADS": "1",
        "LD_PRELOAD": str(library),
        "SHIM_BELOW": str(home),
        "SHIM_AT": str(at),
        "SHIM_ERRNO": str(error),
        "SHIM_COUNT": str(counted),
    }
    done = subprocess.run(
        [sys.executable, "-m", "clipbench", *words],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    return Done(done.returncode, done.stderr, counted.stat().st_size if counted.exists() else 0)
