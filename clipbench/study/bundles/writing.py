"""Runs as a bundle: one file with everything that is needed to check a result elsewhere, and no photograph.

In it are datasets (ids, texts, digests of photographs), encoders, perturbations, what the embedding sets
were made of with the checksums of their matrices, and the runs with ledgers, metrics and environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipbench.errors import StoreError
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, find_set, set_items
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store, reading
from clipbench.store.runs import StoredRun, load_ledgers, load_metrics
from clipbench.store.shortlists import load_shortlists
from clipbench.study.bundles.archive import array_bytes, json_bytes, write_members
from clipbench.study.bundles.rankings import ledger_members, shortlist_members
from clipbench.study.bundles.records import (
    dataset_json,
    encoder_json,
    perturbation_json,
    run_json,
    set_json,
)
from clipbench.study.runs.run_kinds import KINDS, kind_of


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle that was written: its name (the digest of its content), file and number of runs."""

    name: str
    path: Path
    runs: int


def write_bundle(store: Store, runs: Sequence[StoredRun], out: Path, *, force: bool = False) -> Written:
    """Write runs to a bundle. The same runs give the same bytes.

    Raises StoreError where something of a run is gone, ClipbenchError where `out` cannot be written.
    """
    members: dict[str, bytes] = {}
    for run in runs:
        if not kind_of(run.spec.kind).whole:
            raise StoreError(
                f"run {run.key} is of the kind {run.spec.kind!r}, which does not rank its dataset as it is; "
                f"a bundle holds {' and '.join(kind.name for kind in KINDS.values() if kind.whole)}",
                "clipbench runs export RUN --metrics --out FILE writes its numbers",
            )
        for name in (run.spec.images, run.spec.texts):
            members |= _set(store, _found(store, name, run))
        dataset = load_dataset(store, run.spec.dataset)
        members[f"datasets/{plain(dataset.key)}.json"] = json_bytes(dataset_json(dataset))
        members |= _setting(run)
        folder = f"runs/{plain(run.key)}"
        members[f"{folder}/run.json"] = json_bytes(run_json(run, load_metrics(store, run.key)))
        for direction, ledger in load_ledgers(store, run.key).items():
            members |= ledger_members(f"{folder}/{direction}", ledger)
        for direction, shortlist in load_shortlists(store, run.key).items():
            members |= shortlist_members(f"{folder}/{direction}", shortlist)
    return Written(write_members(members, out, force=force), out, len(runs))


def plain(key: str) -> str:
    """Return the hex digits of a key."""
    return key.rpartition(":")[2]


def _found(store: Store, key: str, run: StoredRun) -> EmbeddingSet:
    stored = find_set(store, key)
    if stored is None:
        raise StoreError(f"the embedding set {key} of run {run.key} is gone", "clipbench store verify")
    return stored


def _set(store: Store, stored: EmbeddingSet) -> dict[str, bytes]:
    with reading(store) as connection:
        items = set_items(connection, stored.key)
    name = f"sets/{plain(stored.key)}"
    setting = stored.perturbation
    encoder = encoder_json(load_encoder(store, stored.encoder))
    return {
        f"encoders/{plain(stored.encoder)}.json": json_bytes(encoder),
        f"{name}.json": json_bytes(set_json(stored)),
        f"{name}.npy": array_bytes(items),
        f"perturbations/{plain(setting.key)}.json": json_bytes(perturbation_json(setting)),
    }


def _setting(run: StoredRun) -> dict[str, bytes]:
    setting = run.perturbation
    return {f"perturbations/{plain(setting.key)}.json": json_bytes(perturbation_json(setting))}
