"""How long the commands that look at a whole store take where it is large, and how that grows.

    python benchmarks/store_at_size.py [--runs 1000] [--vectors 2000000] [--keep FOLDER]

Builds two stores by the store's own functions, one with a quarter of the runs and vectors of the other, each run with a
ledger of 25,000 captions and 5,000 images. Every command is a whole process; printed are its seconds on both and the
exponent, log4 of their ratio: 1 is linear. Ledgers are of drawn vectors; texts of runs overlap as those of sweeps do.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import event

from clipbench.home import Home
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.records import (
    CLEAN,
    Caption,
    Dataset,
    Direction,
    EncoderIdentity,
    Ledger,
    Metric,
    Perturbation,
    Protocol,
    RunSpec,
    Sample,
    image_key,
    text_key,
)
from clipbench.store.datasets import save_dataset
from clipbench.store.embeddings import Encoding, save_set, save_set_elsewhere, set_key
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store, open_store
from clipbench.store.runs import RunRecord, save_run
from clipbench.store.vectors import Pool
from clipbench.study.evaluation.protocol import metrics_of

CAPTIONS = 5
DIMENSION = 16
SHARD = 256
LEDGERS = 4
"""Drawn ledgers, which the runs have in turn; every run has rows of its own all the same."""

COMMANDS = (
    ("runs", "list"),
    ("report",),
    ("report", "--format", "csv"),
    ("report", "--compare", "noise-1", "noise-2"),
    ("report", "--leaderboard"),
    ("store", "info"),
    ("store", "verify", "--quick"),
    ("store", "gc", "--dry-run"),
)

Measured = tuple[dict[Direction, Ledger], tuple[Metric, ...]]


def unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    scaled: npt.NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
    return scaled


def hasty(store: Store) -> None:
    """Do not wait for the disk while building: a power cut would cost a benchmark."""
    os.fsync = lambda _: None
    event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))


def fill(folder: Path, images: int, runs: int, vectors: int) -> None:
    samples = tuple(
        Sample(
            f"i{n}",
            tuple(Caption(f"i{n}#{c}", f"caption {n * CAPTIONS + c}") for c in range(CAPTIONS)),
            path=f"i{n}.jpg",
            digest=f"{n:064x}",
        )
        for n in range(images)
    )
    dataset = Dataset("bench", "csv", "test", "all", samples)
    identity = EncoderIdentity("toy", "toy", "toy", "toy", None, "w", "none", {}, {}, "fp32", DIMENSION)
    store = open_store(Home(folder))
    hasty(store)
    save_dataset(store, dataset)
    save_encoder(store, identity, None)
    random = np.random.default_rng(0)
    photos = random.normal(size=(images, DIMENSION))
    keys = [image_key(s.digest or "", CLEAN, s.id) for s in samples]
    Pool(store, identity.key, "image").write(keys, unit(photos))
    pictures = save_set(store, Encoding(dataset.key, identity.key, CLEAN, "image", keys)).key
    texts = max(vectors - images, len(dataset.captions))
    pool = Pool(store, identity.key, "text")
    items = []
    for start in range(0, texts, SHARD):
        words = [f"caption {n}" for n in range(start, min(start + SHARD, texts))]
        items += [text_key(word) for word in words]
        pool.write(items[start:], unit(random.normal(size=(len(words), DIMENSION))), words)
    measured = [_measured(dataset, photos, random, noise) for noise in range(LEDGERS)]
    step = (texts - len(dataset.captions)) / max(1, runs - 1)
    for number in range(runs):
        first = round(number * step)
        window = items[first : first + len(dataset.captions)]
        _add_run(store, dataset, identity, pictures, window, number, measured[number % LEDGERS])


def _measured(
    dataset: Dataset, photos: npt.NDArray[np.float64], random: np.random.Generator, noise: int
) -> Measured:
    blur = 0.6 + 0.1 * noise
    words = photos[dataset.owners] + blur * random.normal(size=(len(dataset.captions), DIMENSION))
    ledgers = rank(unit(photos), unit(words), own(dataset.owners, len(photos)), dataset.owners)
    return ledgers, metrics_of(ledgers, Protocol(resamples=100))


def _add_run(
    store: Store,
    dataset: Dataset,
    identity: EncoderIdentity,
    pictures: str,
    items: list[bytes],
    number: int,
    measured: Measured,
) -> None:
    setting = Perturbation("noise", "text", number / 10_000, 0) if number else CLEAN
    # To assemble the matrix of each set for its checksum would take most of the time, and nothing here looks at it.
    save_set_elsewhere(store, Encoding(dataset.key, identity.key, setting, "text", items), f"{number:064x}")
    words = set_key(dataset.key, identity.key, setting.key, "text")
    spec = RunSpec(
        "robustness" if number else "evaluate",
        dataset.key,
        pictures,
        words,
        Protocol(resamples=100).as_json(),
    )
    saved = save_run(store, spec, RunRecord(identity.key, setting.key, "bench", "0"), *measured)
    if number in {1, 2}:
        from clipbench.store.runs import tag_run

        tag_run(store, saved.key, f"noise-{number}")


def seconds(command: tuple[str, ...], folder: Path) -> tuple[float, float]:
    """Return the seconds by the clock and of the processor that a whole process takes."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(  # noqa: S603  (fixed commands)
        [sys.executable, "-m", "clipbench", *command, "--store", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    wall, after = time.perf_counter() - began, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--vectors", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--keep", type=Path, help="folder for the two stores, which are built where it has none"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as own_folder:
        stores = []
        for part in (4, 1):
            folder = (asked.keep or Path(own_folder)) / f"part-{part}"
            if not folder.exists():
                began = time.perf_counter()
                fill(folder, asked.images, asked.runs // part, asked.vectors // part)
                print(f"1/{part} built in {time.perf_counter() - began:.0f} s", flush=True)
            stores.append(folder)
        print(f"{asked.runs:,} runs × {asked.images * CAPTIONS:,} captions, {asked.vectors:,} vectors")
        print(f"{'':<40} {'a quarter':>20} {'whole':>20}   exponent")
        for command in COMMANDS:
            small, large = (
                sorted(seconds(command, folder) for _ in range(asked.repeats))[0] for folder in stores
            )
            exponents = [math.log(b / a, 4) for a, b in zip(small, large, strict=True)]
            told = [f"{wall:8.2f} s ({cpu:6.2f} cpu)" for wall, cpu in (small, large)]
            print(
                f"{' '.join(command):<40} {' '.join(told)}   {exponents[0]:.2f} ({exponents[1]:.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
