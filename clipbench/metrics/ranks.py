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
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from clipbench.metrics.blocks import Blocks
from clipbench.metrics.positives import Positives
from clipbench.metrics.products import Engine
from clipbench.metrics.scorers import Product, Scorer
from clipbench.metrics.sides import Side, sides
from clipbench.metrics.survey import BUFFER
from clipbench.metrics.tallies import Score, Tally
from clipbench.records import Direction, Ledger

WIDTH = 2048
"""Captions of a block, about."""

HEIGHT = 1024
"""Images of a block at most. A product of fewer is slower for its size, since BLAS copies all captions for it first."""

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
        block = _block(*scorer.shape, threads or _cores())
    return rank_scores(scorer, positives, owners, block=block, threads=threads)


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
    if not positives:
        raise ValueError("there is no direction to rank: positives are empty")
    clusters = _clusters(owners, *scorer.shape)
    parts = sides(positives, scorer)
    tallies = [Tally(s, _pair_scorer(s, scorer)) for s in parts]
    blocks = _blocks(*scorer.shape, block)
    counting = Blocks(scorer, parts, tallies)
    with scorer.blocks() as multiply, _pool(threads or _cores()) as pool:
        for _ in pool.map(partial(counting.count, multiply), *zip(*blocks, strict=True)):
            pass  # an exception in a thread comes out here
    for tally in tallies:
        tally.finish()
    return {s.direction: _ledger(s, t, clusters[s.direction]) for s, t in zip(parts, tallies, strict=True)}


def _pair_scorer(part: Side, scorer: Scorer) -> Score:
    """Return how pairs of one side, queries first, are scored."""
    if part.axis == 0:
        return scorer.pairs
    return lambda queries, items: scorer.pairs(items, queries)


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


def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        threads, initializer=np.setbufsize, initargs=(BUFFER,)
    )  # of these threads alone


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _block(images: int, texts: int, threads: int) -> tuple[int, int]:
    """Return the size of a block: as square as the caches allow, small enough for the memory."""
    blocks = max(1, texts // WIDTH)
    width = 64 * math.ceil(texts / blocks / 64)  # whole cache lines
    height = min(HEIGHT, MEMORY // (4 * width * threads), math.ceil(images / threads))
    return 16 * math.ceil(max(1, height) / 16), width


def _blocks(images: int, texts: int, size: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Return all blocks, one column of blocks after the other, so that its captions stay in the cache."""
    height, width = size
    if height < 1 or width < 1:
        raise ValueError(f"a block must hold at least one image and one caption, not {height} × {width}")
    return [
        (slice(row, min(row + height, images)), slice(column, min(column + width, texts)))
        for column in range(0, texts, width)
        for row in range(0, images, height)
    ]
