"""An index asked with the photographs themselves: for collections without captions, or without their vectors.

There is no task then, so what should be found is the photograph that the exact search finds nearest, the query's own
aside. Hits at K are queries whose nearest one is among the first K; no run is stored, since nothing is right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.indexes.protocol import NOTHING, Answer, Settings, Vectors, ordered
from clipbench.metrics.neighbours import TOLERANCE
from clipbench.records import Shortlist
from clipbench.study.indexing.lines import Answers
from clipbench.study.indexing.opening import OpenIndex
from clipbench.study.indexing.ranking import recalls
from clipbench.study.indexing.timing import answered

Rows: TypeAlias = npt.NDArray[np.int64]

MOST = 5_000
"""Photographs that ask: of more, evenly chosen ones."""


def asking_rows(items: int) -> Rows:
    """Return which items ask, evenly spread over all.

    >>> asking_rows(3).tolist()
    [0, 1, 2]
    """
    return np.unique(np.linspace(0, items - 1, min(items, MOST)).astype(np.int64))


def neighbour_answers(
    opened: OpenIndex, vectors: Vectors, settings: Settings, exact: Answers | None, ks: Sequence[int]
) -> Answers:
    """Return what photographs find by an index. exact: what they find exactly, None for that one itself."""
    rows = asking_rows(len(vectors))
    settings = {**opened.index.search_defaults, **settings}
    depth = min(max(ks), len(vectors) - 1)
    answer, speed = answered(opened, vectors[rows], depth + 1, settings)
    found = without_self(answer, rows)
    shortlist = _shortlist(found)
    truth = shortlist if exact is None else _again(vectors, rows, exact)
    nearest = truth.scores[:, :1] - TOLERANCE  # a photograph as near is as good
    reached = (shortlist.items >= 0) & (shortlist.scores >= nearest)
    told = [k for k in ks if k <= depth]
    return Answers(
        settings,
        {k: np.asarray(reached[:, :k].any(axis=1)) for k in told},
        rows.astype(np.int32),
        shortlist.items,
        recalls(shortlist, truth, told),
        {
            "build": opened.record.seconds,
            "search": speed.batch,
            "query p50": speed.p50,
            "query p95": speed.p95,
            "query p99": speed.p99,
        },
    )


def without_self(answer: Answer, rows: Rows) -> Answer:
    """Return lists one shorter, each without the item that asked, or without its last where that was not named."""
    own = answer.items == rows[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(rows), answer.items.shape[1] - 1)
    return Answer(answer.items[~own].reshape(shape), answer.scores[~own].reshape(shape))


def _again(vectors: Vectors, rows: Rows, exact: Answers) -> Shortlist:
    """Return what the exact search named with its scores."""
    named = exact.named.astype(np.int64)
    return _shortlist(ordered(vectors[rows], vectors, named, named.shape[1]))


def _shortlist(answer: Answer) -> Shortlist:
    items = np.where(answer.items == NOTHING, -1, answer.items).astype(np.int32)
    return Shortlist("i2t", items, answer.scores)
