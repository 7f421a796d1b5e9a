"""What an ablation says in numbers: every cell's mean over seeds, and its difference from zero-shot with an interval.

A cell's value for a query is the mean over its seeds; images are resampled, both sides together. The spread over
seeds stands beside it: the two are different uncertainties. Reads stored ledgers; knows no training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError
from clipbench.metrics.measures import measure
from clipbench.metrics.ties import groups
from clipbench.records import DIRECTIONS, Direction, Ledger, protocol_of
from clipbench.statistics.bootstrap import RESAMPLES
from clipbench.statistics.paired import RESAMPLES as RELABELLINGS
from clipbench.statistics.paired import PairedDifference, paired_difference, randomisation_test
from clipbench.statistics.seeds import SeedSummary, over_seeds
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, load_ledger
from clipbench.study.adapting.ablation import Ablation, Place, best_rsum
from clipbench.study.adapting.grid import Cell

MEASURED = ("hit@1", "hit@5", "hit@10", "MRR")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Key:
    """Whose number: a cell on a place under setting number `setting` (0 is clean), in a direction."""

    cell: Cell
    place: Place
    setting: int
    direction: Direction
    metric: str


@dataclass(frozen=True, slots=True)
class Effect:
    """zero_shot: the base's value. values: the cell's over seeds. difference: cell − base, and p, uncorrected."""

    zero_shot: float
    values: SeedSummary
    difference: PairedDifference
    p: float


@dataclass(frozen=True)
class AblationNumbers:
    """Every effect, and each cell's validation RSUM over seeds with its best epochs."""

    effects: Mapping[Key, Effect]
    validation: Mapping[Cell, SeedSummary]
    epochs: Mapping[Cell, float]

    def effect(
        self, cell: Cell, place: Place, setting: int, metric: str, direction: Direction = "t2i"
    ) -> Effect:
        """Return one of them."""
        return self.effects[Key(cell, place, setting, direction, metric)]


def numbers_of(store: Store, ablation: Ablation, seed: int = 0) -> AblationNumbers:
    """Return every cell's numbers against zero-shot. Raises CompareError where images are lacking in some runs."""
    effects: dict[Key, Effect] = {}
    for place in ablation.zero_shot:
        for direction in DIRECTIONS:
            effects |= _place(store, ablation, place, direction, seed)
    return AblationNumbers(
        effects,
        {c: over_seeds({m.seed: best_rsum(m.adapter) for m in ablation.of(c)}) for c in ablation.cells},
        {
            c: fmean(_epoch(m.adapter.record.get("best_epoch")) for m in ablation.of(c))
            for c in ablation.cells
        },
    )


def _place(
    store: Store, ablation: Ablation, place: Place, direction: Direction, seed: int
) -> dict[Key, Effect]:
    """Test every cell, setting and measure of one place and direction on the same resamples."""
    base = [_values(store, run, direction) for run in ablation.zero_shot[place]]
    clusters = load_ledger(store, ablation.zero_shot[place][0].key, direction).cluster
    keys: list[Key] = []
    before: list[Floats] = []
    after: list[Floats] = []
    seeds: list[Mapping[int, float]] = []
    for cell in ablation.cells:
        for setting, plain in enumerate(base):
            runs = {one.seed: one.runs[place][setting] for one in ablation.of(cell)}
            tables = {number: _values(store, run, direction) for number, run in runs.items()}
            if any(table.shape != plain.shape for table in tables.values()):
                raise CompareError(
                    f"the runs on {place} do not hold the same queries", "clipbench store verify"
                )
            mean = np.mean(list(tables.values()), axis=0)
            for column, metric in enumerate(MEASURED):
                keys.append(Key(cell, place, setting, direction, metric))
                before.append(plain[:, column])
                after.append(mean[:, column])
                seeds.append({number: float(t[:, column].mean()) for number, t in tables.items()})
    first, second = np.stack(before, axis=1), np.stack(after, axis=1)
    differences = paired_difference(first, second, clusters, RESAMPLES, seed)
    p_values = randomisation_test(first, second, clusters, RELABELLINGS, seed)
    return {
        key: Effect(float(first[:, number].mean()), over_seeds(values), difference, float(p))
        for number, (key, values, difference, p) in enumerate(
            zip(keys, seeds, differences, p_values, strict=True)
        )
    }


def _values(store: Store, run: StoredRun, direction: Direction) -> Floats:
    """Return every measure of every query of a run; (Q, measures)."""
    ledger: Ledger = load_ledger(store, run.key, direction)
    found = groups(ledger, protocol_of(run.spec.protocol).ties)
    return np.stack([measure(name).definition(found) for name in MEASURED], axis=1)


def _epoch(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def pareto(points: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Return the numbers of the points that no other equals or exceeds in both coordinates, by ascending x.

    >>> pareto([(1, 3), (2, 2), (1, 2), (3, 0), (2, 2)])
    (0, 1, 3)
    """
    order = sorted(range(len(points)), key=lambda n: (-points[n][0], -points[n][1], n))
    kept: list[int] = []
    best = float("-inf")
    for number in order:
        if points[number][1] > best:
            kept.append(number)
            best = points[number][1]
    return tuple(reversed(kept))
