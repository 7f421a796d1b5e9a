"""Stored sweeps as tables and figures, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipbench.reports.sweeps.figures import sweep_figures
from clipbench.reports.sweeps.records import effect_records, setting_records
from clipbench.reports.sweeps.tables import (
    effect_table,
    effective_table,
    models_table,
    operation_table,
    sweep_list,
)
from clipbench.reports.tables import Table
from clipbench.store.engine import Store
from clipbench.store.sweeps import list_sweeps
from clipbench.study.robustness.corruption_error import FIRST, corruption_errors
from clipbench.study.robustness.effective import effective_robustness
from clipbench.study.robustness.named_sweeps import read_sweep, read_sweeps


def sweep_tables(
    store: Store,
    names: str | Sequence[str],
    reference: str | None = None,
    baselines: Sequence[str] = (),
    *,
    wide: bool = False,
) -> tuple[Table, ...]:
    """Return the tables of sweeps (by name, or "latest"): settings, operations, then models side by side.

    reference: the sweep of the model that mCE is relative to. baselines: the sweeps that effective robustness
    is fitted to. wide: every number, for programs. Raises StoreError for an unknown name, CompareError where
    sweeps do not compare.
    """
    summaries = read_sweeps(store, names)
    related = read_sweep(store, reference) if reference else None
    fitted = [read_sweep(store, name) for name in baselines]
    found: list[Table] = []
    for one in summaries:
        errors = corruption_errors(one, related) if related else ()
        found.append(effect_records(one) if wide else effect_table(one))
        found += [operation_table(one, errors)] if one.operations else []
        found += [effective_table(effective_robustness(one, fitted))] if fitted else []
        found += [setting_records(store, one.sweep)] if wide else []
    if len(summaries) > 1 and all(FIRST in one.clean for one in summaries):
        found.append(models_table(summaries))
    return tuple(found)


def write_sweep_figures(store: Store, names: str | Sequence[str], folder: Path) -> tuple[Path, ...]:
    """Write the figures of one sweep, or of several with a line for each model; return the files.

    Raises CompareError where sweeps do not compare, ClipbenchError where matplotlib is not installed or the
    folder cannot be written.
    """
    return sweep_figures(read_sweeps(store, names), folder)


def stored_sweeps(store: Store) -> Table:
    """Return the list of stored sweeps."""
    return sweep_list(list_sweeps(store))
