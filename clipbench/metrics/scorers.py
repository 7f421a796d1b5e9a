"""What gives every pair of an image and a caption its score: the plain product, a pooled one, one with a bias.

A scorer knows each pair's exact score, pair by pair in float64, and a quick way to make whole blocks of scores
that may stray from the exact ones by a known band. Ranks are ranks of the exact scores; blocks only decide
the comparisons that the band cannot touch. A new way to score pairs is a class here; `ranks` takes any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.metrics.products import Engine, Multiply, products
from clipbench.metrics.scores import (
    Positions,
    Scores,
    Vectors,
    band,
    double_product,
    pair_scores,
    score_table,
    unit_rows,
)

Precision: TypeAlias = type[np.float32 | np.float64]


class Scorer(Protocol):
    """Scores of N images with M captions."""

    @property
    def shape(self) -> tuple[int, int]:
        """N and M."""

    def band(self, precision: Precision) -> float:
        """Return how far a block made in this precision may be from the exact scores."""

    def blocks(self) -> AbstractContextManager[Multiply]:
        """Give a function that writes the scores of (rows, columns) into a float32 block, from any thread."""

    def closer(self, rows: slice, columns: slice) -> Scores:
        """Return a block in float64, within `band(np.float64)`."""

    def table(self, rows: slice, columns: slice) -> Scores:
        """Return a block of exact scores."""

    def pairs(self, images: Positions, texts: Positions) -> Scores:
        """Return the exact scores of the pairs (images[i], texts[i]); float64 (n,)."""


@dataclass(frozen=True)
class Product:
    """The plain product: cosines of unit vectors, images (N, D) and texts (M, D), float32."""

    images: Vectors
    texts: Vectors
    engine: Engine = "numpy"

    def __post_init__(self) -> None:
        """Raise ValueError for what are no unit vectors of one width."""
        object.__setattr__(self, "images", unit_rows(self.images, "images"))
        object.__setattr__(self, "texts", unit_rows(self.texts, "texts"))
        if self.images.shape[1] != self.texts.shape[1]:
            raise ValueError(f"images have {self.images.shape[1]} dimensions, texts {self.texts.shape[1]}")

    @property
    def shape(self) -> tuple[int, int]:
        """N and M."""
        return len(self.images), len(self.texts)

    def band(self, precision: Precision) -> float:
        """Return the rounding bound of a dot product."""
        return band(self.images.shape[1], precision)

    def blocks(self) -> AbstractContextManager[Multiply]:
        """Give the matrix product of the engine."""
        return products(self.engine, self.images, self.texts)

    def closer(self, rows: slice, columns: slice) -> Scores:
        """Return the product in float64."""
        return double_product(self.images[rows], self.texts[columns])

    def table(self, rows: slice, columns: slice) -> Scores:
        """Return exact scores."""
        return score_table(self.images[rows], self.texts[columns])

    def pairs(self, images: Positions, texts: Positions) -> Scores:
        """Return exact scores of single pairs."""
        return pair_scores(self.images, self.texts, images, texts)


Pool: TypeAlias = Callable[[Iterable[npt.NDArray[np.floating]]], npt.NDArray[np.floating]]
"""K blocks of scores to one, in the precision of the blocks."""


@dataclass(frozen=True)
class Pooled:
    """K scores of each pair pooled to one: each caption has K text vectors, one under each template.

    texts: K matrices (M, D). pool: how K blocks become one. slope: how far the pooled score moves at most
    where every score moves by 1. noise: how far pooling itself may round off in float32, besides.
    """

    images: Vectors
    texts: Sequence[Vectors]
    pool: Pool
    slope: float = 1.0
    noise: float = 0.0

    @cached_property
    def _products(self) -> tuple[Product, ...]:
        """The plain product of every template; the vectors are shared, not copied."""
        return tuple(Product(self.images, texts) for texts in self.texts)

    @property
    def shape(self) -> tuple[int, int]:
        """N and M."""
        return self._products[0].shape

    def band(self, precision: Precision) -> float:
        """Return the product's band as far as pooling can carry it."""
        rounding = float(np.finfo(precision).eps) / float(np.finfo(np.float32).eps)
        return self.slope * self._products[0].band(precision) + self.noise * rounding

    @contextmanager
    def blocks(self) -> Iterator[Multiply]:
        """Give a function that multiplies K times into one buffer after another, and pools as it goes."""
        parts = self._products
        with parts[0].blocks():  # holds the library at one thread; what is multiplied is said below

            def pooled(rows: slice, columns: slice, out: Vectors) -> None:
                out[:] = self.pool(
                    np.matmul(one.images[rows], one.texts[columns].T, dtype=np.float32) for one in parts
                )

            yield pooled

    def closer(self, rows: slice, columns: slice) -> Scores:
        """Return the pooled products in float64."""
        return np.asarray(self.pool(one.closer(rows, columns) for one in self._products), dtype=np.float64)

    def table(self, rows: slice, columns: slice) -> Scores:
        """Return exact scores, pooled in float64."""
        return np.asarray(self.pool(one.table(rows, columns) for one in self._products), dtype=np.float64)

    def pairs(self, images: Positions, texts: Positions) -> Scores:
        """Return exact scores of single pairs, pooled in float64."""
        return np.asarray(self.pool(one.pairs(images, texts) for one in self._products), dtype=np.float64)


@dataclass(frozen=True)
class Biased:
    """Another scorer's scores less a bias: images[i] + texts[j] is taken off the score of (i, j).

    images float64 (N,), texts float64 (M,), zeros where a side has none. gate: bool (N, 1) or (1, M), which
    queries the bias is applied to; None for all.
    """

    scorer: Scorer
    images: Scores
    texts: Scores
    gate: npt.NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """N and M."""
        return self.scorer.shape

    def band(self, precision: Precision) -> float:
        """Return the scorer's band and what subtracting can round off."""
        largest = 1 + float(np.abs(self.images).max(initial=0)) + float(np.abs(self.texts).max(initial=0))
        # The bias is rounded once as it becomes `precision`, once where its parts are added, once taken off.
        return self.scorer.band(precision) + 4 * largest * float(np.finfo(precision).eps)

    @contextmanager
    def blocks(self) -> Iterator[Multiply]:
        """Give the scorer's blocks, less the bias."""
        with self.scorer.blocks() as multiply:

            def biased(rows: slice, columns: slice, out: Vectors) -> None:
                multiply(rows, columns, out)
                out -= self._bias(rows, columns).astype(np.float32)

            yield biased

    def closer(self, rows: slice, columns: slice) -> Scores:
        """Return the scorer's float64 block, less the bias."""
        return self.scorer.closer(rows, columns) - self._bias(rows, columns)

    def table(self, rows: slice, columns: slice) -> Scores:
        """Return exact scores, less the bias."""
        return self.scorer.table(rows, columns) - self._bias(rows, columns)

    def pairs(self, images: Positions, texts: Positions) -> Scores:
        """Return exact scores of single pairs, less the bias."""
        bias = self.images[images] + self.texts[texts]
        if self.gate is not None:
            bias = bias * np.broadcast_to(self.gate, self.shape)[images, texts]
        return self.scorer.pairs(images, texts) - bias

    def _bias(self, rows: slice, columns: slice) -> Scores:
        bias = self.images[rows, None] + self.texts[None, columns]
        if self.gate is None:
            return bias
        return np.asarray(bias * np.broadcast_to(self.gate, self.shape)[rows, columns])
