"""k-reciprocal re-ranking across two modalities: neighbours that choose each other count more.

The scheme of Zhong et al. 2017 (Re-ranking person re-identification with k-reciprocal encoding) compares the
neighbourhoods of query and item by their Jaccard distance. There both are photographs; here a caption's
cosines with photographs lie far below those of photographs among themselves, so the neighbourhoods are taken
where cosines are alike: of a query, its first k gallery items; of an item, its reciprocal neighbours in the
gallery. Uses the gallery and the query alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from clipbench.rerank.expansion import nearest
from clipbench.rerank.hubness import Vectors

Scores = npt.NDArray[np.float32]


class Reciprocal:
    """Jaccard similarity between a query's first k items and each item's reciprocal neighbourhood.

    gallery: unit vectors (G, D). k: neighbours looked at, the item itself included. Raises ValueError for a
    k that the gallery does not have.
    """

    def __init__(self, gallery: Vectors, k: int = 20) -> None:
        self._gallery = gallery
        self._k = k
        items, _ = nearest(gallery, gallery, k)
        size = len(gallery)
        chosen = sparse.csr_matrix(
            (np.ones(items.size, dtype=np.float32), (np.repeat(np.arange(size), k), items.ravel())),
            shape=(size, size),
        )
        mutual = chosen.multiply(chosen.T).tolil()
        mutual.setdiag(1)
        self._mutual: Any = mutual.tocsr()
        self._sizes = np.asarray(self._mutual.sum(axis=1)).ravel()

    def jaccard(self, queries: Vectors) -> Scores:
        """Return |N(q) ∩ N(g)| / |N(q) ∪ N(g)| in 0..1 for every item; float32 (len(queries), G)."""
        items, _ = nearest(queries, self._gallery, self._k)
        rows = np.repeat(np.arange(len(queries)), self._k)
        shape = (len(queries), len(self._gallery))
        own = sparse.csr_matrix((np.ones(items.size, dtype=np.float32), (rows, items.ravel())), shape=shape)
        common = (own @ self._mutual.T).toarray()
        return np.asarray(common / (self._k + self._sizes - common), dtype=np.float32)

    def scores(self, cosines: Scores, queries: Vectors, weight: float) -> Scores:
        """Return (1 − weight) · cosine + weight · Jaccard; the published λ of .3 is a weight of .7 on Jaccard."""
        if not 0 <= weight <= 1:
            raise ValueError(f"a weight lies in 0..1, got {weight}")
        return ((1 - weight) * cosines + weight * self.jaccard(queries)).astype(np.float32)
