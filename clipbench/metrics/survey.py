"""One pass over a strip of scores: counts above thresholds, and the highest values, tile by tile.

A tile fits the second-level cache of a core, so that all that is asked of it is asked while it is there. Values
lie in lines: rows on axis 0, columns on axis 1, each with thresholds of its own. Knows no queries or ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.metrics.lanes import TALL, Counts, Mask, count_columns, count_rows
from clipbench.metrics.scores import Floats

TILE = 1 << 17
"""Values of a tile: half a megabyte of float32."""

BUFFER = 512
"""Numbers of a numpy buffer, see `numpy.setbufsize`. Lines that are shorter are copied into buffers before they are
compared, which takes twice as long as comparing them; so this must be below the width of a block."""

SAMPLED = 16
"""One row in so many tells how many values reach a threshold."""


@dataclass(frozen=True)
class Question:
    """What is asked of the lines of one axis: how many of their values reach `low` and exceed `high`, (K, lines).

    mask: a `lanes.blank` of the strip's size, scratch space. It is left with what reaches `lowest` (lines,), where
    that is given.
    """

    axis: int
    low: Floats
    high: Floats
    lowest: Floats | None
    mask: Mask


@dataclass(frozen=True)
class Answer:
    """reach, above (K, lines): the counts. tops (parts, lines): the highest value of each part of each line.

    A part is `size` values long, the last of a line may be shorter.
    """

    reach: Counts
    above: Counts
    tops: Floats
    size: int


def survey(values: Floats, questions: Sequence[Question]) -> tuple[Answer, ...]:
    """Answer all questions on `values` (rows, columns) in one pass."""
    height, width = values.shape
    tall = max(1, min(TALL, TILE // width))
    answers = tuple(_blank_answer(values, tall, question) for question in questions)
    for start in range(0, height, tall):
        rows = slice(start, min(start + tall, height))
        for question, answer in zip(questions, answers, strict=True):
            _ask(values[rows], rows, question, answer)
    return answers


def _blank_answer(values: Floats, tall: int, question: Question) -> Answer:
    height, width = values.shape
    reach, above = np.zeros((2, *question.low.shape), dtype=np.int32)
    parts = 1 if question.axis == 0 else -(-height // tall)
    tops = np.empty((parts, values.shape[question.axis]), dtype=values.dtype)
    return Answer(reach, above, tops, width if question.axis == 0 else tall)


def _ask(tile: Floats, rows: slice, question: Question, answer: Answer) -> None:
    """Add what one tile says to the answer."""
    axis, whole = question.axis, question.mask[rows]
    width = tile.shape[1]
    hits = whole[:, :width]
    count: Callable[[Mask], Counts | npt.NDArray[np.uint8]] = count_rows if axis == 0 else count_columns
    lines = rows if axis == 0 else slice(0, width)
    np.maximum.reduce(
        tile, axis=1 - axis, out=answer.tops[0 if axis == 0 else rows.start // answer.size, lines]
    )
    for low, high, reach, above in zip(question.low, question.high, answer.reach, answer.above, strict=True):
        np.greater_equal(tile, across(low[lines], axis), out=hits)
        reach[lines] += count(whole)[: len(reach)]
        np.greater(tile, across(high[lines], axis), out=hits)
        above[lines] += count(whole)[: len(above)]
    if question.lowest is not None:
        np.greater_equal(tile, across(question.lowest[lines], axis), out=hits)


def sampled_share(values: Floats, axis: int, low: Floats) -> float:
    """Return about what share of the values reach `low` (lines,)."""
    sample = values[::SAMPLED]
    hits = sample >= across(low[::SAMPLED] if axis == 0 else low, axis)
    return int(np.count_nonzero(hits)) / sample.size


def across(bound: Floats, axis: int) -> Floats:
    """Return one bound for each line (lines,) in a shape that compares with (rows, columns)."""
    return bound[:, None] if axis == 0 else bound[None, :]
