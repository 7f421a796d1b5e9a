"""One pass over a strip of scores, tile by tile: values that reach a bound are listed, others counted above thresholds.

A tile fits the second-level cache of a core, so that all that is asked of it is asked while it is there. Values
lie in lines: rows on axis 0, columns on axis 1, each with bounds of its own. Knows no queries or ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from clipbench.metrics.lanes import TALL, Counts, Mask, blank, count_columns, count_rows, true_places
from clipbench.metrics.scores import Floats, Positions

TILE = 1 << 18
"""Values of a tile: a megabyte of float32. Fewer fit the cache better, but then the calls of numpy show."""

BUFFER = 512
"""Numbers of a numpy buffer, see `numpy.setbufsize`. Lines that are shorter are copied into buffers before they are
compared, which takes twice as long as comparing them; so this must be below the width of a block."""

SAMPLED = 16
"""One value in so many is looked at beforehand."""


@dataclass(frozen=True)
class Question:
    """What is asked of the lines of one axis: how many of their values reach `low` and exceed `high`, (K, lines).

    near: so many of the values between are listed for each k at most; None for none. bound (lines,): what reaches it
    is listed too, about `room` values at most; None for nothing.
    """

    axis: int
    low: Floats
    high: Floats
    near: int | None
    bound: Floats | None = None
    room: int = 0


@dataclass
class Answer:
    """reach, above (K, lines): the counts.

    between: (k, row, column) of values that reach `low` and do not exceed `high`, as arrays. listed: place
    (row * width + column) and value of what reaches the bound, tile by tile.
    full: there is more to list than was asked for, and nothing else here is of use.
    """

    reach: Counts
    above: Counts
    between: list[tuple[int, Positions, Positions]] = field(default_factory=list)
    listed: list[tuple[Positions, Floats]] = field(default_factory=list)
    full: bool = False


def survey(values: Floats, questions: Sequence[Question]) -> tuple[Answer, ...]:
    """Answer all questions on `values` (rows, columns), which lie row by row, in one pass."""
    height, width = values.shape
    tall = max(1, min(TALL, TILE // width))
    counting = any(len(question.low) for question in questions)
    counted = blank(tall * counting, width), blank(tall * counting, width)
    flat = np.zeros(-(-tall * width // 8) * 8, dtype=np.bool_)
    answers = tuple(Answer(*np.zeros((2, *question.low.shape), dtype=np.int32)) for question in questions)
    for start in range(0, height, tall):
        rows = slice(start, min(start + tall, height))
        for question, answer in zip(questions, answers, strict=True):
            if not answer.full:
                _list(values[rows], rows, question, answer, flat)
                _count(values[rows], rows, question, answer, counted)
    return answers


def _list(tile: Floats, rows: slice, question: Question, answer: Answer, flat: Mask) -> None:
    """List what reaches the bound in one tile; `flat` is memory for a mask."""
    if question.bound is None:
        return
    bound = question.bound[rows] if question.axis == 0 else question.bound
    np.greater_equal(tile, across(bound, question.axis), out=flat[: tile.size].reshape(tile.shape))
    ceiling = -(-tile.size // 8) * 8
    flat[tile.size : ceiling] = False
    places = true_places(flat[:ceiling], question.room - sum(len(places) for places, _ in answer.listed))
    if places is None:
        answer.full = True
        return
    answer.listed.append((places + rows.start * tile.shape[1], tile.ravel().take(places)))


def _count(tile: Floats, rows: slice, question: Question, answer: Answer, masks: tuple[Mask, Mask]) -> None:
    """Add what one tile says to the counts."""
    axis, (height, width) = question.axis, tile.shape
    lines = rows if axis == 0 else slice(0, width)
    count: Callable[[Mask], Counts | npt.NDArray[np.uint8]] = count_rows if axis == 0 else count_columns
    reaching, exceeding = masks[0][:height], masks[1][:height]
    for k, (low, high) in enumerate(zip(question.low, question.high, strict=True)):
        np.greater_equal(tile, across(low[lines], axis), out=reaching[:, :width])
        np.greater(tile, across(high[lines], axis), out=exceeding[:, :width])
        reach, above = (count(mask)[: tile.shape[axis]] for mask in (reaching, exceeding))
        answer.reach[k, lines] += reach
        answer.above[k, lines] += above
        if question.near is None:
            continue
        if int(answer.reach[k].sum()) - int(answer.above[k].sum()) > question.near:
            answer.full = True
            return
        close = np.flatnonzero(reach != above)
        if len(close):
            row, column = _between(reaching[:, :width], exceeding[:, :width], axis, close)
            answer.between.append((k, row + rows.start, column))


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


def sampled_highest(values: Floats, axis: int) -> Floats:
    """Return the highest of some values of each line (lines,)."""
    highest: Floats
    if axis == 0:
        highest = np.maximum.reduce(values[:, : -(-values.shape[1] // SAMPLED)], axis=1)
    else:
        highest = np.maximum.reduce(values[::SAMPLED], axis=0)
    return highest


def across(bound: Floats, axis: int) -> Floats:
    """Return one bound for each line (lines,) in a shape that compares with (rows, columns)."""
    return bound[:, None] if axis == 0 else bound[None, :]
