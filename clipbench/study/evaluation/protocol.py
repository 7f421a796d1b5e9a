"""The numbers that follow from the ledgers of a run and its protocol. Pure.

Every number of a run is a function of its ledgers and its protocol, so `store verify` can derive it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.metrics.measures import best_ranks, chance_hit, is_known, measure
from clipbench.metrics.ties import known_queries, tied_queries
from clipbench.records import DIRECTIONS, Direction, Ledger, Metric, Protocol
from clipbench.statistics.bootstrap import Bootstrap, bootstrap, cluster_sums, combine, intervals
from clipbench.statistics.intervals import Interval, percentile_interval
from clipbench.statistics.medians import median_replicates
from clipbench.study.evaluation.folds import cut

RSUM = "rsum"
RSUM_HITS = ("hit@1", "hit@5", "hit@10")
OTHER = ("MeanR", "MRR", "R-Precision", "mAP@R", "nDCG@10")
"""What is reported beside hit@K and MedR; each is a mean over queries."""

Floats: TypeAlias = npt.NDArray[np.float64]


def directions_of(word: str) -> tuple[Direction, ...]:
    """Return the directions that "t2i", "i2t" or "both" means. Raises ClipbenchError for another word."""
    chosen = tuple(d for d in DIRECTIONS if word in {"both", d})
    if not chosen:
        raise ClipbenchError(f"there is no direction {word!r}", "t2i, i2t or both")
    return chosen


def metrics_of(ledgers: Mapping[Direction, Ledger], protocol: Protocol) -> tuple[Metric, ...]:
    """Return every number of a run, direction after direction, RSUM last.

    What a ledger of limited depth does not tell is left out, for both directions.
    """
    if protocol.fold is not None:
        return _over_folds(ledgers, protocol)
    hits, others = (_known(names, ledgers) for names in ([f"hit@{k}" for k in protocol.ks], OTHER))
    names = [*hits, *others]
    values = {d: np.stack([measure(n)(ledgers[d], protocol.ties) for n in names], axis=1) for d in ledgers}
    clusters = 1 + max(int(ledger.cluster.max()) for ledger in ledgers.values())
    table = _bootstrap(values, ledgers, clusters, protocol)
    found: list[Metric] = []
    for place, direction in enumerate(protocol.directions):
        bounds = _bounds(table, place * len(names), len(names), protocol)
        means = values[direction].mean(axis=0).tolist()
        n = ledgers[direction].queries
        measured = [
            _metric(direction, name, mean, bound, n, protocol)
            for name, mean, bound in zip(names, means, bounds, strict=True)
        ]
        found += measured[: len(hits)]
        found += _median(direction, ledgers[direction], clusters, protocol)
        found += measured[len(hits) :]
        found += _facts(direction, ledgers[direction], protocol)
    if len(protocol.directions) == len(DIRECTIONS) and set(RSUM_HITS) <= set(names):
        found.append(_rsum(found, table, names, protocol))
    return tuple(found)


def _bootstrap(
    values: Mapping[Direction, Floats], ledgers: Mapping[Direction, Ledger], clusters: int, protocol: Protocol
) -> Bootstrap | None:
    """Return one table of all directions' columns: both resample the same images together."""
    if clusters < 2:  # one image has no spread to show
        return None
    parts = [cluster_sums(values[d], ledgers[d].cluster, clusters) for d in protocol.directions]
    sums, counts = (np.hstack(side) for side in zip(*parts, strict=True))
    return bootstrap(sums, counts, protocol.resamples, protocol.seed)


def _bounds(table: Bootstrap | None, first: int, count: int, protocol: Protocol) -> list[Interval | None]:
    if table is None:
        return [None] * count
    columns = slice(first, first + count)
    part = Bootstrap(table.estimates[columns], table.replicates[:, columns], table.jackknife[:, columns])
    return list(intervals(part, protocol.confidence, "bca"))


def method_words(bound: Interval, protocol: Protocol) -> str:
    """Return how an interval was made, for people."""
    return f"{100 * protocol.confidence:g} % cluster bootstrap over images, {protocol.resamples:,} resamples, {bound.method}"


def _metric(
    direction: str, name: str, value: float, bound: Interval | None, n: int, protocol: Protocol
) -> Metric:
    if bound is None:
        return Metric(direction, name, value, None, None, n)
    return Metric(direction, name, value, bound.low, bound.high, n, method_words(bound, protocol))


def _known(names: Iterable[str], ledgers: Mapping[Direction, Ledger]) -> list[str]:
    return [name for name in names if all(is_known(name, ledger) for ledger in ledgers.values())]


def _median(direction: Direction, ledger: Ledger, clusters: int, protocol: Protocol) -> list[Metric]:
    """Return the median rank where it is known; with an interval where every rank is."""
    if not is_known("MedR", ledger):
        return []
    if not known_queries(ledger).all():
        # The middle ranks are known, but resamples may draw more of the unknown ones into the middle.
        median = float(np.median(measure("MedR")(ledger, protocol.ties)))
        return [_metric(direction, "MedR", median, None, ledger.queries, protocol)]
    ranks = best_ranks(ledger, protocol.ties)
    bound = None
    if clusters > 1:
        drawn = median_replicates(ranks, ledger.cluster, protocol.resamples, protocol.seed, clusters)
        bound = percentile_interval(drawn, protocol.confidence)
    return [_metric(direction, "MedR", float(np.median(ranks)), bound, ledger.queries, protocol)]


def _facts(direction: Direction, ledger: Ledger, protocol: Protocol) -> list[Metric]:
    """Return what stands beside the measures: chance level, gallery and query counts, ties."""
    positives = np.diff(ledger.offsets)
    n = ledger.queries
    chances = [
        Metric(direction, f"chance-hit@{k}", chance_hit(ledger.gallery_size, positives, k), None, None, n)
        for k in protocol.ks
    ]
    counts = (
        ("queries", n),
        ("gallery", ledger.gallery_size),
        ("tied-queries", tied_queries(ledger)),
    )
    return [*chances, *(Metric(direction, name, float(count), None, None, n) for name, count in counts)]


def _rsum(found: list[Metric], table: Bootstrap | None, names: list[str], protocol: Protocol) -> Metric:
    """Return RSUM = 100 × the six hits."""
    value = 100 * sum(m.value for m in found if m.name in RSUM_HITS)
    n = sum(m.n for m in found if m.name == RSUM_HITS[0])
    if table is None:
        return Metric("both", RSUM, value, None, None, n)
    coefficients = [100.0 if name in RSUM_HITS else 0.0 for name in names] * len(DIRECTIONS)
    bound = intervals(combine(table, coefficients), protocol.confidence, "bca")[0]
    return _metric("both", RSUM, value, bound, n, protocol)


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


def averaged(
    direction: Direction,
    names: Sequence[str],
    values: Floats,
    cluster: npt.NDArray[np.int32],
    protocol: Protocol,
) -> list[Metric]:
    """Return the means of per-query values (Q, len(names)) with their cluster-bootstrap intervals."""
    means = values.mean(axis=0).tolist()
    clusters = 1 + int(cluster.max())
    n = len(values)
    if clusters < 2:  # one image has no spread to show
        return [Metric(direction, name, mean, None, None, n) for name, mean in zip(names, means, strict=True)]
    table = bootstrap(*cluster_sums(values, cluster, clusters), protocol.resamples, protocol.seed)
    bounds = intervals(table, protocol.confidence, "bca")
    return [
        Metric(direction, name, mean, bound.low, bound.high, n, method_words(bound, protocol))
        for name, mean, bound in zip(names, means, bounds, strict=True)
    ]
