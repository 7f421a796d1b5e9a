"""Counting in one strip of the product: how many scores lie above each threshold, and which are too close.

A strip holds products that may stray from the scores by `band`, with every positive set to -inf, so
only negatives are counted. What lies more than a band above a threshold is above it; what lies within
a band is listed as near, for the exact scores to decide. The same goes for the highest negative of
each query: all that could be it are listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.metrics.scores import Floats, Positions, Scores, at_most
from clipbench.metrics.sides import Side, Slot

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int32]

LANES = 1024
"""A mask is this wide or a multiple: 128 words of 8 bytes, of which no byte can overflow in a sum."""


@dataclass(frozen=True)
class Strip:
    """Products of some images (down) and captions (across), which begin at `row` and `column`.

    `band` bounds their distance from the scores, 0 where they are the scores. `mask` is scratch space
    of at least as many rows and at most 255, its columns padded with False to a multiple of `LANES`.
    """

    values: Floats
    row: int
    column: int
    band: float
    mask: Mask

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


def scan(side: Side, strip: Strip, floor: Scores, limit: int) -> Found:
    """Count one strip for one side.

    floor: for each query of the strip, the least its highest negative is known to score.

    Raises TooClose where more than `limit` entries would have to be listed.
    """
    peak = strip.values.max(axis=1 - side.axis)
    counts = [_count_common(side, strip, peak, limit)]
    counts += [_count_slot(side, slot, strip, limit) for slot in side.slots]
    return Found(tuple(c for c in counts if c is not None), _peaks(side, strip, peak, floor, limit))


def _count_common(side: Side, strip: Strip, peak: Floats, limit: int) -> Count | None:
    """Count the strip against the common thresholds of its queries."""
    begin = strip.starts[side.axis]
    run = slice(begin, begin + len(peak))
    low, high = side.common[:, run].bounds(strip.band, strip.values)
    ranks = np.flatnonzero((peak >= low).any(axis=1))  # what no value reaches needs no count
    if not len(ranks):
        return None
    low, high = low[ranks], high[ranks]
    reach, above = _tally(strip, low, high, side.axis)
    level = reach - above
    if strip.band == 0:
        return Count((ranks, run), above, level, None)
    if level.sum() > limit:
        raise TooClose
    close = np.flatnonzero(level)
    rank, lines = np.divmod(close, len(peak))
    values = strip.values.take(lines, axis=side.axis)
    within = _within(values, low.ravel()[close], high.ravel()[close], side.axis)
    numbers = ranks[rank] * side.queries + lines + begin
    return Count((ranks, run), above, None, _near(side, strip, within, numbers, lines))


def _count_slot(side: Side, slot: Slot, strip: Strip, limit: int) -> Count | None:
    """Count the strip against the thresholds that only few of its queries have."""
    begin = strip.starts[side.axis]
    a, b = np.searchsorted(slot.queries, (begin, begin + strip.values.shape[side.axis]))
    if a == b:
        return None
    lines, numbers = slot.queries[a:b] - begin, np.arange(slot.first + a, slot.first + b)
    low, high = slot.thresholds[a:b].bounds(strip.band, strip.values)
    values = strip.values.take(lines, axis=side.axis)
    above = (values > _across(high, side.axis)).sum(axis=1 - side.axis, dtype=np.int32)
    within = _within(values, low, high, side.axis)
    if strip.band == 0:
        return Count(numbers, above, within.sum(axis=1 - side.axis, dtype=np.int32), None)
    if np.count_nonzero(within) > limit:
        raise TooClose
    return Count(numbers, above, None, _near(side, strip, within, numbers, lines))


def _tally(strip: Strip, low: Floats, high: Floats, axis: int) -> tuple[Counts, Counts]:
    """Return how many values of each query reach `low` and exceed `high`, both (K, queries).

    The counts of eight rows or columns are added in one word, since a mask's bytes are 0 or 1 and no
    sum here reaches 256. This is ten times as fast as counting booleans.
    """
    height, width = strip.values.shape
    hits = strip.mask[:height, :width]
    words = strip.mask[:height].view(np.uint64)
    if axis == 0:
        words = words.reshape(height, -1, LANES // 8)
    shape = words.shape[:2] if axis == 0 else words.shape[1:]
    lanes = np.empty((2, len(low), *shape), dtype=np.uint64)
    for k in range(len(low)):
        np.greater_equal(strip.values, _across(low[k], axis), out=hits)
        np.add.reduce(words, axis=2 if axis == 0 else 0, out=lanes[0, k])
        np.greater(strip.values, _across(high[k], axis), out=hits)
        np.add.reduce(words, axis=2 if axis == 0 else 0, out=lanes[1, k])
    counts = lanes.view(np.uint8)
    if axis == 0:
        reach, above = counts.reshape(2, len(low), height, -1).sum(axis=-1, dtype=np.int32)
    else:
        reach, above = counts[..., :width].astype(np.int32)
    return reach, above


def _within(values: Floats, low: Floats, high: Floats, axis: int) -> Mask:
    within: Mask = (values >= _across(low, axis)) & (values <= _across(high, axis))
    return within


def _near(side: Side, strip: Strip, within: Mask, numbers: Positions, lines: Positions) -> Near:
    line, item = _where(within, side.axis)
    starts = strip.starts
    return Near(numbers[line], lines[line] + starts[side.axis], item + starts[1 - side.axis])


def _peaks(side: Side, strip: Strip, peak: Floats, floor: Scores, limit: int) -> Peaks:
    """List the negatives that may be the highest; ties of one query beyond the first count as close."""
    highest = peak.astype(np.float64)
    live = np.flatnonzero((highest + strip.band >= floor) & (highest > -np.inf))
    lower = highest[live] - strip.band
    values = strip.values.take(live, axis=side.axis)
    starts = strip.starts
    queries = live + starts[side.axis]
    if strip.band == 0:
        items = values.argmax(axis=1 - side.axis) + starts[1 - side.axis]
        return Peaks(queries, items, highest[live], exact=True, risen=queries, floor=lower)
    bound = np.maximum(floor[live], lower) - strip.band
    near = at_most(bound) if values.dtype == np.float32 else bound
    hits = values >= _across(near, side.axis)
    if np.count_nonzero(hits) - len(live) > limit:
        raise TooClose
    line, item = _where(hits, side.axis)
    upper = values[(line, item) if side.axis == 0 else (item, line)].astype(np.float64) + strip.band
    return Peaks(queries[line], item + starts[1 - side.axis], upper, exact=False, risen=queries, floor=lower)


def _across(bound: Floats, axis: int) -> Floats:
    return bound[:, None] if axis == 0 else bound[None, :]


def _where(hits: Mask, axis: int) -> tuple[Positions, Positions]:
    """Return the lines and items of what is true; ten times as fast as nonzero in two dimensions."""
    row, column = np.divmod(np.flatnonzero(hits), hits.shape[1])
    return (row, column) if axis == 0 else (column, row)
