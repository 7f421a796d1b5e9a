"""Seeded draws that are the same on every platform, numpy version, block size and process.

They use the raw 64-bit output of PCG64, which numpy promises never to change (NEP 19 makes no such
promise for `Generator.integers` or `Generator.multinomial`), and integer arithmetic only. One
resample takes a fixed number of raw words, so cutting the stream into blocks cannot shift it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

BLOCK_CELLS = 1 << 18
"""Cells of one block of weights: 2 MB, so that a block stays in the cache of one core."""


def generator(seed: int, purpose: str) -> np.random.PCG64:
    """Return the stream of one purpose: two purposes under one seed are independent of one another."""
    name = hashlib.blake2b(f"clipbench draws\n{seed}\n{purpose}".encode(), digest_size=16)
    return np.random.PCG64(np.random.SeedSequence(int.from_bytes(name.digest(), "little")))


def weights(clusters: int, resamples: int, seed: int, block: int | None = None) -> Iterator[Floats]:
    """Yield blocks (b, C) of multinomial weights: how often each resample drew each of the C clusters.

    Every row sums to C. The rows are the same whatever `block` (rows at a time) is. The same seed and
    the same number of clusters give the same weights, so the two directions of one evaluation, or two
    runs on the same images, share their resamples. A cluster's chance in one draw is 1/C to within
    2^-32. The counts are float64, ready for a matrix product.
    """
    _check(clusters, resamples)
    words = (clusters + 1) // 2
    for raw in _blocks(generator(seed, "bootstrap"), words, resamples, _rows(clusters, block)):
        drawn = np.empty((len(raw), 2 * words), np.uint64)
        np.bitwise_and(raw, 0xFFFFFFFF, out=drawn[:, :words])
        np.right_shift(raw, 32, out=drawn[:, words:])
        # A 32-bit word times C, shifted down again, is a cluster: cheaper than a remainder, as even.
        drawn *= np.uint64(clusters)
        drawn >>= np.uint64(32)
        positions = drawn.view(np.int64)[:, :clusters]
        out = np.empty((len(raw), clusters))
        for row, position in zip(out, positions, strict=True):
            row[:] = np.bincount(position, minlength=clusters)
        yield out


def swaps(clusters: int, resamples: int, seed: int, block: int | None = None) -> Iterator[Floats]:
    """Yield blocks (b, C) of fair coins, 1.0 where a cluster's two runs change labels and else 0.0.

    The rows are the same whatever `block` (rows at a time) is.
    """
    _check(clusters, resamples)
    words = (clusters + 63) // 64
    for raw in _blocks(generator(seed, "randomisation"), words, resamples, _rows(clusters, block)):
        octets = raw.astype("<u8", copy=False).view(np.uint8)
        bits = np.unpackbits(octets, axis=1, bitorder="little", count=clusters)
        yield bits.astype(np.float64)


def _blocks(bits: np.random.PCG64, words: int, resamples: int, rows: int) -> Iterator[Words]:
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        raw: Words = bits.random_raw(count * words)
        yield raw.reshape(count, words)


def _rows(clusters: int, block: int | None) -> int:
    if block is None:
        return max(1, BLOCK_CELLS // clusters)
    if block < 1:
        raise ValueError(f"a block holds at least 1 resample, got {block}")
    return block


def _check(clusters: int, resamples: int) -> None:
    if clusters < 2:
        raise ValueError(f"resampling images needs at least 2 of them, got {clusters}")
    if resamples < 1:
        raise ValueError(f"at least 1 resample is needed, got {resamples}")
