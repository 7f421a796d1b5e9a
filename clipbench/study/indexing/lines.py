"""One setting of an index, judged: its hits against those of the exact search, query by query, and what it took.

Recall says how many of the exact first items are named; hits say what that does to the task. Both directions of a
change are counted, since lost and won hits hide each other in a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.indexes.backends import backend
from clipbench.indexes.protocol import Settings
from clipbench.records import Metric
from clipbench.statistics.flips import Flips, mcnemar
from clipbench.statistics.intervals import Interval
from clipbench.statistics.paired import paired_difference
from clipbench.study.indexing.opening import OpenIndex
from clipbench.study.indexing.ranking import index_words

RESAMPLES = 2_000


@dataclass(frozen=True)
class Answers:
    """What came of asking an index every query.

    search: every parameter of the search. hits: by cutoff, which queries found what they should, bool (Q,).
    clusters: the image each query belongs to. named: the items, (Q, K). recall: at each cutoff. seconds: by what
    was timed. run: key of the stored run, None where there is none. tied: queries with a right item that ties with a
    wrong one, which are no hits here.
    """

    search: Settings
    hits: Mapping[int, npt.NDArray[np.bool_]]
    clusters: npt.NDArray[np.int32]
    named: npt.NDArray[np.int32]
    recall: tuple[Metric, ...]
    seconds: Mapping[str, float]
    run: str | None = None
    tied: int = 0

    @property
    def queries(self) -> int:
        """Number of queries."""
        return len(self.named)


@dataclass(frozen=True)
class Loss:
    """What a setting does to the hits at one cutoff, against the exact search.

    flips: fixed are hits won, broken hits lost. delta: difference of R@k; interval: paired, over images, None for
    fewer than two.
    """

    k: int
    hits: int
    flips: Flips
    delta: float
    interval: Interval | None

    @property
    def worst(self) -> float:
        """The most that R@k may lose: the interval's lower end, the difference itself where there is none."""
        return self.delta if self.interval is None else min(self.delta, self.interval.low)


@dataclass(frozen=True)
class Line:
    """One setting: how the index was made (type, build) and is called, its answers, its losses, bytes of its file."""

    type: str
    build: Settings
    index: str
    answers: Answers
    losses: tuple[Loss, ...]
    bytes: int

    @property
    def index_label(self) -> str:
        """How the index was built, in words: what tells it from others of its type."""
        usual = {name: value for name, value in backend(self.type).made.items() if name != "m"}
        told = {name: value for name, value in self.build.items() if usual.get(name) != value}
        return index_words({"type": self.type, "build": told, "search": {}})

    @property
    def label(self) -> str:
        """The setting in words."""
        search = ", ".join(f"{name} {value}" for name, value in self.answers.search.items())
        return f"{self.index_label}{', ' if ' ' in self.index_label else ' '}{search}".strip(", ")

    @property
    def recall(self) -> Metric:
        """Recall at the largest cutoff."""
        return self.answers.recall[-1]

    def seconds(self, what: str) -> float | None:
        """Return how long a thing took, None where it was not timed."""
        return self.answers.seconds.get(what)

    @property
    def per_second(self) -> float | None:
        """Queries a second when all are asked at once."""
        batch = self.seconds("search")
        return self.answers.queries / batch if batch else None


def line_of(opened: OpenIndex, answers: Answers, exact: Answers) -> Line:
    """Return the line of an index's answers, held against those of the exact search."""
    record = opened.record
    losses = tuple(_loss(k, exact.hits[k], answers.hits[k], exact.clusters) for k in exact.hits)
    return Line(record.content.type, record.content.build, record.name, answers, losses, record.bytes)


def _loss(
    k: int, before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_], clusters: npt.NDArray[np.int32]
) -> Loss:
    interval = None
    if len(np.unique(clusters)) > 1:
        (difference,) = paired_difference(before, after, clusters, RESAMPLES)
        interval = difference.bca or difference.percentile
    delta = float(after.mean() - before.mean())
    return Loss(k, int(after.sum()), mcnemar(before, after), delta, interval)
