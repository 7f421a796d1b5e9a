"""One pass over a strip of scores: counts above thresholds, and the highest values, tile by tile.

A tile fits the second-level cache of a core, so that all that is asked of it is asked while it is there. Values
lie in lines: rows on axis 0, columns on axis 1, each with thresholds of its own. Knows no queries or ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.metrics.lanes import TALL, Counts, Mask, blank, count_columns, count_rows
from clipbench.metrics.scores import Floats, Positions

TILE = 1 << 18
"""Values of a tile: a megabyte of float32. Fewer fit the cache better, but then the calls of numpy show."""

BUFFER = 512
"""Numbers of a numpy buffer, see `numpy.setbufsize`. Lines that are shorter are copied into buffers before they are
compared, which takes twice as long as comparing them; so this must be below the width of a block."""

SAMPLED = 16
"""One row in so many tells how many values reach a threshold."""


PART = 16
"""Rows of a part of a column."""

PARTS = 256
"""Parts of a row: part p holds its values p, p + PARTS and so on, so that parts are made by comparing whole lines."""


@dataclass(frozen=True)
class Question:
    """What is asked of the lines of one axis: how many of their values reach `low` and exceed `high`, (K, lines).

    most: so many of the values between are listed for each k, 0 for none. mask: a `lanes.blank` of the strip's size, which is
    left with what reaches `lowest` (lines,), where that is given.
    """

    axis: int
    low: Floats
    high: Floats
    most: int
    lowest: Floats | None
    mask: Mask


@dataclass(frozen=True)
class Answer:
    """reach, above (K, lines): the counts. tops (parts, lines): the highest value of each part of each line.

    between: (k, row, column) of values that reach `low` and do not exceed `high`, as arrays; not all of them where
    there are more than `most` of one k. listed (K,): how many there are.
    """

    axis: int
    reach: Counts
    above: Counts
    tops: Floats
    between: list[tuple[int, Positions, Positions]]
    listed: Counts

    def items(self, part: Positions, length: int) -> Positions:
        """Return where in a line of this length the values of parts are, (n, size); some may lie beyond it."""
        if self.axis == 1:
            return part[:, None] * PART + np.arange(PART)
        return part[:, None] + np.arange(0, length, len(self.tops))


def survey(values: Floats, questions: Sequence[Question]) -> tuple[Answer, ...]:
    """Answer all questions on `values` (rows, columns) in one pass."""
    height, width = values.shape
    tall = max(1, min(TALL, TILE // width) // PART) * PART
    masks = blank(tall, width), blank(tall, width)
    answers = tuple(_blank_answer(values, question) for question in questions)
    for start in range(0, height, tall):
        rows = slice(start, min(start + tall, height))
        for question, answer in zip(questions, answers, strict=True):
            _ask(values[rows], rows, question, answer, masks)
    return answers


def _blank_answer(values: Floats, question: Question) -> Answer:
    height, width = values.shape
    reach, above = np.zeros((2, *question.low.shape), dtype=np.int32)
    if question.axis == 0:
        tops = np.empty((height, min(PARTS, width)), dtype=values.dtype).T
    else:
        tops = np.empty((-(-height // PART), width), dtype=values.dtype)
    return Answer(question.axis, reach, above, tops, [], np.zeros(len(question.low), dtype=np.int32))


def _ask(tile: Floats, rows: slice, question: Question, answer: Answer, masks: tuple[Mask, Mask]) -> None:
    """Add what one tile says to the answer."""
    axis, (height, width) = question.axis, tile.shape
    lines = rows if axis == 0 else slice(0, width)
    _top(tile, rows.start, answer)
    count: Callable[[Mask], Counts | npt.NDArray[np.uint8]] = count_rows if axis == 0 else count_columns
    reaching, exceeding = masks[0][:height], masks[1][:height]
    for k, (low, high) in enumerate(zip(question.low, question.high, strict=True)):
        np.greater_equal(tile, across(low[lines], axis), out=reaching[:, :width])
        np.greater(tile, across(high[lines], axis), out=exceeding[:, :width])
        reach, above = (count(mask)[: tile.shape[axis]] for mask in (reaching, exceeding))
        answer.reach[k, lines] += reach
        answer.above[k, lines] += above
        close = np.flatnonzero(reach != above)
        if len(close) and answer.listed[k] < question.most:
            row, column = _between(reaching[:, :width], exceeding[:, :width], axis, close)
            answer.between.append((k, row + rows.start, column))
            answer.listed[k] += len(row)
    if question.lowest is not None:
        np.greater_equal(tile, across(question.lowest[lines], axis), out=question.mask[rows, :width])


def _top(tile: Floats, start: int, answer: Answer) -> None:
    """Find the highest value of each part of a tile, whose first row is `start`."""
    height, width = tile.shape
    size = PART if answer.axis == 1 else len(answer.tops)
    whole = (height if answer.axis == 1 else width) // size
    if answer.axis == 1:
        first = start // PART
        parts = tile[: whole * size].reshape(whole, size, width)
        np.maximum.reduce(parts, axis=1, out=answer.tops[first : first + whole])
        if whole * size < height:
            np.maximum.reduce(tile[whole * size :], axis=0, out=answer.tops[first + whole])
        return
    tops = answer.tops.T[start : start + height]
    np.maximum.reduce(tile[:, : whole * size].reshape(height, whole, size), axis=1, out=tops)
    rest = tile[:, whole * size :]
    np.maximum(tops[:, : rest.shape[1]], rest, out=tops[:, : rest.shape[1]])


def _between(reaching: Mask, exceeding: Mask, axis: int, close: Positions) -> tuple[Positions, Positions]:
    """Return rows and columns of what is in one mask alone, in these lines."""
    apart = reaching.take(close, axis=axis) != exceeding.take(close, axis=axis)
    row, column = np.divmod(np.flatnonzero(apart), apart.shape[1])
    return (close[row], column) if axis == 0 else (row, close[column])


def sampled_share(values: Floats, axis: int, low: Floats) -> float:
    """Return about what share of the values reach `low` (lines,)."""
    sample = values[::SAMPLED]
    hits = sample >= across(low[::SAMPLED] if axis == 0 else low, axis)
    return int(np.count_nonzero(hits)) / sample.size


def across(bound: Floats, axis: int) -> Floats:
    """Return one bound for each line (lines,) in a shape that compares with (rows, columns)."""
    return bound[:, None] if axis == 0 else bound[None, :]
