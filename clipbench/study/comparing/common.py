"""The queries that several runs hold in common, in one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import CompareError
from clipbench.records import DIRECTIONS, Direction
from clipbench.study.runs.loaded import LoadedRun

Rows: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CommonQueries:
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


def common_queries(loaded_runs: Sequence[LoadedRun]) -> tuple[CommonQueries, ...]:
    """Return the queries that all runs hold, direction by direction.

    A query is held in common where its ids and its dataset's text are equal. Runs of one gallery hold all
    in common. Raises CompareError where there is no direction or no query in common.
    """
    directions = [d for d in DIRECTIONS if all(d in loaded.ledgers for loaded in loaded_runs)]
    if not directions:
        raise CompareError("the runs have no direction in common", "clipbench runs show RUN")
    first = loaded_runs[0].gallery
    if all(loaded.gallery is first for loaded in loaded_runs):
        images = len(first.samples)
        return tuple(_whole(loaded_runs, direction, images) for direction in directions)
    return _intersection(loaded_runs, directions)


def _whole(loaded_runs: Sequence[LoadedRun], direction: Direction, images: int) -> CommonQueries:
    ledger = loaded_runs[0].ledgers[direction]
    rows = (np.arange(ledger.queries),) * len(loaded_runs)
    ids = loaded_runs[0].query_ids(direction)
    return CommonQueries(direction, ids, rows, ledger.cluster.astype(np.int64), images)


def _intersection(
    loaded_runs: Sequence[LoadedRun], directions: Sequence[Direction]
) -> tuple[CommonQueries, ...]:
    captions = [
        {
            (sample.id, caption.id, caption.text): row
            for row, (sample, caption) in enumerate(
                (sample, caption) for sample in loaded.gallery.samples for caption in sample.captions
            )
        }
        for loaded in loaded_runs
    ]
    samples = [
        {sample.id: row for row, sample in enumerate(loaded.gallery.samples)} for loaded in loaded_runs
    ]
    shared = [key for key in captions[0] if all(key in other for other in captions)]
    kept = dict.fromkeys(image for image, _, _ in shared)  # an image counts where a caption of it does
    if not shared:
        raise CompareError("the runs have no query in common", "clipbench runs show RUN")
    position = {image: number for number, image in enumerate(kept)}
    common = []
    for direction in directions:
        if direction == "t2i":
            rows = tuple(np.array([own[key] for key in shared]) for own in captions)
            ids = tuple(caption for _, caption, _ in shared)
            clusters = np.array([position[image] for image, _, _ in shared])
        else:
            rows = tuple(np.array([own[image] for image in kept]) for own in samples)
            ids, clusters = tuple(kept), np.arange(len(kept))
        common.append(CommonQueries(direction, ids, rows, clusters, len(kept)))
    return tuple(common)
