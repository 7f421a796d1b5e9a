"""Hubs: gallery items that come near the top for every query, and what to subtract from them.

CSLS, the inverted softmax and the dual softmax all come down to one number for each gallery item, its bias:
the new score is s(q, g) − bias(g), and what depends on the query alone changes no ranking. The bias is
taken over a bank of queries: of another split, or the test queries themselves (which is transductive: no
single query could be answered so). Works by blocks of the bank × gallery product; knows no file.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Biases = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ROWS = 256
"""Gallery items of a block. Fixed, because a product's last bits depend on its shape."""

THREADS = 2
"""Blocks at a time. Each holds ROWS × bank scores: 28 MB at 28,000 bank captions."""


def csls_bias(gallery: Vectors, bank: Vectors, k: int = 10) -> Biases:
    """Return half the mean cosine of each gallery item to its k nearest queries of the bank; float64 (G,).

    CSLS (Conneau et al. 2018, Word translation without parallel data): 2 s(q, g) − r(q) − r(g), with r the
    mean cosine to the k nearest of the other side. Halved, and without r(q), which changes no ranking,
    that is s(q, g) − r(g)/2. Raises ValueError for a k outside of the bank.
    """
    if not 1 <= k <= len(bank):
        raise ValueError(f"CSLS takes the k nearest of {len(bank)} bank queries, not {k}")

    def nearest(scores: Vectors) -> Biases:
        top = np.partition(scores, scores.shape[1] - k, axis=1)[:, -k:]
        # Sorted before the sum, so that the order numpy leaves them in does not show in the last bits.
        return np.asarray(np.sort(top, axis=1).astype(np.float64).mean(axis=1) / 2)

    return _over_blocks(gallery, bank, nearest)


def softmax_bias(gallery: Vectors, bank: Vectors, tau: float) -> Biases:
    """Return τ · log Σ_b exp(s(b, g)/τ) of each gallery item over the bank; float64 (G,).

    Inverted softmax (Smith et al. 2017) ranks by exp(s/τ) / Σ_b exp(s(b, g)/τ), which is the order of
    s(q, g) − bias(g). Raises ValueError for a τ that is not above 0.
    """
    if not tau > 0:
        raise ValueError(f"a temperature is above 0, got {tau}")

    def log_sum(scores: Vectors) -> Biases:
        highest = scores.max(axis=1, keepdims=True)
        total = np.exp((scores - highest) / np.float32(tau)).sum(axis=1, dtype=np.float64)
        return np.asarray(highest[:, 0] + tau * np.log(total), dtype=np.float64)

    return _over_blocks(gallery, bank, log_sum)


def dual_softmax_bias(gallery: Vectors, queries: Vectors, tau: float) -> Biases:
    """Return the bias that ranks as the dual softmax does; float64 (G,). Transductive: `queries` are ranked.

    Dual softmax (CAMoE, Cheng et al. 2021) multiplies softmax over the gallery with softmax over the
    queries. Its logarithm is 2 s/τ − log Σ_g exp(s/τ) − log Σ_q exp(s/τ); the first sum is of the query alone.
    """
    return softmax_bias(gallery, queries, tau) / 2


def hub_gate(first_of_query: npt.NDArray[np.integer], first_of_bank: npt.NDArray[np.integer]) -> Mask:
    """Return for which queries the bias is applied: those whose first item is first of a bank query too; bool (Q,).

    QB-Norm's dynamic inverted softmax (Bogolin et al. 2022, Cross modal retrieval with querybank
    normalisation): a query whose nearest item is no hub of the bank is left as it is.
    """
    return np.asarray(np.isin(first_of_query, first_of_bank), dtype=np.bool_)


def first_items(queries: Vectors, gallery: Vectors) -> npt.NDArray[np.int64]:
    """Return the gallery position of each query's highest score, the first one where equal; int64 (Q,)."""

    def highest(scores: Vectors) -> Biases:
        return np.asarray(scores.argmax(axis=1), dtype=np.float64)

    return _over_blocks(queries, gallery, highest).astype(np.int64)


@dataclass(frozen=True)
class Biased:
    """Scores s(q, g) − gate(q) · bias(g). gate: which queries it is applied to, None for all."""

    bias: Biases
    gate: Mask | None = None

    def apply(self, scores: Vectors, rows: slice) -> Vectors:
        """Return the scores of the queries `rows` (rows, G), biased; the given block is overwritten."""
        bias = self.bias.astype(np.float32)
        if self.gate is None:
            return np.subtract(scores, bias, out=scores)
        return np.subtract(scores, self.gate[rows, None] * bias, out=scores)


def _over_blocks(rows: Vectors, columns: Vectors, summary: Callable[[Vectors], Biases]) -> Biases:
    """Return `summary` of every row's scores with all columns, made block by block; float64 (rows,).

    One thread a block, two blocks at a time: the result is the same for any number of threads.
    """
    starts = range(0, len(rows), ROWS)

    def of(start: int) -> Biases:
        return summary(rows[start : start + ROWS] @ columns.T)

    with ThreadPoolExecutor(THREADS) as pool:
        return np.concatenate([np.empty(0), *pool.map(of, starts)])
