"""Conflicts: failures whose annotators disagree, and the decisions on them, stored as an annotator's own labels."""

from __future__ import annotations

from dataclasses import dataclass

from clipbench.errors import ClipbenchError
from clipbench.failures.items import Failure
from clipbench.failures.merging import conflicts
from clipbench.failures.slices import check_annotator
from clipbench.failures.taxonomy import Choice
from clipbench.store.annotations import ADJUDICATOR, Batch, NewLabel, Source, StoredLabel, save_batches
from clipbench.store.engine import Store
from clipbench.study.annotation.labels import Scope, by_failure, given


@dataclass(frozen=True)
class Conflict:
    """A failure and what its annotators said, in the order they said it."""

    failure: Failure
    labels: tuple[StoredLabel, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Who said what, a line each, with their notes."""
        return tuple(
            f"{label.annotator}: {label.category}"
            + (f" ({label.subtype})" if label.subtype else "")
            + (f" – {label.note}" if label.note else "")
            for label in self.labels
        )


def open_conflicts(within: Scope) -> tuple[Conflict, ...]:
    """Return the failures whose annotators give different categories and that nobody has decided."""
    votes = by_failure(within.votes)
    return tuple(Conflict(votes[key][0].failure, votes[key]) for key in conflicts(given(within.labels)))


def need_conflicts(within: Scope) -> tuple[Conflict, ...]:
    """Return the open conflicts. Raises ClipbenchError where there are none."""
    found = open_conflicts(within)
    if not found:
        raise ClipbenchError(
            f"there is nothing to decide: no failure of {within.what} has annotators who disagree",
            "clipbench annotate summary --policy adjudicated",
        )
    return found


def decide(store: Store, dataset: str, conflict: Conflict, by: str, choice: Choice, note: str = "") -> None:
    """Store a decision at once. dataset: key of the dataset. Raises StoreError where `by` is an annotator too."""
    label = NewLabel(
        conflict.failure, choice.category, choice.subtype, choice.category, choice.subtype or "", (), note
    )
    source = Source("decision", f"decisions of {by}")
    save_batches(store, [Batch(check_annotator(by), source, dataset, (label,), ADJUDICATOR)])
