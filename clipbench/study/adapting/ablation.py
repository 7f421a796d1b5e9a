"""An ablation: every cell of a grid trained under every seed, chosen on validation, measured on test and origin.

Each training is a stored adapter and each measurement a stored run, all keyed by content: killed at any time, the
same command goes on, and done again it only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Literal, TypeAlias

from clipbench.adapters.training import Recipe, enough_epochs
from clipbench.errors import StoppedError
from clipbench.perturb.registry import Selection
from clipbench.records import Dataset, Perturbation, Protocol
from clipbench.store.adapters import AdapterRecord, find_by_request
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, find_run
from clipbench.study.adapting.grid import Cell, Grid
from clipbench.study.adapting.noise import Noise
from clipbench.study.adapting.shrinking import shrink, shrunk_request
from clipbench.study.adapting.source import PREFIX, AdapterSource
from clipbench.study.adapting.splits import refuse_shared
from clipbench.study.adapting.training import (
    Material,
    TrainRequest,
    material,
    request_key,
    train_on,
)
from clipbench.study.embedding.models import ModelRequest, VectorSource
from clipbench.study.robustness.settings import SweepRequest
from clipbench.study.robustness.sweep import Plan, plan, plan_for, run_planned
from clipbench.study.workplace.progress import OneBar, Progress, Silent

PROTOCOL = Protocol()

Place: TypeAlias = Literal["target", "origin"]
"""target: the test set of what is adapted to. origin: a set of what the base is good at; what it loses is forgetting."""


@dataclass(frozen=True)
class AblationRequest:
    """What to scan, on which stored datasets (by name), under which perturbations. recipe: what the grid leaves open.

    enough: whether the epochs are counted by the training set's size.
    """

    train: str
    validation: str
    test: str
    grid: Grid
    perturbations: tuple[Selection, ...]
    origin: str | None = None
    recipe: Recipe = field(default_factory=Recipe)
    noise: Noise | None = None
    allow_missing: float = 0.0
    enough: bool = False

    def training(self, recipe: Recipe) -> TrainRequest:
        """Return the training of one recipe."""
        enough = self.enough and recipe.epochs > 0
        return TrainRequest(
            self.train, self.validation, recipe, self.noise, None, self.allow_missing, enough=enough
        )


@dataclass(frozen=True)
class Training:
    """One cell under one seed: what is asked for, and the adapter where it is stored already.

    key: of the training's request, which cells share of which other shares are kept.
    """

    cell: Cell
    seed: int
    request: TrainRequest
    key: str
    adapter: AdapterRecord | None


@dataclass(frozen=True)
class AblationPlan:
    """A whole ablation before anything is trained. places: the datasets that are measured on.

    bases: the base's own runs there, clean first. runs_left: runs that are not stored, a guess for what is not
    trained yet.
    """

    request: AblationRequest
    train: Dataset
    validation: Dataset
    places: Mapping[Place, Dataset]
    bases: Mapping[Place, Plan]
    trainings: tuple[Training, ...]
    runs: int
    runs_left: int

    @property
    def left(self) -> tuple[Training, ...]:
        """The trainings that are not stored."""
        return tuple(one for one in self.trainings if one.adapter is None)

    def untrained(self, store: Store) -> tuple[Training, ...]:
        """Return one of each training that has to be done: shares of one training need it once."""
        asked = {one.key: one for one in self.left if find_by_request(store, one.key) is None}
        return tuple(asked.values())

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell once, in order."""
        return tuple(dict.fromkeys(one.cell for one in self.trainings))


@dataclass(frozen=True)
class Measured:
    """A stored adapter with its runs; by place, one run a perturbation, in the order of the base's."""

    cell: Cell
    seed: int
    adapter: AdapterRecord
    runs: Mapping[Place, tuple[StoredRun, ...]]


@dataclass(frozen=True)
class Ablation:
    """All that an ablation stored. settings: the perturbations in order, clean first. notes: what to know of it."""

    request: AblationRequest
    model: str
    settings: tuple[Perturbation, ...]
    zero_shot: Mapping[Place, tuple[StoredRun, ...]]
    measured: tuple[Measured, ...]
    notes: tuple[str, ...]

    def of(self, cell: Cell) -> tuple[Measured, ...]:
        """Return a cell under every seed."""
        return tuple(one for one in self.measured if one.cell == cell)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell once, in order."""
        return tuple(dict.fromkeys(one.cell for one in self.measured))

    @property
    def chosen(self) -> Cell:
        """The cell of the highest mean validation RSUM at its best epochs; the control is no candidate."""
        able = [cell for cell in self.cells if not cell.control]
        return max(able, key=lambda cell: fmean(best_rsum(one.adapter) for one in self.of(cell)))


def best_rsum(adapter: AdapterRecord) -> float:
    """Return the validation RSUM of an adapter at its best epoch."""
    best = adapter.record.get("best_epoch")
    return next(float(entry["scores"]["rsum"]) for entry in adapter.log if entry["epoch"] == best)


def plan_ablation(source: VectorSource, request: AblationRequest, progress: Progress) -> AblationPlan:
    """Return what an ablation comes to: trainings that are stored and not, runs that are left.

    Raises DatasetError where two of the datasets share an image, ClipbenchError for a grid that means nothing.
    """
    store = source.store
    train, validation = (load_dataset(store, name) for name in (request.train, request.validation))
    places: dict[Place, Dataset] = {"target": load_dataset(store, request.test)}
    if request.origin is not None:
        places["origin"] = load_dataset(store, request.origin)
    refuse_shared(train, validation)
    for other in places.values():
        refuse_shared(train, other)
        refuse_shared(validation, other)
    sweep_request = SweepRequest(request.perturbations)
    bases = {
        place: plan(source, dataset, sweep_request, PROTOCOL, progress=progress)
        for place, dataset in places.items()
    }
    trainings = tuple(
        _training(source, request, (train, validation), cell, seed)
        for cell in request.grid.cells()
        for seed in range(1 if cell.is_base(request.recipe) else request.grid.seeds)
    )
    each = sum(len(base.runs) for base in bases.values())
    left = sum(len(base.runs) - base.stored for base in bases.values())
    for one in trainings:
        left += each if one.adapter is None else _lacking(source, bases, one.adapter)
    runs = each * (1 + len(trainings))
    return AblationPlan(request, train, validation, places, bases, trainings, runs, left)


def _training(
    source: VectorSource, request: AblationRequest, datasets: tuple[Dataset, Dataset], cell: Cell, seed: int
) -> Training:
    """Return a training with its epochs counted, and its adapter where it is stored."""
    asked = request.training(cell.recipe(request.recipe, seed))
    if asked.enough:
        # Of images that cannot be read the captions are not learned from; they are few, or refused.
        epochs = enough_epochs(len(datasets[0].captions), asked.recipe.batch)
        asked = replace(asked, recipe=replace(asked.recipe, epochs=epochs), enough=False)
    key = request_key(source.identity, *datasets, asked)
    own = key if cell.share == 1 else shrunk_request(key, cell.share)
    return Training(cell, seed, asked, key, find_by_request(source.store, own))


def _lacking(source: VectorSource, bases: Mapping[Place, Plan], adapter: AdapterRecord) -> int:
    adapted = adapted_source(source, adapter)
    again = [plan_for(base, adapted, PROTOCOL) for base in bases.values()]
    return sum(len(one.runs) - one.stored for one in again)


def adapted_source(base: VectorSource, adapter: AdapterRecord) -> AdapterSource:
    """Return an adapter as a source that stands on a base at hand."""
    return AdapterSource(base.store, ModelRequest(PREFIX + adapter.name), base)


def run_ablation(planned: AblationPlan, source: VectorSource, progress: Progress) -> Ablation:
    """Train and measure what is not stored, and return everything.

    Raises StoppedError on Ctrl-C; the same again goes on where it stopped.
    """
    request = planned.request
    zero_shot = {place: _runs(source, request, base, progress) for place, base in planned.bases.items()}
    ground = material(source, request.training(request.recipe), progress)
    left = planned.untrained(source.store)
    epochs = OneBar(progress, sum(one.request.recipe.epochs + 1 for one in left))
    bar = progress.start("trained and measured", len(planned.trainings))
    measured: list[Measured] = []
    for one in planned.trainings:
        with _interruptible(measured, len(planned.trainings)):
            adapter = one.adapter or _made(source, ground, one, epochs)
            adapted = adapted_source(source, adapter)
            runs = {
                place: _runs(adapted, request, plan_for(base, adapted, PROTOCOL), Silent())
                for place, base in planned.bases.items()
            }
        measured.append(Measured(one.cell, one.seed, adapter, runs))
        progress.advance(bar)
    settings = tuple(run.perturbation for run in zero_shot["target"])
    return Ablation(request, source.identity.label, settings, zero_shot, tuple(measured), ground.notes)


def _made(source: VectorSource, ground: Material, one: Training, progress: Progress) -> AdapterRecord:
    """Return the adapter of a training, trained unless it was for another share."""
    trained = train_on(source, ground, one.request, progress, keep_stopped=False).adapter
    return trained if one.cell.share == 1 else shrink(source, ground, trained, one.cell.share)


@contextmanager
def _interruptible(done: Sequence[Measured], total: int) -> Iterator[None]:
    """Turn Ctrl-C, in whatever part of a cell, into a message that counts cells."""
    try:
        yield
    except (KeyboardInterrupt, StoppedError):
        raise StoppedError(
            f"interrupted: {len(done):,} of {total:,} trainings of this ablation are stored and measured, "
            "nothing is lost",
            "the same command again goes on where this one stopped",
        ) from None


def _runs(
    source: VectorSource, request: AblationRequest, planned: Plan, progress: Progress
) -> tuple[StoredRun, ...]:
    run_planned(planned, source, PROTOCOL, progress, request.allow_missing)
    found = [find_run(source.store, run.spec.key) for run in planned.runs]
    return tuple(run for run in found if run is not None)
