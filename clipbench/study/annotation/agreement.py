"""How well the annotators of the same failures agree: all categories, and Ambiguous against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.failures.taxonomy import AMBIGUOUS, NAMES
from clipbench.statistics.agreement import Agreement, agreement
from clipbench.statistics.bootstrap import RESAMPLES
from clipbench.statistics.ratings import Ratings, confusion, ratings
from clipbench.study.annotation.labels import Scope, by_failure

CLEAR = "clear"


@dataclass(frozen=True)
class Confusion:
    """How often the label of `first` (rows) met that of `second` (columns), in the order of `names`."""

    first: str
    second: str
    names: tuple[str, ...]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Agreed:
    """Agreement over all failures with two labels or more.

    categories, ambiguity: the coefficients of all categories, and of Ambiguous against the rest.
    """

    what: str
    annotators: tuple[str, ...]
    items: int
    overlap: int
    categories: tuple[Agreement, ...]
    ambiguity: tuple[Agreement, ...]
    confusions: tuple[Confusion, ...]
    confidence: float
    resamples: int
    seed: int


def agree(
    scope: Scope,
    annotators: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> Agreed:
    """Return the agreement of all annotators, or of those named; decisions on conflicts are no votes.

    Raises ClipbenchError for a name without labels, and where no failure has two labels.
    """
    chosen = tuple(annotators or scope.annotators)
    unknown = [name for name in chosen if name not in scope.annotators]
    if unknown:
        raise ClipbenchError(
            f"{unknown[0]!r} gave no labels here; there are: {', '.join(scope.annotators)}",
            "--annotator NAME, twice or more",
        )
    own = by_failure([label for label in scope.votes if label.annotator in chosen])
    given = [{label.annotator: label.category for label in labels} for _, labels in sorted(own.items())]
    table = [[labels.get(name) for name in chosen] for labels in given]
    everything = ratings(table, NAMES)
    if not everything.overlap:
        raise ClipbenchError(
            f"no failure of {scope.what} has two labels ({', '.join(chosen)}: {len(given)} failures, one label "
            "each): agreement cannot be measured",
            "clipbench annotate assign --overlap 30 gives everyone the same failures",
        )
    binary = [[None if c is None else AMBIGUOUS if c == AMBIGUOUS else CLEAR for c in row] for row in table]
    pair = ratings(binary, (AMBIGUOUS, CLEAR))
    return Agreed(
        what=scope.what,
        annotators=chosen,
        items=everything.items,
        overlap=everything.overlap,
        categories=agreement(everything, resamples, seed, confidence),
        ambiguity=agreement(pair, resamples, seed, confidence),
        confusions=tuple(_confusions(everything, chosen)),
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )


def _confusions(source: Ratings, names: Sequence[str]) -> list[Confusion]:
    """Return the table of each pair of annotators who share a failure."""
    found = []
    for first, second in combinations(range(len(names)), 2):
        counts = confusion(source, first, second)
        if counts.sum():
            found.append(Confusion(names[first], names[second], source.categories, counts))
    return found
