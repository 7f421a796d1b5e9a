"""Queries by the category that people gave their failures, under a named merge policy.

One reading of the labels for everything that tells of categories: one run's results, what changes between
two, and comparisons by category. Whatever is told of a category is an oracle's figure, for people labelled
the very failures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clipbench.failures.items import Failure
from clipbench.failures.merging import merge
from clipbench.failures.taxonomy import NAMES
from clipbench.store.annotations import StoredLabel
from clipbench.study.annotation.labels import given


@dataclass(frozen=True)
class CategorisedQueries:
    """Ids of the queries of each category that occurs, in the taxonomy's order, and of all that count.

    items: labelled failures that count. left_out: those that the policy leaves out. A query that failed in
    several ways can be in several categories.
    """

    by_category: Mapping[str, tuple[str, ...]]
    labelled: tuple[str, ...]
    items: int
    left_out: int


def query_of(failure: Failure) -> str:
    """Return the id of the query that failed: the caption, or for i2t the image."""
    return failure.caption_id if failure.direction == "t2i" else failure.retrieved_id


def categorised(
    labels: Sequence[StoredLabel], policy: str, query: Callable[[Failure], str] = query_of
) -> CategorisedQueries:
    """Return the queries by category. Raises ClipbenchError for a policy that there is not.

    query: what of a failure is the query.
    """
    queries = {label.key: query(label.failure) for label in labels}
    merged = merge(given(labels), policy)
    by_category: dict[str, dict[str, None]] = {name: {} for name in NAMES}
    for label in merged.counted:
        by_category[label.category][queries[label.item]] = None
    return CategorisedQueries(
        {name: tuple(ids) for name, ids in by_category.items() if ids},
        tuple(dict.fromkeys(queries[label.item] for label in merged.counted)),
        merged.items,
        len(merged.dropped),
    )
