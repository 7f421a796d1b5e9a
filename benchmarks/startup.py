"""How long `clipbench --help` takes, `report` and `runs list` over 1,000 stored runs, and `evaluate` of a stored run.

    python benchmarks/startup.py [--runs 1000] [--repeats 5]

The stored run is of 1,000 drawn photographs with 5,000 captions. All are whole processes, measured by turns beside
`python -c pass` and `import typer` in the same run; quote the medians. Modules are compiled before, as they are in an
installed package: a checkout whose bytecode cannot be kept (PYTHONDONTWRITEBYTECODE) takes .1 s more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from clipbench.home import Home
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.records import (
    CLEAN,
    Caption,
    Dataset,
    EncoderIdentity,
    Protocol,
    RunSpec,
    Sample,
    image_key,
    text_key,
)
from clipbench.store.datasets import save_dataset
from clipbench.store.embeddings import Encoding, save_set
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import open_store
from clipbench.store.perturbations import save_perturbation
from clipbench.store.runs import RunRecord, save_run
from clipbench.store.vectors import Pool
from clipbench.study.evaluation.protocol import metrics_of

SIZE = 64
IMAGES, CAPTIONS = 1_000, 5

OURS = [sys.executable, "-m", "clipbench"]
EVALUATE = ["evaluate", "photographs", "--model", "toy"]
SETTINGS = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def fill(folder: Path, runs: int) -> None:
    """Store one small dataset and `runs` runs on it that differ in their bootstrap seed."""
    samples = tuple(
        Sample(f"i{n}", (Caption(f"i{n}#0", f"caption {n}"),), path=f"i{n}.png", digest=f"{n:064x}")
        for n in range(SIZE)
    )
    dataset = Dataset("bench", "csv", "test", "all", samples)
    identity = EncoderIdentity("toy", "toy", "toy", "toy", None, "w", "none", {}, {}, "fp32", SIZE)
    store = open_store(Home(folder))
    save_dataset(store, dataset)
    save_encoder(store, identity, None)
    save_perturbation(store, CLEAN)
    vectors = np.eye(SIZE, dtype=np.float32)
    keys = {
        "image": [image_key(s.digest or "", CLEAN, s.id) for s in samples],
        "text": [text_key(c.text) for c in dataset.captions],
    }
    sets = {}
    for modality in ("image", "text"):
        Pool(store, identity.key, modality).write(keys[modality], vectors)
        sets[modality] = save_set(store, Encoding(dataset.key, identity.key, CLEAN, modality, keys[modality]))
    ledgers = rank(vectors, vectors, own(dataset.owners, SIZE), dataset.owners)
    metrics = metrics_of(ledgers, Protocol(resamples=100))
    for seed in range(runs):
        protocol = Protocol(seed=seed, resamples=100)
        spec = RunSpec("evaluate", dataset.key, sets["image"].key, sets["text"].key, protocol.as_json())
        save_run(store, spec, RunRecord(identity.key, CLEAN.key, "bench", "0"), ledgers, metrics)


def evaluated(folder: Path) -> None:
    """Store 1,000 photographs of one colour with five captions each, and their evaluation."""
    lines = ["image,caption"]
    for number in range(IMAGES):
        Image.new("RGB", (32, 32), (number % 250, number // 250 * 60, 90)).save(folder / f"{number}.png")
        lines += [f"{number}.png,caption {n} of photograph {number}" for n in range(CAPTIONS)]
    (folder / "captions.csv").write_text("\n".join(lines))
    words = ("dataset", "add", "photographs", "--captions", str(folder / "captions.csv"))
    timed([*OURS, *words, "--store", str(folder / "store")])
    timed([*OURS, *EVALUATE, "--store", str(folder / "store")])


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of processor time."""

    clock: float
    processor: float


def timed(command: list[str]) -> Spent:
    """Return what a whole process takes. Raises CalledProcessError where it fails."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(  # noqa: S603  (fixed commands)
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=SETTINGS
    )
    clock, after = time.perf_counter() - began, os.times()
    return Spent(
        clock, after.children_user + after.children_system - before.children_user - before.children_system
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as photographs:
        fill(Path(folder), asked.runs)
        evaluated(Path(photographs))
        runs, there = f"({asked.runs:,} runs)", ["--store", folder]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import typer": [sys.executable, "-c", "import typer"],
            "clipbench --help": [*OURS, "--help"],
            f"clipbench report {runs}": [*OURS, "report", *there],
            f"clipbench report --format csv {runs}": [*OURS, "report", "--format", "csv", *there],
            f"clipbench runs list {runs}": [*OURS, "runs", "list", *there],
            "clipbench evaluate (stored, 5,000 captions)": [
                *OURS, *EVALUATE, "--store", f"{photographs}/store",
            ],
        }  # fmt: skip
        spent: dict[str, list[Spent]] = {name: [] for name in commands}
        for number in range(asked.repeats + 1):  # the first time round does not count
            for name, command in commands.items():
                one = timed(command)
                if number:
                    spent[name].append(one)
        for name, times in spent.items():
            clock = statistics.median(one.clock for one in times)
            processor = statistics.median(one.processor for one in times)
            print(f"{name:<44} {clock:6.2f} s by the clock  {processor:6.2f} s of processor time")


if __name__ == "__main__":
    main()
