"""Counting on a torch device: products, counts and near-ties there, exact scores here.

The device says what `counting.scan` says of a block, so ledgers are the same to the bit wherever they are counted.
What a device cannot do, for want of memory or because too much is too close, is left for the processor. Imports torch
where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from clipbench.errors import ClipbenchError
from clipbench.metrics.blocks import FEW, check_precision
from clipbench.metrics.counting import Count, Found, Near, Peaks, TooClose
from clipbench.metrics.scorers import Product
from clipbench.metrics.scores import Floats, Positions, Scores, Vectors, at_most
from clipbench.metrics.sides import Side, Thresholds
from clipbench.metrics.tallies import Tally

if TYPE_CHECKING:
    import torch

Block: TypeAlias = tuple[slice, slice]
"""Images and captions."""

SMALL, LARGE = 1e11, 2e12
"""Floating-point operations below which a device is not asked, and is not looked for: a processor does a hundred
thousand million in about a second."""

AREA = 1 << 26
"""Products of a block at most: a quarter of a gigabyte of float32."""

LEAST = 1 << 20
"""Products below which a block is not halved again for want of memory."""

BYTES = 16
"""Memory that one product takes, with the copies and masks that are made of it."""


def counting_device(encoder: str | None, operations: float) -> str | None:
    """Return the device that a product of so many operations is counted on, None for the processor.

    encoder: where the model runs, None where it was not loaded; then a device is looked for only where the work is
    worth the import of torch.
    """
    if encoder == "cpu" or operations < SMALL or (encoder is None and operations < LARGE):
        return None
    if encoder is not None:
        return encoder
    try:
        import torch
    except ImportError:
        return None
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def count_on_device(
    name: str,
    scorer: Product,
    sides: Sequence[Side],
    tallies: Sequence[Tally],
    heard: Callable[[str], None],
    *,
    area: int = AREA,
) -> list[Block]:
    """Count into `tallies`, one for each side, on the torch device `name`; return the blocks that are left.

    heard: told why blocks are left. area: products of a block at most.
    """
    images, texts = scorer.shape
    whole = [(slice(0, images), slice(0, texts))]
    try:
        device = _Device(name, scorer)
    except (ImportError, RuntimeError, AssertionError, NotImplementedError) as error:
        heard(f"counted on the processor, not on {name}: {_line(error)}")
        return whole
    waiting = list(_cut(images, texts, min(area, max(LEAST, device.room() // BYTES))))
    left: list[Block] = []
    with _full_precision():
        while waiting:
            block = waiting.pop()
            try:
                found = device.scan(block, sides, tallies)
            except TooClose:
                left.append(block)
                continue
            except (
                RuntimeError,
                NotImplementedError,
                ClipbenchError,
            ) as error:  # out of memory is a RuntimeError too
                halves = _halves(block) if _is_out_of_memory(error) else []
                if halves:
                    device.empty_cache()
                    waiting += halves
                    continue
                heard(f"counted on the processor, not on {name}: {_line(error)}")
                return [*left, block, *waiting]
            for tally, one in zip(tallies, found, strict=True):
                tally.add(one)
    if left:
        heard(f"{len(left)} blocks of near-ties counted on the processor")
    return left


class _Device:
    """A torch device with the images on it; captions come block by block."""

    def __init__(self, name: str, scorer: Product) -> None:
        import torch

        self._torch = torch
        self._device = torch.device(name)
        self._scorer = scorer
        self._images = self._there(scorer.images)
        self._columns, self._texts = slice(0, 0), self._images[:0]

    def room(self) -> int:
        """Return the bytes that may be taken for blocks, half of what is free."""
        torch = self._torch
        if self._device.type == "cuda":
            return int(torch.cuda.mem_get_info(self._device)[0]) // 2
        if self._device.type == "mps":
            return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()) // 2
        return AREA * BYTES

    def empty_cache(self) -> None:
        """Give memory that torch holds in reserve back."""
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()
        elif self._device.type == "mps":
            self._torch.mps.empty_cache()

    def scan(self, block: Block, sides: Sequence[Side], tallies: Sequence[Tally]) -> list[Found]:
        """Multiply a block and say what it holds for each side. Raises TooClose, or what torch raises."""
        rows, columns = block
        if columns != self._columns:
            self._columns, self._texts = columns, self._there(self._scorer.texts[columns])
        product = self._images[rows] @ self._texts.t()
        found = []
        for side, tally in zip(sides, tallies, strict=True):
            row, column, scores = side.pairs(rows, columns)
            place = self._there(row), self._there(column)
            hidden = product[place]
            check_precision(hidden.cpu().numpy(), scores, self._scorer.band(np.float32))
            product[place] = -np.inf
            found.append(self._side(side, product, block, tally.floor(block[side.axis])))
            product[place] = hidden
        return found

    def _side(self, side: Side, product: torch.Tensor, block: Block, floor: Scores) -> Found:
        own = block[side.axis]
        limit = max(FEW, product.numel() // 1024)
        counts = []
        for rank in range(len(side.common.scores)):
            part = side.common[rank, own]
            numbers = rank * side.queries + np.arange(own.start, own.stop)
            counts.append(self._count(side, part, product, block, numbers, limit))
        for slot in side.slots:
            a, b = np.searchsorted(slot.queries, (own.start, own.stop))
            if a < b:
                lines = self._there(slot.queries[a:b] - own.start)
                some = product.index_select(side.axis, lines)
                numbers = np.arange(slot.first + a, slot.first + b)
                counts.append(
                    self._count(side, slot.thresholds[a:b], some, block, numbers, limit, slot.queries[a:b])
                )
        return Found(tuple(counts), self._peaks(side, product, block, floor, limit))

    def _count(
        self,
        side: Side,
        thresholds: Thresholds,
        product: torch.Tensor,
        block: Block,
        numbers: Positions,
        limit: int,
        queries: Positions | None = None,
    ) -> Count:
        """Count lines of the product against one threshold each, by its number; `queries` are the block's own or these."""
        low, high = self._across(thresholds.low, side.axis), self._across(thresholds.high, side.axis)
        across = 1 - side.axis
        above = (product > high).sum(dim=across, dtype=self._torch.int32)
        level = (product >= low).sum(dim=across, dtype=self._torch.int32) - above
        levels = level.cpu().numpy()
        if levels.sum() > limit:
            raise TooClose
        lines = np.flatnonzero(levels)
        values = product.index_select(side.axis, self._there(lines))
        within = (values >= self._across(thresholds.low[lines], side.axis)) & (
            values <= self._across(thresholds.high[lines], side.axis)
        )
        line, item = self._where(within, side.axis)
        mine = lines[line]
        query = mine + block[side.axis].start if queries is None else queries[mine]
        near = Near(numbers[mine], query, item + block[across].start)
        return Count(numbers, above.cpu().numpy(), None, near)

    def _peaks(self, side: Side, product: torch.Tensor, block: Block, floor: Scores, limit: int) -> Peaks:
        """List the negatives that may be the highest, as `counting` does."""
        width, across = self._scorer.band(np.float32), 1 - side.axis
        highest = product.amax(dim=across).cpu().numpy().astype(np.float64)
        live = np.flatnonzero((highest + width >= floor) & (highest > -np.inf))
        lower = highest[live] - width
        near = at_most(np.maximum(floor[live], lower) - width)
        values = product.index_select(side.axis, self._there(live))
        hits = values >= self._across(near, side.axis)
        if int(hits.sum()) - len(live) > limit:
            raise TooClose
        line, item = self._where(hits, side.axis)
        upper = values[hits].cpu().numpy().astype(np.float64) + width
        queries = live + block[side.axis].start
        return Peaks(
            queries[line], item + block[across].start, upper, exact=False, risen=queries, floor=lower
        )

    def _there(self, array: Positions | Vectors) -> torch.Tensor:
        whole = np.ascontiguousarray(array)
        return self._torch.from_numpy(whole if whole.flags.writeable else whole.copy()).to(self._device)

    def _across(self, bound: Floats, axis: int) -> torch.Tensor:
        there = self._there(bound.astype(np.float32))
        return there[:, None] if axis == 0 else there[None, :]

    def _where(self, hits: torch.Tensor, axis: int) -> tuple[Positions, Positions]:
        row, column = (place.cpu().numpy() for place in self._torch.nonzero(hits, as_tuple=True))
        return (row, column) if axis == 0 else (column, row)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Multiply float32 as float32 meanwhile: a device may be set to round to fewer bits."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _cut(images: int, texts: int, area: int) -> Iterator[Block]:
    """Yield blocks of at most `area` products, captions by captions."""
    width = min(texts, max(1, int(area**0.5) * 2))
    height = min(images, max(1, area // width))
    for column in range(0, texts, width):
        for row in range(0, images, height):
            yield slice(row, min(row + height, images)), slice(column, min(column + width, texts))


def _halves(block: Block) -> list[Block]:
    """Return a block cut in two along its longer side, nothing where it is small enough already."""
    rows, columns = block
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if height * width <= LEAST:
        return []
    if height > width:
        middle = rows.start + height // 2
        return [(slice(rows.start, middle), columns), (slice(middle, rows.stop), columns)]
    middle = columns.start + width // 2
    return [(rows, slice(columns.start, middle)), (rows, slice(middle, columns.stop))]


def _is_out_of_memory(error: Exception) -> bool:
    return type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
