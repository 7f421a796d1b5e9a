"""One run from what was ranked and how: whoever makes ledgers and metrics records them here, of whatever kind.

Knows how a run becomes a specification with its provenance; ranks and measures nothing. What a kind of run
means is in `run_kinds`, what a method means in `methods`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from clipbench.errors import ClipbenchError, StoreError
from clipbench.keys import Json
from clipbench.records import (
    CLEAN,
    Dataset,
    Direction,
    Ledger,
    Metric,
    Perturbation,
    Protocol,
    RunSpec,
    Shortlist,
)
from clipbench.store.embeddings import EmbeddingSet
from clipbench.store.engine import Store
from clipbench.store.runs import RunRecord, StoredRun, find_run, save_run
from clipbench.study.evaluation.galleries import gallery_words
from clipbench.study.workplace.environment import command_line, environment
from clipbench.version import __version__

PRODUCT: Mapping[str, Json] = MappingProxyType({})
"""The method that needs no name: items are ranked by the product of their vectors with the query's."""


@dataclass(frozen=True)
class RunInputs:
    """What one run ranks and how it is scored.

    kind: a name of `run_kinds.KINDS`. gallery: what the kind says of the gallery (JSON, into the protocol).
    perturbation: what was done to one of the sets. encoder: key of the encoder that the run is about and is
    filed under; it may be left out where both sets are of one. device: where the encoder ran in this
    process, None where all vectors were stored before.
    """

    kind: str
    dataset: Dataset
    images: EmbeddingSet
    texts: EmbeddingSet
    protocol: Protocol
    perturbation: Perturbation = CLEAN
    gallery: Mapping[str, Json] = field(default_factory=dict)
    encoder: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        """Raise ClipbenchError where the two sets cannot be ranked together."""
        sizes = self.images.dimension, self.texts.dimension
        if sizes[0] != sizes[1]:
            raise ClipbenchError(
                f"image vectors of {sizes[0]} dimensions and text vectors of {sizes[1]} are of two spaces",
                "clipbench embed with one model for both",
            )
        if self.encoder is None and self.images.encoder != self.texts.encoder:
            raise ClipbenchError("the two sets are of two encoders, and nothing says which the run is about")

    def spec(self, method: Mapping[str, Json] = PRODUCT) -> RunSpec:
        """Return the run's specification, which has its key."""
        protocol = {**self.protocol.as_json(), **gallery_words(self.dataset), **self.gallery}
        sets = (self.images.key, self.texts.key)
        return RunSpec(self.kind, self.dataset.key, *sets, protocol, method=method)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stored run; `created` is False where the same request had been stored before."""

    run: StoredRun
    created: bool


class Stopwatch:
    """Seconds by stage: each lap is the time since the one before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.monotonic()
        self.seconds[stage] = now - self._last
        self._last = now


def find_recorded(store: Store, inputs: RunInputs, method: Mapping[str, Json] = PRODUCT) -> StoredRun | None:
    """Return the stored run of the same inputs and method, None while there is none."""
    return find_run(store, inputs.spec(method).key)


def record_run(
    store: Store,
    inputs: RunInputs,
    ledgers: Mapping[Direction, Ledger],
    metrics: Sequence[Metric],
    method: Mapping[str, Json] = PRODUCT,
    *,
    seconds: Mapping[str, float] = MappingProxyType({}),
    shortlists: Mapping[Direction, Shortlist] = MappingProxyType({}),
) -> Recorded:
    """Store a run whole and return it; a run of the same inputs and method that is there is kept.

    method: what turned the two sets into a ranking, {"name": ..., parameters}. seconds: by stage.
    shortlists: the first items of every query, where vectors alone cannot give them again.
    Raises StoreError where what the run refers to is not stored, ValueError for ledgers, metrics or
    shortlists that do not fit together.
    """
    record = RunRecord(
        encoder=inputs.encoder or inputs.images.encoder,
        perturbation=inputs.perturbation.key,
        command=command_line(),
        version=__version__,
        environment={**environment(), "device": inputs.device, "dataset_name": inputs.dataset.name},
        timings=seconds,
        confidence=inputs.protocol.confidence,
    )
    saved = save_run(store, inputs.spec(method), record, ledgers, metrics, shortlists)
    run = find_run(store, saved.key)
    if run is None:
        raise StoreError(f"run {saved.key} was deleted while it was stored", "type the command again")
    return Recorded(run, saved.created)
