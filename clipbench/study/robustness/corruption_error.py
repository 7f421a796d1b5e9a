"""mCE: the errors of a sweep relative to those of a named reference sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clipbench.errors import CompareError
from clipbench.study.robustness.measures import Name, SweepSummary

FIRST: Name = ("t2i", "hit@1")


@dataclass(frozen=True, slots=True)
class CorruptionError:
    """CE and relative CE of one operation against a reference sweep (Hendrycks & Dietterich 2019).

    With E = 1 - t2i hit@1 summed over levels: E / E_ref, and (E - E_clean) / (E_ref - E_ref,clean), None
    where the reference loses nothing.
    """

    operation: str
    ce: float
    relative: float | None


def corruption_errors(summary: SweepSummary, reference: SweepSummary) -> tuple[CorruptionError, ...]:
    """Return the corruption errors of every operation, relative to a named reference sweep.

    Raises CompareError where the sweeps are of other data, lack a setting or did not run t2i.
    """
    if summary.clean_run.fingerprint != reference.clean_run.fingerprint:
        raise CompareError(
            f"{summary.sweep.name} is of {summary.clean_run.dataset_name}, the reference "
            f"{reference.sweep.name} of {reference.clean_run.dataset_name}, with another fingerprint",
            "run the same sweep on the same dataset with the reference model",
        )
    for one in (summary, reference):
        if FIRST not in one.clean:
            raise CompareError(f"{one.sweep.name} did not run t2i, which mCE is made of", "--directions both")
    mine, theirs = setting_errors(summary), setting_errors(reference)
    lacking = sorted(set(mine) - set(theirs))
    if lacking:
        named = ", ".join(f"{operation} {level:g}" for operation, level in lacking[:5])
        raise CompareError(
            f"the reference {reference.sweep.name} lacks {len(lacking)} of {len(mine)} settings: {named}",
            "run the same sweep with the reference model",
        )
    return tuple(
        _error(name, mine, theirs, (1 - summary.clean[FIRST], 1 - reference.clean[FIRST]))
        for name in dict.fromkeys(operation for operation, _ in mine)
    )


def setting_errors(summary: SweepSummary) -> dict[tuple[str, float], float]:
    """Return 1 - t2i hit@1, the mean over seeds, by operation and level."""
    return {(e.operation, e.level): 1 - e.values[FIRST].mean for e in summary.effects}


def _error(
    name: str,
    mine: Mapping[tuple[str, float], float],
    theirs: Mapping[tuple[str, float], float],
    clean: tuple[float, float],
) -> CorruptionError:
    levels = [key for key in mine if key[0] == name]
    own, reference = sum(mine[key] for key in levels), sum(theirs[key] for key in levels)
    if reference == 0:
        raise CompareError(f"the reference makes no error under {name}, so nothing can be relative to it")
    rise, gap = own - len(levels) * clean[0], reference - len(levels) * clean[1]
    return CorruptionError(name, own / reference, rise / gap if abs(gap) > 1e-12 else None)
