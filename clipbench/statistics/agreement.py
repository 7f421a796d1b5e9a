"""How well annotators agree: raw, Cohen κ, Fleiss κ, Krippendorff α, Gwet AC1, and per category.

Every coefficient is a function of a few sums over items, so a bootstrap over items is one matrix product
for all its resamples. Knows nothing of files, of what a category means or of how conflicts are resolved.

Where a coefficient does not exist it is None, never NaN and never a number chosen instead:
- no item has two labels: nothing can agree, every coefficient is None;
- every label is the same category: chance agreement is 1, and Cohen κ, Fleiss κ and α are 0/0, None
  (raw agreement is 1, and so is AC1, if the form offers at least two categories);
- the form offers one category only: AC1 is None too;
- a category that no item with two labels holds: its specific agreement is None.
Resamples in which it does not exist are left out of the interval and counted in `undefined`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from clipbench.statistics.bootstrap import RESAMPLES, cluster_sums
from clipbench.statistics.draws import weights
from clipbench.statistics.intervals import Floats, Interval, bca_interval
from clipbench.statistics.ratings import Ratings

Terms: TypeAlias = Callable[[Ratings], Floats]
"""Ratings -> what each item adds to the sums, shape (N, L)."""

Value: TypeAlias = Callable[[Floats], Floats]
"""Sums (..., L) -> the coefficient (...), NaN where it does not exist."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One coefficient. value and interval: None where they do not exist (see the module).

    items: items with at least two labels. undefined: resamples in which it does not exist, of
    `resamples`; there is no interval where these are more than half.
    """

    name: str
    value: float | None
    interval: Interval | None
    items: int
    undefined: int
    resamples: int


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A definition: what each item adds, and the value of the sums."""

    name: str
    terms: Terms
    value: Value


def raw_agreement(source: Ratings) -> float | None:
    """Return the mean over items of the share of an item's pairs of labels that are equal."""
    return _estimate(RAW, source)


def cohen_kappa(source: Ratings) -> float | None:
    """Return Cohen's κ of two annotators over the items both labelled: (p_o − p_e) / (1 − p_e).

    p_e = Σ_k p_k· p_·k from each annotator's own shares. Raises ValueError unless there are exactly
    two annotators. Source: Cohen 1960.
    """
    return _estimate(COHEN, source)


def fleiss_kappa(source: Ratings) -> float | None:
    """Return Fleiss' κ: raw agreement corrected by p_e = Σ_k π_k², π_k the mean share of category k.

    With missing labels shares are per item (π_k = mean n_ik / r_i) and raw agreement is over items
    with two labels or more; with equally many labels on every item it is Fleiss' own.

    Sources: Fleiss 1971; Gwet 2014, section 2.5, for missing labels.
    """
    return _estimate(FLEISS, source)


def krippendorff_alpha(source: Ratings) -> float | None:
    """Return Krippendorff's α for nominal data, any number of annotators, labels may be missing.

    α = 1 − (n − 1) (n − Σ_k o_kk) / (n² − Σ_k n_k²) of the coincidence matrix o with margins n_k and
    total n. Items with one label do not count. Source: Krippendorff 2011.
    """
    return _estimate(ALPHA, source)


def gwet_ac1(source: Ratings) -> float | None:
    """Return Gwet's AC1, which stays meaningful when nearly all labels are one category.

    Raw agreement corrected by p_e = Σ_k π_k (1 − π_k) / (K − 1), π_k as in `fleiss_kappa`, K the number
    of categories on the form. Source: Gwet 2008, British Journal of Mathematical and Statistical
    Psychology 61:29.
    """
    return _estimate(AC1, source)


def specific_agreement(source: Ratings) -> dict[str, float | None]:
    """Return for each category the share of its labels' partners that are the same category.

    Σ_i n_ik (n_ik − 1) / Σ_i n_ik (r_i − 1). Source: Fleiss, Levin & Paik 2003, section 18.1.
    """
    return {name: _estimate(_specific(code, name), source) for code, name in enumerate(source.categories)}


def agreement(
    source: Ratings, resamples: int = RESAMPLES, seed: int = 0, confidence: float = 0.95
) -> tuple[Agreement, ...]:
    """Return every coefficient with its bootstrap interval over items.

    In order: raw, cohen_kappa (two annotators only), fleiss_kappa, krippendorff_alpha, gwet_ac1, then
    specific agreement as "agreement:<category>" for each category. Intervals are BCa, percentile where
    BCa does not exist. Items without any label are left out of the resampling.

    Source: Gwet 2014, chapter 5, for resampling items.
    """
    return tuple(with_interval(one, source, resamples, seed, confidence) for one in coefficients(source))


def coefficients(source: Ratings) -> tuple[Coefficient, ...]:
    """Return the definitions that apply to these ratings, in the order of `agreement`."""
    chance = (RAW, COHEN, FLEISS, ALPHA, AC1) if source.annotators == 2 else (RAW, FLEISS, ALPHA, AC1)
    return chance + tuple(_specific(code, name) for code, name in enumerate(source.categories))


def with_interval(
    one: Coefficient, source: Ratings, resamples: int = RESAMPLES, seed: int = 0, confidence: float = 0.95
) -> Agreement:
    """Return one coefficient with its bootstrap interval over items."""
    value = _estimate(one, source)
    labelled = one.terms(source)[source.counts.sum(axis=1) > 0]
    if value is None or len(labelled) < 2:
        return Agreement(one.name, value, None, source.overlap, 0, 0)
    # Each item is a cluster of its own; the sums are then exact, hence the same on every machine.
    terms, _ = cluster_sums(labelled, np.arange(len(labelled)))
    drawn = np.concatenate([one.value(block @ terms) for block in weights(len(terms), resamples, seed)])
    defined = drawn[np.isfinite(drawn)]
    undefined = resamples - len(defined)
    bounds = None
    if 2 * undefined <= resamples:
        bounds = bca_interval(value, defined, one.value(terms.sum(axis=0) - terms), confidence)
    return Agreement(one.name, value, bounds, source.overlap, undefined, resamples)


def _estimate(one: Coefficient, source: Ratings) -> float | None:
    value = float(one.value(one.terms(source).sum(axis=0)))
    return None if np.isnan(value) else value


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return above / below, NaN where below is 0 (to rounding: all sums here are of order 1 or 0)."""
    out = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=out, where=np.abs(below) > 1e-12)
    return out


def _pair_terms(source: Ratings) -> Floats:
    """Columns: share of equal pairs, has pairs, has labels, then K shares of the categories."""
    counts = source.counts
    given = counts.sum(axis=1)
    pairs = given * (given - 1)
    equal = np.sum(counts * (counts - 1), axis=1) / np.maximum(pairs, 1)
    shares = counts / np.maximum(given, 1)[:, None]
    return np.column_stack([equal, pairs > 0, given > 0, shares])


def _raw_value(sums: Floats) -> Floats:
    return _ratio(sums[..., 0], sums[..., 1])


def _fleiss_value(sums: Floats) -> Floats:
    shares = _ratio(sums[..., 3:], sums[..., 2:3])
    chance = np.sum(shares**2, axis=-1)
    return _ratio(_raw_value(sums) - chance, 1 - chance)


def _ac1_value(sums: Floats) -> Floats:
    shares = _ratio(sums[..., 3:], sums[..., 2:3])
    size = np.array(shares.shape[-1] - 1.0)
    chance = _ratio(np.sum(shares * (1 - shares), axis=-1), size)
    return _ratio(_raw_value(sums) - chance, 1 - chance)


def _alpha_terms(source: Ratings) -> Floats:
    """Columns: what the item adds to the diagonal, then K margins of the coincidence matrix."""
    counts = source.counts * (source.counts.sum(axis=1) >= 2)[:, None]
    given = counts.sum(axis=1)
    diagonal = np.sum(counts * (counts - 1), axis=1) / np.maximum(given - 1, 1)
    return np.column_stack([diagonal, counts])


def _alpha_value(sums: Floats) -> Floats:
    margins = sums[..., 1:]
    total = margins.sum(axis=-1)
    apart = (total - 1) * (total - sums[..., 0])
    one: Floats = 1 - _ratio(apart, total**2 - np.sum(margins**2, axis=-1))
    return one


def _cohen_terms(source: Ratings) -> Floats:
    """Columns: the K × K cells of the confusion matrix."""
    if source.annotators != 2:
        raise ValueError(f"Cohen's kappa is of exactly 2 annotators, got {source.annotators}")
    size = len(source.categories)
    first, second = source.codes.T
    cell = np.where((first >= 0) & (second >= 0), first * size + second, -1)
    met: Floats = (cell[:, None] == np.arange(size * size)).astype(np.float64)
    return met


def _cohen_value(sums: Floats) -> Floats:
    size = round(sums.shape[-1] ** 0.5)
    cells = sums.reshape(*sums.shape[:-1], size, size)
    total = cells.sum(axis=(-2, -1))
    same = _ratio(np.trace(cells, axis1=-2, axis2=-1), total)
    chance = _ratio(np.sum(cells.sum(axis=-1) * cells.sum(axis=-2), axis=-1), total**2)
    return _ratio(same - chance, 1 - chance)


def _specific(code: int, name: str) -> Coefficient:
    def terms(source: Ratings) -> Floats:
        own = source.counts[:, code]
        return np.column_stack([own * (own - 1), own * (source.counts.sum(axis=1) - 1)])

    return Coefficient(f"agreement:{name}", terms, _raw_value)


RAW = Coefficient("raw", _pair_terms, _raw_value)
COHEN = Coefficient("cohen_kappa", _cohen_terms, _cohen_value)
FLEISS = Coefficient("fleiss_kappa", _pair_terms, _fleiss_value)
ALPHA = Coefficient("krippendorff_alpha", _alpha_terms, _alpha_value)
AC1 = Coefficient("gwet_ac1", _pair_terms, _ac1_value)
