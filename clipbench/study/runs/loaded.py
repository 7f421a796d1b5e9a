"""A stored run as comparisons, annotation and exports need it: its ledgers, and whom their positions name.

Knows how to read one; says nothing about what may be compared with what.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from clipbench.errors import CompareError, StoreError
from clipbench.keys import Json, short
from clipbench.metrics.ties import POLICIES
from clipbench.records import DIRECTIONS, Dataset, Direction, Ledger, Metric, TiePolicy, filled
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, find_set
from clipbench.store.engine import Store
from clipbench.store.left_out import UNCAPTIONED
from clipbench.store.runs import StoredRun, load_ledgers, load_metrics
from clipbench.study.evaluation.galleries import Gallery, gallery_of
from clipbench.study.runs.run_kinds import kind_of


@dataclass(frozen=True)
class LoadedRun:
    """A stored run with what it ranked.

    gallery: the images and captions of the dataset that it ranked; a ledger's positions count these.
    ledgers: by direction, t2i first. metrics: by (direction, name), as stored.
    """

    run: StoredRun
    dataset: Dataset
    gallery: Gallery
    ledgers: Mapping[Direction, Ledger]
    metrics: Mapping[tuple[str, str], Metric]

    @property
    def protocol(self) -> Mapping[str, Json]:
        """How the run was scored, as it is stored; what it leaves out is at its default."""
        return filled(self.run.spec.protocol)

    @property
    def ties(self) -> TiePolicy:
        """How the run counts equal scores. Raises CompareError for a way that is not known here."""
        stored = self.protocol["ties"]
        for policy in POLICIES:
            if stored == policy:
                return policy
        raise CompareError(f"run {self.run.key} counts ties in a way that is not known here ({stored!r})")

    @property
    def fold(self) -> int | None:
        """Images per gallery, None for one gallery."""
        fold = self.protocol["fold"]
        return fold if isinstance(fold, int) else None

    def ledger(self, direction: Direction) -> Ledger:
        """Return the ledger of one direction. Raises CompareError where the run has none."""
        if direction not in self.ledgers:
            raise CompareError(
                f"run {short(self.run.key)} has no direction {direction}; it has {', '.join(self.ledgers)}",
                f"--direction {next(iter(self.ledgers), direction)}",
            )
        return self.ledgers[direction]

    def query_ids(self, direction: Direction) -> tuple[str, ...]:
        """Return the ids of one direction's queries: of captions for t2i, of images for i2t."""
        queries = self.gallery.captions if direction == "t2i" else self.gallery.samples
        return tuple(query.id for query in queries)


def load_runs(store: Store, runs: Sequence[StoredRun]) -> tuple[LoadedRun, ...]:
    """Return the runs with their ledgers; what several of them share is read once.

    Raises StoreError where something of a run is gone or does not fit together, CompareError for an estimate.
    """
    for run in runs:
        if not kind_of(run.spec.kind).by_query:
            raise CompareError(
                f"run {short(run.key)} is an {kind_of(run.spec.kind).title}: it knows no query's rank in the whole one",
                f"clipbench runs show {short(run.key)} has its numbers; compare runs of whole galleries",
            )
    datasets = {key: load_dataset(store, key) for key in dict.fromkeys(run.spec.dataset for run in runs)}
    galleries: dict[Hashable, Gallery] = {}
    loaded_runs = []
    for run in runs:
        dataset, images = datasets[run.spec.dataset], need_set(store, run, run.spec.images)
        shared = (run.spec.dataset, tuple(images.unreadable), run.spec.protocol.get(UNCAPTIONED))
        if shared not in galleries:
            galleries[shared] = gallery_of(dataset, images.unreadable, run.spec.protocol)
        ledgers = load_ledgers(store, run.key)
        ordered = {d: ledgers[d] for d in DIRECTIONS if d in ledgers}
        metrics = {(m.direction, m.name): m for m in load_metrics(store, run.key)}
        loaded = LoadedRun(run, dataset, galleries[shared], ordered, metrics)
        _check(loaded)
        loaded_runs.append(loaded)
    return tuple(loaded_runs)


def load_run(store: Store, run: StoredRun) -> LoadedRun:
    """Return one run with its ledgers. Raises StoreError as `load_runs`."""
    return load_runs(store, [run])[0]


def need_set(store: Store, run: StoredRun, key: str) -> EmbeddingSet:
    """Return an embedding set of a run. Raises StoreError where it is gone."""
    embedding_set = find_set(store, key)
    if embedding_set is None:
        raise StoreError(f"the embedding set {key} of run {run.key} is gone", "clipbench store verify")
    return embedding_set


def _check(loaded: LoadedRun) -> None:
    images = len(loaded.gallery.samples)
    for direction, ledger in loaded.ledgers.items():
        queries = len(loaded.query_ids(direction))
        if ledger.queries != queries or int(ledger.cluster.max(initial=0)) >= images:
            raise StoreError(
                f"the {direction} ledger of run {loaded.run.key} has {ledger.queries:,} queries, "
                f"its dataset {queries:,}",
                "clipbench store verify",
            )
