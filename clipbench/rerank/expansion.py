"""Expansion: a vector moved towards its neighbours, after which the plain product ranks.

α query expansion moves a query towards its first gallery items, database-side augmentation moves gallery
items towards one another. Both give unit vectors, so that everything that ranks vectors ranks these.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from clipbench.rerank.hubness import ROWS, THREADS, Vectors

Positions = npt.NDArray[np.int64]


def expanded_queries(queries: Vectors, gallery: Vectors, n: int = 10, alpha: float = 3.0) -> Vectors:
    """Return each query plus its n first gallery items, weighted by cosine^α, of norm 1; float32 (Q, D).

    α query expansion (Radenović et al. 2019, Fine-tuning CNN image retrieval). Items of negative cosine have
    weight 0. Uses the gallery alone. Raises ValueError for an n that the gallery does not have.
    """
    items, scores = nearest(queries, gallery, n)
    return _moved(queries, gallery, items, np.clip(scores, 0, None) ** alpha)


def augmented_gallery(gallery: Vectors, n: int = 10, alpha: float = 3.0) -> Vectors:
    """Return each gallery item plus its n nearest others, weighted by cosine^α, of norm 1; float32 (G, D).

    Database-side augmentation (Arandjelović & Zisserman 2012; weights as in α query expansion).
    """
    items, scores = nearest(gallery, gallery, n + 1)
    itself = items == np.arange(len(gallery))[:, None]
    # An item is its own nearest unless equal vectors come first; whichever it is, it must not count twice.
    without = np.where(itself.any(axis=1), itself.argmax(axis=1), n)
    kept = np.arange(n + 1) != without[:, None]
    shape = (len(gallery), n)
    return _moved(
        gallery, gallery, items[kept].reshape(shape), np.clip(scores[kept], 0, None).reshape(shape) ** alpha
    )


def nearest(queries: Vectors, gallery: Vectors, n: int) -> tuple[Positions, Vectors]:
    """Return the first n gallery items of each query and their cosines, best first; (Q, n) each.

    Equal scores go by gallery position. Raises ValueError for an n that the gallery does not have.
    """
    if not 1 <= n <= len(gallery):
        raise ValueError(f"the {n} nearest cannot be taken from a gallery of {len(gallery)}")

    def block(start: int) -> tuple[Positions, Vectors]:
        scores = queries[start : start + ROWS] @ gallery.T
        return first_of(scores, n)

    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(block, range(0, len(queries), ROWS)))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def first_of(scores: npt.NDArray[np.floating], n: int) -> tuple[Positions, Vectors]:
    """Return the n highest of each row, best first, equal ones by position; positions and scores (rows, n)."""
    width = scores.shape[1]
    if n < width:
        # What equals the n-th highest may be cut off anywhere by argpartition, so all of it is looked at.
        bound = np.partition(scores, width - n, axis=1)[:, width - n]
        counts = (scores >= bound[:, None]).sum(axis=1)
        reach = int(counts.max())
    else:
        reach = width
    candidates = (
        np.argpartition(-scores, reach - 1, axis=1)[:, :reach]
        if reach < width
        else np.tile(np.arange(width), (len(scores), 1))
    )
    candidates.sort(axis=1)
    values = np.take_along_axis(scores, candidates, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :n]
    return (
        np.take_along_axis(candidates, order, axis=1).astype(np.int64),
        np.take_along_axis(values, order, axis=1).astype(np.float32),
    )


def _moved(own: Vectors, others: Vectors, items: Positions, weights: npt.NDArray[np.floating]) -> Vectors:
    """Return own + Σ weights · others[items], of norm 1; a few queries at a time, so that memory stays flat."""
    moved = np.empty_like(own)
    for start in range(0, len(own), ROWS):
        rows = slice(start, start + ROWS)
        total = own[rows].astype(np.float64)
        total += np.einsum(
            "qn,qnd->qd", weights[rows].astype(np.float64), others[items[rows]].astype(np.float64)
        )
        norms = np.linalg.norm(total, axis=1, keepdims=True)
        # A query whose neighbours cancel it has no direction left; it stays where it was.
        moved[rows] = np.where(norms > 1e-6, total / np.maximum(norms, 1e-6), own[rows])
    return moved
