"""An evaluation in which random parts of each gallery are ranked, and what that tells of the whole gallery.

A run of this kind is an estimate, and every number of it that is one says so in its name. Its ledgers hold counts of
half samples, one after another, and no ranking: nothing is compared query by query with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.keys import Json
from clipbench.metrics.measures import hit_probability
from clipbench.metrics.positives import Positives
from clipbench.metrics.ranks import rank
from clipbench.metrics.thresholds import Best, Tallied, best_positives, count_above
from clipbench.records import DIRECTIONS, Direction, Ledger, Metric, Protocol
from clipbench.statistics.random_groups import (
    EXPECTED,
    FEWEST,
    Estimate,
    Samples,
    hit_at,
    least_k,
    mean_rank,
    median_rank,
)
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import load_rows
from clipbench.store.engine import Store, check_writable
from clipbench.store.protocols import GALLERY_SAMPLE, ledger_parts
from clipbench.study.embedding.embed import embed_images, embed_texts, need_captions
from clipbench.study.embedding.models import VectorSource
from clipbench.study.evaluation.evaluate import Vectors, positives_of
from clipbench.study.evaluation.galleries import Gallery, gallery_of
from clipbench.study.evaluation.protocol import averaged, metrics_of
from clipbench.study.evaluation.recording import (
    Recorded,
    RunInputs,
    Stopwatch,
    find_recorded,
    record_run,
)
from clipbench.study.runs.kind_names import ESTIMATED, SAMPLED
from clipbench.study.workplace.progress import Progress

SMALLEST = 100
"""Items of a sample at least."""

SHOWN = 3
"""Cutoffs that are told of a sampled gallery where none was asked for."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GallerySample:
    """How a gallery is sampled: `repeats` samples of `size` items, disjoint, drawn by `seed`.

    head: ranks down to which queries are ranked exactly, in the whole gallery; None for none.
    """

    size: int
    repeats: int = 10
    seed: int = 0
    head: int | None = None

    def __post_init__(self) -> None:
        """Raise ClipbenchError for samples from which nothing can be told."""
        if self.size < SMALLEST or self.size % 2:
            raise ClipbenchError(
                f"a sample is {SMALLEST} items or more, an even number of them, got {self.size:,}",
                "--gallery-sample 10000",
            )
        fewest = FEWEST + (self.head is not None)
        if self.repeats < fewest:
            raise ClipbenchError(f"errors are told from {fewest} samples or more", f"--repeats {fewest}")

    @property
    def total(self) -> int:
        """Items in all samples."""
        return self.size * self.repeats

    @property
    def beyond(self) -> int:
        """Items from which ranks beyond the head are told: the first sample says who is beyond it."""
        return self.total - (0 if self.head is None else self.size)

    def takes(self, gallery: int) -> bool:
        """Whether a gallery of so many items is sampled; a smaller one is ranked whole."""
        return ledger_parts({GALLERY_SAMPLE: self.as_json()}, gallery) > 1

    def told_of(self, gallery: int) -> range:
        """Return the K of hit@K that the samples tell of a gallery of so many items, beside those of the head."""
        return range(least_k(gallery, self.beyond), gallery)

    def as_json(self) -> dict[str, Json]:
        """Return what the protocol of a run says of its samples."""
        return {"size": self.size, "repeats": self.repeats, "seed": self.seed, "head": self.head}


@dataclass(frozen=True)
class SampledRequest:
    """What is to be estimated. protocol: its cutoffs are not heeded. cutoffs: of hit@K, None for such as can be told.

    allow_missing: as in `evaluate`.
    """

    sample: GallerySample
    protocol: Protocol = field(default_factory=Protocol)
    cutoffs: Sequence[int] | None = None
    allow_missing: float = 0.0


def sample_of(stored: Mapping[str, Json]) -> GallerySample:
    """Return how the run of a stored protocol sampled. Raises KeyError, TypeError for a protocol of another kind."""
    told: Any = stored[GALLERY_SAMPLE]
    return GallerySample(told["size"], told["repeats"], told["seed"], told["head"])


def evaluate_sampled(
    store: Store,
    name: str,
    source: VectorSource,
    request: SampledRequest,
    progress: Progress,
) -> Recorded:
    """Evaluate the clean dataset `name` from samples of its galleries, embedding first what is lacking.

    Raises ClipbenchError for a cutoff that cannot be told from the samples, or where the samples would be the whole
    galleries.
    """
    sample, protocol = request.sample, request.protocol
    if protocol.fold is not None:
        raise ClipbenchError("folds are ranked whole", "leave out --fold or --gallery-sample")
    dataset = load_dataset(store, name)
    need_captions(dataset)
    images = embed_images(store, dataset, source, progress, allow_missing=request.allow_missing).set
    texts = embed_texts(store, dataset, source, progress).set
    gallery = gallery_of(dataset, images.unreadable)
    protocol = replace(protocol, ks=_cutoffs(sample, gallery, protocol, request.cutoffs))
    inputs = RunInputs(
        SAMPLED,
        dataset,
        images,
        texts,
        protocol,
        gallery={GALLERY_SAMPLE: sample.as_json()},
        device=source.device,
    )
    stored = find_recorded(store, inputs)
    if stored is not None:
        return Recorded(stored, created=False)
    check_writable(store)
    watch = Stopwatch()
    rows = load_rows(store, images, gallery.image_rows), load_rows(store, texts, gallery.caption_rows)
    watch.lap("load")
    ledgers = sampled_ledgers(*rows, gallery, protocol, sample)
    watch.lap("rank")
    metrics = tuple(sampled_metrics(ledgers, inputs.spec().protocol, protocol))
    watch.lap("measure")
    return record_run(store, inputs, ledgers, metrics, seconds=watch.seconds)


def _cutoffs(
    sample: GallerySample, gallery: Gallery, protocol: Protocol, asked: Sequence[int] | None
) -> tuple[int, ...]:
    """Return the cutoffs of hit@K. Raises ClipbenchError for those that the samples do not tell."""
    sizes = {"t2i": len(gallery.images), "i2t": len(gallery.captions)}
    sampled = [sizes[d] for d in protocol.directions if sample.takes(sizes[d])]
    if not sampled:
        raise ClipbenchError(
            f"{sample.repeats} samples of {sample.size:,} are the whole of galleries of "
            f"{' and '.join(f'{size:,}' for size in sizes.values())}",
            "leave out --gallery-sample: nothing has to be estimated",
        )
    if asked is None:
        exact = (sample.head or 0) if len(sampled) == len(protocol.directions) else max(Protocol().ks)
        large = [k for size in sampled for k in _round_cutoffs(sample, size)]
        return tuple(sorted({*(k for k in Protocol().ks if k <= exact), *large}))
    _check_asked(sample, asked, sampled, max(sizes[d] for d in protocol.directions))
    return tuple(sorted(set(asked)))


def _round_cutoffs(sample: GallerySample, gallery: int) -> list[int]:
    """Return the first few of 1, 2, 5, 10, ... that the samples tell of a gallery of so many items, and that are fewer."""
    series = (digit * 10**power for power in range(18) for digit in (1, 2, 5))
    return [k for k in series if k > (sample.head or 0) and k in sample.told_of(gallery)][:SHOWN]


def _check_asked(sample: GallerySample, asked: Sequence[int], sampled: Sequence[int], largest: int) -> None:
    items, head = max(sampled), sample.head or 0
    least = sample.told_of(items).start
    small = [k for k in asked if head < k < least]
    if small:
        raise ClipbenchError(
            f"R@{small[0]:,} of {items:,} items cannot be told from {sample.repeats} samples of "
            f"{sample.size:,}: they hold {small[0] * sample.beyond / items:,.1f} of the first {small[0]:,} items, "
            f"{EXPECTED} are needed",
            f"--k {least} or more, or --exact-head {small[-1]}: what may be among the first is ranked in the whole gallery",
        )
    if max(asked) >= largest:
        raise ClipbenchError(
            f"R@{max(asked):,} is 1 by definition where {largest:,} items are the whole gallery",
            f"--k {least} or more, below {largest}",
        )


def sampled_ledgers(
    images: Vectors, texts: Vectors, gallery: Gallery, protocol: Protocol, sample: GallerySample
) -> dict[Direction, Ledger]:
    """Return the ledgers: of a gallery that is sampled, the counts of its samples; of another, its ranking."""
    own_images = len(gallery.samples)
    positives = positives_of(gallery, protocol)
    sides = {"t2i": (images, texts, gallery.owners), "i2t": (texts, images[:own_images], None)}
    ledgers: dict[Direction, Ledger] = {}
    for direction in protocol.directions:
        items, queries, owners = sides[direction]
        if sample.takes(len(items)):
            cluster = np.arange(own_images, dtype=np.int32) if owners is None else owners
            ledgers[direction] = _sampled(direction, items, queries, positives[direction], cluster, sample)
            continue
        ranked = images if direction == "t2i" else images[:own_images]
        ledgers[direction] = rank(ranked, texts, {direction: positives[direction]}, gallery.owners)[direction]
    return ledgers


def _sampled(
    direction: Direction,
    items: Vectors,
    queries: Vectors,
    positives: Positives,
    cluster: npt.NDArray[np.int32],
    sample: GallerySample,
) -> Ledger:
    best = best_positives(items, queries, positives)
    draws = np.random.default_rng([sample.seed, DIRECTIONS.index(direction)])
    drawn = draws.permutation(len(items))[: sample.total]
    parts = []
    for half in drawn.reshape(2 * sample.repeats, -1):
        rows = np.sort(half)
        counted = count_above(items[rows], queries, best.score)
        parts.append(_part(best, counted, best.hits_among(rows, len(items)), rows))
    if sample.head is not None:
        parts.append(_head(items, queries, best, parts[0]["above"] + parts[1]["above"], sample.head))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    kept: dict[str, Any] = {
        name: values.astype(np.float32 if name.endswith("score") else np.int32)
        for name, values in arrays.items()
    }
    return Ledger(
        direction=direction,
        gallery_size=len(items),
        offsets=np.arange(len(kept["above"]) + 1, dtype=np.int32),
        cluster=np.tile(cluster, len(parts)).astype(np.int32),
        **kept,
    )


def _part(best: Best, counted: Tallied, own: Integers, rows: Integers) -> dict[str, npt.NDArray[Any]]:
    """Return a part's columns of the ledger. own: positives among its ties, which are counted beside."""
    return {
        "positive": best.item,
        "above": counted.above,
        "tied": counted.tied - own + best.hits,
        "tied_positives": best.hits,
        "top1": np.where(counted.top < 0, best.item, rows[counted.top]),
        "positive_score": best.score,
        "negative_score": counted.rival,
    }


def _head(
    items: Vectors, queries: Vectors, best: Best, first: Integers, head: int
) -> dict[str, npt.NDArray[Any]]:
    """Return the part of the whole gallery, for the queries that may be found among the first `head`.

    first: what the first sample counts above each query. Where that is `head` or more the rank is deeper for
    certain; its part says no more than that.
    """
    near = np.flatnonzero(first < head)
    whole = _part(best, Tallied(first, best.hits * 0, best.hits * 0 - 1, best.score), best.hits * 0, first)
    if len(near):
        counted = count_above(items, np.ascontiguousarray(queries[near]), best.score[near])
        whole["above"] = first.copy()
        whole["above"][near] = counted.above
        whole["tied"][near] = counted.tied
        whole["top1"] = whole["top1"].copy()
        whole["top1"][near] = np.where(counted.top < 0, best.item[near], counted.top)
        whole["negative_score"] = whole["negative_score"].copy()
        whole["negative_score"][near] = counted.rival
    return whole


def sampled_metrics(
    ledgers: Mapping[Direction, Ledger], stored: Mapping[str, Json], protocol: Protocol
) -> Iterator[Metric]:
    """Yield every number that follows from the ledgers of a sampled run."""
    sample = sample_of(stored)
    for direction in protocol.directions:
        ledger = ledgers[direction]
        if sample.takes(ledger.gallery_size):
            yield from _estimated(direction, ledger, sample, protocol)
        else:
            ks = tuple(k for k in protocol.ks if k < ledger.gallery_size) or protocol.ks
            yield from metrics_of({direction: ledger}, replace(protocol, directions=(direction,), ks=ks))


@dataclass(frozen=True)
class _Counted:
    """A ledger taken apart: what the samples tell, and above and tied (Q,) of the queries whose rank is known."""

    samples: Samples
    above: Integers
    tied: Integers
    cluster: npt.NDArray[np.int32]

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        return self.samples.exact


def _counted(ledger: Ledger, sample: GallerySample) -> _Counted:
    parts = ledger_parts({GALLERY_SAMPLE: sample.as_json()}, ledger.gallery_size)
    above, tied, hits = (
        getattr(ledger, name).astype(np.int64).reshape(parts, -1)
        for name in ("above", "tied", "tied_positives")
    )
    half, queries = sample.size // 2, above.shape[1]
    nothing = np.zeros(queries, dtype=np.int64)
    cluster = ledger.cluster[:queries]
    if sample.head is None:
        none = np.zeros(queries, dtype=np.bool_)
        samples = Samples(
            above, tied - hits, hits[0], nothing, none, nothing * 1.0, half, ledger.gallery_size
        )
        return _Counted(samples, nothing, hits[0], cluster)
    # The first sample says who is near the top. What lies beyond it is told by the others, of what it left.
    first, known = above[:2].sum(axis=0), above[:2].sum(axis=0) < sample.head
    ranks = above[-1] + (tied[-1] + 1) / (hits[0] + 1)
    samples = Samples(
        above[2:-1],
        (tied - hits)[2:-1],
        hits[0],
        first,
        known,
        ranks,
        half,
        ledger.gallery_size - sample.size,
    )
    return _Counted(samples, above[-1], tied[-1], cluster)


def _estimated(
    direction: Direction, ledger: Ledger, sample: GallerySample, protocol: Protocol
) -> Iterator[Metric]:
    counted = _counted(ledger, sample)
    samples, head = counted.samples, sample.head or 0
    queries = len(samples.hits)

    def told(name: str, estimate: Estimate) -> Metric:
        value, bound = estimate
        words = (
            f"{100 * protocol.confidence:g} % of the whole gallery's value, from {samples.repeats} random samples of "
            f"{sample.size:,} of its {ledger.gallery_size:,} items"
        )
        return Metric(direction, name + ESTIMATED, value, bound.low, bound.high, queries, words)

    exact = [k for k in protocol.ks if k <= head]
    if exact:
        places = (counted.above, counted.tied, samples.hits)
        values = np.stack([np.where(counted.known, hit_probability(*places, k), 0.0) for k in exact], axis=1)
        yield from averaged(direction, [f"hit@{k}" for k in exact], values, counted.cluster, protocol)
    for k in protocol.ks:
        if k > head and k in sample.told_of(ledger.gallery_size):
            yield told(f"hit@{k}", hit_at(samples, k, protocol.confidence))
    middle = float(np.median(np.where(counted.known & (samples.rank <= head), samples.rank, np.inf)))
    if np.isfinite(middle):
        yield Metric(direction, "MedR", middle, None, None, queries)
    else:
        estimate = median_rank(samples, protocol.confidence)
        if estimate[1].low >= sample.told_of(ledger.gallery_size).start:
            yield told("MedR", estimate)
    yield told("MeanR", mean_rank(samples, protocol.confidence))
    for name, count in (
        ("queries", queries),
        ("gallery", ledger.gallery_size),
        ("items sampled", sample.total),
    ):
        yield Metric(direction, name, float(count), None, None, queries)
