"""How an evaluation is scored, and the numbers that follow from its ledgers. Pure.

Every number of a run is a function of its ledgers and its protocol, so `store verify` can derive it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.keys import Json
from clipbench.metrics.measures import Measure, best_ranks, chance_hit, measure
from clipbench.metrics.ties import TiePolicy
from clipbench.records import DIRECTIONS, Direction, Ledger, Metric
from clipbench.statistics.bootstrap import Bootstrap, bootstrap, cluster_sums, combine, intervals
from clipbench.statistics.intervals import Interval, percentile_interval
from clipbench.statistics.medians import median_replicates
from clipbench.study.folds import cut

RSUM = "rsum"
RSUM_HITS = ("hit@1", "hit@5", "hit@10")
OTHER = ("MeanR", "MRR", "R-Precision", "mAP@R", "nDCG@10")
"""What is reported beside hit@K and MedR; each is a mean over queries."""

POSITIVES = ("own", "equal-captions")
TIES = ("expected", "optimistic", "pessimistic")


@dataclass(frozen=True, slots=True)
class Protocol:
    """How runs are scored. All of it enters the run's key.

    ks: the cutoffs of hit@K. ties: policy for equal scores. positives: "own", or "equal-captions" where
    captions that say the same share their images. fold: images per gallery, None for one gallery.
    resamples, seed: of the cluster bootstrap.
    """

    ks: tuple[int, ...] = (1, 5, 10)
    directions: tuple[Direction, ...] = DIRECTIONS
    ties: TiePolicy = "expected"
    positives: str = "own"
    fold: int | None = None
    resamples: int = 2000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Raise ClipbenchError for a protocol that means nothing."""
        if not self.ks or min(self.ks) < 1:
            raise ClipbenchError(f"K counts from 1, got {list(self.ks)}", "--k 1 --k 5 --k 10")
        if self.positives not in POSITIVES or self.ties not in TIES:
            raise ClipbenchError(f"positives are one of {POSITIVES}, ties of {TIES}")
        if not 0.5 < self.confidence < 1 or self.resamples < 100:
            raise ClipbenchError("confidence is between .5 and 1, and resamples are 100 or more")
        if self.fold is not None and (self.fold < 2 or self.positives != "own"):
            raise ClipbenchError("folds hold 2 images or more, and go with a caption's own image only")

    def as_json(self) -> dict[str, Json]:
        """Return the protocol as it enters the run's key and is stored."""
        return {
            "ks": list(self.ks),
            "directions": list(self.directions),
            "ties": self.ties,
            "positives": self.positives,
            "fold": self.fold,
            "resamples": self.resamples,
            "seed": self.seed,
            "confidence": self.confidence,
        }


def protocol_of(stored: Mapping[str, Json]) -> Protocol:
    """Return the protocol that `as_json` wrote."""
    values = dict(stored)
    values["ks"] = tuple(cast("list[int]", values["ks"]))
    values["directions"] = tuple(cast("list[str]", values["directions"]))
    return Protocol(**values)  # type: ignore[arg-type]  # what as_json wrote has these types


def metrics_of(ledgers: Mapping[Direction, Ledger], protocol: Protocol) -> tuple[Metric, ...]:
    """Return every number of a run, direction after direction, RSUM last."""
    if protocol.fold is not None:
        return _over_folds(ledgers, protocol)
    found: list[Metric] = []
    rsum_parts: list[Bootstrap] = []
    clusters = 1 + max(int(ledger.cluster.max()) for ledger in ledgers.values())
    for direction in protocol.directions:
        ledger = ledgers[direction]
        means = [measure(name) for name in (*(f"hit@{k}" for k in protocol.ks), *OTHER)]
        values = np.stack([m(ledger, protocol.ties) for m in means], axis=1)
        table = _bootstrap(values, ledger, clusters, protocol)
        averaged = _means(direction, means, values, table, protocol)
        found += averaged[: len(protocol.ks)]
        found.append(_median(direction, ledger, clusters, protocol))
        found += averaged[len(protocol.ks) :]
        found += _facts(direction, ledger, protocol)
        if table is not None:
            rsum_parts.append(table)
    if len(protocol.directions) == len(DIRECTIONS) and set(RSUM_HITS) <= {f"hit@{k}" for k in protocol.ks}:
        found.append(_rsum(found, rsum_parts, protocol))
    return tuple(found)


def _bootstrap(
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    ledger: Ledger,
    clusters: int,
    protocol: Protocol,
) -> Bootstrap | None:
    if clusters < 2:  # one image has no spread to show
        return None
    sums, counts = cluster_sums(values, ledger.cluster, clusters)
    return bootstrap(sums, counts, protocol.resamples, protocol.seed)


def method_words(protocol: Protocol) -> str:
    """Return how the intervals were made, for people."""
    share = f"{protocol.confidence:.0%}".replace("%", " %")
    return f"{share} cluster bootstrap over images, {protocol.resamples:,} resamples, percentile"


def _means(
    direction: Direction,
    means: list[Measure],
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    table: Bootstrap | None,
    protocol: Protocol,
) -> list[Metric]:
    bounds: list[Interval | None] = [None] * len(means)
    if table is not None:
        bounds = list(intervals(table, protocol.confidence))
    columns = zip(means, values.mean(axis=0).tolist(), bounds, strict=True)
    return [_metric(direction, m.name, value, bound, len(values), protocol) for m, value, bound in columns]


def _metric(
    direction: str, name: str, value: float, bound: Interval | None, n: int, protocol: Protocol
) -> Metric:
    if bound is None:
        return Metric(direction, name, value, None, None, n)
    return Metric(direction, name, value, bound.low, bound.high, n, method_words(protocol))


def _median(direction: Direction, ledger: Ledger, clusters: int, protocol: Protocol) -> Metric:
    ranks = best_ranks(ledger, protocol.ties)
    bound = None
    if clusters > 1:
        drawn = median_replicates(ranks, ledger.cluster, protocol.resamples, protocol.seed, clusters)
        bound = percentile_interval(drawn, protocol.confidence)
    return _metric(direction, "MedR", float(np.median(ranks)), bound, ledger.queries, protocol)


def _facts(direction: Direction, ledger: Ledger, protocol: Protocol) -> list[Metric]:
    """Return what stands beside the measures: chance level, gallery and query counts, ties."""
    positives = np.diff(ledger.offsets)
    n = ledger.queries
    chances = [
        Metric(direction, f"chance-hit@{k}", chance_hit(ledger.gallery_size, positives, k), None, None, n)
        for k in protocol.ks
    ]
    tied = np.maximum.reduceat((ledger.tied > ledger.tied_positives).astype(np.int64), ledger.offsets[:-1])
    counts = (
        ("queries", n),
        ("gallery", ledger.gallery_size),
        ("tied-queries", int(tied.sum())),
    )
    return [*chances, *(Metric(direction, name, float(count), None, None, n) for name, count in counts)]


def _rsum(found: list[Metric], tables: list[Bootstrap], protocol: Protocol) -> Metric:
    """Return RSUM = 100 × the six hits; both directions share their resamples of images."""
    hits = [m for m in found if m.name in RSUM_HITS]
    value = 100 * sum(m.value for m in hits)
    n = sum(m.n for m in found if m.name == RSUM_HITS[0])
    if not tables:
        return Metric("both", RSUM, value, None, None, n)
    means = [*(f"hit@{k}" for k in protocol.ks), *OTHER]
    coefficients = [100.0 if name in RSUM_HITS else 0.0 for name in means]
    parts = [combine(table, coefficients) for table in tables]
    replicates = np.sum([part.replicates[:, 0] for part in parts], axis=0)
    return _metric("both", RSUM, value, percentile_interval(replicates, protocol.confidence), n, protocol)


def _over_folds(ledgers: Mapping[Direction, Ledger], protocol: Protocol) -> tuple[Metric, ...]:
    """Return the mean of each number over the folds, and its standard deviation as `NAME fold-sd`."""
    cuts = {d: cut(ledgers[d], protocol.fold) for d in protocol.directions}
    whole = Protocol(ks=protocol.ks, directions=protocol.directions, ties=protocol.ties, resamples=100)
    number = len(cuts[protocol.directions[0]])
    tables = [metrics_of({d: parts[i] for d, parts in cuts.items()}, whole) for i in range(number)]
    found: list[Metric] = []
    for metrics in zip(*tables, strict=True):
        first, values = metrics[0], np.array([m.value for m in metrics])
        n = sum(m.n for m in metrics)
        method = f"mean over {number} folds of {protocol.fold:,} images"
        total = first.name in {"queries", "tied-queries"}
        value = float(values.sum() if total else values.mean())
        found.append(Metric(first.direction, first.name, value, None, None, n, method))
        if number > 1 and not total and not first.name.startswith("chance") and first.name != "gallery":
            sd = float(values.std(ddof=1))
            found.append(Metric(first.direction, f"{first.name} fold-sd", sd, None, None, n, method))
    return tuple(found)
