"""A Ray cluster of two nodes in a process of its own, one of which can be taken away; no test is in here.

python tests/cluster_toys.py     print the address; remove a node at a line on stdin; end with stdin
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

MEMORY = 80 << 20
HEALTH = {"initial_delay_ms": 0, "period_ms": 500, "timeout_ms": 500, "failure_threshold": 3}
"""How soon a dead node is noticed; Ray's own patience is half a minute."""

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` is not installed")
"""Ray is not imported to find out: it reads its environment as it is, and takes a second."""


@dataclass(frozen=True)
class Nodes:
    """A cluster at work, and what a process must have in its environment to reach it."""

    process: subprocess.Popen[str]
    environment: dict[str, str]

    def address(self) -> str:
        """Wait until the cluster is there, and return where."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def remove_one(self) -> None:
        """Take the second node away, as if its machine had lost power."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def two_nodes(**more: str) -> Iterator[Nodes]:
    """Yield a cluster of two nodes with a processor each, that listens on this machine alone.

    more: environment of its workers.
    """
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    loopback = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    environment = {**secret, **loopback, **more}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield Nodes(process, environment)
    finally:
        process.communicate(timeout=60)


def main() -> None:
    """Be the cluster."""
    from ray.cluster_utils import Cluster

    config = {f"health_check_{name}": value for name, value in HEALTH.items()}
    node = {"num_cpus": 1, "object_store_memory": MEMORY}
    head = {**node, "include_dashboard": False, "_system_config": config}
    made = Cluster(initialize_head=True, head_node_args=head)
    second = made.add_node(**node)
    print(made.address, flush=True)  # noqa: T201, our caller reads it
    try:
        if sys.stdin.readline():
            made.remove_node(second, allow_graceful=False)
            sys.stdin.read()
    finally:
        made.shutdown()


if __name__ == "__main__":
    main()
