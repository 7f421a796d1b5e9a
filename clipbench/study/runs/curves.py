"""Stored runs that differ in one number alone: an index asked with other settings, a head at another share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clipbench.keys import Json
from clipbench.records import Metric
from clipbench.store.adapters import AdapterRecord, list_adapters
from clipbench.store.engine import Store
from clipbench.store.indexes import IndexRecord
from clipbench.store.queries import RunFilter, RunSummary, list_runs, metrics_of
from clipbench.study.adapting.facts import recipe_facts

NAMES = ("hit@1", "hit@5", "hit@10")
FREE = ("alpha", "epochs")
"""What may differ within a scan of α; a head at 0 is trained for no epoch, having nothing to learn."""


@dataclass(frozen=True)
class Place:
    """One run at one value of what differs. metrics: its hit@1, hit@5 and hit@10."""

    at: float
    run: RunSummary
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class StoredCurve:
    """Runs of one dataset by ascending value. name: what differs."""

    name: str
    dataset: str
    places: tuple[Place, ...]


def index_curves(store: Store, index: IndexRecord) -> tuple[StoredCurve, ...]:
    """Return the runs through an index of what it is, a curve for every setting of the search that they differ in."""
    found = [
        run
        for run in list_runs(store, RunFilter(dataset=index.dataset, method="index"))
        if run.encoder_key == index.encoder and run.operation == "clean" and _is_through(run.method, index)
    ]
    settings = {run.key: _numbers(run.method.get("search")) for run in found}
    curves = []
    for name in dict.fromkeys(name for one in settings.values() for name in one):
        alike: dict[str, list[tuple[float, RunSummary]]] = {}
        for run in found:
            others = {other: value for other, value in settings[run.key].items() if other != name}
            words = ", ".join([name, *(f"{other} {value:g}" for other, value in sorted(others.items()))])
            alike.setdefault(words, []).append((settings[run.key][name], run))
        curves += [(words, runs) for words, runs in alike.items() if len(runs) > 1]
    return tuple(_curve(store, name, runs) for name, runs in curves)


def adapter_curves(store: Store, adapter: AdapterRecord) -> tuple[StoredCurve, ...]:
    """Return the runs of adapters that differ from one in α alone, or in how much of it they keep; by dataset.

    What α or share 0 leaves is the base, whose own run stands for it.
    """
    everyone = list_adapters(store)
    scans = {"α": _alphas(adapter, everyone), "share": _shares(adapter, everyone)}
    scans = {name: encoders for name, encoders in scans.items() if len(encoders) > 1}
    runs = list_runs(store, RunFilter(method="")) if scans else ()
    curves = []
    for name, encoders in scans.items():
        encoders.setdefault(0.0, adapter.base)
        values = {encoder: at for at, encoder in encoders.items()}
        by_ground: dict[tuple[str, str], list[tuple[float, RunSummary]]] = {}
        for run in runs:
            if run.encoder_key in values and run.operation == "clean" and run.kind == "evaluate":
                ground = (run.dataset, repr(sorted(run.protocol.items())))
                by_ground.setdefault(ground, []).append((values[run.encoder_key], run))
        curves += [(name, found) for _, found in sorted(by_ground.items()) if len(found) > 2]
    return tuple(_curve(store, name, found) for name, found in curves)


def _curve(store: Store, name: str, runs: Iterable[tuple[float, RunSummary]]) -> StoredCurve:
    # Of several runs at one value, as of two galleries, the newest stands; they come newest first.
    newest: dict[float, RunSummary] = {}
    for at, run in runs:
        newest.setdefault(at, run)
    metrics = metrics_of(store, [run.key for run in newest.values()], NAMES)
    places = tuple(
        Place(at, run, metrics[run.key]) for at, run in sorted(newest.items(), key=lambda one: one[0])
    )
    return StoredCurve(name, places[0].run.dataset, places)


def _is_through(method: Mapping[str, Json], index: IndexRecord) -> bool:
    content = index.content
    made = {
        "type": content.type,
        "build": dict(content.build),
        "library": content.library,
        "block": content.block,
    }
    return all(method.get(name) == value for name, value in made.items())


def _numbers(search: Json) -> dict[str, float]:
    if not isinstance(search, dict):
        return {}
    return {name: float(value) for name, value in search.items() if isinstance(value, int | float)}


def _alphas(adapter: AdapterRecord, everyone: Iterable[AdapterRecord]) -> dict[float, str]:
    """Return the encoders of heads that differ in α alone, by α."""
    if recipe_facts(adapter).get("alpha") is None or adapter.record.get("interpolated"):
        return {}
    wanted = _but_alpha(adapter)
    return {
        float(recipe_facts(one)["alpha"]): one.encoder
        for one in everyone
        if not one.record.get("interpolated") and _but_alpha(one) == wanted
    }


def _but_alpha(one: AdapterRecord) -> tuple[object, ...]:
    facts = {name: value for name, value in recipe_facts(one).items() if name not in FREE}
    places = [one.record.get(name) for name in ("train", "validation", "noise", "kind")]
    return (one.base, repr(sorted(facts.items(), key=lambda fact: fact[0])), repr(places))


def _shares(adapter: AdapterRecord, everyone: Iterable[AdapterRecord]) -> dict[float, str]:
    """Return the encoders between a base and what was trained on it, by how much of that they keep."""
    kept = adapter.record.get("interpolated")
    whole = str(kept.get("from")) if isinstance(kept, dict) else adapter.key
    found = {}
    for one in everyone:
        kept = one.record.get("interpolated")
        if one.key == whole:
            found[1.0] = one.encoder
        elif isinstance(kept, dict) and kept.get("from") == whole:
            found[float(str(kept["share"]))] = one.encoder
    return found
