"""Counting in one strip of the product: how many scores lie above each threshold, and which are too close.

A strip holds products that may stray from the scores by `band`, with every positive set to -inf, so
only negatives are counted. What lies more than a band above a threshold is above it; what lies within
a band is listed as near, for the exact scores to decide. The same goes for the highest negative of
each query: all that could be it are listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipbench.metrics.lanes import Counts, Mask
from clipbench.metrics.scores import Floats, Positions, Scores, at_most
from clipbench.metrics.sides import Side, Slot
from clipbench.metrics.survey import Answer, Question, across, sampled_highest, sampled_share, survey

LISTED = 1 / 25
"""What reaches a threshold is listed where that is a smaller share of all than this, else counted."""

MOST, LEAST = 4, 256
"""Times the expected length that a list may have, and what it may have in any case."""


@dataclass(frozen=True)
class Strip:
    """Products of some images (down) and captions (across), which begin at `row` and `column`.

    `band` bounds their distance from the scores, 0 where they are the scores.
    """

    values: Floats
    row: int
    column: int
    band: float

    def parts(self, height: int) -> Iterator[Strip]:
        """Yield strips of at most so many rows, which share the memory of this one."""
        for start in range(0, len(self.values), height):
            yield replace(self, values=self.values[start : start + height], row=self.row + start)

    @property
    def starts(self) -> tuple[int, int]:
        """First image and first caption."""
        return self.row, self.column


@dataclass(frozen=True)
class Near:
    """Negatives too close to a threshold to tell, one entry for each (threshold, item)."""

    numbers: Positions
    queries: Positions
    items: Positions


@dataclass(frozen=True)
class Count:
    """Negatives surely above some thresholds, each named once, and what lies within a band of them.

    `where` names thresholds by number, or as (ranks, run of queries) among the common ones. What is
    within a band is tied with the threshold where the band is 0, else it is listed in `near`.
    """

    where: Positions | tuple[Positions, slice]
    above: Counts
    tied: Counts | None
    near: Near | None


@dataclass(frozen=True)
class Peaks:
    """Negatives that may be their query's highest: `items` of `queries`, scored `upper` at most.

    exact: `upper` is the score itself, and each query is named once, with its first such item.
    `risen` are queries, each named once, and `floor` is the least that their highest negative scores.
    """

    queries: Positions
    items: Positions
    upper: Scores
    exact: bool
    risen: Positions
    floor: Scores


@dataclass(frozen=True)
class Found:
    """All that one strip says about one side."""

    counts: tuple[Count, ...]
    peaks: Peaks


class TooClose(Exception):  # noqa: N818  a signal to look closer, not an error
    """More entries are within a band than it pays to decide one by one."""


def scan(sides: Sequence[Side], strip: Strip, floors: Sequence[Scores], limit: int) -> list[Found]:
    """Count one strip for sides whose positives in it are all out of sight.

    floors: for each side, the least that the highest negative of each query of the strip is known to score.

    Raises TooClose where more than `limit` entries would have to be listed for one threshold or for the highest.
    """
    plans = [_plan(side, strip, floor, limit) for side, floor in zip(sides, floors, strict=True)]
    answers = survey(strip.values, [plan.question for plan in plans])
    return [_found(plan, strip, answer, limit) for plan, answer in zip(plans, answers, strict=True)]


@dataclass(frozen=True)
class _Plan:
    """How a side's common thresholds `low` and `high` (K, queries of the strip) are counted, and the highest found.

    What reaches the best of them, or may be a query's highest, is rare: it is listed, and all that is asked about
    these is asked of the list alone. Against the other thresholds the whole strip is counted.

    bounds: for each listed rank, what reaches the thresholds down to it or may be the highest reaches these.
    floor: see `scan`.
    """

    side: Side
    low: Floats
    high: Floats
    bounds: Floats
    floor: Scores
    question: Question

    @property
    def listed(self) -> int:
        """How many thresholds look at the list alone."""
        return len(self.bounds)


def _plan(side: Side, strip: Strip, floor: Scores, limit: int) -> _Plan:
    """Plan by a sample of the strip."""
    axis, begin = side.axis, strip.starts[side.axis]
    part = side.common[:, begin : begin + strip.values.shape[axis]]
    low, high = part.bounds(strip.band, strip.values)
    if strip.band == 0:
        return _Plan(side, low, high, low[:0], floor, Question(axis, low, high, None))
    unknown = np.isneginf(floor).any()
    may_be_highest = _least(sampled_highest(strip.values, axis) if unknown else floor, floor, strip)
    # The lowest down to a rank, not that of the rank: a query may lack the lower thresholds.
    bounds = np.minimum(np.minimum.accumulate(low, axis=0), may_be_highest)
    listed = len(low)
    while listed and sampled_share(strip.values, axis, bounds[listed - 1]) > LISTED:
        listed -= 1
    bound = bounds[listed - 1] if listed else may_be_highest
    room = int(MOST * LISTED * strip.values.size) + LEAST
    question = Question(axis, low[listed:], high[listed:], limit, bound, room)
    return _Plan(side, low, high, bounds[:listed], floor, question)


def _least(highest: Floats, floor: Scores, strip: Strip) -> Floats:
    """Return the least that a line's highest negative measures, where one measures `highest`; above what is out of sight."""
    least = np.maximum(highest.astype(np.float64) - strip.band, floor) - strip.band
    if strip.values.dtype == np.float32:
        return np.maximum(at_most(least), np.finfo(np.float32).min)
    return np.maximum(least, np.finfo(np.float64).min)


def _found(plan: _Plan, strip: Strip, answer: Answer, limit: int) -> Found:
    """Say what a survey found for one side."""
    side = plan.side
    slots = [_count_slot(side, slot, strip, limit) for slot in side.slots]
    some = tuple(count for count in slots if count is not None)
    if strip.band == 0:
        whole = _count_whole(plan, strip, answer)
        return Found((*whole, *some), _exact_peaks(side, strip, plan.floor))
    if answer.full:  # the sample was no good, or too much is too close
        plan, answer = _again(plan, strip, limit)
    entries = _Entries.of(answer, side.axis, strip.values.shape[1])
    counts = list(_count_whole(plan, strip, answer))
    for rank in reversed(range(plan.listed)):
        counts.append(_count_listed(plan, rank, entries, strip, limit))
        if rank:  # what reaches the better ones is among what reaches these
            entries = entries.reaching(plan.bounds[rank - 1])
    return Found((*counts, *some), _peaks(plan, entries, strip, limit))


def _again(plan: _Plan, strip: Strip, limit: int) -> tuple[_Plan, Answer]:
    """Count against all thresholds, and list what may be the highest by the highest there are."""
    axis = plan.side.axis
    bound = _least(np.maximum.reduce(strip.values, axis=1 - axis), plan.floor, strip)
    question = Question(axis, plan.low, plan.high, limit, bound, len(bound) + limit)
    (answer,) = survey(strip.values, [question])
    if answer.full:
        raise TooClose
    return replace(plan, bounds=plan.low[:0], question=question), answer


@dataclass(frozen=True)
class _Entries:
    """Listed values: the line of each, its place in the strip (row * width + column), and the value."""

    lines: Positions
    places: Positions
    values: Floats

    @staticmethod
    def of(answer: Answer, axis: int, width: int) -> _Entries:
        """Return what an answer lists."""
        places, values = (np.concatenate(parts) for parts in zip(*answer.listed, strict=True))
        rows = places // width
        return _Entries(rows if axis == 0 else places - rows * width, places, values)

    def reaching(self, bound: Floats) -> _Entries:
        """Return those that reach the bound of their line."""
        return self.at(np.flatnonzero(self.values >= bound.take(self.lines)))

    def at(self, some: Positions) -> _Entries:
        """Return these."""
        return _Entries(self.lines.take(some), self.places.take(some), self.values.take(some))

    def items(self, axis: int, width: int) -> Positions:
        """Return where in its line each lies."""
        items: Positions = self.places - self.lines * width if axis == 0 else self.places // width
        return items


def _count_listed(plan: _Plan, rank: int, entries: _Entries, strip: Strip, limit: int) -> Count:
    """Count a list that holds all that reaches the thresholds of a rank."""
    side, axis, queries = plan.side, plan.side.axis, len(plan.floor)
    begin, first = strip.starts[axis], strip.starts[1 - axis]
    below = entries.at(np.flatnonzero(entries.values <= plan.high[rank].take(entries.lines)))
    above = np.bincount(entries.lines, minlength=queries) - np.bincount(below.lines, minlength=queries)
    near = below.reaching(plan.low[rank])
    if len(near.lines) > limit:
        raise TooClose
    number, item = rank * side.queries + near.lines + begin, near.items(axis, strip.values.shape[1]) + first
    where = np.array([rank]), slice(begin, begin + queries)
    return Count(where, above.astype(np.int32)[None], None, Near(number, near.lines + begin, item))


def _count_whole(plan: _Plan, strip: Strip, answer: Answer) -> Iterator[Count]:
    """Make counts of what the survey says of the thresholds that it counted."""
    side = plan.side
    begin, first = strip.starts[side.axis], strip.starts[1 - side.axis]
    for k, (reach, above) in enumerate(zip(answer.reach, answer.above, strict=True)):
        rank, level = plan.listed + k, reach - above
        where = np.array([rank]), slice(begin, begin + len(level))
        if strip.band == 0:
            yield Count(where, above[None], level[None], None)
            continue
        places = [entry[1:] for entry in answer.between if entry[0] == k]
        if not places:
            yield Count(where, above[None], None, None)
            continue
        row, column = (np.concatenate(parts) for parts in zip(*places, strict=True))
        query, item = (row, column) if side.axis == 0 else (column, row)
        near = Near(rank * side.queries + query + begin, query + begin, item + first)
        yield Count(where, above[None], None, near)


def _count_slot(side: Side, slot: Slot, strip: Strip, limit: int) -> Count | None:
    """Count the strip against the thresholds that only few of its queries have."""
    begin = strip.starts[side.axis]
    a, b = np.searchsorted(slot.queries, (begin, begin + strip.values.shape[side.axis]))
    if a == b:
        return None
    lines, numbers = slot.queries[a:b] - begin, np.arange(slot.first + a, slot.first + b)
    low, high = slot.thresholds[a:b].bounds(strip.band, strip.values)
    values = strip.values.take(lines, axis=side.axis)
    above = (values > across(high, side.axis)).sum(axis=1 - side.axis, dtype=np.int32)
    within = _within(values, low, high, side.axis)
    if strip.band == 0:
        return Count(numbers, above, within.sum(axis=1 - side.axis, dtype=np.int32), None)
    if np.count_nonzero(within) > limit:
        raise TooClose
    return Count(numbers, above, None, _near(side, strip, within, numbers, lines))


def _within(values: Floats, low: Floats, high: Floats, axis: int) -> Mask:
    within: Mask = (values >= across(low, axis)) & (values <= across(high, axis))
    return within


def _near(side: Side, strip: Strip, within: Mask, numbers: Positions, lines: Positions) -> Near:
    line, item = _where(within, side.axis)
    starts = strip.starts
    return Near(numbers[line], lines[line] + starts[side.axis], item + starts[1 - side.axis])


def _peaks(plan: _Plan, entries: _Entries, strip: Strip, limit: int) -> Peaks:
    """List the negatives that may be the highest; ties of one query beyond the first count as close."""
    axis, floor, width = plan.side.axis, plan.floor, strip.values.shape[1]
    highest = np.full(len(floor), -np.inf, dtype=strip.values.dtype)
    np.maximum.at(highest, entries.lines, entries.values)
    entries = entries.reaching(_least(highest, floor, strip))
    best = highest.astype(np.float64)
    live = np.flatnonzero((best > -np.inf) & (best + strip.band >= floor))
    if len(entries.lines) - len(live) > limit:
        raise TooClose
    begin, first = strip.starts[axis], strip.starts[1 - axis]
    return Peaks(
        entries.lines + begin,
        entries.items(axis, width) + first,
        entries.values.astype(np.float64) + strip.band,
        exact=False,
        risen=live + begin,
        floor=best[live] - strip.band,
    )


def _exact_peaks(side: Side, strip: Strip, floor: Scores) -> Peaks:
    """Find the highest negative of each query where values are scores, the first of equals."""
    axis = side.axis
    highest = np.maximum.reduce(strip.values, axis=1 - axis).astype(np.float64)
    live = np.flatnonzero((highest >= floor) & (highest > -np.inf))
    items = strip.values.take(live, axis=axis).argmax(axis=1 - axis)
    queries = live + strip.starts[axis]
    return Peaks(
        queries, items + strip.starts[1 - axis], highest[live], exact=True, risen=queries, floor=highest[live]
    )


def _where(hits: Mask, axis: int) -> tuple[Positions, Positions]:
    """Return the lines and items of what is true; ten times as fast as nonzero in two dimensions."""
    row, column = np.divmod(np.flatnonzero(hits), hits.shape[1])
    return (row, column) if axis == 0 else (column, row)
