"""What a sweep says: mean and spread over seeds, the drop with its interval, what became of the hits.

Reads stored ledgers and metrics; every number follows from them. Intervals resample images on the mean over
seeds of each query's value; a drop resamples the clean and the perturbed value together (paired).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError
from clipbench.keys import Json
from clipbench.metrics.measures import measure
from clipbench.records import DIRECTIONS, Direction, Ledger, Protocol, protocol_of
from clipbench.statistics.bootstrap import bootstrap, cluster_sums, intervals
from clipbench.statistics.flips import retention
from clipbench.statistics.intervals import Interval, percentile_interval
from clipbench.statistics.seeds import SeedSummary, over_seeds
from clipbench.store.embeddings import find_set
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, find_run, load_ledgers, load_metrics
from clipbench.store.sweeps import StoredSweep
from clipbench.study.evaluation.protocol import RSUM, RSUM_HITS
from clipbench.study.robustness.settings import shown_operation

MEASURED = ("hit@1", "hit@5", "hit@10", "MRR")
"""Measures that have an interval over the seeds; MedR is summarised beside them."""

Name = tuple[str, str]
"""Direction and metric, e.g. ("t2i", "hit@1")."""

Ledgers = Mapping[Direction, Ledger]
Columns = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """One operation at one level, over its seeds.

    values: each metric over seeds. bounds: the interval of its mean. drops: clean less perturbed, with its
    interval. kept: the share of clean hits that stay hits, gained: of clean misses that become hits, means
    over seeds, by direction and hit@K. audit: what the operation did, as counted for the first seed.
    lacking: images, with the reason, that only the clean run ranked, or only these; where there are any the
    galleries differ, so that bounds, drops, kept and gained are empty.
    """

    operation: str
    target: str
    level: float
    values: Mapping[Name, SeedSummary]
    bounds: Mapping[Name, Interval]
    drops: Mapping[Name, tuple[float, Interval | None]]
    kept: Mapping[Name, float | None]
    gained: Mapping[Name, float | None]
    audit: Mapping[str, Json]
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float | None:
        """Mean over seeds of RSUM, or of its half where one direction was run."""
        return score_of({name: value.mean for name, value in self.values.items()})


@dataclass(frozen=True)
class OperationSummary:
    """One operation over its levels.

    mmi: (s_clean - s) / s_clean with s the mean over levels of the mean over seeds (Qiu et al. 2024).
    worst: the largest of its levels. relative: s / s_clean.
    """

    operation: str
    mmi: float
    worst: float
    worst_level: float
    relative: float


@dataclass(frozen=True)
class SweepSummary:
    """A sweep in numbers. clean: the clean run's metrics, clean_bounds: their intervals.

    score_name: what s is in MMI. `mmi` and the worst of `operations` are over all operations.
    """

    sweep: StoredSweep
    clean_run: StoredRun
    clean: Mapping[Name, float]
    clean_bounds: Mapping[Name, tuple[float, float]]
    effects: tuple[Effect, ...]
    operations: tuple[OperationSummary, ...]
    score_name: str

    @property
    def mmi(self) -> float | None:
        """Macro mean: over operations of the mean over levels of the mean over seeds."""
        return fmean(o.mmi for o in self.operations) if self.operations else None

    @property
    def seeds(self) -> int:
        """The most seeds that a setting was run under."""
        return max((len(v.values) for e in self.effects for v in e.values.values()), default=1)


def summarise(store: Store, sweep: StoredSweep) -> SweepSummary:
    """Return the summary of a stored sweep. Raises CompareError where a run of it was deleted."""
    runs = [_run(store, key) for key in sweep.runs]
    clean_run = next((run for run in runs if run.perturbation.operation == "clean"), None)
    if clean_run is None:
        raise CompareError(
            f"sweep {sweep.name} has no clean run", "clipbench robustness sweep (the same again)"
        )
    stored = load_metrics(store, clean_run.key)
    clean = {(m.direction, m.name): m.value for m in stored}
    bounds = {
        (m.direction, m.name): (m.low, m.high) for m in stored if m.low is not None and m.high is not None
    }
    base = _Base(clean, load_ledgers(store, clean_run.key), _unusable(store, clean_run))
    groups: dict[tuple[str, str, float], list[StoredRun]] = {}
    for run in runs:
        if run is not clean_run:
            setting = run.perturbation
            groups.setdefault((shown_operation(setting), setting.target, setting.level), []).append(run)
    effects = tuple(_effect(store, name, group, base) for (name, _, _), group in groups.items())
    ran = [d for d in DIRECTIONS if d in base.ledgers]
    words = "RSUM" if len(ran) == len(DIRECTIONS) else f"{ran[0]} R@1 + R@5 + R@10"
    return SweepSummary(sweep, clean_run, clean, bounds, effects, _operations(effects, clean), words)


def score_of(values: Mapping[Name, float]) -> float | None:
    """Return 100 × the sum of hit@1, 5 and 10 over the directions that were run; None without these.

    With both directions this is RSUM.
    """
    ran = [d for d in DIRECTIONS if all((d, name) in values for name in RSUM_HITS)]
    return 100 * sum(values[d, name] for d in ran for name in RSUM_HITS) if ran else None


def _run(store: Store, key: str) -> StoredRun:
    run = find_run(store, key)
    if run is None:
        raise CompareError(
            f"run {key} of the sweep was deleted", "clipbench robustness sweep (the same again)"
        )
    return run


@dataclass(frozen=True)
class _Base:
    """What perturbed runs are seen against: the clean run's metrics, ledgers, and images it could not use."""

    metrics: Mapping[Name, float]
    ledgers: Ledgers
    unusable: Mapping[str, str]


def _effect(
    store: Store,
    operation: str,
    runs: Sequence[StoredRun],
    base: _Base,
) -> Effect:
    protocol = protocol_of(runs[0].spec.protocol)
    by_seed = {run.perturbation.seed: run for run in runs}
    metrics = {
        seed: {(m.direction, m.name): m.value for m in load_metrics(store, run.key)}
        for seed, run in by_seed.items()
    }
    ledgers = [load_ledgers(store, run.key) for run in by_seed.values()]
    values = {
        name: over_seeds({seed: found[name] for seed, found in metrics.items()})
        for name in metrics[min(metrics)]
    }
    lacking = _lacking(store, runs, base)
    drops: dict[Name, float] = {}
    kept: dict[Name, float | None] = {}
    gained: dict[Name, float | None] = {}
    bounds: dict[Name, Interval] = {}
    paired: dict[Name, Interval] = {}
    if not lacking:  # else the galleries differ, and neither queries nor scores belong together
        drops = {
            name: base.metrics[name] - value.mean for name, value in values.items() if name in base.metrics
        }
        bounds, paired = _resampled(base.ledgers, ledgers, protocol)
        kept, gained = _retained(base.ledgers, ledgers)
    setting = runs[0].perturbation
    first = find_set(store, runs[0].spec.texts if setting.target == "text" else runs[0].spec.images)
    return Effect(
        operation=operation,
        target=setting.target,
        level=setting.level,
        values=values,
        bounds={name: bound for name, bound in bounds.items() if name in values},
        drops={name: (drop, paired.get(name)) for name, drop in drops.items()},
        kept=kept,
        gained=gained,
        audit=(first.audit if first else None) or {},
        lacking=lacking,
    )


def _lacking(store: Store, runs: Sequence[StoredRun], base: _Base) -> dict[str, str]:
    """Return the images that only the clean run could use, or only some of these, and why not."""
    found: dict[str, str] = {}
    for run in runs:
        unusable = _unusable(store, run)
        both = {**base.unusable, **unusable}
        found |= {id_: both[id_] for id_ in base.unusable.keys() ^ unusable.keys()}
    return dict(sorted(found.items()))


def _unusable(store: Store, run: StoredRun) -> dict[str, str]:
    images = find_set(store, run.spec.images)
    return dict(images.unreadable) if images else {}


def _retained(
    base: Ledgers, perturbed: Sequence[Ledgers]
) -> tuple[dict[Name, float | None], dict[Name, float | None]]:
    """Return the mean share of clean hits kept and of misses gained; a tie counts as a miss."""
    kept: dict[Name, float | None] = {}
    gained: dict[Name, float | None] = {}
    for direction in base:
        for name in RSUM_HITS:
            hit = measure(name)
            clean = hit(base[direction], "pessimistic")
            found = [retention(clean, hit(ledgers[direction], "pessimistic")) for ledgers in perturbed]
            hits, misses = found[0].hits, base[direction].queries - found[0].hits
            kept[direction, name] = fmean(one.kept for one in found) / hits if hits else None
            gained[direction, name] = fmean(one.gained for one in found) / misses if misses else None
    return kept, gained


def _resampled(
    base: Ledgers, perturbed: Sequence[Ledgers], protocol: Protocol
) -> tuple[dict[Name, Interval], dict[Name, Interval]]:
    """Return the intervals of the means over seeds and of the drops; none where images cannot be resampled."""
    clusters = 1 + max(int(ledger.cluster.max()) for ledger in base.values())
    if clusters < 2 or protocol.fold is not None:
        return {}, {}
    bounds: dict[Name, Interval] = {}
    drops: dict[Name, Interval] = {}
    replicates: list[Columns] = []
    width = len(MEASURED)
    for direction, ledger in base.items():
        table = _values(ledger, [one[direction] for one in perturbed], protocol)
        drawn = bootstrap(*cluster_sums(table, ledger.cluster, clusters), protocol.resamples, protocol.seed)
        found = intervals(drawn, protocol.confidence, "percentile")
        bounds |= {(direction, name): bound for name, bound in zip(MEASURED, found[:width], strict=True)}
        drops |= {(direction, name): bound for name, bound in zip(MEASURED, found[width:], strict=True)}
        replicates.append(drawn.replicates)
    if len(replicates) == len(DIRECTIONS):
        hits = [MEASURED.index(name) for name in RSUM_HITS]
        for start, to in ((0, bounds), (width, drops)):
            total = 100 * np.sum(
                [one[:, [start + i for i in hits]].sum(axis=1) for one in replicates], axis=0
            )
            to["both", RSUM] = percentile_interval(total, protocol.confidence)
    return bounds, drops


def _values(base: Ledger, perturbed: Sequence[Ledger], protocol: Protocol) -> Columns:
    """Return each query's mean value over seeds, and how far it fell; float64 (Q, 2 × measures)."""
    columns = []
    for name in MEASURED:
        value = measure(name)
        columns.append(np.mean([value(ledger, protocol.ties) for ledger in perturbed], axis=0))
    clean = [measure(name)(base, protocol.ties) for name in MEASURED]
    return np.stack([*columns, *(c - p for c, p in zip(clean, columns, strict=True))], axis=1)


def _operations(effects: Sequence[Effect], clean: Mapping[Name, float]) -> tuple[OperationSummary, ...]:
    whole = score_of(clean)
    if not whole:  # nothing right at all: there is nothing to relate to
        return ()
    found = []
    for name in dict.fromkeys(e.operation for e in effects):
        levels = {e.level: e.score for e in effects if e.operation == name and not e.lacking}
        scores = {level: score for level, score in levels.items() if score is not None}
        if not scores:  # every level ranked other images than the clean run
            continue
        mean = fmean(scores.values())
        worst = min(scores, key=lambda level: scores[level])
        found.append(OperationSummary(name, 1 - mean / whole, 1 - scores[worst] / whole, worst, mean / whole))
    return tuple(found)
