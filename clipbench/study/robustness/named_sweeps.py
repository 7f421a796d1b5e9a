"""Stored sweeps by name, as their summaries: those that are asked for, and those they are held against."""

from __future__ import annotations

from collections.abc import Sequence

from clipbench.errors import CompareError
from clipbench.store.engine import Store
from clipbench.store.sweeps import find_sweep
from clipbench.study.robustness.effective import check_baselines
from clipbench.study.robustness.measures import SweepSummary, summarise


def read_sweep(store: Store, name: str) -> SweepSummary:
    """Return the summary of a sweep. Raises StoreError for an unknown name."""
    return summarise(store, find_sweep(store, name))


def read_sweeps(store: Store, names: str | Sequence[str]) -> tuple[SweepSummary, ...]:
    """Return the summaries of sweeps by name, each once. Raises CompareError for sweeps of different data."""
    asked = [names] if isinstance(names, str) else list(names)
    sweeps = {one.key: one for one in (find_sweep(store, name) for name in asked)}
    found = tuple(summarise(store, one) for one in sweeps.values())
    for one in found[1:]:
        if one.clean_run.fingerprint != found[0].clean_run.fingerprint:
            raise CompareError(
                f"{found[0].sweep.name} is of {found[0].clean_run.dataset_name}, {one.sweep.name} of "
                f"{one.clean_run.dataset_name}: their fingerprints differ",
                "give sweeps of one dataset",
            )
    return found


def related_sweeps(
    store: Store, reference: str | None, baselines: Sequence[str]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the names of the reference and the baselines as they are now, before a sweep is run.

    "latest" is then the sweep before, and what cannot be is told before hours of work. Raises StoreError for
    an unknown name, CompareError for fewer than eight baseline models.
    """
    found = find_sweep(store, reference).name if reference else None
    fitted = [read_sweep(store, name) for name in baselines]
    if fitted:
        check_baselines(fitted)
    return found, tuple(one.sweep.name for one in fitted)
