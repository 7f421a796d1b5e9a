"""The measures: each is its definition, from a ledger to one float64 value per query.

Notation, per query: N gallery items, R positives; tie groups of t items, p of them positives, with g
items and b positives above. Ties count by their expected value over a random order of the tied, in
closed form (McSherry & Najork 2008, Computing information retrieval performance measures efficiently
in the presence of tied scores); the other policies of `ties` leave groups of t = p = 1, for which the
same formulas hold. A measure of a run is the mean over its queries, MedR the median.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.metrics.ties import Floats, Groups, Integers, groups, known_queries
from clipbench.records import DIRECTIONS, UNKNOWN, Direction, Ledger, TiePolicy

DEFAULT = ("hit@1", "hit@5", "hit@10", "MRR", "MedR", "MeanR", "R-Precision", "mAP@R")


def hit_probability(above: npt.ArrayLike, size: npt.ArrayLike, hits: npt.ArrayLike, k: int) -> Floats:
    """Return the chance that one of `hits` positives among `size` tied items is in the top `k`.

    1 if K ≥ g + t, 0 if K ≤ g, else 1 - C(t - p, K - g) / C(t, K - g): of the K - g places that the
    group still gets, all go to others with the hypergeometric probability. Arrays are broadcast.

    >>> hit_probability(above=0, size=4, hits=1, k=1).item()
    0.25
    """
    g, t, p = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, dtype=np.int64)) for x in (above, size, hits))
    )
    places = np.clip(k - g, 0, t)
    few, many = np.minimum(p, places), np.maximum(p, places)
    miss = np.ones(g.shape)
    for i in range(int(few.max(initial=0))):  # C(t-p, n) / C(t, n) as a product of min(p, n) factors
        factor = np.clip(t - many - i, 0, None) / np.maximum(t - i, 1)
        miss *= np.where(i < few, factor, 1.0)
    return 1 - miss


def chance_hit(gallery: int, positives: npt.ArrayLike, k: int) -> float:
    """Return E[hit@K] of a random ranking, 1 - C(N - R, K) / C(N, K), averaged over the queries.

    `positives` is R, or one R for each query.

    >>> chance_hit(gallery=4, positives=[1, 2], k=1)
    0.375
    """
    return float(hit_probability(0, gallery, positives, k).mean())


def hit(found: Groups, k: int) -> Floats:
    """hit@K, shown as R@K: 1 if any positive is in the top K, else 0 (Karpathy & Fei-Fei 2015; CLIP)."""
    first = found.first
    return hit_probability(found.above[first], found.size[first], found.hits[first], k)


def fractional_recall(found: Groups, k: int) -> Floats:
    """frac_recall@K: the share of positives in the top K, |topK ∩ P| / R (recall as TREC has it)."""
    return found.sum(found.hits * _places(found, k) / found.size) / found.total


def reciprocal_rank(found: Groups) -> Floats:
    """MRR: 1 / rank of the best positive (Voorhees 1999).

    Tied: the sum over j of P(first positive of the group is its j-th item) / (g + j).
    """
    first = found.first
    triples = np.stack([found.above[first], found.size[first], found.hits[first]], axis=1)
    values = 1 / (triples[:, 0] + 1.0)
    open_ = np.flatnonzero(triples[:, 1] > triples[:, 2])
    distinct, inverse = np.unique(triples[open_], axis=0, return_inverse=True)
    values[open_] = np.array([_expected_reciprocal(*row) for row in distinct.tolist()])[inverse.ravel()]
    return values


def _expected_reciprocal(above: int, size: int, hits: int) -> float:
    """Return E[1 / (g + J)]; P(J = j) falls from p/t by (t - p - j + 1) / (t - j) a step."""
    j = np.arange(1, size - hits + 1)
    steps = np.concatenate([[hits / size], (size - hits - j + 1) / (size - j)])
    return float(np.sum(np.cumprod(steps) / (above + np.arange(1, size - hits + 2))))


def best_rank(found: Groups) -> Floats:
    """MedR, MeanR: rank of the best positive, from 1. Tied: g + (t + 1) / (p + 1), its expected value."""
    first = found.first
    return found.above[first] + (found.size[first] + 1) / (found.hits[first] + 1)


def r_precision(found: Groups) -> Floats:
    """R-Precision: the share of positives in the top R (Musgrave et al. 2020; ECCV Caption, Chun 2022)."""
    return found.sum(found.hits * _places(found, found.total[found.query]) / found.size) / found.total


def map_at_r(found: Groups) -> Floats:
    """mAP@R: (1/R) Σ_{i≤R} rel_i · Prec@i (Musgrave et al. 2020; ECCV Caption, Chun et al. 2022)."""
    return _average_precision(found, found.total[found.query])


def average_precision(found: Groups) -> Floats:
    """AP: (1/R) Σ_i rel_i · Prec@i over the whole ranking."""
    return _average_precision(found, found.gallery)


def _average_precision(found: Groups, cutoff: int | Integers) -> Floats:
    """Return (1/R) Σ_{i≤cutoff} E[rel_i · Prec@i].

    The group's j-th item is a positive with probability p/t, and then has b positives above the group
    and (j-1)(p-1)/(t-1) expected ones before it in the group, at rank g + j. With c = (p-1)/(t-1) the
    sum over the first n items is p/t · ((b + 1 - c(g+1)) · (H(g+n) - H(g)) + c·n), H harmonic numbers.
    """
    g, t, p = found.above, found.size, found.hits
    n = _places(found, cutoff)
    harmonic = _cumulative(1 / np.arange(1.0, found.gallery + 1))
    slope = (p - 1) / np.maximum(t - 1, 1)
    spread = p / t * ((found.before + 1 - slope * (g + 1)) * (harmonic[g + n] - harmonic[g]) + slope * n)
    certain = np.where(n > 0, (found.before + 1) / (g + 1), 0.0)  # t = 1, without rounding
    return found.sum(np.where(t == 1, certain, spread)) / found.total


def ndcg(found: Groups, k: int) -> Floats:
    """nDCG@K: Σ_{i≤K} rel_i / log2(i+1), divided by its value if all positives came first.

    Gains are binary (Järvelin & Kekäläinen 2002). Tied: each item of the group has the gain p/t.
    """
    discount = _cumulative(1 / np.log2(np.arange(2.0, found.gallery + 2)))
    gained = discount[found.above + _places(found, k)] - discount[found.above]
    ideal = discount[np.minimum(found.total, min(k, found.gallery))]
    return found.sum(found.hits / found.size * gained) / ideal


def _places(found: Groups, cutoff: int | Integers) -> Integers:
    """Return how many items of each group are in the top `cutoff`."""
    return np.clip(cutoff - found.above, 0, found.size)


def _cumulative(terms: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(terms)])


@dataclass(frozen=True)
class Measure:
    """A measure by name: `measure(ledger)` gives a value per query, `value` one for the run.

    better is "higher" or "lower". label is how tables show the name.
    """

    name: str
    label: str
    definition: Callable[[Groups], Floats]
    average: Callable[[Floats], np.floating]
    better: str

    def __call__(self, ledger: Ledger, policy: TiePolicy = "expected") -> Floats:
        """Return one value per query; float64 (Q,)."""
        return self.definition(groups(ledger, policy))

    def value(self, ledger: Ledger, policy: TiePolicy = "expected") -> float:
        """Return the run's value: mean, or median, over the queries."""
        return float(self.average(self(ledger, policy)))


AT_K: Mapping[str, tuple[str, Callable[[Groups, int], Floats]]] = {
    "hit": ("R", hit),
    "frac_recall": ("frac_recall", fractional_recall),
    "nDCG": ("nDCG", ndcg),
}
"""Families with a cutoff: name before the @, label, definition."""

PLAIN: Mapping[str, Measure] = {
    m.name: m
    for m in (
        Measure("MRR", "MRR", reciprocal_rank, np.mean, "higher"),
        Measure("MedR", "MedR", best_rank, np.median, "lower"),
        Measure("MeanR", "MeanR", best_rank, np.mean, "lower"),
        Measure("R-Precision", "R-Precision", r_precision, np.mean, "higher"),
        Measure("mAP@R", "mAP@R", map_at_r, np.mean, "higher"),
        Measure("AP", "AP", average_precision, np.mean, "higher"),
    )
}
"""Measures without a cutoff."""


def measure(name: str) -> Measure:
    """Return the measure called `name`, or shown as it, in any case: "hit@5", "R@5", "ndcg@10", "MRR".

    >>> measure("r@5").name, measure("hit@5").label
    ('hit@5', 'R@5')

    Raises ClipbenchError for a name that is none, with the nearest one.
    """
    plain = {key.casefold(): m for key, m in PLAIN.items()}
    if name.casefold() in plain:
        return plain[name.casefold()]
    families = {alias.casefold(): key for key, (label, _) in AT_K.items() for alias in (key, label)}
    match = re.fullmatch(r"(\w+)@0*([1-9][0-9]{0,8})", name.casefold())
    if match is None or match[1] not in families:
        raise _unknown(name)
    family, k = families[match[1]], int(match[2])
    label, definition = AT_K[family]
    return Measure(f"{family}@{k}", f"{label}@{k}", lambda found: definition(found, k), np.mean, "higher")


def _unknown(name: str) -> ClipbenchError:
    known = [*PLAIN, *(f"{label}@K" for label, _ in AT_K.values())]
    message = f"no measure is called {name!r}; there are {', '.join(known)}"
    # "R1", "recall@5", "t2i R@10": what papers and our own tables write.
    aliases = {alias.casefold(): label for key, (label, _) in AT_K.items() for alias in (key, label)}
    aliases |= {"recall": aliases["hit"], "r": aliases["hit"]}
    typed = re.fullmatch(r"(?:(?:t2i|i2t)[\s_-]*)?([a-z]+)[\s_@-]*(\d+)", name.strip().casefold())
    if typed and typed[1] in aliases:
        return ClipbenchError(message, f"did you mean {aliases[typed[1]]}@{int(typed[2])}?")
    folded = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(re.sub(r"@\d+$", "@k", name.casefold()), folded, n=1)
    return ClipbenchError(message, f"did you mean {folded[near[0]]}?" if near else None)


def summary(
    ledger: Ledger, names: Iterable[str] = DEFAULT, policy: TiePolicy = "expected"
) -> dict[str, float]:
    """Return the value of each measure for one direction, by its canonical name.

    Raises ClipbenchError for an unknown name.
    """
    found = groups(ledger, policy)
    wanted = [measure(name) for name in names]
    return {m.name: float(m.average(m.definition(found))) for m in wanted}


def rsum(ledgers: Mapping[Direction, Ledger], policy: TiePolicy = "expected") -> float:
    """RSUM: 100 × the sum of hit@1, hit@5 and hit@10 over both directions, 600 at most (VSE++).

    Raises ValueError where a direction is missing: a sum over one is not an RSUM.
    """
    missing = [direction for direction in DIRECTIONS if direction not in ledgers]
    if missing:
        raise ValueError(f"RSUM needs both directions, but {' and '.join(missing)} was not ranked")
    names = ("hit@1", "hit@5", "hit@10")
    return 100 * sum(sum(summary(ledgers[d], names, policy).values()) for d in DIRECTIONS)


def best_ranks(ledger: Ledger, policy: TiePolicy = "expected") -> Floats:
    """Return the rank of each query's best positive, from 1; float64 (Q,), expected where tied.

    Raises ClipbenchError where the ledger is not deep enough to know every rank.
    """
    unknown = int(np.count_nonzero(~known_queries(ledger)))
    if unknown:
        raise ClipbenchError(
            f"the {ledger.direction} ranks of {unknown:,} of {ledger.queries:,} queries are unknown: "
            f"only the first {ledger.depth} items are known",
            "clipbench evaluate DATASET --model MODEL stores a run that knows every rank: name that one",
        )
    return best_rank(groups(ledger, policy))


def is_known(name: str, ledger: Ledger) -> bool:
    """Return whether a measure follows from a ledger, which may know the first items of each query only.

    hit@K, frac_recall@K and nDCG@K need K items; R-Precision and mAP@R as many as the most positives of a
    query; MRR and MeanR a known rank for every query; AP one for every positive; MedR for the middle queries.
    What is not known is left out, never guessed.
    """
    if ledger.depth is None:
        return True
    family, _, cutoff = measure(name).name.partition("@")
    if family in AT_K:
        return int(cutoff) <= ledger.depth
    if name in {"R-Precision", "mAP@R"}:
        return int(np.diff(ledger.offsets).max()) <= ledger.depth
    known = known_queries(ledger)
    if name == "MedR":
        # The upper one of the two middle ranks; every unknown rank is larger than every known one.
        return int(np.count_nonzero(known)) > ledger.queries // 2
    if name in {"MRR", "MeanR"}:
        return bool(known.all())
    return bool((ledger.above != UNKNOWN).all())
