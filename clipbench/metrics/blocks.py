"""What a thread does with one block of the product: multiply, hide the positives, count, and look closer where it must.

Float32 decides what its rounding cannot touch. A block full of near-ties is done again in float64 strip by strip,
and where that does not tell either, from exact scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Semaphore
from time import perf_counter

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.metrics.counting import Found, Strip, TooClose, scan
from clipbench.metrics.products import Multiply
from clipbench.metrics.scorers import Scorer
from clipbench.metrics.scores import Floats, Scores, Vectors
from clipbench.metrics.sides import Side, together
from clipbench.metrics.tallies import Tally

STRIP = 1 << 18
"""Products that are done again in float64 at a time, where a block is full of near-ties."""

FEW = 1024
"""So many near-ties of a strip are scored one by one in any case, before float64 is tried on the whole."""

SHARE = 4
"""One thread in so many counts at a time, while the others multiply."""

PATIENCE = 0.25
"""A thread waits for its turn to count so much of the time that it has multiplied, at most."""


class Blocks:
    """Counts blocks into `tallies`, one for each side; any number of threads may do so at once."""

    def __init__(
        self, scorer: Scorer, sides: Sequence[Side], tallies: Sequence[Tally], threads: int = 1
    ) -> None:
        self._scorer = scorer
        self._sides = tuple(sides)
        self._groups = together(sides)
        self._tallies = tuple(tallies)
        self._free: SimpleQueue[Vectors] = SimpleQueue()
        self._turns = Semaphore(max(1, threads // SHARE))

    @contextmanager
    def _memory(self, area: int) -> Iterator[Vectors]:
        """Lend memory for a block's product, flat; a thread that comes later takes it over, for new memory costs time."""
        try:
            memory = self._free.get_nowait()
        except Empty:
            memory = np.empty(0, np.float32)
        if memory.size < area:
            memory = np.empty(area, np.float32)
        yield memory[:area]
        self._free.put(memory)

    @contextmanager
    def _turn(self, patience: float) -> Iterator[None]:
        """Wait until others have counted, for so many seconds at most.

        Counting is hundreds of short calls of numpy. Threads that count at the same time wait for Python's lock at each
        of them, and for memory; and as blocks take equally long, they would do so block after block. Once
        one has waited, they are out of step.
        """
        mine = self._turns.acquire(timeout=patience)
        try:
            yield
        finally:
            if mine:
                self._turns.release()

    def count(self, multiply: Multiply, rows: slice, columns: slice) -> None:
        """Multiply a block and count it."""
        height, width = rows.stop - rows.start, columns.stop - columns.start
        with self._memory(height * width) as memory:
            product = memory.reshape(height, width)
            started = perf_counter()
            multiply(rows, columns, product)
            patience = PATIENCE * (perf_counter() - started)
            strip = Strip(product, rows.start, columns.start, self._scorer.band(np.float32))
            try:
                with self._turn(patience):
                    self._add(strip, _limit(strip))
            except TooClose:
                for part in strip.parts(max(1, STRIP // width)):
                    self._closer(part)

    def _closer(self, strip: Strip) -> None:
        """Count a strip as cheaply as its near-ties allow."""
        height, width = strip.values.shape
        rows, columns = slice(strip.row, strip.row + height), slice(strip.column, strip.column + width)
        scorer = self._scorer
        steps: tuple[tuple[Callable[[], Floats], float, int], ...] = (
            (lambda: strip.values, strip.band, _limit(strip)),
            (lambda: scorer.closer(rows, columns), scorer.band(np.float64), height * width // 4),
            (lambda: scorer.table(rows, columns), 0.0, 0),
        )
        for values, band, limit in steps:
            try:
                self._add(replace(strip, values=values(), band=band), limit)
            except TooClose:
                continue
            return

    def _add(self, strip: Strip, limit: int) -> None:
        """Count a strip for all sides, or raise TooClose for all of them."""
        found: list[tuple[Tally, Found]] = []
        for group in self._groups:
            tallies = [self._tallies[number] for number in group]
            found += zip(tallies, self._scan(group, strip, limit), strict=True)
        for tally, one in found:
            tally.add(one)

    def _scan(self, group: tuple[int, ...], strip: Strip, limit: int) -> list[Found]:
        """Count sides with the same positives, with these out of sight; put them back for the next."""
        height, width = strip.values.shape
        rows, columns = slice(strip.row, strip.row + height), slice(strip.column, strip.column + width)
        sides = [self._sides[number] for number in group]
        row, column, scores = sides[0].pairs(rows, columns)
        hidden = strip.values[row, column]
        check_precision(hidden, scores, strip.band)
        strip.values[row, column] = -np.inf
        floors = [
            self._tallies[number].floor((rows, columns)[side.axis])
            for number, side in zip(group, sides, strict=True)
        ]
        try:
            return scan(sides, strip, floors, limit)
        finally:
            strip.values[row, column] = hidden


def _limit(strip: Strip) -> int:
    return max(FEW, strip.values.size // 128)


def check_precision(products: Floats, scores: Scores, width: float) -> None:
    """Every positive is a sample of the product's rounding; it must be what float32 can do."""
    off = float(np.abs(products - scores).max(initial=0.0))
    if not off <= width:
        raise ClipbenchError(
            f"the matrix product is off by {off:.2g}, float32 by {width:.2g} at most",
            "turn off reduced precision: torch.set_float32_matmul_precision('highest')",
        )
