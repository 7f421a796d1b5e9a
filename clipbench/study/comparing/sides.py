"""A stored run as a comparison needs it: its ledgers, and whom their positions name.

Knows how to read; says nothing about what may be compared with what (`comparable`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError, StoreError
from clipbench.metrics.ties import POLICIES
from clipbench.records import DIRECTIONS, Dataset, Direction, Ledger, Metric, TiePolicy
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import find_set
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, load_ledgers, load_metrics
from clipbench.study.galleries import Gallery, gallery_of

Rows: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """One run of a comparison. metrics: by (direction, name), as stored."""

    run: StoredRun
    dataset: Dataset
    gallery: Gallery
    ledgers: Mapping[Direction, Ledger]
    metrics: Mapping[tuple[str, str], Metric]

    @property
    def ties(self) -> TiePolicy:
        """How the run counts equal scores. Raises CompareError where the run does not say."""
        told = self.run.spec.protocol.get("ties")
        for policy in POLICIES:
            if told == policy:
                return policy
        raise CompareError(f"run {self.run.key} does not say how it counts ties ({told!r})")

    @property
    def fold(self) -> int | None:
        """Images per gallery, None for one gallery."""
        told = self.run.spec.protocol.get("fold")
        return told if isinstance(told, int) else None


def load_sides(store: Store, runs: Sequence[StoredRun]) -> tuple[Side, ...]:
    """Return the runs with their ledgers; what several of them share is read once.

    Raises StoreError where something of a run is gone or does not fit together.
    """
    galleries: dict[Hashable, tuple[Dataset, Gallery]] = {}
    datasets: dict[str, Dataset] = {}
    sides = []
    for run in runs:
        images = find_set(store, run.spec.images)
        if images is None:
            raise StoreError(
                f"the image set {run.spec.images} of run {run.key} is gone", "clipbench store verify"
            )
        if run.spec.dataset not in datasets:
            datasets[run.spec.dataset] = load_dataset(store, run.spec.dataset)
        dataset = datasets[run.spec.dataset]
        shared = (run.spec.dataset, tuple(images.unreadable))
        if shared not in galleries:
            galleries[shared] = (dataset, gallery_of(dataset, images.unreadable))
        ledgers = load_ledgers(store, run.key)
        ordered = {d: ledgers[d] for d in DIRECTIONS if d in ledgers}
        metrics = {(m.direction, m.name): m for m in load_metrics(store, run.key)}
        side = Side(run, *galleries[shared], ordered, metrics)
        _check(side)
        sides.append(side)
    return tuple(sides)


def _check(side: Side) -> None:
    sizes = {"t2i": len(side.gallery.captions), "i2t": len(side.gallery.samples)}
    for direction, ledger in side.ledgers.items():
        images = len(side.gallery.samples)
        if ledger.queries != sizes[direction] or int(ledger.cluster.max(initial=0)) >= images:
            raise StoreError(
                f"the {direction} ledger of run {side.run.key} has {ledger.queries:,} queries, "
                f"its dataset {sizes[direction]:,}",
                "clipbench store verify",
            )


@dataclass(frozen=True)
class Common:
    """The queries of one direction that all runs hold, in the first run's order.

    ids          (Q,)  caption ids (t2i) or image ids (i2t)
    rows         per run, (Q,): where they are in the run's ledger
    clusters     (Q,)  the image each belongs to, positions in 0..images-1
    images       number of images, the same for both directions
    """

    direction: Direction
    ids: tuple[str, ...]
    rows: tuple[Rows, ...]
    clusters: Rows
    images: int


def common_queries(sides: Sequence[Side]) -> tuple[Common, ...]:
    """Return the queries that all runs hold, direction by direction.

    A query is held in common where its ids and its dataset's text are equal. Runs of one gallery hold all
    in common. Raises CompareError where there is no direction or no query in common.
    """
    directions = [d for d in DIRECTIONS if all(d in side.ledgers for side in sides)]
    if not directions:
        raise CompareError("the runs have no direction in common", "clipbench runs show RUN")
    first = sides[0].gallery
    if all(side.gallery is first for side in sides):
        images = len(first.samples)
        return tuple(_whole(sides, direction, images) for direction in directions)
    return _intersection(sides, directions)


def _whole(sides: Sequence[Side], direction: Direction, images: int) -> Common:
    gallery, ledger = sides[0].gallery, sides[0].ledgers[direction]
    rows = np.arange(ledger.queries)
    ids = tuple(one.id for one in (gallery.captions if direction == "t2i" else gallery.samples))
    return Common(direction, ids, (rows,) * len(sides), ledger.cluster.astype(np.int64), images)


def _intersection(sides: Sequence[Side], directions: Sequence[Direction]) -> tuple[Common, ...]:
    captions = [
        {
            (sample.id, caption.id, caption.text): row
            for row, (sample, caption) in enumerate(
                (sample, caption) for sample in side.gallery.samples for caption in sample.captions
            )
        }
        for side in sides
    ]
    samples = [{sample.id: row for row, sample in enumerate(side.gallery.samples)} for side in sides]
    shared = [key for key in captions[0] if all(key in other for other in captions)]
    kept = dict.fromkeys(image for image, _, _ in shared)  # an image counts where a caption of it does
    if not shared:
        raise CompareError("the runs have no query in common", "clipbench runs show RUN")
    place = {image: position for position, image in enumerate(kept)}
    found = []
    for direction in directions:
        if direction == "t2i":
            rows = tuple(np.array([own[key] for key in shared]) for own in captions)
            ids = tuple(caption for _, caption, _ in shared)
            clusters = np.array([place[image] for image, _, _ in shared])
        else:
            rows = tuple(np.array([own[image] for image in kept]) for own in samples)
            ids, clusters = tuple(kept), np.arange(len(kept))
        found.append(Common(direction, ids, rows, clusters, len(kept)))
    return tuple(found)
