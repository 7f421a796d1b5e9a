"""The captions of a dataset by the category that people gave their failures, under a named merge policy."""

from __future__ import annotations

from dataclasses import dataclass

from clipbench.errors import CompareError
from clipbench.failures.merging import merge, policy_named
from clipbench.store.annotations import newest_labels
from clipbench.store.engine import Store
from clipbench.study.annotation.labels import given
from clipbench.study.comparing.groups import Categories
from clipbench.study.comparing.sides import Side


@dataclass(frozen=True)
class Categorised:
    """Captions (by id) of every category, and what a reader must know of them."""

    captions: Categories
    notes: tuple[str, ...]


def captions_by_category(store: Store, side: Side, policy: str) -> Categorised:
    """Return the captions whose failures carry each category, in the order of the categories' names.

    A caption that failed in several ways can be in several categories. Raises CompareError where no caption
    of the dataset has a label that counts, ClipbenchError for a policy that there is not.
    """
    rule = policy_named(policy)
    labels = [label for label in newest_labels(store, side.run.fingerprint) if label.category]
    merged = merge(given(labels), policy)
    captions = {label.key: label.failure.caption_id for label in labels}
    found: dict[str, list[str]] = {}
    for one in merged.counted:
        own = found.setdefault(one.category, [])
        if captions[one.item] not in own:
            own.append(captions[one.item])
    if not found:
        raise CompareError(
            f"no caption of {side.run.dataset_name} carries a category that counts under the policy {policy}",
            "clipbench annotate sample RUN, then clipbench annotate serve",
        )
    dropped = f"; {len(merged.dropped):,} items left out by it" if merged.dropped else ""
    notes = (
        (
            f"categories of {merged.items:,} labelled failures under the policy {policy} "
            f"({rule.description}){dropped}; a caption can be in several"
        ),
        (
            "oracle: captions have a category because some run failed on them. A run that they were drawn from can "
            "only gain there, so read the same metrics over all queries beside these"
        ),
    )
    return Categorised(dict(sorted(found.items())), notes)
