"""hit@K in a gallery of another size, in closed form: its expected value over all ways to draw the gallery.

A query's positives stay; the other items are drawn without replacement from a pool. Whether a positive is
among the first K then depends only on how many better items are drawn, which is hypergeometric, so that
nothing has to be drawn, ranked or encoded again. Knows counts, no scores and no files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.metrics.measures import hit_probability
from clipbench.records import Ledger

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """Per query (Q,): what is always in the gallery, and what the rest is drawn from.

    hits        positives that share the best positive's score, itself included
    above       items that are always there and score above the best positive
    tied        items that are always there and share its score, `hits` included
    pool        items to draw from
    pool_above  of these, how many score above the best positive
    pool_tied   of these, how many share its score
    """

    hits: Integers
    above: Integers
    tied: Integers
    pool: Integers
    pool_above: Integers
    pool_tied: Integers


def whole_pool(ledger: Ledger) -> Pool:
    """Return the pool in which a query's positives are always there and every other item can be drawn."""
    above, tied, hits, positives = _best(ledger)
    rest = ledger.gallery_size - positives
    return Pool(hits, np.zeros_like(above), hits, rest, above, tied - hits)


def added_pool(ledger: Ledger, larger: Ledger) -> Pool:
    """Return the pool in which a whole gallery is always there and items added to it can be drawn.

    ledger: ranked in the gallery; larger: the same queries, ranked in the gallery with all items added.
    Raises ValueError where the two are not of the same queries, or something was taken away.
    """
    above, tied, hits, positives = _best(ledger)
    more_above, more_tied, more_hits, more_positives = _best(larger)
    if not (np.array_equal(hits, more_hits) and np.array_equal(positives, more_positives)):
        raise ValueError("the two ledgers are not of the same queries and positives")
    if (more_above < above).any() or (more_tied < tied).any():
        raise ValueError("the larger gallery lacks items of the smaller one")
    added = np.full_like(above, larger.gallery_size - ledger.gallery_size)
    return Pool(hits, above, tied, added, more_above - above, more_tied - tied)


def expected_hits(pool: Pool, drawn: npt.ArrayLike, k: int) -> Floats:
    """Return each query's expected hit@K, float64 (Q,), where `drawn` (Q,) items are taken from its pool.

    With a better items always there and g of the D in the pool, m drawn and no ties:
    P(hit@K) = Σ_{h ≤ K-1-a} C(g, h) · C(D-g, m-h) / C(D, m). Ties count by their expected value over random
    orders, as in `measures`. With m = D this is the hit@K of the whole gallery.

    >>> one = np.array([1])
    >>> pool = Pool(one, 0 * one, one, 9 * one, 3 * one, 0 * one)  # rank 4 of 10
    >>> float(expected_hits(pool, 9, 1)[0]), round(float(expected_hits(pool, 1, 1)[0]), 4)
    (0.0, 0.6667)

    Raises ValueError where more is to be drawn than there is.
    """
    count = np.broadcast_to(np.asarray(drawn, dtype=np.int64), pool.pool.shape)
    if (count < 0).any() or (count > pool.pool).any():
        raise ValueError(f"cannot draw {int(count.max())} items from {int(pool.pool.min())}")
    rows = np.stack(
        [pool.hits, pool.above, pool.tied, pool.pool, pool.pool_above, pool.pool_tied, count], axis=1
    )
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    values = np.zeros(len(distinct))
    for better in range(k):  # drawn items above the best positive; more than K - 1 leave no place
        values += _with_better(distinct, better, k)
    return np.clip(values, 0.0, 1.0)[inverse.ravel()]


def _with_better(rows: Integers, better: int, k: int) -> Floats:
    """Return P(so many better items are drawn, and a positive is in the top K)."""
    hits, above, tied, pool, pool_above, pool_tied, drawn = rows.T
    chance = _hypergeometric(better, pool_above, pool, drawn)
    values = np.zeros(len(rows))
    plain = pool_tied == 0
    values[plain] = (chance * hit_probability(above + better, tied, hits, k))[plain]
    for row in np.flatnonzero(~plain & (chance > 0)):
        equal = np.arange(min(pool_tied[row], drawn[row] - better) + 1)
        share = _hypergeometric(
            equal, pool_tied[row], pool[row] - pool_above[row], np.int64(drawn[row] - better)
        )
        found = hit_probability(above[row] + better, tied[row] + equal, hits[row], k)
        values[row] = chance[row] * float(np.sum(share * found))
    return values


def _hypergeometric(
    hits: npt.ArrayLike, good: npt.ArrayLike, pool: npt.ArrayLike, drawn: npt.ArrayLike
) -> Floats:
    """Return P(`hits` of the `good` items are among `drawn` ones of the `pool`), 0 where that cannot be."""
    h, g, size, m = np.broadcast_arrays(*(np.asarray(x, dtype=np.int64) for x in (hits, good, pool, drawn)))
    possible = (h >= 0) & (h <= g) & (h <= m) & (m - h <= size - g)
    h, rest = np.where(possible, h, 0), np.where(possible, m - h, 0)
    logs = _log_choose(g, h) + _log_choose(size - g, rest) - _log_choose(size, np.where(possible, m, 0))
    chances: Floats = np.where(possible, np.exp(np.where(possible, logs, 0.0)), 0.0)
    return chances


def _log_choose(n: Integers, k: Integers) -> Floats:
    from scipy.special import gammaln

    found: Floats = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return found


def _best(ledger: Ledger) -> tuple[Integers, Integers, Integers, Integers]:
    """Return of each query's best positive: items above, tied, positives tied; and how many positives it has."""
    starts = ledger.offsets[:-1]
    positives = np.diff(ledger.offsets).astype(np.int64)
    above = np.minimum.reduceat(ledger.above, starts)
    first = np.flatnonzero(ledger.above == np.repeat(above, positives))
    query = np.repeat(np.arange(len(positives)), positives)[first]
    _, place = np.unique(query, return_index=True)
    row = first[place]
    return (
        above.astype(np.int64),
        ledger.tied[row].astype(np.int64),
        ledger.tied_positives[row].astype(np.int64),
        positives,
    )
