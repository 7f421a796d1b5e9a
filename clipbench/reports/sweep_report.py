"""A stored sweep as tables, by name."""

from __future__ import annotations

from clipbench.reports.sweeps import effect_table, operation_table
from clipbench.reports.tables import Table
from clipbench.store.engine import Store
from clipbench.store.sweeps import find_sweep
from clipbench.study.robustness import corruption_errors, summarise


def sweep_tables(store: Store, name: str, reference: str | None = None) -> tuple[Table, ...]:
    """Return the tables of a sweep (by name, or "latest"): its settings, then its operations.

    reference: the sweep of the model that mCE is relative to. Raises StoreError for an unknown name.
    """
    summary = summarise(store, find_sweep(store, name))
    errors = corruption_errors(summary, summarise(store, find_sweep(store, reference))) if reference else ()
    tables = (effect_table(summary),)
    return (*tables, operation_table(summary, errors)) if summary.operations else tables
