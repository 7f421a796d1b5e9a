"""A dataset ranked through an index, as a stored run: ledgers to the depth that was asked of it.

The method of such a run says how the index was made and asked; which file it lay in does not matter. Its shortlists
hold what the index named, so that recall can be told of any two runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipbench.indexes.protocol import Items, Settings, Vectors
from clipbench.keys import Json
from clipbench.metrics.listed import ledger_of_lists
from clipbench.metrics.neighbours import neighbour_recall
from clipbench.metrics.positives import own
from clipbench.metrics.row_ranks import RowQueries
from clipbench.records import Direction, Ledger, Metric, Modality, Shortlist
from clipbench.store.runs import StoredRun, load_ledger
from clipbench.store.shortlists import load_shortlists
from clipbench.study.evaluation.protocol import metrics_of
from clipbench.study.evaluation.recording import RunInputs, find_recorded, record_run
from clipbench.study.indexing.opening import OpenIndex
from clipbench.study.indexing.timing import Speed, answered
from clipbench.study.robustness.stress import Ground
from clipbench.study.runs.kind_names import EVALUATE

METHOD = "index"

DIRECTIONS: Mapping[Modality, Direction] = {"image": "t2i", "text": "i2t"}
"""Which queries an index of a modality answers."""


@dataclass(frozen=True)
class IndexRun:
    """A stored run through an index. search: how it was asked. created: False where it was stored before."""

    run: StoredRun
    search: Settings
    ledger: Ledger
    shortlist: Shortlist
    created: bool


@dataclass(frozen=True)
class _Asked:
    """What an index is asked for a dataset: queries (Q, D), and the gallery position of each of its numbers, −1 for none."""

    direction: Direction
    queries: Vectors
    position: Items

    @property
    def among(self) -> Items | None:
        """The numbers that are in the gallery, None for all."""
        kept = np.flatnonzero(self.position >= 0)
        return None if len(kept) == len(self.position) else kept


def index_method(opened: OpenIndex, settings: Settings, depth: int) -> dict[str, Json]:
    """Return what turns two sets into a ranking here. settings: every one of the search."""
    content = opened.record.content
    return {
        "name": METHOD,
        "type": content.type,
        "build": dict(content.build),
        "search": dict(settings),
        "library": content.library,
        "block": content.block,
        "depth": depth,
    }


def run_through(base: Ground, opened: OpenIndex, settings: Settings) -> IndexRun:
    """Rank the queries of a dataset through an index and store the run, or find it stored.

    base: the dataset evaluated plainly.
    """
    direction = DIRECTIONS[opened.record.modality]
    gallery = base.gallery
    size = len(gallery.images) if direction == "t2i" else len(gallery.captions)
    protocol = replace(base.protocol, directions=(direction,))
    depth = min(max(protocol.ks), size)
    settings = {**opened.index.search_defaults, **settings}
    method = index_method(opened, settings, depth)
    inputs = RunInputs(EVALUATE, base.dataset, base.images, base.texts, protocol, encoder=base.run.encoder)
    known = find_recorded(base.store, inputs, method)
    if known is not None:
        ledger = load_ledger(base.store, known.key, direction)
        return IndexRun(
            known, settings, ledger, load_shortlists(base.store, known.key)[direction], created=False
        )
    asked = _asked(base, opened, direction)
    answer, speed = answered(opened, asked.queries, depth, settings, asked.among)
    items = np.where(answer.items >= 0, asked.position[answer.items], -1).astype(np.int32)
    shortlist = Shortlist(direction, items, answer.scores)
    positives = own(gallery.owners, len(gallery.samples))[direction]
    clusters = gallery.owners if direction == "t2i" else np.arange(len(gallery.samples), dtype=np.int32)
    ledger = ledger_of_lists(RowQueries(direction, positives, size, clusters), shortlist)
    # Only what follows from the ledger: recall is of two runs, whose shortlists tell it at any time.
    metrics = metrics_of({direction: ledger}, protocol)
    done = record_run(
        base.store,
        inputs,
        {direction: ledger},
        metrics,
        method,
        seconds=_timings(opened, speed),
        shortlists={direction: shortlist},
    )
    return IndexRun(done.run, settings, ledger, shortlist, done.created)


def _asked(base: Ground, opened: OpenIndex, direction: Direction) -> _Asked:
    gallery = base.gallery
    position = np.full(opened.record.rows, -1, dtype=np.int64)
    if direction == "t2i":
        position[gallery.image_rows] = np.arange(len(gallery.image_rows))
        return _Asked(direction, base.text_vectors(), position)
    position[gallery.caption_rows] = np.arange(len(gallery.caption_rows))
    return _Asked(direction, base.image_vectors()[: len(gallery.samples)], position)


def recalls(listed: Shortlist, exact: Shortlist, ks: Sequence[int]) -> tuple[Metric, ...]:
    """Return recall at each cutoff that the lists reach: the share of the exact first items, over all queries."""
    return tuple(
        Metric(
            listed.direction,
            f"recall@{k}",
            float(neighbour_recall(listed, exact, k).mean()),
            None,
            None,
            len(listed.items),
        )
        for k in ks
        if k <= min(listed.depth, exact.depth)
    )


def _timings(opened: OpenIndex, speed: Speed) -> dict[str, float]:
    singles = {"query p50": speed.p50, "query p95": speed.p95, "query p99": speed.p99}
    return {"build": opened.record.seconds, "search": speed.batch, **singles}


def index_words(method: Mapping[str, Json]) -> str:
    """Return a run through an index in words.

    >>> index_words({"name": "index", "type": "hnsw", "build": {"m": 16}, "search": {"ef": 64}})
    'hnsw m 16, ef 64'
    """
    parts = []
    for part in ("build", "search"):
        told: dict[str, Json] = dict(method[part])  # type: ignore[arg-type]  # as index_method writes it
        # Stored JSON has its names in alphabetical order; people expect m before ef_construction.
        parts += [f"{name} {told[name]}" for name in sorted(told, key=lambda name: (len(name), name))]
    return f"{method['type']} {', '.join(parts)}".strip()
