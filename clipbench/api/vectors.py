"""Retrieval of vectors that are at hand, without a store: the same ranks, measures and intervals as any run's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.records import Direction, Ledger, Metric, Protocol
from clipbench.study.evaluation.protocol import metrics_of


@dataclass(frozen=True)
class Evaluation:
    """What was measured. metrics: with intervals, as a run stores them. ranks: the best positive's, by direction."""

    metrics: tuple[Metric, ...]
    ledgers: dict[Direction, Ledger]

    def __getitem__(self, name: str) -> float:
        """Return a metric's value by its name: "t2i R@1", "RSUM"."""
        direction, _, metric = name.rpartition(" ")
        wanted = (direction or "both", metric.replace("R@", "hit@") if direction else metric.casefold())
        for one in self.metrics:
            if (one.direction, one.name) == wanted:
                return one.value
        raise KeyError(name)

    def ranks(self, direction: Direction = "t2i") -> npt.NDArray[np.float64]:
        """Return the rank of every query's best positive, from 1; ties by their expected value."""
        from clipbench.metrics.measures import best_ranks

        return np.asarray(best_ranks(self.ledgers[direction], "expected"), dtype=np.float64)

    def to_dict(self) -> dict[str, float]:
        """Return every value by "direction name"."""
        return {f"{one.direction} {one.name}": one.value for one in self.metrics}

    def __str__(self) -> str:
        lines = []
        for one in self.metrics:
            bounds = "" if one.low is None or one.high is None else f"  [{one.low:.4f}, {one.high:.4f}]"
            lines.append(f"{one.direction:<4}  {one.name:<14}  {one.value:>10.4f}{bounds}")
        return "\n".join(lines)


def evaluate_vectors(
    images: npt.ArrayLike,
    texts: npt.ArrayLike,
    owners: Sequence[int] | npt.ArrayLike,
    *,
    ks: Sequence[int] = (1, 5, 10),
    resamples: int = 2000,
    seed: int = 0,
) -> Evaluation:
    """Return retrieval in both directions between images (N, D) and texts (M, D).

    owners (M,): for each text the row of its image, 0-based; each image needs one text at least. Vectors are scaled
    to length 1 first. Raises ClipbenchError for shapes, owners or numbers that mean nothing.

    >>> import numpy as np
    >>> evaluate_vectors(np.eye(3), np.eye(3), [0, 1, 2], ks=[1])["t2i R@1"]
    1.0
    """
    photos, words = (_unit(given, what) for given, what in ((images, "images"), (texts, "texts")))
    rows = np.asarray(owners)
    if photos.shape[1] != words.shape[1]:
        raise ClipbenchError(f"images have {photos.shape[1]} dimensions, texts {words.shape[1]}")
    if rows.shape != (len(words),) or not np.issubdtype(rows.dtype, np.integer):
        raise ClipbenchError(
            f"owners are one whole number a text, got {rows.dtype} of shape {rows.shape} for {len(words):,}"
        )
    lacking = np.setdiff1d(np.arange(len(photos)), rows)
    if rows.min() < 0 or rows.max() >= len(photos) or len(lacking):
        raise ClipbenchError(
            f"owners lie between {rows.min()} and {rows.max()} for {len(photos):,} images, "
            f"{len(lacking):,} of which have no text"
        )
    positions = rows.astype(np.int32)
    protocol = Protocol(ks=tuple(sorted(set(ks))), resamples=resamples, seed=seed)
    ledgers = rank(photos, words, own(positions, len(photos)), positions)
    return Evaluation(metrics_of(ledgers, protocol), dict(ledgers))


def _unit(given: npt.ArrayLike, what: str) -> npt.NDArray[np.float32]:
    matrix = np.asarray(given, dtype=np.float32)
    if matrix.ndim != 2 or not matrix.size:
        raise ClipbenchError(f"{what} are a matrix with a row each, got shape {matrix.shape}")
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    wrong = np.flatnonzero(~(np.isfinite(norms) & (norms > 0))[:, 0])
    if len(wrong):
        raise ClipbenchError(
            f"{len(wrong):,} {what} have no direction, the first is row {wrong[0]}: zero, NaN or infinite"
        )
    return np.ascontiguousarray(matrix / norms, dtype=np.float32)
