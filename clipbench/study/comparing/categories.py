"""The captions of a run's dataset by the category of their failures, and what a reader must know of them."""

from __future__ import annotations

from dataclasses import dataclass

from clipbench.errors import CompareError
from clipbench.failures.merging import policy_named
from clipbench.store.annotations import newest_labels
from clipbench.store.engine import Store
from clipbench.study.annotation.categories import categorised
from clipbench.study.comparing.groups import Categories
from clipbench.study.runs.loaded import LoadedRun


@dataclass(frozen=True)
class CategorisedCaptions:
    """Captions (by id) of every category, and what a reader must know of them."""

    captions: Categories
    notes: tuple[str, ...]


def captions_by_category(store: Store, loaded: LoadedRun, policy: str) -> CategorisedCaptions:
    """Return the captions whose failures carry each category, in the order of the categories' names.

    Raises CompareError where no caption of the dataset has a label that counts, ClipbenchError for a policy
    that there is not.
    """
    rule = policy_named(policy)
    labels = newest_labels(store, loaded.run.fingerprint)
    labelled = categorised(labels, policy, lambda failure: failure.caption_id)
    if not labelled.labelled:
        raise CompareError(
            f"no caption of {loaded.run.dataset_name} carries a category that counts under the policy {policy}",
            "clipbench annotate sample RUN, then clipbench annotate serve",
        )
    left_out = f"; {labelled.left_out:,} items left out by it" if labelled.left_out else ""
    notes = (
        (
            f"categories of {labelled.items:,} labelled failures under the policy {policy} "
            f"({rule.description}){left_out}; a caption can be in several"
        ),
        (
            "oracle: captions have a category because some run failed on them. A run that they were drawn from can "
            "only gain there, so read the same metrics over all queries beside these"
        ),
    )
    return CategorisedCaptions(dict(sorted(labelled.by_category.items())), notes)
