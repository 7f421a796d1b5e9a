"""Who labels what: parts of a sample as tables people can fill in, with a picture for each failure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from clipbench.errors import ClipbenchError
from clipbench.failures.exchange import COLUMNS, guarded
from clipbench.failures.items import Assignment, Failure, Task
from clipbench.failures.slices import BACKUP, OVERLAP, slices
from clipbench.keys import Json, short
from clipbench.records import Dataset
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import StoredSample, save_assignment
from clipbench.study.annotation.guide import guide_text
from clipbench.study.annotation.pictures import BLIND, FOUND, OWN, has_photographs, jpeg, pair
from clipbench.study.output.whole_files import whole_file
from clipbench.study.workplace.progress import Progress

PICTURES = "pictures"

ENCODING = "utf-8-sig"
"""With a byte order mark, by which spreadsheets know UTF-8."""


@dataclass(frozen=True)
class AssignRequest:
    """Who labels, and how many: an overlap for everyone, an own part each, and a backup for nobody yet.

    blind: the two pictures change sides at random, and the tables do not say which is which.
    """

    annotators: tuple[str, ...]
    overlap: int = 30
    per_annotator: int = 50
    backup: int = 20
    blind: bool = False


@dataclass(frozen=True)
class Assigned:
    """What was written: the assignment, its tables, and how many pictures; None where there are no photographs."""

    assignment: Assignment
    tables: tuple[Path, ...]
    pictures: int | None


def assign(
    store: Store,
    stored: StoredSample,
    request: AssignRequest,
    out: Path,
    progress: Progress,
    *,
    force: bool = False,
) -> Assigned:
    """Cut a sample into parts, store who has which, and write tables, pictures and the guide into `out`.

    Raises ClipbenchError where the parts do not fit the sample, or a table that is there already holds
    something else and `force` is False: somebody may have filled it in.
    """
    assignment = plan(stored, request)
    dataset = load_dataset(store, stored.sample.dataset)
    tables = [
        (path, table_text(dataset, tasks, blind=request.blind))
        for path, tasks in _tables(assignment, request.annotators, out)
    ]
    there = [
        path.name for path, text in tables if path.exists() and path.read_bytes() != text.encode(ENCODING)
    ]
    if there and not force:
        raise ClipbenchError(
            f"{out} holds {', '.join(there)} already, and somebody may have filled it in",
            "--out NEW-FOLDER, or --force to write over it",
        )
    save_assignment(store, assignment)
    out.mkdir(parents=True, exist_ok=True)
    for path, text in tables:
        with whole_file(path, force=True) as partial:
            partial.write_bytes(text.encode(ENCODING))
    with whole_file(out / "GUIDE.txt", force=True) as path:
        path.write_text(guide_text(blind=request.blind), encoding="utf-8")
    drawn = _pictures(dataset, assignment, out / PICTURES, progress) if has_photographs(dataset) else None
    return Assigned(assignment, tuple(path for path, _ in tables), drawn)


def plan(stored: StoredSample, request: AssignRequest) -> Assignment:
    """Return who labels what, in the order of the draw; nothing is written."""
    failures = [item.failure for item in stored.sample.failures]
    parts = slices(
        len(failures),
        request.annotators,
        overlap=request.overlap,
        per_annotator=request.per_annotator,
        backup=request.backup,
    )
    tasks = tuple(
        Task(part.part, failure, request.blind and is_swapped(stored.key, failure))
        for part in parts
        for failure in failures[part.start : part.stop]
    )
    asked: dict[str, Json] = {
        "annotators": list(request.annotators),
        "overlap": request.overlap,
        "per_annotator": request.per_annotator,
        "backup": request.backup,
        "blind": request.blind,
        "parts": [part.part for part in parts],
    }
    return Assignment(stored.key, asked, tasks)


def is_swapped(sample: str, failure: Failure) -> bool:
    """Whether a blind annotator sees a failure's own picture on the right: a coin of its own for each."""
    return bool(blake2b(f"{sample}\n{failure.key}".encode(), digest_size=1).digest()[0] & 1)


def _tables(assignment: Assignment, annotators: Sequence[str], out: Path) -> list[tuple[Path, list[Task]]]:
    """Return every table with its tasks: everyone's own part, everyone's copy of the overlap, the backup."""
    of = {part: [task for task in assignment.tasks if task.part == part] for part in assignment.parts}
    found = [(out / f"assign_{name}.csv", of[name]) for name in annotators if name in of]
    if OVERLAP in of:
        found += [(out / f"overlap_{name}.csv", of[OVERLAP]) for name in annotators]
    if BACKUP in of:
        found.append((out / "backup.csv", of[BACKUP]))
    return found


def table_text(dataset: Dataset, tasks: Sequence[Task], *, blind: bool) -> str:
    """Return tasks as the exchange table, in the order of the captions, with empty labels.

    With CRLF, as spreadsheets like it, and no cell that could be taken for a formula.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for task in sorted(tasks, key=lambda task: (task.failure.caption, task.failure.image)):
        writer.writerow(guarded(cell) for cell in cells(dataset, task.failure, blind=blind).values())
    return text.getvalue()


def cells(dataset: Dataset, failure: Failure, *, blind: bool = False) -> dict[str, str]:
    """Return a failure's row of the exchange table, unlabelled; blind ones do not tell the images."""
    return {
        "idx": str(failure.caption),
        "caption": dataset.captions[failure.caption].text,
        "gt_img_idx": "" if blind else str(failure.image),
        "pred_img_idx": "" if blind else str(failure.retrieved),
        "category": "",
        "ambiguous_subtype": "",
        "item": failure.key,
        "caption_id": failure.caption_id,
        "gt_image_id": "" if blind else failure.image_id,
        "pred_image_id": "" if blind else failure.retrieved_id,
        "notes": "",
    }


def picture_name(failure: Failure) -> str:
    """Return the file name of a failure's picture; several images may find one caption, so i2t says which."""
    return f"fail_{failure.caption}.jpg" if failure.direction == "t2i" else f"fail_i{failure.retrieved}.jpg"


def _pictures(dataset: Dataset, assignment: Assignment, folder: Path, progress: Progress) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    bar = progress.start("pictures", len(assignment.tasks))
    for task in assignment.tasks:
        names = BLIND if assignment.blind else (OWN, FOUND)
        sheet = pair(dataset, task.failure, names=names, swapped=task.swapped)
        with whole_file(folder / picture_name(task.failure), force=True) as path:
            path.write_bytes(jpeg(sheet))
        progress.advance(bar, 1)
    return len(assignment.tasks)


def described(assigned: Assigned) -> str:
    """Return what was written, in one line."""
    sizes: dict[str, int] = {}
    for task in assigned.assignment.tasks:
        sizes[task.part] = sizes.get(task.part, 0) + 1
    parts = ", ".join(f"{part} {size}" for part, size in sizes.items())
    return f"sample {short(assigned.assignment.sample)}: {parts}"
