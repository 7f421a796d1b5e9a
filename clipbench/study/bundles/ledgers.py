"""Is a ledger possible, and is it of the dataset it is said to be of? Pure.

A ledger that was changed and still fits its dataset shows in the metrics, which are derived from it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from clipbench.metrics.positives import Positives, equal_captions, own
from clipbench.records import UNKNOWN, Direction, Ledger, Metric, Protocol
from clipbench.study.evaluation.galleries import Gallery

TOLERANCE = 1e-9

NEAR = 1e-4
"""Scores closer than this may be put in either order by another library."""


def ledger_faults(ledger: Ledger, gallery: Gallery, protocol: Protocol) -> Iterator[str]:
    """Yield what cannot be true of a ledger that ranked this gallery under this protocol."""
    items = len(gallery.images) if ledger.direction == "t2i" else len(gallery.captions)
    queries = len(gallery.captions) if ledger.direction == "t2i" else len(gallery.samples)
    if ledger.queries != queries:
        yield f"has {ledger.queries:,} queries, the dataset {queries:,}"
        return
    if protocol.fold is None and ledger.gallery_size != items:
        yield f"ranks {ledger.gallery_size:,} items, the dataset has {items:,}"
    positives, clusters = _expected(ledger.direction, gallery, protocol)
    if not np.array_equal(ledger.cluster, clusters):
        yield "names other images as the queries' own"
    if not (
        np.array_equal(ledger.offsets, positives.offsets) and np.array_equal(ledger.positive, positives.items)
    ):
        yield "takes other items for right"
        return
    known = ledger.above != UNKNOWN  # all of them, but in a ledger of limited depth
    above, tied, among = ledger.above[known], ledger.tied[known], ledger.tied_positives[known]
    counts = np.repeat(np.diff(ledger.offsets), np.diff(ledger.offsets))[known]
    if (above < 0).any() or (above + tied > ledger.gallery_size).any():
        yield f"counts more items above or tied than the {ledger.gallery_size:,} there are"
    if (tied < 1).any() or (among < 1).any() or (among > tied).any() or (among > counts).any():
        yield "counts ties that cannot be"
    if (ledger.top1 < 0).any() or (ledger.top1 >= items).any():
        yield "finds an item first that is not there"
    scores = ledger.positive_score
    if (
        not (np.isfinite(scores) | ((ledger.depth is not None) & (scores == -np.inf))).all()
        or np.isnan(ledger.negative_score).any()
    ):
        yield "has scores that are no numbers"
    elif ledger.depth is None and not _agreeing(ledger):
        yield "finds items first that its scores and ranks do not put there"


def _agreeing(ledger: Ledger) -> bool:
    """Whether ranks, scores and what was found first say the same, near-ties left aside.

    Where the best right item outscores the best wrong one, nothing is above it and a right item was found
    first; where it is outscored, something is and a wrong one was.
    """
    lead = ledger.positive_score.astype(np.float64) - ledger.negative_score.astype(np.float64)
    queries = np.repeat(np.arange(ledger.queries), np.diff(ledger.offsets))
    best = np.full(ledger.queries, ledger.gallery_size)
    np.minimum.at(best, queries, ledger.above)
    found = np.zeros(ledger.queries, dtype=bool)
    found[queries[ledger.positive == ledger.top1[queries]]] = True
    ahead, behind = lead > NEAR, lead < -NEAR
    return not ((ahead & ((best > 0) | ~found)) | (behind & ((best == 0) | found))).any()


def _expected(
    direction: Direction, gallery: Gallery, protocol: Protocol
) -> tuple[Positives, np.ndarray[tuple[int], np.dtype[np.int32]]]:
    """Return the right items and own images that follow from the dataset."""
    images, owners = len(gallery.samples), gallery.owners
    clusters = owners if direction == "t2i" else np.arange(images, dtype=np.int32)
    if protocol.positives == "own":
        return own(owners, images)[direction], clusters
    texts = [caption.text for caption in gallery.captions]
    return equal_captions(texts, owners, images)[direction], clusters


def metric_faults(following: Iterable[Metric], metrics: Sequence[Metric]) -> Iterator[str]:
    """Yield every stored metric that is not the one `following` from its ledger, is missing or too many."""
    derived = {(m.direction, m.name): m for m in following}
    stored = {(m.direction, m.name): m for m in metrics}
    for name in derived.keys() - stored.keys():
        yield f"lacks {' '.join(name)}"
    for name in stored.keys() - derived.keys():
        yield f"has {' '.join(name)}, which does not follow from the ledger"
    for name, one in derived.items():
        told = stored.get(name)
        if told is not None and not _same(one, told):
            yield f"says {' '.join(name)} is {told.value:.6g}, by the ledger it is {one.value:.6g}"


def _same(one: Metric, other: Metric) -> bool:
    pairs = ((one.value, other.value), (one.low, other.low), (one.high, other.high))
    return one.n == other.n and all(
        a == b if a is None or b is None else abs(a - b) <= TOLERANCE * max(1.0, abs(a)) for a, b in pairs
    )
