"""Labels that several annotators gave to the same items, as a table with holes.

Knows how to count labels and pairs of labels. Knows nothing of what a category means, of how labels are
normalised or merged, nor of agreement coefficients (see `agreement`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clipbench.statistics.intervals import Floats

MISSING = -1


@dataclass(frozen=True, eq=False)
class Ratings:
    """N items × A annotators.

    codes (N, A): position of the label in `categories`, -1 where the annotator left the item out.
    categories: every label an annotator could give, used or not; coefficients that correct for chance
    by the number of categories (Gwet's AC1) depend on it.
    """

    codes: npt.NDArray[np.int64]
    categories: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or not np.issubdtype(self.codes.dtype, np.integer):
            raise ValueError(
                f"codes are integers, items × annotators, got {self.codes.dtype} {self.codes.shape}"
            )
        if len(set(self.categories)) != len(self.categories):
            raise ValueError("a category is named twice")
        if self.codes.size and not (self.codes.min() >= MISSING and self.codes.max() < len(self.categories)):
            raise ValueError(
                f"codes reach from {self.codes.min()} to {self.codes.max()}, "
                f"outside -1 (missing) to {len(self.categories) - 1}"
            )

    @property
    def items(self) -> int:
        """Number of items, labelled or not."""
        return len(self.codes)

    @property
    def annotators(self) -> int:
        """Number of annotators."""
        return int(self.codes.shape[1])

    @cached_property
    def counts(self) -> Floats:
        """How many annotators gave each item each category, shape (N, K)."""
        hot = self.codes[:, :, None] == np.arange(len(self.categories))
        given: Floats = hot.sum(axis=1, dtype=np.float64)
        return given

    @property
    def labels(self) -> int:
        """Number of labels given in all."""
        return int(np.count_nonzero(self.codes != MISSING))

    @property
    def overlap(self) -> int:
        """Number of items with at least two labels: the only ones that can agree or disagree."""
        return int(np.count_nonzero(self.counts.sum(axis=1) >= 2))


def ratings(table: Sequence[Sequence[str | None]], categories: Sequence[str] | None = None) -> Ratings:
    """Return the ratings of a table of labels, items × annotators, None where there is no label.

    Without `categories` they are the labels that occur, in sorted order. Raises ValueError for rows of
    unequal length and for labels that are not among the categories.

    >>> ratings([["cat", "dog"], ["dog", None]]).codes.tolist()
    [[0, 1], [1, -1]]
    """
    widths = {len(row) for row in table}
    if len(widths) > 1:
        raise ValueError(f"every item has one place per annotator, got rows of {sorted(widths)}")
    seen = {label for row in table for label in row if label is not None}
    names = tuple(sorted(seen)) if categories is None else tuple(categories)
    unknown = sorted(seen - set(names))
    if unknown:
        raise ValueError(f"{len(unknown)} labels are not among the {len(names)} categories: {unknown}")
    position: dict[str | None, int] = {name: code for code, name in enumerate(names)}
    position[None] = MISSING
    codes = np.array([[position[label] for label in row] for row in table], dtype=np.int64)
    return Ratings(codes.reshape(len(table), widths.pop() if widths else 0), names)


def confusion(source: Ratings, first: int = 0, second: int = 1) -> npt.NDArray[np.int64]:
    """Return how often annotator `first` (rows) met annotator `second` (columns), shape (K, K).

    Only items labelled by both are counted.
    """
    size = len(source.categories)
    rows, columns = source.codes[:, first], source.codes[:, second]
    both = (rows != MISSING) & (columns != MISSING)
    cells = np.bincount(rows[both] * size + columns[both], minlength=size * size)
    return cells.reshape(size, size).astype(np.int64)


def coincidences(source: Ratings) -> Floats:
    """Return Krippendorff's coincidence matrix (K, K): which labels met on an item, any annotators.

    Each ordered pair of labels of an item with m labels counts 1/(m − 1), so that the matrix sums to
    the number of labels on items with at least two. It is symmetric.

    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.
    """
    counts = source.counts
    given = counts.sum(axis=1)
    paired, given = counts[given >= 2], given[given >= 2]
    shares = paired / (given - 1)[:, None]
    matrix: Floats = shares.T @ paired - np.diag(shares.sum(axis=0))
    return matrix
