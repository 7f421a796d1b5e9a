"""Label files into the store: everything is read and matched first, then all of it is stored, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PureWindowsPath

from clipbench.datasets.jsonvalues import listed, record
from clipbench.datasets.reading import read
from clipbench.datasets.rows import ReadRequest
from clipbench.datasets.textfile import read_json
from clipbench.errors import ClipbenchError, InputError, Problem
from clipbench.failures.exchange import ANNOTATOR, Entry, unguarded
from clipbench.failures.items import Failure
from clipbench.failures.labels import LabelError, normalise
from clipbench.failures.slices import check_annotator, file_annotator
from clipbench.records import Dataset
from clipbench.store.annotations import Batch, NewLabel, Saved, Source, earlier_import, save_batches
from clipbench.store.datasets import list_datasets, load_dataset, save_dataset
from clipbench.store.engine import Store, transaction
from clipbench.store.failures import find_failures, list_samples
from clipbench.study.annotation.exchange_json import STUDIO
from clipbench.study.annotation.files import LabelFile, read_labels
from clipbench.study.annotation.matching import Catalogue, MatchError, match

OLDER = "older annotation of the same person, kept as history"


@dataclass(frozen=True)
class ImportRequest:
    """Label files and what they are about.

    annotator: who gave the labels; None takes the name from each file (assign_A.csv: A). dataset: a stored
    one. items, meta: a caption file to read instead, for labels of a set that no run of ours ranked; the
    set is stored too, as `dataset` or by the caption file's name.
    """

    files: tuple[Path, ...]
    annotator: str | None = None
    dataset: str | None = None
    items: Path | None = None
    meta: Path | None = None


@dataclass(frozen=True, slots=True)
class Irregular:
    """A label that was not written as the guide has it: the words, what they were taken for, and why."""

    line: int
    where: str
    caption_id: str
    raw: tuple[str, str]
    taken: tuple[str, str | None]
    rules: tuple[str, ...]


@dataclass(frozen=True)
class ImportedFile:
    """What came of one file and one annotator. before: when this very file was imported earlier, else None."""

    path: Path
    annotator: str
    rows: int
    blank: int
    saved: Saved
    irregular: tuple[Irregular, ...]
    notes: tuple[str, ...]
    before: datetime | None = None


@dataclass
class _Reader:
    """One file and annotator while their rows are matched."""

    file: LabelFile
    annotator: str
    rows: int = 0
    blank: int = 0
    labels: list[NewLabel] = field(default_factory=list)
    irregular: list[Irregular] = field(default_factory=list)
    remarks: dict[str, int] = field(default_factory=dict)
    lines: dict[str, tuple[Entry, NewLabel]] = field(default_factory=dict)


def import_labels(store: Store, request: ImportRequest) -> tuple[ImportedFile, ...]:
    """Read, match and store label files.

    Raises InputError with every problem of every file, and then nothing at all is stored; DatasetError or
    ClipbenchError where it cannot be known what the labels are about or who gave them.
    """
    problems: list[Problem] = []
    files = [found for path in request.files if (found := _read(path, problems)) is not None]
    stored = find_failures(
        store, sorted({row.item.strip() for f in files for row in f.entries if row.item.strip()})
    )
    catalogue = _catalogue(store, request, files, stored)
    readers = [
        reader for file in files for reader in _match_file(file, request, (catalogue, stored), problems)
    ]
    if problems:
        raise InputError(
            "the labels do not fit", sorted(set(problems)), "mend the files and run the command again"
        )
    with transaction(store) as whole:
        dataset = _kept(whole, request, catalogue)
        return tuple(_store(whole, readers, dataset))


def _read(path: Path, problems: list[Problem]) -> LabelFile | None:
    try:
        return read_labels(path)
    except InputError as error:
        first, *more = error.problems
        # The hint of one file would be lost among the others' problems.
        said = f"{first.message}; {error.hint}" if error.hint else first.message
        problems += [Problem(first.file, first.line, said), *more]
        return None


def _catalogue(
    store: Store, request: ImportRequest, files: Sequence[LabelFile], stored: Mapping[str, Failure]
) -> Catalogue | None:
    """Return the dataset that rows are looked up in, None where every row names a stored item of its own."""
    if request.items is not None:
        asked = ReadRequest(
            captions=request.items, meta=request.meta, captions_only=True, name=request.dataset
        )
        return Catalogue(read(asked).dataset, _frozen_order(request))
    if request.dataset is not None:
        return Catalogue(load_dataset(store, request.dataset))
    fingerprints = {failure.fingerprint for failure in stored.values()}
    if len(fingerprints) == 1:
        return Catalogue(_by_fingerprint(store, next(iter(fingerprints))))
    if all(row.item.strip() for file in files for row in file.entries):
        return None
    sampled = list(dict.fromkeys(found.sample.dataset for found in list_samples(store)))
    known = sampled or [summary.key for summary in list_datasets(store)]
    if len(known) == 1:
        return Catalogue(load_dataset(store, known[0]))
    raise ClipbenchError(
        f"the labels name no items of this store, and {len(known)} datasets could be meant",
        "--dataset NAME, or --items CAPTIONS --meta META for a set that is not in the store",
    )


def _by_fingerprint(store: Store, fingerprint: str) -> Dataset:
    named = next((s.name for s in list_datasets(store) if s.fingerprint == fingerprint), None)
    if named is not None:
        return load_dataset(store, named)
    sampled = (found.sample.dataset for found in list_samples(store))
    return next(d for key in sampled if (d := load_dataset(store, key)).fingerprint == fingerprint)


def _frozen_order(request: ImportRequest) -> Sequence[str] | None:
    """Return the caption ids in the order of a frozen list: `idx` counts these, not our grouping by image."""
    if request.meta is None:
        return None
    numbers = listed(record(read_json(request.meta), "the document"), "caption_ids")
    return [str(number) for number in numbers]


def _match_file(
    file: LabelFile,
    request: ImportRequest,
    known: tuple[Catalogue | None, Mapping[str, Failure]],
    problems: list[Problem],
) -> list[_Reader]:
    """Return one reader per annotator of a file, adding to `problems` what does not fit."""
    problems += file.problems
    readers: dict[str, _Reader] = {}
    for row in file.entries:
        name = _annotator(row, file, request, problems)
        reader = readers.setdefault(name, _Reader(file, name))
        reader.rows += 1
        try:
            _take(reader, row, known)
        except (LabelError, MatchError) as error:
            where = f"{row.where}: " if row.where else ""
            problems.append(Problem(str(file.path), row.line, f"{where}{error}"))
    if not file.entries and not file.problems:
        problems.append(Problem(str(file.path), 0, "holds no rows"))
    return list(readers.values())


def _annotator(row: Entry, file: LabelFile, request: ImportRequest, problems: list[Problem]) -> str:
    """Return who gave a label: what a column says, else --annotator, else what the file says, else its name.

    Notes a problem once, and every row of which a column does not say it.
    """
    if file.who:
        return _annotator_of_row(row, file, request, problems)
    name = request.annotator or row.annotator or file_annotator(file.path.stem) or ""
    try:
        return check_annotator(name)
    except ClipbenchError as error:
        message = error.message if name else "its name tells no annotator (assign_NAME.csv does)"
        problem = Problem(str(file.path), 0, f"{message}; --annotator NAME says who labelled")
        if problem not in problems:
            problems.append(problem)
        return name


def _annotator_of_row(row: Entry, file: LabelFile, request: ImportRequest, problems: list[Problem]) -> str:
    """Return who gave a label of a table that has a column for it; what is no name is a problem of its row."""
    by_name = file.who == ANNOTATOR
    cell = row.annotator if by_name else row.source_file
    # A table that was merged on Windows has its paths, and a name without a folder reads the same.
    name = cell if by_name else file_annotator(PureWindowsPath(cell).stem) or ""
    if request.annotator not in {None, name}:
        message = f"the column {file.who} says who labelled; leave --annotator out"
        if (problem := Problem(str(file.path), 0, message)) not in problems:
            problems.append(problem)
        return name
    try:
        return check_annotator(name)
    except ClipbenchError as error:
        told = error.message if name else f"{cell!r} names nobody" if cell else "is blank"
        problems.append(Problem(str(file.path), row.line, f"{file.who}: {told}"))
        return name


def _take(reader: _Reader, row: Entry, known: tuple[Catalogue | None, Mapping[str, Failure]]) -> None:
    """Add one row's label. Raises LabelError or MatchError; a row without a label must match all the same."""
    failure, remark = match(row, *known)
    offered = reader.file.kind in {"page", STUDIO}
    label = normalise(row.category, row.ambiguous_subtype, offered=offered)
    if remark:
        reader.remarks[remark] = reader.remarks.get(remark, 0) + 1
    if label is None:
        reader.blank += 1
        return
    raw = (row.category, row.ambiguous_subtype)
    new = NewLabel(failure, label.category, label.subtype, *raw, label.rules, unguarded(row.notes), row.line)
    earlier = reader.lines.get(failure.key)
    if earlier is not None:
        other, first = earlier
        place = f"line {other.line}" if other.line else other.where
        dated = reader.file.kind == STUDIO  # which keeps every annotation; they come oldest first
        again = (first.category, first.subtype) == (label.category, label.subtype)
        if not again and not dated:
            raise MatchError(f"{label.category} for the failure that {place} labels {first.category}")
        renewed = dated and first.written != new.written
        remark = OLDER if renewed else f"repeats {place}"
        reader.remarks[remark] = reader.remarks.get(remark, 0) + 1
        if not renewed:
            return
    reader.lines[failure.key] = (row, new)
    reader.labels.append(new)
    if label.rules:
        taken = (label.category, label.subtype)
        reader.irregular.append(Irregular(row.line, row.where, failure.caption_id, raw, taken, label.rules))


def _kept(store: Store, request: ImportRequest, catalogue: Catalogue | None) -> str:
    """Return the key of the dataset that new failures belong to, storing one that came with --items."""
    if catalogue is None:
        return ""
    if request.items is None:
        return catalogue.dataset.key
    same = [s.key for s in list_datasets(store) if s.fingerprint == catalogue.dataset.fingerprint]
    return same[0] if same else save_dataset(store, catalogue.dataset).key


def _store(store: Store, readers: Sequence[_Reader], dataset: str) -> list[ImportedFile]:
    before = [earlier_import(store, reader.file.digest, reader.annotator) for reader in readers]
    batches = [
        Batch(
            reader.annotator,
            Source(reader.file.kind, reader.file.path.name, reader.file.digest),
            dataset,
            tuple(reader.labels) if earlier is None else (),
        )
        for reader, earlier in zip(readers, before, strict=True)
    ]
    done = save_batches(store, batches)
    return [
        ImportedFile(
            path=reader.file.path,
            annotator=reader.annotator,
            rows=reader.rows,
            blank=reader.blank,
            saved=saved if earlier is None else Saved(reader.annotator, 0, 0, len(reader.labels)),
            irregular=tuple(reader.irregular),
            notes=(*reader.file.notes, *(f"{what} ({n})" for what, n in reader.remarks.items())),
            before=earlier,
        )
        for reader, saved, earlier in zip(readers, done, before, strict=True)
    ]
