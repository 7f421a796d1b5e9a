"""A Ray cluster of two nodes on this machine against one process: time, and equality to the byte through kills.

    python benchmarks/cluster.py [--model demo] [--dataset scenes | --captions FILE --images FOLDER] [--no-kill]

Encodes in one process, then on the cluster, killing first the command and then a node in the middle, and compares every
vector file and the checksums of the embedding sets. With --no-kill the seconds of both can be compared.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from cluster_toys import two_nodes

SMALL = (
    "from clipbench.study.embedding import encode; encode.TEXT_SHARD, encode.IMAGE_SHARD = 256, 32; "
    "from clipbench.cli.app import main; main()"
)
"""Smaller shards, so that a collection of some hundred pictures can be interrupted in the middle."""


def start(store: Path, *words: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    told = {**os.environ, **(environment or {}), "CLIPBENCH_STORE": str(store)}
    return subprocess.Popen([sys.executable, "-c", SMALL, *words], env=told)  # noqa: S603, our own words


def run(store: Path, *words: str, environment: dict[str, str] | None = None) -> float:
    began = time.monotonic()
    code = start(store, *words, environment=environment).wait()
    if code:
        raise SystemExit(f"clipbench {' '.join(words)}: {code}")
    return time.monotonic() - began


def files(store: Path) -> dict[str, bytes]:
    paths = (p for p in (store / "embeddings").rglob("*.h5") if not p.name.startswith("."))
    return {path.name: path.read_bytes() for path in paths}


def wait_for(process: subprocess.Popen[bytes], store: Path, count: int) -> None:
    while process.poll() is None and len(files(store)) < count:
        time.sleep(0.05)
    if process.returncode is not None:
        raise SystemExit("it came to its end before it was killed: take a larger collection")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="demo")
    parser.add_argument("--captions", help="caption file of a collection; the drawn scenes without one")
    parser.add_argument("--images", help="folder of its photographs")
    parser.add_argument("--no-kill", action="store_true")
    asked = parser.parse_args()
    source = ["--captions", asked.captions, "--images", asked.images] if asked.captions else []
    embed = ("embed", "bench", "--model", asked.model)
    with tempfile.TemporaryDirectory() as folder, two_nodes() as nodes:
        one, many = Path(folder) / "one", Path(folder) / "many"
        for store in (one, many):
            run(store, "dataset", "add", "bench", *(source or ["--format", "scenes"]))
        alone = run(one, *embed)
        spread = (*embed, "--engine", "ray", "--address", nodes.address())
        if not asked.no_kill:
            whole = len(files(one))
            driver = start(many, *spread, environment=nodes.environment)
            wait_for(driver, many, whole // 4)
            driver.kill()
            driver.wait()
            kept = len(files(many))
            driver = start(many, *spread, environment=nodes.environment)
            wait_for(driver, many, whole // 2)
            nodes.remove_one()
            driver.wait()
            print(f"{kept} of {whole} vector files were there when the command was killed")
        together = run(many, *spread, environment=nodes.environment)
        equal = files(one) == files(many)
        print(f"one process {alone:.1f} s, two nodes {together:.1f} s")
        print(f"{len(files(many))} vector files, {'all equal to the byte' if equal else 'NOT EQUAL'}")
    raise SystemExit(0 if equal else 1)


if __name__ == "__main__":
    main()
