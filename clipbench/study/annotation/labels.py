"""Which labels a table is about: those of one sample, or of one dataset, newest of each annotator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.errors import ClipbenchError
from clipbench.failures.items import FailureSample
from clipbench.failures.merging import Given
from clipbench.keys import short
from clipbench.records import Dataset
from clipbench.store.annotations import ADJUDICATOR, StoredLabel, newest_labels
from clipbench.store.datasets import list_datasets, load_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import find_sample


@dataclass(frozen=True)
class Scope:
    """Labels that belong together. what: in words, for titles. sample: None for all of a dataset's labels."""

    what: str
    fingerprint: str
    labels: tuple[StoredLabel, ...]
    sample: FailureSample | None = None

    @property
    def votes(self) -> tuple[StoredLabel, ...]:
        """The annotators' labels, without decisions about them."""
        return tuple(label for label in self.labels if label.kind != ADJUDICATOR)

    @property
    def annotators(self) -> tuple[str, ...]:
        """Everybody who voted, in the order of their names."""
        return tuple(sorted({label.annotator for label in self.votes}))


def scope(store: Store, sample: str | None = None, dataset: str | None = None) -> Scope:
    """Return the labels of a sample (a word as `find_sample` takes it), else of a dataset, else all there are.

    Raises ClipbenchError where there are none, or several datasets have labels and none is named.
    """
    if sample is not None:
        return _of_sample(store, sample)
    fingerprint = None if dataset is None else load_dataset(store, dataset).fingerprint
    labels = newest_labels(store, fingerprint)
    counts = Counter(label.failure.fingerprint for label in labels)
    if not counts:
        raise ClipbenchError(
            "there are no labels" + (f" of {dataset}" if dataset else " in this store yet"),
            "clipbench annotate import FILE, or clipbench annotate serve",
        )
    names = {summary.fingerprint: summary.name for summary in list_datasets(store)}
    if len(counts) > 1:
        listed = ", ".join(f"{names.get(f, short(f))} ({n})" for f, n in sorted(counts.items()))
        raise ClipbenchError(
            f"{len(counts)} datasets have labels: {listed}", "--dataset NAME or --sample KEY"
        )
    found = next(iter(counts))
    return Scope(names.get(found, short(found)), found, labels)


def _of_sample(store: Store, reference: str) -> Scope:
    stored = find_sample(store, reference)
    fingerprint = load_dataset(store, stored.sample.dataset).fingerprint
    members = {item.failure.key for item in stored.sample.failures}
    labels = tuple(label for label in newest_labels(store, fingerprint) if label.key in members)
    what = f"sample {short(stored.key)}"
    if not labels:
        raise ClipbenchError(
            f"none of the {len(members)} failures of {what} has a label yet",
            f"clipbench annotate serve {short(stored.key)}",
        )
    return Scope(what, fingerprint, labels, stored.sample)


def dataset_of(store: Store, within: Scope) -> Dataset:
    """Return the dataset that labels are about, under the name it has today where it has one."""
    if within.sample is not None:
        return load_dataset(store, within.sample.dataset)
    named = (summary.key for summary in list_datasets(store) if summary.fingerprint == within.fingerprint)
    return load_dataset(store, next(named, within.fingerprint))


def given(labels: Sequence[StoredLabel]) -> list[Given]:
    """Return labels as merge policies take them."""
    return [
        Given(
            item=label.key,
            annotator=label.annotator,
            category=label.category or "",
            subtype=label.subtype,
            order=label.number,
            adjudicated=label.kind == ADJUDICATOR,
        )
        for label in labels
    ]


def by_failure(labels: Sequence[StoredLabel]) -> Mapping[str, tuple[StoredLabel, ...]]:
    """Return the labels of each failure, by its key, in the order they were given."""
    found: dict[str, list[StoredLabel]] = {}
    for label in labels:
        found.setdefault(label.key, []).append(label)
    return {key: tuple(own) for key, own in found.items()}
