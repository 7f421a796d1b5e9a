"""Stress on the gallery's side: what a query meets, not what it says. Runs that share one clean evaluation.

Each kind of stress has its own module; this one knows what they share: the clean run with everything
loaded, and how a run with numbers of its own is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clipbench import __version__
from clipbench.errors import StoreError
from clipbench.keys import Json
from clipbench.records import CLEAN, Dataset, Direction, Ledger, Metric, Perturbation, Protocol, RunSpec
from clipbench.statistics.bootstrap import bootstrap, cluster_sums, intervals
from clipbench.store.embeddings import EmbeddingSet, load_vectors
from clipbench.store.engine import Store
from clipbench.store.runs import RunRecord, StoredRun, find_run, load_ledgers, save_run
from clipbench.study.embed import embed_images, embed_texts
from clipbench.study.environment import command_line, environment
from clipbench.study.evaluate import Sets, Vectors, evaluate_sets
from clipbench.study.galleries import Gallery, gallery_of
from clipbench.study.models import EncoderSource
from clipbench.study.progress import Progress
from clipbench.study.protocol import method_words

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """A dataset evaluated clean: its vectors' sets, what is ranked, the stored run and its ledgers."""

    source: EncoderSource
    dataset: Dataset
    images: EmbeddingSet
    texts: EmbeddingSet
    gallery: Gallery
    run: StoredRun
    ledgers: Mapping[Direction, Ledger]
    protocol: Protocol

    @property
    def store(self) -> Store:
        """The store it is in."""
        return self.source.store

    def image_vectors(self) -> Vectors:
        """Return the vectors of the ranked images; float32 (N, D)."""
        return load_vectors(self.store, self.images)[self.gallery.image_rows]

    def text_vectors(self) -> Vectors:
        """Return the vectors of the ranked captions; float32 (M, D)."""
        return load_vectors(self.store, self.texts)[self.gallery.caption_rows]


def ground(
    dataset: Dataset,
    source: EncoderSource,
    protocol: Protocol,
    progress: Progress,
    allow_missing: float = 0.0,
) -> Ground:
    """Return the clean evaluation of a dataset, encoding and ranking what is not stored yet."""
    store = source.store
    images = embed_images(store, dataset, source, progress, allow_missing=allow_missing).set
    texts = embed_texts(store, dataset, source, progress).set
    sets = Sets(dataset, images, texts, device=source.device)
    run = evaluate_sets(store, sets, protocol, kind="evaluate").run
    gallery = gallery_of(dataset, images.unreadable)
    return Ground(source, dataset, images, texts, gallery, run, load_ledgers(store, run.key), protocol)


@dataclass(frozen=True)
class Stress:
    """One run of gallery-side stress before it is stored.

    kind: the run's. directions: that it ranks. extra: what the protocol says besides how it is scored.
    texts: the text set where it is not the clean one.
    """

    kind: str
    directions: tuple[Direction, ...]
    extra: Mapping[str, Json]
    texts: EmbeddingSet | None = None
    perturbation: Perturbation = CLEAN

    def protocol(self, base: Protocol) -> Protocol:
        """Return how the run is scored."""
        return replace(base, directions=self.directions)

    def spec(self, base: Ground) -> RunSpec:
        """Return the run's specification, which has its key."""
        words = {**self.protocol(base.protocol).as_json(), **self.extra}
        texts = self.texts or base.texts
        return RunSpec(self.kind, base.dataset.key, base.images.key, texts.key, words)


def find_stress(base: Ground, stress: Stress) -> StoredRun | None:
    """Return the stored run of a stress, None while there is none."""
    return find_run(base.store, stress.spec(base).key)


def save_stress(
    base: Ground,
    stress: Stress,
    ledgers: Mapping[Direction, Ledger],
    metrics: Sequence[Metric],
    timings: Mapping[str, float],
) -> StoredRun:
    """Store a stress as a run and return it."""
    record = RunRecord(
        encoder=base.images.encoder,
        perturbation=stress.perturbation.key,
        command=command_line(),
        version=__version__,
        environment={**environment(), "device": base.source.device, "dataset_name": base.dataset.name},
        timings=timings,
        confidence=base.protocol.confidence,
    )
    saved = save_run(base.store, stress.spec(base), record, ledgers, metrics)
    run = find_run(base.store, saved.key)
    if run is None:
        raise StoreError(f"run {saved.key} was deleted while it was stored", "type the command again")
    return run


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
