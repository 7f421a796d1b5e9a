"""Pooling twelve templates beside twelve plain rankings; CSLS and dual softmax beside one plain evaluation.

    python benchmarks/improve.py [--images 5000] [--width 512]

Random unit vectors, five captions an image. Prints seconds and ratios of one run, both directions each.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank, rank_scores
from clipbench.metrics.scorers import Biased, Pooled, Product
from clipbench.prompts.pooling import Pooling, pool
from clipbench.records import Protocol
from clipbench.rerank.hubness import csls_bias, dual_softmax_bias
from clipbench.study.evaluation.protocol import metrics_of

TEMPLATES = 12


def unit(draws: np.random.Generator, rows: int, width: int) -> np.ndarray:
    vectors = draws.standard_normal((rows, width), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of a second run, and megabytes that it added at most."""
    tracemalloc.start()
    work()
    megabytes = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began, megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--width", type=int, default=512)
    asked = parser.parse_args()
    draws = np.random.default_rng(0)
    images = unit(draws, asked.images, asked.width)
    texts = [unit(draws, 5 * asked.images, asked.width) for _ in range(TEMPLATES)]
    owners = np.repeat(np.arange(asked.images), 5)
    positives = own(owners, asked.images)

    def plain() -> dict:
        return rank(images, texts[0], positives, owners)

    def evaluation() -> object:
        return metrics_of(plain(), Protocol())

    def csls() -> object:
        product = Product(images, texts[0])
        for direction, gallery, bank in (("t2i", images, texts[0]), ("i2t", texts[0], images)):
            bias = csls_bias(gallery, bank, 10)
            left = bias if direction == "t2i" else np.zeros(len(images))
            right = np.zeros(len(texts[0])) if direction == "t2i" else bias
            ledgers = rank_scores(Biased(product, left, right), {direction: positives[direction]}, owners)
        return metrics_of({**plain(), **ledgers}, Protocol())

    def dual() -> object:
        product, ledgers = Product(images, texts[0]), {}
        left, right = dual_softmax_bias(images, texts[0], 0.02), dual_softmax_bias(texts[0], images, 0.02)
        for direction, bias in (("t2i", (left, np.zeros(len(right)))), ("i2t", (np.zeros(len(left)), right))):
            ledgers |= rank_scores(Biased(product, *bias), {direction: positives[direction]}, owners)
        return metrics_of(ledgers, Protocol())

    one, memory = timed(plain)
    print(f"plain ranking {one:.2f} s, {memory:.0f} MB; twelve of them {12 * one:.1f} s")
    for pooling in (Pooling("mean"), Pooling("max"), Pooling("logsumexp", 0.02)):
        scorer = Pooled(
            images,
            texts,
            lambda blocks, p=pooling: pool(blocks, p),
            pooling.slope(TEMPLATES),
            pooling.noise(TEMPLATES),
        )
        seconds, memory = timed(lambda s=scorer: rank_scores(s, positives, owners))
        print(
            f"{pooling} over twelve {seconds:.1f} s, {memory:.0f} MB: {seconds / (12 * one):.2f} × twelve plain rankings"
        )
    whole, _ = timed(evaluation)
    for name, work in (("CSLS", csls), ("dual softmax", dual)):
        seconds, memory = timed(work)
        print(
            f"{name} {seconds:.1f} s, {memory:.0f} MB: {seconds / whole:.1f} × a plain evaluation ({whole:.1f} s)"
        )


if __name__ == "__main__":
    main()
