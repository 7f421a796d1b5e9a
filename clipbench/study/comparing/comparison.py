"""The nouns of a comparison: what is asked, and every difference with what the statistics say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clipbench.errors import CompareError
from clipbench.statistics.flips import Flips
from clipbench.statistics.paired import RESAMPLES
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.comparable import Difference
from clipbench.study.comparing.flips import ChangedQuery
from clipbench.study.comparing.resampling import Tested

HOLM_UP_TO = 60
"""Tests up to which a family is corrected by Holm where nothing is said; longer ones by Benjamini-Hochberg."""

CORRECTIONS = ("auto", "holm", "bh")


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """How to compare.

    metrics: their names, () for all that every run has. by: a grouping of `groups.BY`, or None.
    correction: "holm", "bh" or "auto". policy: how a failure with several labels counts, for
    by="category". allow_unlike: compare what unlike runs have in common. flips: how many queries of each
    direction to return, those that changed most.
    """

    metrics: tuple[str, ...] = ()
    by: str | None = None
    resamples: int = RESAMPLES
    seed: int = 0
    confidence: float = 0.95
    correction: str = "auto"
    policy: str = "majority"
    allow_unlike: bool = False
    flips: int = 0

    def __post_init__(self) -> None:
        """Raise CompareError for a request that means nothing."""
        if self.correction not in CORRECTIONS:
            raise CompareError(
                f"there is no correction {self.correction!r}; there are {', '.join(CORRECTIONS)}",
                "--correction holm",
            )
        if not 0.5 < self.confidence < 1 or self.resamples < 100:
            raise CompareError("confidence is between .5 and 1, and resamples are 100 or more")


@dataclass(frozen=True, slots=True)
class Estimate:
    """One run's value with its interval, None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of one run beside the baseline's; run and baseline are positions among the runs.

    delta: run − baseline. tested: its intervals and p. p_adjusted: p within the family. flips: of hits,
    None for metrics that are no hits. detectable: the smallest true difference that a test on so many
    images finds 4 times out of 5. What needs two images is None where there is one.
    """

    group: str
    run: int
    baseline: int
    direction: str
    metric: str
    better: str
    queries: int
    images: int
    reference: Estimate
    estimate: Estimate
    delta: float
    tested: Tested | None
    flips: Flips | None
    p_adjusted: float | None = None
    detectable: float | None = None

    @property
    def improves(self) -> bool | None:
        """Whether the run is better here than its baseline, None where they are equal."""
        if self.delta == 0:
            return None
        return (self.delta > 0) == (self.better == "higher")


@dataclass(frozen=True)
class Comparison:
    """A whole table of differences. `unlike` names what a comparison of unlike runs passed over, by run key.

    scores: each run's metrics as stored, by direction and name. changed: by run number, the queries that changed most from the baseline, where any were asked for.
    correction: "holm" or "bh", as it was done. tests: how many p-values are in the family.
    """

    request: CompareRequest
    runs: tuple[StoredRun, ...]
    baseline: int
    lines: tuple[Line, ...]
    correction: str
    tests: int
    unlike: Mapping[str, tuple[Difference, ...]]
    notes: tuple[str, ...]
    scores: tuple[Mapping[tuple[str, str], float], ...] = ()
    changed: Mapping[int, tuple[ChangedQuery, ...]] = field(default_factory=dict)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups in order; "" for all queries together."""
        return tuple(dict.fromkeys(line.group for line in self.lines))
