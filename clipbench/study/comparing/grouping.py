"""The groups that queries fall into by what a store knows of them: labels, columns, ranks, words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.errors import CompareError
from clipbench.store.dataset_columns import DatasetColumns, load_columns
from clipbench.store.engine import Store
from clipbench.study.comparing.categories import captions_by_category
from clipbench.study.comparing.column_groups import is_of_columns
from clipbench.study.comparing.common import CommonQueries
from clipbench.study.comparing.groups import (
    Categories,
    QueryGroup,
    category_groups,
    group_notes,
    query_groups,
)
from clipbench.study.comparing.values import QueryValues
from clipbench.study.runs.loaded import LoadedRun

CATEGORY = "category"


@dataclass(frozen=True)
class Grouping:
    """Groups of queries, and what a reader must know of them."""

    groups: tuple[QueryGroup, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Queries:
    """The queries that some runs have in common, with their values; baseline: the number of one of the runs."""

    loaded_runs: Sequence[LoadedRun]
    common: Sequence[CommonQueries]
    values: Sequence[QueryValues]
    baseline: int = 0


def categories_of(store: Store, loaded: LoadedRun, policy: str) -> tuple[Categories, tuple[str, ...]]:
    """Return which captions of a run's dataset carry each category, and notes. Raises CompareError where none does."""
    labelled = captions_by_category(store, loaded, policy)
    return labelled.captions, labelled.notes


def grouping(
    store: Store, by: str, policy: str, queries: Queries, categories: Categories | None = None
) -> Grouping:
    """Return the groups of the queries that the runs have in common.

    by: one of `groups.BY` but "perturbation", which groups runs. categories: for "category", which captions carry
    which, where that is not the store's. Raises CompareError where there is no such grouping, or no query in it.
    """
    loaded_runs, common = queries.loaded_runs, queries.common
    if by != CATEGORY:
        columns = _columns(store, loaded_runs[0]) if is_of_columns(by) else None
        return Grouping(
            query_groups(by, loaded_runs, common, queries.values, queries.baseline, columns), group_notes(by)
        )
    notes = group_notes(by)
    if categories is None:
        categories, notes = categories_of(store, loaded_runs[queries.baseline], policy)
    found = category_groups(categories, common)
    if not found:
        raise CompareError(
            "no caption of these runs carries a category", "clipbench annotate sample RUN, then serve"
        )
    return Grouping(found, notes)


def _columns(store: Store, loaded: LoadedRun) -> DatasetColumns:
    columns = load_columns(store, loaded.run.spec.dataset)
    if columns is None:
        raise CompareError(
            f"{loaded.run.dataset_name} keeps no columns besides image and caption, so nothing can be grouped by one",
            "clipbench dataset add NAME --captions TABLE keeps the other columns; --by caption-length needs none",
        )
    return columns
