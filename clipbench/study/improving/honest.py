"""Is an improvement real? Every variant against the plain run: on all queries, on its failures, on matched successes.

A query that the plain run missed can only get better, and one that it found only worse, whatever the variant
is worth (regression to the mean). So all queries come first; failures and matched successes stand beside
placebos, which show what an empty change "fixes". Knows ledgers and statistics, not what a variant is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clipbench.failures.sampling import place
from clipbench.metrics.measures import best_rank, hit
from clipbench.metrics.ties import groups
from clipbench.records import Direction, Ledger
from clipbench.statistics.flips import Flips, mcnemar
from clipbench.statistics.intervals import Interval
from clipbench.statistics.multiple import holm
from clipbench.statistics.paired import paired_difference, randomisation_test
from clipbench.store.runs import load_ledger
from clipbench.study.improving.variants import Produced
from clipbench.study.robustness.stress import Ground

ALL, FAILURES, SUCCESSES = "all queries", "failures", "matched successes"
FEWEST = 20
"""Queries below which a group is left out: an interval over fewer images says nothing."""

APART = 0.10
"""Matched groups whose mean margin or caption length differ by more than this share are not shown."""

Rows = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Line:
    """One variant on one group of queries at one cutoff.

    before, after: share of hits. delta: after − before with its paired cluster-bootstrap interval, None where
    there are fewer than two images. flips: McNemar. p: randomisation over images; p_holm: corrected over the
    lines on all queries, None for other groups and for oracles. labelled: whether only labelled captions change, as
    its placebos must then, too. explained: on failures, the placebos' mean gain as a share of this one.
    """

    variant: str
    placebo: bool
    labelled: bool
    group: str
    k: int
    queries: int
    before: float
    after: float
    interval: Interval | None
    flips: Flips
    p: float | None
    p_holm: float | None = None
    explained: float | None = None

    @property
    def delta(self) -> float:
        """After less before."""
        return self.after - self.before


@dataclass(frozen=True)
class Balance:
    """How alike the matched groups are: their size, and the means of |margin| and of the captions' words."""

    pairs: int
    margins: tuple[float, float]
    words: tuple[float, float]

    @property
    def apart(self) -> float:
        """The larger relative difference of the two."""
        return max(_apart(*self.margins), _apart(*self.words))


@dataclass(frozen=True)
class Honest:
    """The whole table. balance: None where no pairs were found.

    temperatures: variants that have one, with how alike they are to the mean and to the maximum of the same templates.
    """

    lines: tuple[Line, ...]
    balance: Balance | None
    notes: tuple[str, ...]
    temperatures: tuple[tuple[str, Alike, Alike], ...] = ()


def honest(
    base: Ground,
    family: Sequence[Produced],
    *,
    direction: Direction = "t2i",
    ks: Sequence[int] = (1, 10),
    resamples: int = 2000,
    seed: int = 0,
) -> Honest:
    """Compare every variant of a family with the plain run in one direction.

    Failures are the plain run's misses at 1.
    """
    plain = base.ledgers[direction]
    ledgers = {one.run.key: load_ledger(base.store, one.run.key, direction) for one in family}
    missed = ~_hits(plain, 1)
    pairs, balance = matched_pairs(base, plain, missed, direction, seed)
    chosen: dict[str, Rows] = {ALL: np.arange(plain.queries), FAILURES: np.flatnonzero(missed)}
    notes = []
    if balance is not None and balance.apart <= APART and len(pairs) >= FEWEST:
        chosen[SUCCESSES] = pairs
    else:
        apart = "none were found" if balance is None else f"they are {100 * balance.apart:.0f} % apart"
        notes.append(f"matched successes are not shown: {apart} (at most {100 * APART:.0f} % is allowed)")
    lines = [
        _line(one, group, rows, k, (plain, ledgers[one.run.key]), resamples, seed)
        for one in family
        if one.run.key != base.run.key
        for group, rows in chosen.items()
        if len(rows) >= FEWEST
        for k in ks
    ]
    told = tuple(_explained(_corrected(lines)))
    return Honest(told, balance, tuple(notes), _temperatures(family, ledgers))


@dataclass(frozen=True)
class StudyLine:
    """What a published study of prompt ensembles prints of one variant: hits on chosen failures alone.

    subset: which failures. before, after: hits at 1, 5 and 10.
    """

    variant: str
    subset: str
    queries: int
    before: tuple[int, ...]
    after: tuple[int, ...]


def as_the_study(
    base: Ground, family: Sequence[Produced], labels: Mapping[str, str] | None, ks: Sequence[int] = (1, 5, 10)
) -> tuple[StudyLine, ...]:
    """Return the table of that study: each set on the failures labelled with its own categories, else on all failures.

    Nothing in it can get worse at 1, and the label of the very failure chose the template.
    """
    plain = base.ledgers["t2i"]
    missed = ~_hits(plain, 1)
    told = np.array([(labels or {}).get(caption.id, "").casefold() for caption in base.gallery.captions])
    lines = []
    for one in family:
        name = str(one.variant.method.get("set", ""))
        if one.variant.placebo or not one.variant.method:
            continue
        chosen = missed & np.isin(told, name.split("+")) if labels else missed
        if not chosen.any():
            continue
        after = load_ledger(base.store, one.run.key, "t2i")
        counts = [tuple(int(_hits(ledger, k)[chosen].sum()) for k in ks) for ledger in (plain, after)]
        subset = f"{name} failures" if labels else "all failures"
        lines.append(StudyLine(one.variant.label, subset, int(chosen.sum()), counts[0], counts[1]))
    return tuple(lines)


def _temperatures(
    family: Sequence[Produced], ledgers: Mapping[str, Ledger]
) -> tuple[tuple[str, Alike, Alike], ...]:
    """Hold every pooling with a temperature against the mean and the maximum of the same templates."""
    by_pool = {
        (str(one.variant.method.get("templates")), one.variant.method.get("pool")): ledgers[one.run.key]
        for one in family
        if "tau" not in one.variant.method
    }
    found = []
    for one in family:
        name = str(one.variant.method.get("templates"))
        mean, highest = by_pool.get((name, "mean")), by_pool.get((name, "max"))
        if "tau" in one.variant.method and mean is not None and highest is not None:
            own = ledgers[one.run.key]
            found.append((one.variant.label, alike(own, mean), alike(own, highest)))
    return tuple(found)


def matched_pairs(
    base: Ground, ledger: Ledger, missed: Booleans, direction: Direction, seed: int
) -> tuple[Rows, Balance | None]:
    """Return successes, each like a failure in |margin| and in words of its caption, and how alike they are.

    Greedy, nearest first by standardised distance, in an order that a hash of the query's id gives; pairs more
    than a quarter of a standard deviation apart are no pairs.
    """
    margin = np.abs(ledger.positive_score.astype(np.float64) - ledger.negative_score)
    margin[~np.isfinite(margin)] = np.nan
    texts = [c.text for c in base.gallery.captions]
    words = np.array([len(text.split()) for text in texts], dtype=np.float64)
    if direction == "i2t":  # an image's captions together
        words = np.bincount(base.gallery.owners, words, minlength=len(base.gallery.samples)).astype(
            np.float64
        )
    ids = [c.id for c in (base.gallery.captions if direction == "t2i" else base.gallery.samples)]
    known = np.isfinite(margin)
    failures, successes = np.flatnonzero(missed & known), np.flatnonzero(~missed & known)
    if not len(failures) or not len(successes):
        return np.empty(0, np.int64), None
    features = np.stack([np.log(margin + 1e-6), words], axis=1)
    features = (features - features[known].mean(axis=0)) / np.maximum(features[known].std(axis=0), 1e-9)
    order = sorted(failures.tolist(), key=lambda row: place(seed, ids[row]))
    left = np.ones(len(successes), dtype=np.bool_)
    pairs: list[tuple[int, int]] = []
    for row in order:
        if not left.any():
            break
        distance = np.abs(features[successes] - features[row]).max(axis=1)
        distance[~left] = np.inf
        nearest = int(distance.argmin())
        if distance[nearest] <= 0.25:
            left[nearest] = False
            pairs.append((row, int(successes[nearest])))
    if not pairs:
        return np.empty(0, np.int64), None
    own, other = np.array(pairs).T
    means = [(float(v[own].mean()), float(v[other].mean())) for v in (margin, words)]
    return np.sort(other), Balance(len(pairs), means[0], means[1])


def _line(
    one: Produced, group: str, rows: Rows, k: int, ledgers: tuple[Ledger, Ledger], resamples: int, seed: int
) -> Line:
    before, after = (hit(groups(ledger), k)[rows] for ledger in ledgers)
    whole = tuple(_hits(ledger, k)[rows] for ledger in ledgers)
    clusters = ledgers[0].cluster[rows]
    interval, p = None, None
    if len(np.unique(clusters)) > 1:
        (difference,) = paired_difference(before, after, clusters, resamples, seed)
        interval = difference.bca or difference.percentile
        if group == ALL and not one.variant.oracle:
            p = float(randomisation_test(before, after, clusters, resamples, seed)[0])
    return Line(
        one.variant.label,
        one.variant.placebo,
        one.variant.labelled,
        group,
        k,
        len(rows),
        float(before.mean()),
        float(after.mean()),
        interval,
        mcnemar(*whole),
        p,
    )


def _hits(ledger: Ledger, k: int) -> Booleans:
    """Return which queries are hits however ties fall: tied ones count as misses."""
    return np.asarray(hit(groups(ledger, "pessimistic"), k) > 0.5)


def _corrected(lines: Sequence[Line]) -> list[Line]:
    tested = [number for number, line in enumerate(lines) if line.p is not None and not line.placebo]
    adjusted = holm([lines[number].p for number in tested]).tolist() if tested else []  # type: ignore[arg-type]  # none is None
    by_number: Mapping[int, float] = dict(zip(tested, adjusted, strict=True))
    return [replace(line, p_holm=by_number.get(number)) for number, line in enumerate(lines)]


def _explained(lines: Sequence[Line]) -> list[Line]:
    """Say of every gain on failures which share of it the placebos make too."""
    done = []
    for line in lines:
        # A placebo that moves no query shows that nothing else changed; it is no measure of luck.
        empty = [
            o.delta
            for o in lines
            if o.placebo and (o.group, o.k, o.labelled) == (line.group, line.k, line.labelled)
            if o.flips.fixed + o.flips.broken
        ]
        if line.group == FAILURES and not line.placebo and empty and line.delta > 0:
            done.append(replace(line, explained=float(np.mean(empty)) / line.delta))
        else:
            done.append(line)
    return done


def _apart(first: float, second: float) -> float:
    return abs(first - second) / max(abs(first), abs(second), 1e-12)


@dataclass(frozen=True)
class Alike:
    """How often two rankings agree: shares of queries with the same rank of their own item, and the same first."""

    ranks: float
    first: float


def alike(first: Ledger, second: Ledger) -> Alike:
    """Compare two rankings of the same queries."""
    own = [best_rank(groups(ledger)) for ledger in (first, second)]
    return Alike(float((own[0] == own[1]).mean()), float((first.top1 == second.top1).mean()))
