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

from clipbench.metrics.lanes import Counts, Mask, true_entries
from clipbench.metrics.scores import Floats, Positions, Scores, at_most
from clipbench.metrics.sides import Side, Slot
from clipbench.metrics.survey import Answer, Question, across, sampled_share, survey

LISTED = 1 / 50
"""Values that reach a threshold are listed where they are a smaller share than this, else they are counted."""

FEWEST = 2
"""So many thresholds at least must share a list: for one alone, counting is cheaper."""

MOST, LEAST = 4, 256
"""Times the expected length that a list may have, and what it may have in any case."""


@dataclass(frozen=True)
class Strip:
    """Products of some images (down) and captions (across), which begin at `row` and `column`.

    `band` bounds their distance from the scores, 0 where they are the scores. `masks` are scratch space, a
    `lanes.blank` of the same size for each side.
    """

    values: Floats
    row: int
    column: int
    band: float
    masks: tuple[Mask, ...]

    def parts(self, height: int) -> Iterator[Strip]:
        """Yield strips of at most so many rows, which share the memory of this one."""
        for start in range(0, len(self.values), height):
            part = slice(start, start + height)
            masks = tuple(mask[part] for mask in self.masks)
            yield replace(self, values=self.values[part], row=self.row + start, masks=masks)

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
    plans = [_plan(side, strip, mask, limit) for side, mask in zip(sides, strip.masks, strict=True)]
    answers = survey(strip.values, [plan.question for plan in plans])
    found = []
    for plan, answer, floor in zip(plans, answers, floors, strict=True):
        counts = [*_count_listed(plan, strip, limit), *_count_whole(plan, strip, answer, limit)]
        slots = [_count_slot(plan.side, slot, strip, limit) for slot in plan.side.slots]
        counts += [count for count in slots if count is not None]
        found.append(Found(tuple(counts), _peaks(plan.side, strip, answer, floor, limit)))
    return found


@dataclass(frozen=True)
class _Plan:
    """How a side's common thresholds `low` and `high` (K, queries of the strip) are counted.

    What reaches the `listed` best of them is rare: it is listed, and they look at the list alone. The others are
    counted over the whole strip. lowest: for each rank, the lowest of the thresholds down to it.
    """

    side: Side
    low: Floats
    high: Floats
    lowest: Floats
    listed: int
    question: Question


def _plan(side: Side, strip: Strip, mask: Mask, limit: int) -> _Plan:
    most = limit + 1 if strip.band else 0
    begin = strip.starts[side.axis]
    part = side.common[:, begin : begin + strip.values.shape[side.axis]]
    low, high = part.bounds(strip.band, strip.values)
    lowest = np.minimum.accumulate(low, axis=0)  # not low itself: a query may lack the lower thresholds
    listed = len(low)
    while listed >= FEWEST and sampled_share(strip.values, side.axis, lowest[listed - 1]) > LISTED:
        listed -= 1
    if listed < FEWEST:
        listed = 0
    few = lowest[listed - 1] if listed else None
    question = Question(side.axis, low[listed:], high[listed:], most, few, mask)
    return _Plan(side, low, high, lowest, listed, question)


def _count_listed(plan: _Plan, strip: Strip, limit: int) -> Iterator[Count]:
    """Count the strip against the best thresholds, which few values reach, the lowest of them first."""
    if not plan.listed:
        return
    side, axis, mask = plan.side, plan.side.axis, plan.question.mask
    entries = true_entries(mask, int(MOST * LISTED * strip.values.size) + LEAST)
    if entries is None:  # the sample was no good
        low, high = plan.low[: plan.listed], plan.high[: plan.listed]
        whole = replace(
            plan,
            low=low,
            high=high,
            listed=0,
            question=Question(axis, low, high, plan.question.most, None, mask),
        )
        (answer,) = survey(strip.values, [whole.question])
        yield from _count_whole(whole, strip, answer, limit)
        return
    width, begin, first = strip.values.shape[1], strip.starts[axis], strip.starts[1 - axis]
    lines, items = entries[axis], entries[1 - axis]
    values = strip.values.ravel().take(entries[0] * width + entries[1])
    queries = plan.low.shape[1]
    for rank in reversed(range(plan.listed)):
        over = values > plan.high[rank].take(lines)
        near = np.flatnonzero((values >= plan.low[rank].take(lines)) > over)  # reached, but not exceeded
        above = np.bincount(lines.compress(over), minlength=queries).astype(np.int32)
        where = np.array([rank]), slice(begin, begin + queries)
        line, item = lines.take(near), items.take(near)
        if strip.band == 0:
            yield Count(where, above[None], np.bincount(line, minlength=queries).astype(np.int32)[None], None)
        elif len(near) > limit:
            raise TooClose
        else:
            number = rank * side.queries + line + begin
            yield Count(where, above[None], None, Near(number, line + begin, item + first))
        if rank:  # what reaches the better ones is among what reaches these
            kept = np.flatnonzero(values >= plan.lowest[rank - 1].take(lines))
            lines, items, values = lines.take(kept), items.take(kept), values.take(kept)


def _count_whole(plan: _Plan, strip: Strip, answer: Answer, limit: int) -> Iterator[Count]:
    """Make counts of what the survey says of the thresholds that it counted."""
    side = plan.side
    begin, first = strip.starts[side.axis], strip.starts[1 - side.axis]
    for k, (reach, above) in enumerate(zip(answer.reach, answer.above, strict=True)):
        rank, level = plan.listed + k, reach - above
        where = np.array([rank]), slice(begin, begin + len(level))
        if strip.band == 0:
            yield Count(where, above[None], level[None], None)
            continue
        if level.sum() > limit:
            raise TooClose
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


def _peaks(side: Side, strip: Strip, answer: Answer, floor: Scores, limit: int) -> Peaks:
    """List the negatives that may be the highest; ties of one query beyond the first count as close."""
    highest = answer.tops.max(axis=0).astype(np.float64)
    live = np.flatnonzero((highest + strip.band >= floor) & (highest > -np.inf))
    lower = highest[live] - strip.band
    begin, first = strip.starts[side.axis], strip.starts[1 - side.axis]
    queries = live + begin
    if strip.band == 0:
        items = strip.values.take(live, axis=side.axis).argmax(axis=1 - side.axis) + first
        return Peaks(queries, items, highest[live], exact=True, risen=queries, floor=lower)
    bound = np.maximum(floor[live], lower) - strip.band
    near = at_most(bound) if strip.values.dtype == np.float32 else bound
    part, line = _where(answer.tops.take(live, axis=1) >= near, 0)
    if len(part) - len(live) > limit:
        raise TooClose
    length = strip.values.shape[1 - side.axis]
    items, lines = answer.items(part, length), live[line, None]
    inside = np.minimum(items, length - 1)
    values = strip.values[(lines, inside) if side.axis == 0 else (inside, lines)]
    entry, place = _where((values >= near[line, None]) & (items < length), 0)
    if len(entry) - len(live) > limit:
        raise TooClose
    upper = values[entry, place].astype(np.float64) + strip.band
    return Peaks(
        queries[line[entry]], items[entry, place] + first, upper, exact=False, risen=queries, floor=lower
    )


def _where(hits: Mask, axis: int) -> tuple[Positions, Positions]:
    """Return the lines and items of what is true; ten times as fast as nonzero in two dimensions."""
    row, column = np.divmod(np.flatnonzero(hits), hits.shape[1])
    return (row, column) if axis == 0 else (column, row)
