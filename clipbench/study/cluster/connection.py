"""A Ray cluster to work on: one that is there, or one of this machine's processors for as long as it is needed.

A cluster of ours listens on this machine alone and wants a secret, for whoever reaches a cluster runs programs on it.
Nothing is reported to anybody, and no dashboard is started.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipbench.errors import ClipbenchError

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "^"}
"""Environment of every use of Ray: it reports to nobody, and prints nothing among our results."""

OWN = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}
"""Environment of a cluster of ours: the first makes Ray listen on 127.0.0.1 alone, whatever the system."""

MEMORY = 100 << 20
"""Bytes of Ray's shared memory; tasks and answers are small, vectors go by files."""


START = (
    "ray start --head on one machine and ray start --address on the others, or leave out --address for "
    "the processors of this one"
)
ANSWER = 5.0
"""Seconds in which a cluster must answer; Ray itself would try for minutes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line says of a cluster. address: None for one of this machine. gpus: of one worker."""

    address: str | None = None
    workers: int | None = None
    gpus: float | None = None


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many workers there are to be, and what each takes of its machine."""

    workers: int
    cpus: float
    gpus: float


class Connection:
    """A connection to a cluster, and what has to be put away with it."""

    def __init__(self, asked: Asked, threads: int = 1) -> None:
        """Connect. threads: of a worker. Raises ClipbenchError where Ray is not installed or there is no such cluster."""
        self._asked = asked
        self._threads = threads
        self._folder: Path | None = None
        if asked.address is not None:
            check_address(asked.address)
        self.ray = imported(own=asked.address is None)
        self._theirs = bool(self.ray.is_initialized())
        if not self._theirs:
            self._connect()

    def _connect(self) -> None:
        quiet = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
        try:
            if self._asked.address is None:
                self._folder = Path(tempfile.mkdtemp(prefix="clipbench-ray-"))
                self.ray.init(
                    address="local",
                    num_cpus=max((self._asked.workers or 1) * self._threads, os.cpu_count() or 1),
                    include_dashboard=False,
                    object_store_memory=MEMORY,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=str(self._folder),
                    **quiet,
                )
            else:
                self.ray.init(address=self._asked.address, **quiet)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError, ImportError) as error:
            self.close()
            told = " ".join(str(error).split())[:200]
            if self._asked.address is None:
                raise ClipbenchError(f"no Ray cluster can be started on this machine: {told}") from None
            raise ClipbenchError(
                f"no Ray cluster can be used by --address {self._asked.address}: {told}", START
            ) from None

    def crowd(self, device: str, threads: int) -> Crowd:
        """Return how many workers fit where nobody said so: one a GPU, without any as many as find their threads."""
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        gpus = float(sum(node.get("GPU", 0) for node in nodes))
        each = self._asked.gpus
        if each is None:
            each = 1.0 if gpus and device in {"auto", "cuda"} else 0.0
        if each > gpus and self._asked.address is None:
            raise ClipbenchError(
                f"each worker is to have {each:g} GPUs, this machine has {gpus:g}", "--gpus-per-worker 0"
            )
        if each:
            return Crowd(self._asked.workers or max(1, int(gpus // each)), 1.0, each)
        # A node with fewer processors than this machine has threads takes one worker all the same.
        cpus = max(1.0, min(float(threads), max((node.get("CPU", 0.0) for node in nodes), default=1.0)))
        fitting = sum(int(node.get("CPU", 0) // cpus) for node in nodes)
        return Crowd(self._asked.workers or max(1, fitting), cpus, 0.0)

    def resources(self) -> str:
        """Return what of the cluster is taken, for people."""
        has, free = self.ray.cluster_resources(), self.ray.available_resources()
        nodes = sum(bool(node["Alive"]) for node in self.ray.nodes())
        taken = [
            f"{has[name] - free.get(name, 0):g} of {has[name]:g} {name}s taken"
            for name in ("CPU", "GPU")
            if has.get(name)
        ]
        return ", ".join([f"{nodes} machines" if nodes != 1 else "1 machine", *taken])

    def close(self) -> None:
        """Leave the cluster, ending one of ours."""
        if not self._theirs:
            self.ray.shutdown()
        if self._folder is not None:
            _remove(self._folder)


def _remove(folder: Path) -> None:
    """Remove what a cluster of ours wrote of itself; its last processes write for a moment longer."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def check_address(address: str) -> None:
    """Raise ClipbenchError for what is no address of a cluster, or where nobody answers there."""
    if address == "auto":
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 1 << 16):
        raise ClipbenchError(f"--address {address} is none", "auto, HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except OSError as error:
        told = error.strerror or str(error)
        raise ClipbenchError(f"nobody answers at --address {address} ({told})", START) from None


def imported(*, own: bool) -> Any:
    """Return the library, which reads its environment as it is imported. own: a cluster of ours is wanted."""
    os.environ.update(QUIET)
    if own:
        os.environ.update(OWN)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ImportError:
        raise ClipbenchError("--engine ray needs Ray", "pip install 'clipbench[ray]'") from None
    return ray
