"""One variant of a plain evaluation: another way to rank the same dataset, recorded as a run with a method.

A killed family of variants goes on where it stopped, since each run is found by its content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from clipbench.keys import Json
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank_scores
from clipbench.metrics.row_ranks import RowQueries, Rows, rank_rows
from clipbench.metrics.scorers import Scorer
from clipbench.records import DIRECTIONS, Direction, Ledger, Shortlist
from clipbench.rerank.expansion import first_of
from clipbench.store.runs import StoredRun
from clipbench.study.evaluation.protocol import metrics_of
from clipbench.study.evaluation.recording import RunInputs, Stopwatch, find_recorded, record_run
from clipbench.study.robustness.stress import Ground
from clipbench.study.runs.kind_names import EVALUATE

DEPTH = 10
"""First items of every query that are kept with a variant's run, for people who look at them."""

Ledgers = Mapping[Direction, Ledger]
Ranks = Callable[[], "Ranking"]


@dataclass(frozen=True)
class Ranking:
    """What a variant gives: ledgers, and the first items where they were at hand."""

    ledgers: Ledgers
    shortlists: Mapping[Direction, Shortlist] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """A named way to rank. method: JSON that determines it, with its name. rank: does it, when it is not stored.

    placebo: whether it is there only to show what an empty change brings. labelled: whether only captions with a label change. oracle: whether the very failures' labels are used,
    so that nothing can be lost and no test means anything. needs: what it needs beyond the
    query and the gallery, in words, "" for nothing. strings: texts that had to be encoded for it, all in all.
    """

    label: str
    method: Mapping[str, Json]
    rank: Ranks
    placebo: bool = False
    labelled: bool = False
    oracle: bool = False
    needs: str = ""
    strings: int = 0


@dataclass(frozen=True)
class Produced:
    """A variant and its run; `created` is False where it had been stored."""

    variant: Variant
    run: StoredRun
    created: bool


def inputs_of(base: Ground) -> RunInputs:
    """Return what every variant of a base ranks."""
    return RunInputs(
        EVALUATE,
        base.dataset,
        base.images,
        base.texts,
        base.protocol,
        encoder=base.run.encoder,
        device=base.source.device,
    )


def produce(base: Ground, variant: Variant) -> Produced:
    """Return the run of a variant, ranking now what is not stored."""
    inputs = inputs_of(base)
    if not variant.method:
        return Produced(variant, base.run, created=False)
    known = find_recorded(base.store, inputs, variant.method)
    if known is not None:
        return Produced(variant, known, created=False)
    watch = Stopwatch()
    ranking = variant.rank()
    watch.lap("rank")
    # A direction that a method does not touch is ranked as before, so that the runs stay comparable in both.
    ledgers = {d: ranking.ledgers.get(d, base.ledgers[d]) for d in base.protocol.directions}
    metrics = metrics_of(ledgers, base.protocol)
    watch.lap("measure")
    done = record_run(
        base.store,
        inputs,
        ledgers,
        metrics,
        variant.method,
        seconds=watch.seconds,
        shortlists=ranking.shortlists,
    )
    return Produced(variant, done.run, created=done.created)


def pair_ranking(base: Ground, scorer: Scorer | Mapping[Direction, Scorer]) -> Ranking:
    """Rank by a scorer of pairs: one for both directions, or one for each.

    Photographs without captions are distractors of t2i and no queries of i2t.
    """
    gallery = base.gallery
    positives = own(gallery.owners, len(gallery.samples))
    ledgers: dict[Direction, Ledger] = {}
    if not isinstance(scorer, Mapping) and not gallery.distractors:
        ledgers = rank_scores(scorer, {d: positives[d] for d in base.protocol.directions}, gallery.owners)
    else:
        for direction in base.protocol.directions:
            chosen = scorer[direction] if isinstance(scorer, Mapping) else scorer
            ledgers |= rank_scores(chosen, {direction: positives[direction]}, gallery.owners)
    return Ranking({d: ledgers[d] for d in base.protocol.directions})


def row_ranking(base: Ground, rows: Mapping[Direction, Rows]) -> Ranking:
    """Rank by whole rows of scores, one maker of rows for each direction; keeps the first items."""
    gallery = base.gallery
    positives = own(gallery.owners, len(gallery.samples))
    sizes = {"t2i": len(gallery.images), "i2t": len(gallery.captions)}
    clusters: dict[Direction, npt.NDArray[np.int32]] = {
        "t2i": gallery.owners,
        "i2t": np.arange(len(gallery.samples), dtype=np.int32),
    }
    ledgers, shortlists = {}, {}
    for direction in (d for d in DIRECTIONS if d in rows):
        queries = RowQueries(direction, positives[direction], sizes[direction], clusters[direction])
        depth = min(DEPTH, sizes[direction])
        first = _First(queries.positives.queries, depth)
        ledgers[direction] = rank_rows(queries, first.watching(rows[direction]))
        shortlists[direction] = Shortlist(direction, first.items, first.scores)
    return Ranking(ledgers, shortlists)


class _First:
    """Keeps the first items of every block of rows that is ranked."""

    def __init__(self, queries: int, depth: int) -> None:
        self.items = np.empty((queries, depth), dtype=np.int32)
        self.scores = np.empty((queries, depth), dtype=np.float32)
        self._depth = depth

    def watching(self, rows: Rows) -> Rows:
        """Return the same rows, each block looked at on its way."""

        def watched(part: slice) -> npt.NDArray[np.float32] | npt.NDArray[np.float64]:
            scores = rows(part)
            items, values = first_of(scores, self._depth)
            self.items[part], self.scores[part] = items, values
            return scores

        return watched
