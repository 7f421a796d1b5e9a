"""How long `clipbench --help` and `clipbench report` over 1,000 stored runs take, as whole processes.

    python benchmarks/startup.py [--runs 1000] [--repeats 5]

Both are measured beside `python -c pass` and `import typer` in the same run; quote the medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

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


def timed(command: list[str], repeats: int) -> float:
    """Return the median wall seconds of a whole process, after one that is not counted."""
    seconds = []
    for number in range(repeats + 1):
        began = time.perf_counter()
        subprocess.run(  # noqa: S603  (fixed commands)
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if number:
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), asked.runs)
        ours = [sys.executable, "-m", "clipbench"]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import typer": [sys.executable, "-c", "import typer"],
            "clipbench --help": [*ours, "--help"],
            f"clipbench report ({asked.runs:,} runs)": [*ours, "report", "--store", folder],
            f"clipbench report --format csv ({asked.runs:,} runs)": [
                *ours, "report", "--format", "csv", "--store", folder,
            ],
        }  # fmt: skip
        base = None
        for name, command in commands.items():
            seconds = timed(command, asked.repeats)
            base = base or seconds
            print(f"{name:<44} {seconds:6.2f} s  {seconds / base:5.1f} × python -c pass")


if __name__ == "__main__":
    main()
