"""Transfer: what every model and adapter scores on every dataset, clean and perturbed, of the runs in the store.

Reads stored metrics and computes none anew but means over seeds and differences. Knows of an adapter which
datasets it learned from and was chosen on, so that no row of it passes for a test that is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import TypeAlias, cast

from clipbench.errors import ClipbenchError
from clipbench.keys import short
from clipbench.records import Dataset, Protocol
from clipbench.store.adapters import AdapterRecord, list_adapters
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter, RunSummary, list_runs
from clipbench.study.adapting.splits import shared_images
from clipbench.study.runs.kind_names import EVALUATE, ROBUSTNESS

Setting: TypeAlias = tuple[str, float]
"""Operation and level; ("clean", 0.0) is the clean run."""

CLEAN_SETTING: Setting = ("clean", 0.0)

LEARNED, CHOSEN = "learned from it", "chosen on it"


@dataclass(frozen=True)
class Scores:
    """Means over the seeds of one setting; None for a direction that was not run. runs: their keys."""

    t2i: float | None
    i2t: float | None
    rsum: float | None
    runs: tuple[str, ...]


@dataclass(frozen=True)
class TransferLine:
    """One model on one dataset. base: label of what an adapter stands on, None for a model of its own.

    relation: what the dataset was to an adapter, "" for nothing. before: the base's scores by setting.
    """

    dataset: str
    model: str
    encoder: str
    base: str | None
    relation: str
    scores: Mapping[Setting, Scores]
    before: Mapping[Setting, Scores]
    images: int

    @property
    def clean(self) -> Scores | None:
        """The clean run's scores, None where there is none."""
        return self.scores.get(CLEAN_SETTING)

    def change(self, setting: Setting) -> float | None:
        """Return the change of t2i R@1 from the base, None where either is not known."""
        own, base = self.scores.get(setting), self.before.get(setting)
        if own is None or base is None or own.t2i is None or base.t2i is None:
            return None
        return own.t2i - base.t2i


def transfer(store: Store, filters: RunFilter) -> tuple[TransferLine, ...]:
    """Return every model × dataset of the runs that pass, by dataset, bases before what stands on them.

    Only runs of the usual protocol that rank the plain product of two sets; of several of one setting and seed the
    newest.
    """
    grouped: dict[tuple[str, str], list[RunSummary]] = {}
    for run in list_runs(store, filters):
        if _usual(run):
            grouped.setdefault((run.dataset_key, run.encoder_key), []).append(run)
    scores = {place: _scores(runs) for place, runs in grouped.items()}
    adapters = {one.encoder: one for one in list_adapters(store)}
    known = _loader(store)
    lines = []
    for (dataset, encoder), runs in grouped.items():
        adapter = adapters.get(encoder)
        before = {} if adapter is None else _before(store, scores, dataset, adapter)
        lines.append(
            TransferLine(
                runs[0].dataset,
                runs[0].model,
                encoder,
                None if adapter is None else _label(adapter),
                "" if adapter is None else _relation(known, dataset, adapter),
                scores[dataset, encoder],
                before,
                runs[0].n_images,
            )
        )
    return tuple(
        sorted(lines, key=lambda one: (one.dataset, one.base or one.model, one.base is not None, one.model))
    )


def settings_of(lines: Sequence[TransferLine]) -> tuple[Setting, ...]:
    """Return the perturbed settings, those that most lines have first."""
    counts: dict[Setting, int] = {}
    for line in lines:
        for setting in line.scores:
            counts[setting] = counts.get(setting, 0) + 1
    counts.pop(CLEAN_SETTING, None)
    return tuple(sorted(counts, key=lambda setting: (-counts[setting], setting)))


def warnings(store: Store, lines: Sequence[TransferLine]) -> tuple[str, ...]:
    """Return what to know of adapters whose base has most likely seen their training set."""
    shown = {line.encoder for line in lines}
    return tuple(
        f"{one.name}: its base has most likely seen the photographs it learned from (R@1 {seen[0]:.3f} there, "
        f"{seen[1]:.3f} on its validation set at equal gallery size); a head learns nothing of them"
        for one in list_adapters(store)
        if one.encoder in shown and (seen := _seen(one)) is not None
    )


def relation_notes(store: Store, dataset: str, encoder: str) -> tuple[str, ...]:
    """Return what to know of a run on a dataset by an encoder (both by key): that it is no test of an adapter."""
    known = _loader(store)
    name = known(dataset)
    return tuple(
        f"{one.name} {'learned from' if words == LEARNED else 'was chosen on'} {name.name if name else dataset}, "
        "or photographs of it: this run is no test"
        for one in list_adapters(store)
        if one.encoder == encoder and (words := _relation(known, dataset, one))
    )


def _loader(store: Store) -> Callable[[str], Dataset | None]:
    """Return a function that loads a dataset by its key, once; None where it is gone."""

    @cache
    def known(key: str) -> Dataset | None:
        try:
            return load_dataset(store, short(key, 40))
        except ClipbenchError:
            return None

    return known


def _usual(run: RunSummary) -> bool:
    usual = Protocol()
    return (
        run.kind in {EVALUATE, ROBUSTNESS}
        and not run.method
        and (run.fold, run.tie_policy, run.positives) == (usual.fold, usual.ties, usual.positives)
    )


def _scores(runs: Sequence[RunSummary]) -> dict[Setting, Scores]:
    """Return the scores of each setting; runs are newest first."""
    by_setting: dict[Setting, dict[int, RunSummary]] = {}
    for run in runs:
        setting = (run.operation, 0.0 if run.operation == "clean" else run.level)
        by_setting.setdefault(setting, {}).setdefault(run.seed, run)
    return {
        setting: Scores(
            _mean([run.t2i_hit1 for run in seeds.values()]),
            _mean([run.i2t_hit1 for run in seeds.values()]),
            _mean([run.rsum for run in seeds.values()]),
            tuple(run.key for _, run in sorted(seeds.items())),
        )
        for setting, seeds in by_setting.items()
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _before(
    store: Store,
    scores: Mapping[tuple[str, str], Mapping[Setting, Scores]],
    dataset: str,
    adapter: AdapterRecord,
) -> Mapping[Setting, Scores]:
    """Return the base's scores on a dataset, also where the filters let only adapters through."""
    known = scores.get((dataset, adapter.base))
    if known is not None:
        return known
    runs = list_runs(store, RunFilter(dataset=short(dataset, 40)))
    return _scores([run for run in runs if run.encoder_key == adapter.base and _usual(run)])


def _relation(known: Callable[[str], Dataset | None], dataset: str, adapter: AdapterRecord) -> str:
    """Return what a dataset (by key) was to an adapter: it may be its own, or share photographs with it."""
    for part, words in (("train", LEARNED), ("validation", CHOSEN)):
        other = adapter.record.get(part)
        key = str(other.get("key")) if isinstance(other, dict) else ""
        if key == dataset:
            return words
        first, second = known(key), known(dataset)
        if first is not None and second is not None and shared_images(first, second):
            return words
    return ""


def _label(adapter: AdapterRecord) -> str:
    base = adapter.record.get("base")
    return str(base.get("label")) if isinstance(base, dict) else short(adapter.base)


def _seen(adapter: AdapterRecord) -> tuple[float, float] | None:
    seen = adapter.record.get("seen")
    if isinstance(seen, list) and len(seen) == 2 and all(isinstance(value, float) for value in seen):
        return cast("tuple[float, float]", tuple(seen))
    return None
