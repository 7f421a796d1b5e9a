"""Do annotators, or strata, use the categories alike? A permutation test of a table of counts.

Annotators who labelled different failures may differ because their failures do: the test says that the
distributions differ, not why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """Pearson's statistic of a table of counts, its permutation p-value, and Cramér's V (0 to 1)."""

    statistic: float
    p: float
    cramers_v: float
    resamples: int


def homogeneity(counts: npt.ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> Homogeneity | None:
    """Test whether the rows of `counts` (groups × categories) come from one distribution.

    p = (1 + #{X²* ≥ X²}) / (1 + B), over B random tables with the same margins, so it is right for small
    counts too. None where fewer than two rows or two columns hold anything.

    Source: Pearson 1900 for the statistic; Phipson & Smyth 2010 for the 1 +.
    """
    table = np.asarray(counts, dtype=np.int64)
    if table.ndim != 2 or (table < 0).any():
        raise ValueError(f"counts are groups × categories from 0 up, got shape {table.shape}")
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape, default=0) < 2:
        return None
    observed = _statistic(table[None])[0]
    reached = 0
    generator = np.random.default_rng(seed)
    for block in _random_tables(table, resamples, generator):
        reached += int(np.count_nonzero(_statistic(block) >= observed * (1 - 1e-10)))
    total = int(table.sum())
    strength = float(np.sqrt(observed / (total * (min(table.shape) - 1))))
    return Homogeneity(float(observed), (1 + reached) / (1 + resamples), strength, resamples)


def _statistic(tables: Counts) -> npt.NDArray[np.float64]:
    """Return Σ (observed − expected)² / expected of each table (B, R, C)."""
    rows = tables.sum(axis=2, keepdims=True)
    columns = tables.sum(axis=1, keepdims=True)
    expected = rows * columns / tables.sum(axis=(1, 2), keepdims=True)
    found: npt.NDArray[np.float64] = np.sum((tables - expected) ** 2 / expected, axis=(1, 2))
    return found


def _random_tables(table: Counts, resamples: int, generator: np.random.Generator) -> list[Counts]:
    """Return tables with the margins of `table`: row after row drawn without replacement from what is left."""
    left = np.repeat(table.sum(axis=0)[None], resamples, axis=0)
    rows = []
    for size in table.sum(axis=1)[:-1].tolist():
        drawn = np.empty_like(left)
        for one in range(resamples):
            drawn[one] = generator.multivariate_hypergeometric(left[one], size)
        rows.append(drawn)
        left = left - drawn
    return [np.stack([*rows, left], axis=1)]
