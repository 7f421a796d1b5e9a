"""A self-test of the metrics on this machine: cases whose right answer is known beforehand.

It finds a broken BLAS, a broken build of numpy or a mistake in the metrics, in under two seconds and
without data. Knows nothing of devices or models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.metrics.measures import PLAIN, chance_hit, measure, rsum, summary
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.metrics.scores import Vectors
from clipbench.metrics.ties import tied_queries
from clipbench.records import Direction, Ledger

NAMES = ("hit@1", "hit@3", "frac_recall@3", "nDCG@3", *PLAIN)
CLOSE = 1e-12


@dataclass(frozen=True, slots=True)
class Check:
    """One case: its name, whether it came out right, and the numbers it was judged by."""

    name: str
    passed: bool
    detail: str


def run() -> tuple[Check, ...]:
    """Run all cases. One that cannot be ranked at all, for a broken product say, has not passed."""
    return tuple(_outcome(case) for case in CASES)


def _outcome(case: Callable[[], Check]) -> Check:
    try:
        return case()
    except ClipbenchError as error:
        return Check(case.__name__.replace("_", " "), passed=False, detail=error.message)


def _galleries(images: int, captions: int) -> tuple[tuple[Direction, int, int], ...]:
    """Return gallery size and number of positives for each direction."""
    return ("t2i", images, 1), ("i2t", images * captions, captions)


def _rank(images: Vectors, texts: Vectors, owners: Sequence[int]) -> dict[Direction, Ledger]:
    return rank(images, texts, own(owners, len(images)), owners)


def _unit(values: object) -> Vectors:
    vectors = np.asarray(values, dtype=np.float64)
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def identity() -> Check:
    """Every caption has its image's vector, and no other: all is found at once."""
    eye = np.eye(12, dtype=np.float32)
    ledgers = _rank(eye, eye, range(12))
    low = min(min(summary(ledger, NAMES).values()) for ledger in ledgers.values())
    worst = max(summary(ledger, ("MedR", "MeanR"))["MeanR"] for ledger in ledgers.values())
    total = rsum(ledgers)
    passed = low == 1 and worst == 1 and math.isclose(total, 600)
    return Check(
        "identity embeddings are perfect",
        passed,
        f"lowest measure {low:g}, mean rank {worst:g}, RSUM {total:g}",
    )


def constant() -> Check:
    """All vectors are one: every measure must be its mean over all orders of the gallery."""
    images, captions = 4, 2
    one = np.full((images * (1 + captions), 8), 8**-0.5, dtype=np.float32)
    owners = [i // captions for i in range(images * captions)]
    ledgers = _rank(one[:images], one[images:], owners)
    off = 0.0
    for direction, gallery, positives in _galleries(images, captions):
        ledger = ledgers[direction]
        orders = [
            _by_definition(places, gallery) for places in combinations(range(1, gallery + 1), positives)
        ]
        for name in NAMES:
            want = sum(order[name] for order in orders) / len(orders)
            off = max(off, float(np.abs(measure(name)(ledger) - want).max()))
        exact = summary(ledger, ["hit@3"])["hit@3"] == chance_hit(gallery, [positives] * ledger.queries, 3)
        off = off if exact else math.inf
    return Check(
        "constant embeddings score chance", off <= CLOSE, f"largest difference from chance {off:.1e}"
    )


def _by_definition(places: Sequence[int], gallery: int) -> dict[str, float]:
    """Every measure of one query whose positives stand at these ranks, straight from its definition."""
    total, best = len(places), min(places)
    found = [sum(p <= i for p in places) for i in range(gallery + 1)]
    gains = {p: 1 / math.log2(p + 1) for p in range(1, gallery + 1)}
    return {
        "hit@1": float(best <= 1),
        "hit@3": float(best <= 3),
        "frac_recall@3": found[3] / total,
        "nDCG@3": sum(gains[p] for p in places if p <= 3)
        / sum(gains[i] for i in range(1, min(3, total) + 1)),
        "MRR": 1 / best,
        "MedR": best,
        "MeanR": best,
        "R-Precision": found[total] / total,
        "mAP@R": sum(found[p] / p for p in places if p <= total) / total,
        "AP": sum(found[p] / p for p in places) / total,
    }


def random() -> Check:
    """Vectors that know nothing of each other: hits are as many as chance has them, within 4 sd."""
    images, captions, k = 300, 2, 30
    drawn = np.random.default_rng(0).standard_normal((images * (1 + captions), 32))
    vectors = _unit(drawn)
    owners = [i // captions for i in range(images * captions)]
    ledgers = _rank(vectors[:images], vectors[images:], owners)
    parts, passed = [], True
    for direction, gallery, positives in _galleries(images, captions):
        ledger = ledgers[direction]
        chance = chance_hit(gallery, positives, k)
        sd = math.sqrt(chance * (1 - chance) / images)  # captions of one image count as one query
        value = summary(ledger, [f"hit@{k}"])[f"hit@{k}"]
        passed &= abs(value - chance) <= 4 * sd
        parts.append(f"{direction} {value:.3f} against {chance:.3f} ± {4 * sd:.3f}")
    return Check("random embeddings score about chance", bool(passed), ", ".join(parts))


def duplicates() -> Check:
    """Three images are one photograph: the captions of these three, and no others, have open ranks."""
    vectors = np.eye(10, dtype=np.float32)[[0, 1, 2, 3, 4, 4, 4, 7]]
    ledger = _rank(vectors, vectors, range(len(vectors)))["t2i"]
    tied, hits = tied_queries(ledger), summary(ledger, ["hit@1"])["hit@1"]
    passed = tied == 3 and ledger.tied.tolist() == [1, 1, 1, 1, 3, 3, 3, 1] and math.isclose(hits, 6 / 8)
    return Check(
        "duplicated gallery rows are ties", passed, f"{tied} tied queries of 8, 3 expected; hit@1 {hits:g}"
    )


def by_hand() -> Check:
    """Two images at 0° and 90°, captions at 10°, 60° (both the first's) and 80°.

    Caption 60° is nearer to the second image: rank 2. From the first image the captions follow as
    10°, 60°, 80°; from the second as 80°, 60°, 10°.
    """
    degrees = np.radians([0, 90, 10, 60, 80])
    vectors = _unit(np.stack([np.cos(degrees), np.sin(degrees)], axis=1))
    ledgers = _rank(vectors[:2], vectors[2:], [0, 0, 1])
    above = ledgers["t2i"].above.tolist(), ledgers["i2t"].above.tolist()
    top = ledgers["t2i"].top1.tolist(), ledgers["i2t"].top1.tolist()
    passed = above == ([0, 1, 0], [0, 1, 0]) and top == ([0, 1, 1], [0, 2])
    return Check("a case worked out by hand", passed, f"items above {above[0]} and {above[1]}")


def near_ties() -> Check:
    """Scores closer than float32 can tell: cutting the product otherwise must change nothing."""
    rng = np.random.default_rng(1)
    vectors = _unit(1 + 1e-6 * rng.standard_normal((90, 48)))
    owners = np.arange(60) % 30
    whole = rank(vectors[:30], vectors[30:], own(owners, 30), owners)
    cut = rank(vectors[:30], vectors[30:], own(owners, 30), owners, block=(7, 11), threads=1)
    same = all(
        np.array_equal(getattr(whole[d], field.name), getattr(cut[d], field.name))
        for d in whole
        for field in fields(Ledger)
    )
    return Check(
        "near-ties are decided the same in any cut", same, "ledgers equal" if same else "ledgers differ"
    )


CASES: tuple[Callable[[], Check], ...] = (identity, constant, random, duplicates, by_hand, near_ties)
