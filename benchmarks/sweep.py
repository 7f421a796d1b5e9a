"""How much faster a caption sweep is than clip-benchmark's own evaluate: python benchmarks/sweep.py [--captions FILE]

The preset of the source study (word dropout 0 to .5 and a shuffle, three seeds) on ViT-B/32 shapes with random weights
and drawn images, five captions each, in fp32 and in one process:

(a) LAION's `clip_benchmark.metrics.zeroshot_retrieval.evaluate` once a run, as its command line calls it: images and
    padded captions are encoded for each run, with open_clip's own tokenizer. A part of the runs is timed, half of it
    before (b) and half after, evenly spread, and scaled up: all of them would take hours at full size.
(b) what a sweep does: images once, each distinct string once, with shared beginnings; then ranks and metrics of every run.

Prints the ratio, and whether R@1, 5, 10 of both directions are equal in the runs of (a). The goal is 18 or more. On a
CPU shared with others look at the ratio of processor time, with OMP_NUM_THREADS=1. clip-benchmark is the `bench` extra.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from text import captions  # the benchmark beside this one: real captions, or generated ones

from clipbench.encoders.loading import load
from clipbench.encoders.openclip import OpenClipEncoder
from clipbench.encoders.specification import parse
from clipbench.metrics.measures import summary
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.perturb.registry import select
from clipbench.records import Caption
from clipbench.study.robustness.perturbed_texts import perturbed_texts, without_repeats
from clipbench.study.robustness.settings import SweepRequest, settings

T = TypeVar("T")
GOAL = 18.0
SEEDS = 3
CAPTIONS = 5
KS = (1, 5, 10)
CHUNK = 1024
"""Strings of a shard, as `clipbench.study.embedding.encode` cuts them."""


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock and of processor time."""

    clock: float = 0.0
    processor: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.clock + other.clock, self.processor + other.processor)


def timed(work: Callable[[], T]) -> tuple[Spent, T]:
    clock, processor = time.perf_counter(), time.process_time()
    done = work()
    return Spent(time.perf_counter() - clock, time.process_time() - processor), done


def swept(texts: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    """Return the captions of every run, clean first, and the distinct strings of all."""
    some = [Caption(str(number), text) for number, text in enumerate(texts)]
    request = SweepRequest(select("source-study"), tuple(range(SEEDS)))
    runs = [(one, perturbed_texts(some, one, request)) for one in settings(request)]
    unique = sorted({text for _, found in without_repeats(runs) for text in found})
    return [found for _, found in runs], unique


def drawn(count: int, size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def theirs(
    encoder: OpenClipEncoder, tokenizer: object, pixels: np.ndarray, texts: Sequence[str]
) -> list[float]:
    """Evaluate one run as clip-benchmark does, 64 images a batch as on its command line."""
    import torch
    from clip_benchmark.metrics.zeroshot_retrieval import evaluate

    def batches() -> Iterator[tuple[torch.Tensor, list[list[str]]]]:
        for start in range(0, len(pixels), 64):
            part = range(start, min(start + 64, len(pixels)))
            numbers = encoder.preprocessing.numbers(torch.from_numpy(pixels[part.start : part.stop].copy()))
            yield numbers, [list(texts[CAPTIONS * i : CAPTIONS * (i + 1)]) for i in part]

    found = evaluate(encoder.model, batches(), tokenizer, encoder.device, amp=False, recall_k_list=list(KS))
    return [found[f"{kind}_retrieval_recall@{k}"] for kind in ("image", "text") for k in KS]


def ours(
    encoder: OpenClipEncoder, pixels: np.ndarray, runs: Sequence[Sequence[str]], unique: Sequence[str]
) -> list[list[float]]:
    """Evaluate every run as a sweep does."""
    images = encoder.encode_images(pixels)
    parts = [encoder.encode_texts(unique[i : i + CHUNK]).vectors for i in range(0, len(unique), CHUNK)]
    vectors, row = np.concatenate(parts), {text: number for number, text in enumerate(unique)}
    owners = np.repeat(np.arange(len(pixels), dtype=np.int32), CAPTIONS)
    positives = own(owners, len(pixels))
    values = []
    for texts in runs:
        ledgers = rank(images, vectors[[row[text] for text in texts]], positives, owners)
        names = [f"hit@{k}" for k in KS]
        values.append([summary(ledgers[d], names)[name] for d in ("t2i", "i2t") for name in names])
    return values


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--pretrained", default="random:0")
    parser.add_argument("--captions", type=Path, help="one a line, after the last tab if there is one")
    parser.add_argument("--images", type=int, default=60, help="10 at least")
    parser.add_argument("--runs", type=int, default=4, help="runs of (a) that are timed, at least 2")
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def main() -> None:
    import open_clip

    said = options()
    texts = captions(said.captions, said.images * CAPTIONS)
    runs, unique = swept(texts)
    encoder = load(parse(said.model, None if ":" in said.model else said.pretrained, device=said.device))
    assert isinstance(encoder, OpenClipEncoder)
    tokenizer, pixels = open_clip.get_tokenizer(said.model), drawn(said.images, encoder.preprocessing.size)

    encoder.encode_images(pixels[:8])  # the first pass of a process is slower
    encoder.encode_texts(texts[:8])
    picked = np.linspace(0, len(runs) - 1, said.runs).astype(int).tolist()
    reference, spent = {}, Spent()
    for number in picked[::2]:
        one, reference[number] = timed(lambda at=number: theirs(encoder, tokenizer, pixels, runs[at]))
        spent += one
    mine, values = timed(lambda: ours(encoder, pixels, runs, unique))
    for number in picked[1::2]:
        one, reference[number] = timed(lambda at=number: theirs(encoder, tokenizer, pixels, runs[at]))
        spent += one
    report(encoder, said, len(runs), spent, mine)
    away = max(float(np.abs(np.subtract(values[n], found)).max()) for n, found in reference.items())
    print(f"(b) had {len(unique):,} distinct strings of {len(runs) * len(texts):,}")
    print(f"R@1, 5, 10 of both directions in {len(reference)} runs: largest difference {away:.1g}")


def report(encoder: OpenClipEncoder, said: argparse.Namespace, runs: int, spent: Spent, mine: Spent) -> None:
    times = runs / said.runs
    print(
        f"{encoder.identity.label}, {encoder.device}, {said.images} images, {said.images * CAPTIONS} captions"
    )
    print(f"{runs} runs: dropout 0 to .5 and shuffle, {SEEDS} seeds, the clean one once")
    print(f"(a) evaluate, a run each   {times * spent.clock:9.1f} s  (scaled up from {said.runs} runs)")
    print(f"(b) the sweep              {mine.clock:9.1f} s")
    ratio, processor = times * spent.clock / mine.clock, times * spent.processor / mine.processor
    print(f"ratio {ratio:.1f}, of processor time {processor:.1f} (goal {GOAL:.0f})")


if __name__ == "__main__":
    main()
