"""How long `clipbench report --compare` takes: two runs of 25,000 captions, then thirty, as whole processes.

    python benchmarks/compare.py [--images 5000] [--runs 30] [--resamples 10000] [--repeats 3]

Every metric in both directions, with intervals and p-values from 10,000 resamples of the images. Quote the
medians with the number of cores. The runs are drawn: the same vectors with more and more noise.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clipbench.home import Home
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.records import (
    CLEAN,
    Caption,
    Dataset,
    EncoderIdentity,
    Perturbation,
    Protocol,
    RunSpec,
    Sample,
    image_key,
    text_key,
)
from clipbench.store.datasets import save_dataset
from clipbench.store.embeddings import Encoding, save_set
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store, open_store
from clipbench.store.perturbations import save_perturbation
from clipbench.store.runs import RunRecord, save_run
from clipbench.store.vectors import Pool
from clipbench.study.evaluation.protocol import metrics_of

CAPTIONS = 5
DIMENSION = 64


def unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    scaled: npt.NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
    return scaled


def fill(folder: Path, images: int, runs: int) -> None:
    """Store one dataset and `runs` runs on it, the captions' vectors noisier from run to run."""
    samples = tuple(
        Sample(
            f"i{n}",
            tuple(Caption(f"i{n}#{c}", f"caption {c} of image {n}") for c in range(CAPTIONS)),
            path=f"i{n}.jpg",
            digest=f"{n:064x}",
        )
        for n in range(images)
    )
    dataset = Dataset("bench", "csv", "test", "all", samples)
    identity = EncoderIdentity("toy", "toy", "toy", "toy", None, "w", "none", {}, {}, "fp32", DIMENSION)
    store = open_store(Home(folder))
    save_dataset(store, dataset)
    save_encoder(store, identity, None)
    random = np.random.default_rng(0)
    photos = random.normal(size=(images, DIMENSION))
    texts = photos[dataset.owners] + 2.2 * random.normal(size=(len(dataset.captions), DIMENSION))
    keys = [image_key(s.digest or "", CLEAN, s.id) for s in samples]
    Pool(store, identity.key, "image").write(keys, unit(photos))
    pictures = save_set(store, Encoding(dataset.key, identity.key, CLEAN, "image", keys)).key
    for number in range(runs):
        noisy = texts + 0.1 * number * random.normal(size=texts.shape)
        add_run(store, dataset, identity, pictures, number, (unit(photos), unit(noisy)))


def add_run(
    store: Store,
    dataset: Dataset,
    identity: EncoderIdentity,
    pictures: str,
    number: int,
    vectors: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
) -> None:
    setting = Perturbation("noise", "text", number / 100, 0) if number else CLEAN
    save_perturbation(store, setting)
    keys = [text_key(f"{number} {caption.text}") for caption in dataset.captions]
    Pool(store, identity.key, "text").write(keys, vectors[1])
    words = save_set(store, Encoding(dataset.key, identity.key, setting, "text", keys)).key
    ledgers = rank(*vectors, own(dataset.owners, len(dataset.samples)), dataset.owners)
    protocol = Protocol()
    spec = RunSpec("evaluate", dataset.key, pictures, words, protocol.as_json())
    record = RunRecord(identity.key, setting.key, "bench", "0")
    save_run(store, spec, record, ledgers, metrics_of(ledgers, protocol))


def timed(command: list[str], repeats: int) -> list[float]:
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  (fixed commands)
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), asked.images, asked.runs)
        base = [sys.executable, "-m", "clipbench", "report", "--compare", "--store", folder]
        base += ["--resamples", str(asked.resamples), "--format", "csv"]
        print(f"{asked.images * CAPTIONS:,} captions, {asked.resamples:,} resamples, {os.cpu_count()} cores")
        for count, runs in ((2, ["latest:clean", "latest:noise"]), (asked.runs, ["all:model=toy"])):
            seconds = timed([*base, *runs], asked.repeats)
            shown = ", ".join(f"{one:.2f}" for one in seconds)
            print(f"{count:>3} runs  {statistics.median(seconds):6.2f} s  (each: {shown})")


if __name__ == "__main__":
    main()
