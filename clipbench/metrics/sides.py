"""One direction of a ranking, laid out for counting: positives as thresholds along one axis.

A side is made once per ranking. It holds the exact scores of all positives and, per query, the
distinct ones among them in descending order: the thresholds that gallery items are counted against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from clipbench.metrics.positives import Positives
from clipbench.metrics.scorers import Scorer
from clipbench.metrics.scores import Floats, Positions, Scores, at_least, at_most
from clipbench.records import DIRECTIONS, Direction


@dataclass(frozen=True)
class Thresholds:
    """Numbered thresholds: `scores` and, widened by the float32 band, `low` and `high`."""

    scores: Scores
    low: Floats
    high: Floats

    def __getitem__(self, part: slice | Positions | tuple[int | slice, slice]) -> Thresholds:
        return Thresholds(self.scores[part], self.low[part], self.high[part])

    def bounds(self, width: float, values: Floats) -> tuple[Floats, Floats]:
        """Return from where and from above where values that are off by `width` at most count."""
        if values.dtype == np.float32:
            return self.low, self.high
        return self.scores - width, self.scores + width


@dataclass(frozen=True)
class Slot:
    """The k-th best distinct positive of the few queries that have so many; `queries` ascend.

    The slot's i-th threshold has number `first + i`.
    """

    queries: Positions
    thresholds: Thresholds
    first: int


@dataclass(frozen=True)
class Side:
    """One direction's queries, pairs and thresholds. `axis` is the product's axis that holds the queries.

    The product has images down and captions across, so i2t has its queries on axis 0, t2i on axis 1.

    common     (K, Q): the k-th best distinct positive of each query, for all k that at least half of
               the queries have, +inf where one has not. Number (k, q) is k * Q + q.
    slots      the thresholds of higher k, numbered from K * Q on
    positives  the pairs in query order; pair_score, pair_number are a pair's score and threshold, and
               pair_above, pair_tied count its query's positives scored above it, and with it
    image, text, image_score   the pairs once more, sorted by image
    """

    direction: Direction
    axis: int
    queries: int
    gallery: int
    positives: Positives
    pair_score: Scores
    pair_number: Positions
    pair_above: Positions
    pair_tied: Positions
    common: Thresholds
    slots: tuple[Slot, ...]
    image: Positions
    text: Positions
    image_score: Scores

    @property
    def scores(self) -> Scores:
        """Score of every threshold by its number."""
        return np.concatenate([self.common.scores.ravel(), *(slot.thresholds.scores for slot in self.slots)])

    def pairs(self, rows: slice, columns: slice) -> tuple[Positions, Positions, Scores]:
        """Return the positives inside a block: rows and columns within it, and their scores."""
        # Of another type, all images would be copied.
        ends = np.array((rows.start, rows.stop), dtype=self.image.dtype)
        begin, end = np.searchsorted(self.image, ends)
        text = self.text[begin:end]
        inside = np.flatnonzero((text >= columns.start) & (text < columns.stop))
        here = inside + begin
        return self.image[here] - rows.start, text[inside] - columns.start, self.image_score[here]


def sides(
    positives: Mapping[Direction, Positives],
    scorer: Scorer,
    exact: Callable[[Positions, Positions], Scores],
) -> tuple[Side, ...]:
    """Lay out every direction of `positives`. exact: scores pairs of images and texts as the scorer does.

    Raises ValueError where the positives do not fit what is scored.
    """
    given = {direction: positives[direction] for direction in DIRECTIONS if direction in positives}
    for direction, part in given.items():
        queries, gallery = _sizes(direction, *scorer.shape)
        if part.queries != queries or part.items.max() >= gallery:
            raise ValueError(
                f"{direction} has {queries} queries and {gallery} gallery items, but its positives are for "
                f"{part.queries} queries and reach item {part.items.max()}"
            )
    # As a rule both directions have the same pairs: each is scored once.
    texts = np.int64(scorer.shape[1])
    codes = [texts * image + text for image, text in map(_pairs, given, given.values())]
    distinct, where = np.unique(np.concatenate(codes), return_inverse=True)
    scores = exact(*np.divmod(distinct, texts))[where.ravel()]
    ends = np.cumsum([len(code) for code in codes])[:-1]
    width = scorer.band(np.float32)
    return tuple(
        _side(direction, given[direction], score, _sizes(direction, *scorer.shape)[1], width)
        for direction, score in zip(given, np.split(scores, ends), strict=True)
    )


def together(parts: Sequence[Side]) -> tuple[tuple[int, ...], ...]:
    """Return the sides in groups with the same positives, as both directions have as a rule; by position."""
    groups: list[tuple[int, ...]] = []
    for number, part in enumerate(parts):
        if groups and _same_pairs(parts[groups[-1][0]], part):
            groups[-1] += (number,)
        else:
            groups.append((number,))
    return tuple(groups)


def _same_pairs(one: Side, other: Side) -> bool:
    orders = [np.lexsort((side.text, side.image)) for side in (one, other)]
    pairs = [(side.image[order], side.text[order]) for side, order in zip((one, other), orders, strict=True)]
    return all(np.array_equal(*columns) for columns in zip(*pairs, strict=True))


def _sizes(direction: Direction, images: int, texts: int) -> tuple[int, int]:
    """Return the number of queries and of gallery items."""
    return (images, texts) if direction == "i2t" else (texts, images)


def _pairs(direction: Direction, positives: Positives) -> tuple[Positions, Positions]:
    """Return image and text of each (query, positive) pair."""
    query, item = positives.query, positives.items
    return (query, item) if direction == "i2t" else (item, query)


def _side(direction: Direction, positives: Positives, score: Scores, gallery: int, width: float) -> Side:
    image, text = _pairs(direction, positives)
    ladder = _ladder(positives, score)
    common, slots, number = _thresholds(ladder, positives.queries, width)
    by_image = np.argsort(image, kind="stable")
    return Side(
        direction=direction,
        axis=0 if direction == "i2t" else 1,
        queries=positives.queries,
        gallery=gallery,
        positives=positives,
        pair_score=score,
        pair_number=number[ladder.rung],
        pair_above=ladder.above[ladder.rung],
        pair_tied=ladder.size[ladder.rung],
        common=common,
        slots=slots,
        image=image[by_image],
        text=text[by_image],
        image_score=score[by_image],
    )


@dataclass(frozen=True)
class _Ladder:
    """The distinct positive scores of every query, best first; `rung` says for each pair which is its own.

    Per rung: its query, its score, its rank among the query's rungs, the positives above, and on it.
    """

    query: Positions
    score: Scores
    rank: Positions
    above: Positions
    size: Positions
    rung: Positions


def _ladder(positives: Positives, score: Scores) -> _Ladder:
    order = np.lexsort((-score, positives.query))
    query, ordered = positives.query[order], score[order]
    fresh = np.diff(query, prepend=-1) > 0
    starts = np.flatnonzero(fresh | (np.diff(ordered, prepend=np.nan) != 0))
    rung = np.empty(len(order), dtype=np.int64)
    size = np.diff(starts, append=len(order))
    rung[order] = np.repeat(np.arange(len(starts)), size)
    index = np.arange(len(starts))
    return _Ladder(
        query=query[starts],
        score=ordered[starts],
        rank=index - np.maximum.accumulate(np.where(fresh[starts], index, 0)),
        above=starts - positives.offsets[query[starts]],
        size=size,
        rung=rung,
    )


def _thresholds(
    ladder: _Ladder, queries: int, width: float
) -> tuple[Thresholds, tuple[Slot, ...], Positions]:
    """Number the rungs: a matrix for the ranks that most queries have, a list for each higher one."""
    by_rank = np.argsort(ladder.rank, kind="stable")
    sizes = np.bincount(ladder.rank)
    edges = np.concatenate([[0], np.cumsum(sizes)])
    common = int(np.count_nonzero(2 * sizes >= queries))
    number = np.empty(len(by_rank), dtype=np.int64)
    low = by_rank[: edges[common]]
    number[low] = ladder.rank[low] * queries + ladder.query[low]
    number[by_rank[edges[common] :]] = common * queries + np.arange(len(by_rank) - edges[common])
    matrix = np.full(common * queries, np.inf)
    matrix[number[low]] = ladder.score[low]
    slots = []
    for begin, end in pairwise(edges[common:]):
        rungs = by_rank[begin:end]
        first = common * queries + int(begin - edges[common])
        slots.append(Slot(ladder.query[rungs], _widened(ladder.score[rungs], width), first))
    return _widened(matrix.reshape(common, queries), width), tuple(slots), number


def _widened(scores: Scores, width: float) -> Thresholds:
    return Thresholds(scores, at_most(scores - width), at_least(scores + width))
