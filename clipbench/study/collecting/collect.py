"""Brings a captioned collection into the store, read or drawn, as one thing; looks a stored one over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clipbench.datasets import selection
from clipbench.datasets.findings import Finding
from clipbench.datasets.lint import lint
from clipbench.datasets.reading import read
from clipbench.datasets.rows import ReadRequest
from clipbench.errors import DatasetError
from clipbench.records import Dataset
from clipbench.store.dataset_columns import save_columns
from clipbench.store.datasets import StoredDataset, check_name, load_dataset, save_dataset
from clipbench.store.engine import Store, transaction
from clipbench.study.collecting.table_columns import kept_columns
from clipbench.study.workplace.progress import Progress

SCENES = "scenes"
"""The format that draws its own photographs instead of reading any."""


@dataclass(frozen=True)
class Collected:
    """A dataset that is in the store now, and what is worth saying about how it got there."""

    dataset: Dataset
    stored: StoredDataset
    notes: tuple[str, ...]


def collect(
    store: Store, request: ReadRequest, progress: Progress, *, replace_name: bool = False
) -> Collected:
    """Read what `request` asks for and save it under its name.

    Raises InputError with every problem of the files, DatasetError where a name already means other
    content and `replace_name` is False. Nothing is saved unless everything could be read.
    """
    _check_name(request)
    reading = read(request, Reporting(progress, "photographs"))
    columns = kept_columns(request, reading.dataset)
    notes = [str(note) for note in reading.notes]
    with transaction(store) as within:
        stored = save_dataset(within, reading.dataset, replace=replace_name)
        if columns is not None:
            save_columns(within, reading.dataset.key, columns)
            notes.append(f"other columns are kept: {', '.join(columns.names)}")
    return Collected(reading.dataset, stored, tuple(notes))


def collect_scenes(
    store: Store, request: ReadRequest, progress: Progress, *, replace_name: bool = False
) -> Collected:
    """Draw a split of the demo scenes below the store's artifacts and save it as a dataset.

    Of the request, name, split (test where None), sample, seed and max_captions count. Raises DatasetError
    where it asks for anything else.
    """
    from clipbench.demo.scenes import collection as scenes
    from clipbench.demo.scenes.graph import SPLITS

    _check_name(request)
    _refuse_file_options(request)
    split = request.split or "test"
    if split not in SPLITS:
        raise DatasetError(f"the scenes have no split {split!r}", f"--split {' | '.join(SPLITS)}")
    folder = store.home.artifacts / "scenes"
    scenes.draw(folder, split, progress=Reporting(progress, "scenes drawn"))
    drawn = scenes.read(folder, split)
    samples = drawn.samples
    if request.sample is not None:
        samples = selection.draw(samples, request.sample, request.seed)
    samples = selection.first_captions(samples, request.max_captions)
    dataset = replace(
        drawn,
        name=request.name or f"scenes-{split}",
        caption_policy=request.caption_policy,
        samples=tuple(samples),
    )
    return Collected(dataset, save_dataset(store, dataset, replace=replace_name), ())


def _check_name(request: ReadRequest) -> None:
    """Raise DatasetError for a name that cannot be, before anything is read or drawn."""
    if request.name is not None:
        check_name(request.name)


def _refuse_file_options(request: ReadRequest) -> None:
    plain = ReadRequest(
        captions=request.captions,
        format=request.format,
        name=request.name,
        split=request.split,
        sample=request.sample,
        seed=request.seed,
        max_captions=request.max_captions,
    )
    if request != plain:
        raise DatasetError(
            "scenes are drawn, so options about files mean nothing to them",
            "--split, --sample, --seed and --max-captions do",
        )


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
