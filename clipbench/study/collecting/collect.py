"""Brings a captioned collection into the store as one dataset or several splits; looks a stored one over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.datasets.findings import Finding
from clipbench.datasets.lint import lint
from clipbench.datasets.reading import Reading, cut, read
from clipbench.datasets.rows import ReadRequest
from clipbench.records import Dataset
from clipbench.store.dataset_columns import DatasetColumns, save_columns
from clipbench.store.datasets import StoredDataset, check_name, load_dataset, save_dataset
from clipbench.store.engine import Store, transaction
from clipbench.study.workplace.progress import Progress

LARGEST_COLUMNS = 1 << 27
"""Characters of other columns that are kept beside a dataset; SQLite holds a value of 1 GB, and JSON may write 6 for 1."""


@dataclass(frozen=True)
class Added:
    """A dataset that is in the store now."""

    dataset: Dataset
    stored: StoredDataset


@dataclass(frozen=True)
class Collected:
    """The dataset that a collection became, or its splits, and what is worth saying about how it got there."""

    added: tuple[Added, ...]
    notes: tuple[str, ...]


def collect(
    store: Store, request: ReadRequest, progress: Progress, *, replace_name: bool = False
) -> Collected:
    """Read what `request` asks for and save it under its name, or its splits under NAME-train, NAME-val, NAME-test.

    Raises InputError with every problem of the files, DatasetError where a name already means other
    content and `replace_name` is False. Nothing is saved unless everything could be read.
    """
    check_request_name(request)
    return keep(store, read(request, Reporting(progress, "photographs")), request, replace_name=replace_name)


def keep(store: Store, reading: Reading, request: ReadRequest, *, replace_name: bool) -> Collected:
    """Save a reading, whole or cut as the request says, in one transaction. Raises DatasetError as `collect`."""
    readings = (reading,) if request.splits is None else cut(reading, request.splits)
    added, size = [], sum(len(cell) for row in reading.cells for cell in row)
    kept = bool(reading.columns) and size <= LARGEST_COLUMNS
    with transaction(store) as within:
        for part in readings:
            stored = save_dataset(within, part.dataset, replace=replace_name)
            if kept:
                save_columns(within, part.dataset.key, DatasetColumns(part.columns, part.cells))
            added.append(Added(part.dataset, stored))
    notes = [str(note) for note in reading.notes]
    if kept:
        notes.append(f"other columns are kept: {', '.join(reading.columns)}")
    elif reading.columns:
        notes.append(
            f"the {len(reading.columns)} other columns are not kept: {size:,} characters are too many"
        )
    return Collected(tuple(added), tuple(notes))


def check_request_name(request: ReadRequest) -> None:
    """Raise DatasetError for a name that cannot be, before anything is read or drawn."""
    if request.name is not None:
        check_name(request.name)


def inspect(
    store: Store, name: str, against: Sequence[str], progress: Progress, *, similar: bool = False
) -> tuple[Finding, ...]:
    """Return what is wrong with a stored dataset, and what it shares with the `against` ones.

    Raises DatasetError for a name the store does not have.
    """
    dataset = load_dataset(store, name)
    others = [load_dataset(store, other) for other in against]
    return lint(dataset, others, similar=similar, on_progress=Reporting(progress, "photographs"))


class Reporting:
    """Turns (done, in all) calls into advances of one bar."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._label = label
        self._bar: int | None = None
        self._seen = 0

    def __call__(self, done: int, total: int) -> None:
        """Move the bar to `done` of `total`."""
        if self._bar is None:
            self._bar = self._progress.start(self._label, total)
        self._progress.advance(self._bar, done - self._seen)
        self._seen = done


def captions_per_image(dataset: Dataset) -> str:
    """Return how many captions the images have, for people: "5" or "1-6".

    >>> from clipbench.records import Caption, Sample
    >>> samples = (Sample("a", (Caption("a#0", "x"),)), Sample("b", (Caption("b#0", "x"), Caption("b#1", "y"))))
    >>> captions_per_image(Dataset("n", "csv", "all", "all", samples))
    '1-2'
    """
    counts: Sequence[int] = [len(sample.captions) for sample in dataset.samples] or [0]
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}-{high}"
