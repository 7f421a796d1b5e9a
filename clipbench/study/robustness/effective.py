"""Effective robustness: does a model hold better under perturbation than its clean score lets expect.

A line is fitted through the baselines' perturbed against clean hit@1, both on the logit scale; what a model
scores above the line is its effective robustness. Source: Taori et al. 2020, arXiv 2007.00644.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from clipbench.errors import CompareError
from clipbench.study.robustness.corruption_error import FIRST
from clipbench.study.robustness.measures import SweepSummary

FEWEST = 8
"""Baselines below which a fitted line says more about the choice of baselines than about robustness."""

FLAT = 1e-9


@dataclass(frozen=True, slots=True)
class EffectiveRobustness:
    """One operation: perturbed hit@1 (mean over levels and seeds), what the line expects, and the gap.

    slope, intercept: of the line on the logit scale. baselines: how many models it was fitted to.
    """

    operation: str
    observed: float
    expected: float
    slope: float
    intercept: float
    baselines: int

    @property
    def effective(self) -> float:
        """Observed less expected hit@1."""
        return self.observed - self.expected


def effective_robustness(
    summary: SweepSummary, baselines: Sequence[SweepSummary]
) -> tuple[EffectiveRobustness, ...]:
    """Return the effective robustness of every operation of a sweep.

    Raises CompareError where there are fewer than eight baseline models, or a baseline is of other data, of
    the same model, lacks a setting, or has a score of 0 or 1, which has no logit.
    """
    others = {one.clean_run.encoder: one for one in baselines}
    if summary.clean_run.encoder in others:
        raise CompareError(f"{summary.clean_run.model} cannot be its own baseline", "leave its sweep out")
    check_baselines(baselines)
    for one in others.values():
        if one.clean_run.fingerprint != summary.clean_run.fingerprint:
            raise CompareError(f"the baseline {one.sweep.name} is of another dataset")
    return tuple(
        _fitted(name, summary, list(others.values()))
        for name in dict.fromkeys(e.operation for e in summary.effects)
    )


def check_baselines(baselines: Sequence[SweepSummary]) -> None:
    """Raise CompareError where the sweeps are of fewer than eight models."""
    models = {one.clean_run.encoder for one in baselines}
    if len(models) < FEWEST:
        raise CompareError(
            f"effective robustness needs at least {FEWEST} baseline models, here are {len(models)}: "
            "a line through fewer says little",
            "run the same sweep with more models, and name each with --baselines",
        )


def _fitted(operation: str, summary: SweepSummary, baselines: Sequence[SweepSummary]) -> EffectiveRobustness:
    levels = [e.level for e in summary.effects if e.operation == operation]
    points = [_point(one, operation, levels) for one in baselines]
    clean, observed = _point(summary, operation, levels)
    xs, ys = [_logit(x) for x, _ in points], [_logit(y) for _, y in points]
    slope, intercept = line(xs, ys)
    expected = 1 / (1 + math.exp(-(slope * _logit(clean) + intercept)))
    return EffectiveRobustness(operation, observed, expected, slope, intercept, len(points))


def line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Return slope and intercept of the least-squares line. Raises CompareError where all x are equal.

    >>> line([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])
    (2.0, 1.0)
    """
    middle, height = fmean(xs), fmean(ys)
    spread = math.fsum((x - middle) ** 2 for x in xs)
    if spread < FLAT:
        raise CompareError("the baselines have the same clean score, so no line can be fitted")
    slope = math.fsum((x - middle) * (y - height) for x, y in zip(xs, ys, strict=True)) / spread
    return slope, height - slope * middle


def _point(summary: SweepSummary, operation: str, levels: Sequence[float]) -> tuple[float, float]:
    """Return clean and perturbed t2i hit@1 of one sweep, the latter as the mean over these levels."""
    found: Mapping[float, float] = {
        e.level: e.values[FIRST].mean
        for e in summary.effects
        if e.operation == operation and FIRST in e.values
    }
    lacking = [level for level in levels if level not in found]
    if lacking or FIRST not in summary.clean:
        raise CompareError(
            f"the sweep {summary.sweep.name} lacks t2i under {operation} {lacking[0] if lacking else 0:g}",
            "run the same sweep with every model",
        )
    clean, perturbed = summary.clean[FIRST], fmean(found[level] for level in levels)
    for value in (clean, perturbed):
        if not 0 < value < 1:
            raise CompareError(
                f"{summary.clean_run.model} scores {value:g} under {operation}, which has no logit",
                "leave its sweep out",
            )
    return clean, perturbed


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
