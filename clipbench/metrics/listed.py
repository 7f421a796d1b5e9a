"""Ledgers of limited depth: what a list of each query's first K items, as an index returns it, says of ranks.

Of a positive that is not listed nothing is known but that it lies deeper. Where several items at the end of a full
list tie, a positive among them counts as not listed either: how many more tie with it, and lost their places by
chance, cannot be seen. A single last item is taken to be alone.
"""

from __future__ import annotations

import numpy as np

from clipbench.metrics.row_ranks import RowQueries
from clipbench.records import UNKNOWN, Ledger, Shortlist


def ledger_of_lists(queries: RowQueries, listed: Shortlist) -> Ledger:
    """Return the ledger of depth K that the lists of every query make.

    Ties within a list are exact comparisons of the scores given. Raises ValueError for lists that do not fit the
    queries, name an item twice or outside of the gallery, rise in score, or are empty for a query.
    """
    _check(queries, listed)
    positives = queries.positives
    query, item = positives.query, positives.items
    place = np.argmax(listed.items[query] == item[:, None], axis=1)
    known = listed.items[query, place] == item
    score = np.where(known, listed.scores[query, place], -np.inf).astype(np.float32)
    full = (listed.items[:, -1] != UNKNOWN) & (listed.depth < queries.gallery)
    lines = listed.scores[query]
    known &= ~(full[query] & (score == lines[:, -1]) & ((lines == score[:, None]).sum(axis=1) > 1))
    above = np.where(known, (lines > score[:, None]).sum(axis=1), UNKNOWN).astype(np.int32)
    tied = np.where(known, (lines == score[:, None]).sum(axis=1), 0).astype(np.int32)
    own = np.isin(
        listed.items.astype(np.int64) + np.arange(len(listed.items))[:, None] * (queries.gallery + 1),
        item.astype(np.int64) + query * np.int64(queries.gallery + 1),
    )
    among = np.where(known, (own[query] & (lines == score[:, None])).sum(axis=1), 0).astype(np.int32)
    rivals = np.where(own | (listed.items == UNKNOWN), -np.inf, listed.scores).max(axis=1)
    return Ledger(
        direction=queries.direction,
        gallery_size=queries.gallery,
        offsets=positives.offsets,
        positive=item,
        above=above,
        tied=tied,
        tied_positives=among,
        top1=listed.items[:, 0].astype(np.int32),
        positive_score=np.maximum.reduceat(np.where(known, score, -np.inf), positives.offsets[:-1]).astype(
            np.float32
        ),
        negative_score=rivals.astype(np.float32),
        cluster=queries.cluster.astype(np.int32),
        depth=listed.depth,
    )


def _check(queries: RowQueries, listed: Shortlist) -> None:
    items, scores = listed.items, listed.scores
    if items.shape != scores.shape or len(items) != queries.positives.queries or listed.depth < 1:
        raise ValueError(f"lists of shape {items.shape} do not fit {queries.positives.queries} queries")
    if (items[:, 0] == UNKNOWN).any():
        raise ValueError(f"the list of query {int(np.argmax(items[:, 0] == UNKNOWN))} is empty")
    if items.min() < UNKNOWN or items.max() >= queries.gallery:
        raise ValueError(f"a list names item {items.max()} of a gallery of {queries.gallery}")
    ordered = np.sort(np.where(items == UNKNOWN, -np.arange(1, listed.depth + 1), items), axis=1)
    if (np.diff(ordered, axis=1) == 0).any():
        raise ValueError("a list names an item twice")
    values = np.where(items == UNKNOWN, -np.inf, scores)
    if np.isnan(values).any() or (values[:, 1:] > values[:, :-1]).any():
        raise ValueError("the scores of a list never rise, and are numbers")
