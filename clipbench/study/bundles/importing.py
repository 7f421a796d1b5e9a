"""Brings the runs of a bundle into a store, whole or not at all; what is there already is kept as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clipbench.errors import StoreError
from clipbench.keys import short
from clipbench.records import Dataset, Ledger, protocol_of
from clipbench.store.datasets import list_datasets, save_dataset
from clipbench.store.embeddings import ELSEWHERE, Encoding, find_set, save_set_elsewhere
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store, transaction
from clipbench.store.ledgers import ARRAYS
from clipbench.store.perturbations import save_perturbation
from clipbench.store.runs import RunRecord, find_run, load_ledgers, save_run
from clipbench.study.bundles.rankings import Ledgers
from clipbench.study.bundles.reading import Bundle, read_bundle
from clipbench.study.bundles.records import BundledRun


@dataclass(frozen=True, slots=True)
class Imported:
    """A bundle that was read: its name, and the keys of its runs, those that were new and those known before."""

    name: str
    new: tuple[str, ...]
    known: tuple[str, ...]


def import_bundle(store: Store, path: Path, expected: str | None = None) -> Imported:
    """Read a bundle into a store.

    expected: the name (or its beginning) that the bundle's maker says it has. Raises InputError where
    something in it is not what it says it is, StoreError where the store holds a run of the same key with
    other ranks, or the bundle is another than expected. Then nothing was stored.
    """
    bundle = read_bundle(path)
    if expected is not None and not _is_named(bundle.name, expected):
        raise StoreError(
            f"the bundle is {bundle.name}, {expected} was expected", "ask its maker which is right"
        )
    with transaction(store) as whole:
        return _imported(whole, bundle)


def _imported(store: Store, bundle: Bundle) -> Imported:
    known = tuple(key for key in bundle.runs if find_run(store, key) is not None)
    for key in known:
        _same_ledgers(store, key, bundle.runs[key][1].ledgers)
    _check_sets(store, bundle)
    names = {summary.key: summary.name for summary in list_datasets(store)}
    for key, dataset in bundle.datasets.items():
        if key not in names:
            save_dataset(store, _renamed(dataset, set(names.values())))
    for identity in bundle.encoders.values():
        save_encoder(store, identity, None)
    for setting in bundle.settings.values():
        save_perturbation(store, setting)
    for key in bundle.sets:
        _save_set(store, bundle, key)
    for run, rankings in bundle.runs.values():
        record = _record(run, bundle.name)
        save_run(store, run.spec, record, rankings.ledgers, run.metrics, rankings.shortlists)
    return Imported(bundle.name, tuple(key for key in bundle.runs if key not in known), known)


def _save_set(store: Store, bundle: Bundle, key: str) -> None:
    stored, items = bundle.sets[key]
    encoding = Encoding(
        dataset=stored.dataset,
        encoder=stored.encoder,
        perturbation=bundle.settings[stored.perturbation],
        modality=stored.modality,
        items=[item.tobytes() for item in items],
        truncated=stored.truncated,
        unreadable=stored.unreadable,
        seconds=stored.seconds,
        audit={**(stored.audit or {}), ELSEWHERE: True},
    )
    save_set_elsewhere(store, encoding, stored.checksum)


def _is_named(name: str, expected: str) -> bool:
    return len(expected) >= 8 and (name.startswith(expected) or name.partition(":")[2].startswith(expected))


def _same_ledgers(store: Store, key: str, ledgers: Ledgers) -> None:
    here = load_ledgers(store, key)
    same = set(here) == set(ledgers) and all(_equal(here[d], ledger) for d, ledger in ledgers.items())
    if not same:
        raise StoreError(
            f"the store holds run {key} with other ranks than the bundle",
            "one of the two was changed: clipbench store verify",
        )


def _equal(one: Ledger, other: Ledger) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)


def _check_sets(store: Store, bundle: Bundle) -> None:
    """Raise StoreError where a set is here with another matrix, before anything is written."""
    for key, (stored, _) in bundle.sets.items():
        here = find_set(store, key)
        if here is not None and here.checksum != stored.checksum:
            raise StoreError(
                f"embedding set {key} is here with checksum {here.checksum[:12]}, in the bundle with "
                f"{stored.checksum[:12]}: the same model gave other vectors on the other machine",
                "read the bundle into a store of its own (--store FOLDER) and compare the reports",
            )


def _renamed(dataset: Dataset, taken: set[str]) -> Dataset:
    if dataset.name not in taken:
        return dataset
    return replace(dataset, name=f"{dataset.name}-{short(dataset.key, 8)}")


def _record(run: BundledRun, bundle: str) -> RunRecord:
    return RunRecord(
        run.encoder,
        run.perturbation,
        command=run.command,
        version=run.version,
        environment={**run.environment, "bundle": bundle},
        timings=run.timings,
        confidence=protocol_of(run.spec.protocol).confidence,
        created_at=run.created_at,
    )
