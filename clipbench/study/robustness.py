"""What a sweep says: mean and spread over seeds, the drop with its interval, the field's summary numbers.

Reads stored ledgers and metrics; every number follows from them. The drop's interval resamples images,
clean and perturbed together (paired), on the mean over seeds of each query's value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError
from clipbench.keys import Json
from clipbench.metrics.measures import measure
from clipbench.records import Direction, Ledger
from clipbench.statistics.bootstrap import bootstrap, cluster_sums, intervals
from clipbench.statistics.flips import retention
from clipbench.statistics.intervals import Interval, percentile_interval
from clipbench.statistics.seeds import SeedSummary, over_seeds
from clipbench.store.embeddings import find_set
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, find_run, load_ledgers, load_metrics
from clipbench.store.sweeps import StoredSweep
from clipbench.study.protocol import RSUM, RSUM_HITS, Protocol, protocol_of

MEASURED = ("hit@1", "hit@5", "hit@10", "MRR")
"""Measures whose drop has an interval; MedR and RSUM are summarised beside them."""

Name = tuple[str, str]
"""Direction and metric, e.g. ("t2i", "hit@1")."""


@dataclass(frozen=True)
class Effect:
    """One operation at one level, over its seeds.

    values: each metric over seeds. drops: clean less perturbed, with its interval. kept: the share of
    clean t2i hits@1 that stay hits, gained: of clean misses that become hits; means over seeds.
    audit: what the operation did, as counted for the first seed.
    """

    operation: str
    target: str
    level: float
    values: Mapping[Name, SeedSummary]
    drops: Mapping[Name, tuple[float, Interval | None]]
    kept: float | None
    gained: float | None
    audit: Mapping[str, Json]


@dataclass(frozen=True)
class OperationSummary:
    """One operation over its levels.

    mmi: (s_clean - s) / s_clean with s the mean RSUM over levels of the mean over seeds (Qiu et al. 2024).
    worst: the largest of its levels. relative: s / s_clean.
    """

    operation: str
    mmi: float
    worst: float
    worst_level: float
    relative: float


@dataclass(frozen=True)
class SweepSummary:
    """A sweep in numbers. `clean` holds the clean run's metrics; mmi and worst are over all operations."""

    sweep: StoredSweep
    clean_run: StoredRun
    clean: Mapping[Name, float]
    effects: tuple[Effect, ...]
    operations: tuple[OperationSummary, ...]

    @property
    def mmi(self) -> float | None:
        """Macro mean: over operations of the mean over levels of the mean over seeds."""
        return fmean(o.mmi for o in self.operations) if self.operations else None


def summarise(store: Store, sweep: StoredSweep) -> SweepSummary:
    """Return the summary of a stored sweep. Raises CompareError where a run of it was deleted."""
    runs = [_run(store, key) for key in sweep.runs]
    clean_run = next((run for run in runs if run.perturbation.operation == "clean"), None)
    if clean_run is None:
        raise CompareError(
            f"sweep {sweep.name} has no clean run", "clipbench robustness sweep (the same again)"
        )
    clean = _metrics(store, clean_run)
    base = load_ledgers(store, clean_run.key)
    groups: dict[tuple[str, str, float], list[StoredRun]] = {}
    for run in runs:
        if run is not clean_run:
            setting = run.perturbation
            groups.setdefault((setting.operation, setting.target, setting.level), []).append(run)
    effects = tuple(_effect(store, group, clean, base) for group in groups.values())
    return SweepSummary(sweep, clean_run, clean, effects, _operations(effects, clean))


def _run(store: Store, key: str) -> StoredRun:
    run = find_run(store, key)
    if run is None:
        raise CompareError(
            f"run {key} of the sweep was deleted", "clipbench robustness sweep (the same again)"
        )
    return run


def _metrics(store: Store, run: StoredRun) -> dict[Name, float]:
    return {(m.direction, m.name): m.value for m in load_metrics(store, run.key)}


def _effect(
    store: Store,
    runs: Sequence[StoredRun],
    clean: Mapping[Name, float],
    base: Mapping[Direction, Ledger],
) -> Effect:
    protocol = protocol_of(runs[0].spec.protocol)
    by_seed = {run.perturbation.seed: run for run in runs}
    metrics = {seed: _metrics(store, run) for seed, run in by_seed.items()}
    ledgers = {seed: load_ledgers(store, run.key) for seed, run in by_seed.items()}
    values = {
        name: over_seeds({seed: found[name] for seed, found in metrics.items()})
        for name in metrics[min(metrics)]
    }
    retained = _retained(base, ledgers)
    setting = runs[0].perturbation
    first = find_set(store, runs[0].spec.texts if setting.target == "text" else runs[0].spec.images)
    return Effect(
        operation=setting.operation,
        target=setting.target,
        level=setting.level,
        values=values,
        drops=_drops(values, clean, base, list(ledgers.values()), protocol),
        kept=retained[0],
        gained=retained[1],
        audit=(first.audit if first else None) or {},
    )


def _retained(
    base: Mapping[Direction, Ledger], perturbed: Mapping[int, Mapping[Direction, Ledger]]
) -> tuple[float | None, float | None]:
    """Return the mean share of clean t2i hits@1 kept and of misses gained; ties count as misses."""
    if "t2i" not in base:
        return None, None
    hit = measure("hit@1")
    clean = hit(base["t2i"], "pessimistic")
    found = [retention(clean, hit(ledgers["t2i"], "pessimistic")) for ledgers in perturbed.values()]
    hits, misses = found[0].hits, base["t2i"].queries - found[0].hits
    return (
        fmean(one.kept for one in found) / hits if hits else None,
        fmean(one.gained for one in found) / misses if misses else None,
    )


def _drops(
    values: Mapping[Name, SeedSummary],
    clean: Mapping[Name, float],
    base: Mapping[Direction, Ledger],
    perturbed: Sequence[Mapping[Direction, Ledger]],
    protocol: Protocol,
) -> dict[Name, tuple[float, Interval | None]]:
    """Return clean - perturbed for every metric; an interval where images can be resampled."""
    drops: dict[Name, tuple[float, Interval | None]] = {
        name: (clean[name] - value.mean, None) for name, value in values.items() if name in clean
    }
    clusters = 1 + max(int(ledger.cluster.max()) for ledger in base.values())
    if clusters < 2 or protocol.fold is not None:
        return drops
    replicates: list[npt.NDArray[np.float64]] = []
    for direction, ledger in base.items():
        change = _change(ledger, [one[direction] for one in perturbed], protocol)
        table = bootstrap(*cluster_sums(change, ledger.cluster, clusters), protocol.resamples, protocol.seed)
        for name, bound in zip(MEASURED, intervals(table, protocol.confidence, "percentile"), strict=True):
            if (direction, name) in drops:
                drops[direction, name] = (drops[direction, name][0], bound)
        replicates.append(table.replicates[:, [MEASURED.index(name) for name in RSUM_HITS]].sum(axis=1))
    if ("both", RSUM) in drops:
        total = 100 * np.sum(replicates, axis=0)
        drops["both", RSUM] = (drops["both", RSUM][0], percentile_interval(total, protocol.confidence))
    return drops


def _change(base: Ledger, perturbed: Sequence[Ledger], protocol: Protocol) -> npt.NDArray[np.float64]:
    """Return clean - mean over seeds of the perturbed value of each query, float64 (Q, measures)."""
    columns = []
    for name in MEASURED:
        value = measure(name)
        seeds = np.stack([value(ledger, protocol.ties) for ledger in perturbed])
        columns.append(value(base, protocol.ties) - seeds.mean(axis=0))
    return np.stack(columns, axis=1)


def _operations(effects: Sequence[Effect], clean: Mapping[Name, float]) -> tuple[OperationSummary, ...]:
    whole = clean.get(("both", RSUM))
    if not whole:  # one direction only, or nothing right at all: no RSUM to relate to
        return ()
    found = []
    for name in dict.fromkeys(e.operation for e in effects):
        levels = {e.level: e.values["both", RSUM].mean for e in effects if e.operation == name}
        score = fmean(levels.values())
        worst = min(levels, key=lambda level: levels[level])
        found.append(
            OperationSummary(name, 1 - score / whole, 1 - levels[worst] / whole, worst, score / whole)
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class CorruptionError:
    """mCE and relative mCE of one operation against a reference sweep (Hendrycks & Dietterich 2019).

    With E = 1 - t2i hit@1 summed over levels: E / E_ref, and (E - E_clean) / (E_ref - E_ref,clean).
    """

    operation: str
    ce: float
    relative: float | None


def corruption_errors(summary: SweepSummary, reference: SweepSummary) -> tuple[CorruptionError, ...]:
    """Return the corruption errors of every operation, relative to a named reference sweep.

    Raises CompareError where the sweeps are of other data or lack a setting.
    """
    if summary.clean_run.fingerprint != reference.clean_run.fingerprint:
        raise CompareError("the two sweeps are of different datasets", "clipbench runs show (fingerprints)")
    mine, theirs = _errors(summary), _errors(reference)
    lacking = sorted(set(mine) - set(theirs))
    if lacking:
        named = ", ".join(f"{operation} {level:g}" for operation, level in lacking[:5])
        raise CompareError(
            f"the reference {reference.sweep.name} lacks {len(lacking)} of {len(mine)} settings: {named}",
            "run the same sweep with the reference model",
        )
    found = []
    for name in dict.fromkeys(operation for operation, _ in mine):
        levels = [key for key in mine if key[0] == name]
        own, ref = sum(mine[key] for key in levels), sum(theirs[key] for key in levels)
        gap = ref - len(levels) * _clean_error(reference)
        rise = own - len(levels) * _clean_error(summary)
        if ref == 0:
            raise CompareError(f"the reference makes no error under {name}, so nothing can be relative to it")
        found.append(CorruptionError(name, own / ref, rise / gap if gap else None))
    return tuple(found)


def _errors(summary: SweepSummary) -> dict[tuple[str, float], float]:
    return {(e.operation, e.level): 1 - e.values["t2i", "hit@1"].mean for e in summary.effects}


def _clean_error(summary: SweepSummary) -> float:
    return 1 - summary.clean["t2i", "hit@1"]
