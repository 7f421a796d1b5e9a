"""Ranks by counting: who is above, who is tied, who is first, for both directions in one pass.

The product of images and captions is made once, block by block, and never held whole; nothing is
sorted. Float32 decides every comparison that its rounding cannot touch, exact scores the rest (see
`scores`), so that a ledger is the same to the bit for any block size, thread count or BLAS. Where a
strip is full of near-ties it is done again in float64, and where that does not tell either, exactly:
constant embeddings take seconds, not hours.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.metrics.blocks import Blocks
from clipbench.metrics.device_blocks import AREA, Block, count_on_device
from clipbench.metrics.positives import Positives
from clipbench.metrics.products import Engine
from clipbench.metrics.scorers import Product, Scorer
from clipbench.metrics.scores import Positions, Scores
from clipbench.metrics.sides import Side, sides
from clipbench.metrics.survey import BUFFER
from clipbench.metrics.tallies import Score, Tally
from clipbench.records import Direction, Ledger

Elsewhere: TypeAlias = Callable[[Sequence[Side], Sequence[Tally]], list[Block]]
"""Counts into the tallies of the sides what it can, and returns the blocks that it left."""

WIDTH = 2048
"""Captions of a block at most, two times the width of a mask's lanes."""

HEIGHT = 1536
"""Images of a block at most. A product of fewer is slower for its size, since BLAS copies all captions for it first;
and what is done once a block shows. More would take more memory, and no longer fit the third-level cache."""

SCORED = (256, 2048)
"""Images and captions of a block whose scores take more than a product: two megabytes, so that what is done to
them stays in the cache."""

MEMORY = 64 << 20
"""Bytes for the blocks of all threads together."""


def rank(
    images: npt.NDArray[np.float32],
    texts: npt.NDArray[np.float32],
    positives: Mapping[Direction, Positives],
    owners: npt.ArrayLike,
    *,
    block: tuple[int, int] | None = None,
    engine: Engine = "numpy",
    threads: int | None = None,
) -> dict[Direction, Ledger]:
    """Rank every query of each direction in `positives`.

    images (N, D) and texts (M, D) are float32 with rows of norm 1; owners (M,) says for each caption
    the position of its image and becomes the ledger's cluster. `block` is the (images, captions) of
    the product held at a time by a thread, chosen where None. Extra memory is at most 64 MB of blocks and
    what grows with the number of queries, never with N × M: 130 MB at 31,000 × 155,000.

    >>> from clipbench.metrics.positives import own
    >>> eye = np.eye(3, dtype=np.float32)
    >>> ledgers = rank(eye, eye, own([0, 1, 2], images=3), [0, 1, 2])
    >>> ledgers["t2i"].above.tolist(), ledgers["t2i"].tied.tolist()
    ([0, 0, 0], [1, 1, 1])

    Raises ValueError for vectors that are not finite float32 of norm 1, positives or owners that do
    not fit them, or an unknown engine; ClipbenchError where the engine's product is not float32.
    """
    scorer = Product(images, texts, engine)
    if block is None:
        block = block_size(*scorer.shape, threads or cores())
    return _rank(scorer, positives, owners, block, threads or cores(), None)


def rank_on_device(
    images: npt.NDArray[np.float32],
    texts: npt.NDArray[np.float32],
    positives: Mapping[Direction, Positives],
    owners: npt.ArrayLike,
    device: str,
    *,
    heard: Callable[[str], None] = lambda _: None,
    area: int = AREA,
) -> dict[Direction, Ledger]:
    """Rank as `rank` does, to the same bits, with products and counts made on a torch device ("cuda", "mps", "cpu").

    What the device cannot do, for want of memory or because too much is too close, is done here, and `heard` is told
    why; all of it where there is no such device. area: products of a block at most.
    """
    scorer = Product(images, texts)
    elsewhere = partial(count_on_device, device, scorer, heard=heard, area=area)
    block = block_size(*scorer.shape, cores())
    return _rank(scorer, positives, owners, block, cores(), elsewhere)


def rank_scores(
    scorer: Scorer,
    positives: Mapping[Direction, Positives],
    owners: npt.ArrayLike,
    *,
    block: tuple[int, int] = SCORED,
    threads: int | None = None,
) -> dict[Direction, Ledger]:
    """Rank every query of each direction in `positives` by whatever gives pairs their scores.

    As `rank`, which is this with the plain product: exact scores decide, so block and threads change nothing.
    Both directions share one pass; where a scorer means one direction only, ask for that one.
    """
    return _rank(scorer, positives, owners, block, threads or cores(), None)


def _rank(
    scorer: Scorer,
    positives: Mapping[Direction, Positives],
    owners: npt.ArrayLike,
    block: tuple[int, int],
    threads: int,
    elsewhere: Elsewhere | None,
) -> dict[Direction, Ledger]:
    """Rank by blocks in threads; but first let `elsewhere` count, which says what blocks are left."""
    if not positives:
        raise ValueError("there is no direction to rank: positives are empty")
    if min(block) < 1:
        raise ValueError(f"a block must hold at least one image and one caption, not {block[0]} × {block[1]}")
    clusters = _clusters(owners, *scorer.shape)
    with worker_pool(threads) as pool:
        exact = partial(_spread, pool, scorer.pairs, 2 * threads)
        parts = sides(positives, scorer, exact)
        tallies = [Tally(s, queries_first(s, scorer.pairs)) for s in parts]
        images, texts = scorer.shape
        left = [(slice(0, images), slice(0, texts))]
        if elsewhere is not None:
            left = elsewhere(parts, tallies)
        blocks = [small for large in left for small in cut(*large, block)]
        if blocks:
            counting = Blocks(scorer, parts, tallies, threads)
            with scorer.blocks() as multiply:
                for _ in pool.map(partial(counting.count, multiply), *zip(*blocks, strict=True)):
                    pass  # an exception in a thread comes out here
        for side, tally in zip(parts, tallies, strict=True):
            tally.finish(queries_first(side, exact))
    return {s.direction: _ledger(s, t, clusters[s.direction]) for s, t in zip(parts, tallies, strict=True)}


def _spread(
    pool: ThreadPoolExecutor, score: Score, parts: int, images: Positions, texts: Positions
) -> Scores:
    """Score pairs in all threads; not for use inside one of them."""
    cuts = zip(np.array_split(images, parts), np.array_split(texts, parts), strict=True)
    return np.concatenate([*pool.map(lambda cut: score(*cut), cuts)])


def queries_first(part: Side, score: Score) -> Score:
    """Return how pairs of one side, queries first, are scored by what takes images first."""
    if part.axis == 0:
        return score
    return lambda queries, items: score(items, queries)


def _ledger(part: Side, tally: Tally, cluster: npt.NDArray[np.int32]) -> Ledger:
    positives = part.positives
    starts, item = positives.offsets[:-1], positives.items
    best = np.maximum.reduceat(part.pair_score, starts)
    first = np.minimum.reduceat(
        np.where(part.pair_score == best[positives.query], item, part.gallery), starts
    )
    rival = np.where(tally.item < 0, part.gallery, tally.item)
    top1 = np.where(tally.best > best, rival, np.where(tally.best == best, np.minimum(first, rival), first))
    return Ledger(
        direction=part.direction,
        gallery_size=part.gallery,
        offsets=positives.offsets,
        positive=item,
        above=(part.pair_above + tally.above[part.pair_number]).astype(np.int32),
        tied=(part.pair_tied + tally.tied[part.pair_number]).astype(np.int32),
        tied_positives=part.pair_tied.astype(np.int32),
        top1=top1.astype(np.int32),
        positive_score=best.astype(np.float32),
        negative_score=tally.best.astype(np.float32),
        cluster=cluster,
    )


def _clusters(owners: npt.ArrayLike, images: int, texts: int) -> dict[Direction, npt.NDArray[np.int32]]:
    owner = np.asarray(owners)
    if owner.shape != (texts,) or owner.dtype.kind not in "iu":
        raise ValueError(f"owners must be {texts} image positions, one for each caption")
    if owner.min() < 0 or owner.max() >= images:
        raise ValueError(f"owners reach from {owner.min()} to {owner.max()}, but there are {images} images")
    return {"t2i": owner.astype(np.int32), "i2t": np.arange(images, dtype=np.int32)}


def worker_pool(threads: int) -> ThreadPoolExecutor:
    """Return threads that count, whose numpy compares lines of a block without copying them first."""
    return ThreadPoolExecutor(
        threads, initializer=np.setbufsize, initargs=(BUFFER,)
    )  # of these threads alone


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def block_size(images: int, texts: int, threads: int) -> tuple[int, int]:
    """Return the size of a block, as large as memory allows, and such that all blocks are about equal."""
    width = 64 * math.ceil(texts / math.ceil(texts / WIDTH) / 64)  # whole cache lines
    room = max(16, min(HEIGHT, MEMORY // (4 * width * threads)) // 16 * 16)
    blocks = math.ceil(images / min(room, math.ceil(images / threads)))
    return 16 * math.ceil(images / blocks / 16), width


def cut(rows: slice, columns: slice, size: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Return all blocks, one column of blocks after the other, so that its captions stay in the cache."""
    height, width = size
    return [
        (slice(row, min(row + height, rows.stop)), slice(column, min(column + width, columns.stop)))
        for column in range(columns.start, columns.stop, width)
        for row in range(rows.start, rows.stop, height)
    ]
