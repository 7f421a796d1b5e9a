"""Labels for other tools: exchange tables with what everyone said, and a sample as Label Studio tasks."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from clipbench.failures.exchange import COLUMNS, fitting, guarded
from clipbench.failures.items import Failure
from clipbench.keys import Json
from clipbench.store.annotations import newest_labels
from clipbench.store.failures import load_suggestions
from clipbench.study.annotation.assign import cells
from clipbench.study.annotation.exchange_json import label_studio_config, label_studio_task
from clipbench.study.annotation.pictures import has_photographs, jpeg, photograph
from clipbench.study.annotation.session import Session
from clipbench.study.output.whole_files import whole_file
from clipbench.study.workplace.progress import Progress

SIDE = 1024


def export_tables(session: Session, folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write the newest labels of each annotator as `labels_<name>.csv`, which `annotate import` reads again.

    Raises ClipbenchError where a file is there and `force` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels = [
        x for x in newest_labels(session.store, session.dataset.fingerprint) if x.key in session.failures
    ]
    paths = []
    for name in sorted({label.annotator for label in labels}):
        paths.append(folder / f"labels_{name}.csv")
        with (
            whole_file(paths[-1], force=force) as partial,
            partial.open("w", encoding="utf-8-sig", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for label in labels:
                if label.annotator == name:
                    said = {"category": label.category or "", "ambiguous_subtype": label.subtype or ""}
                    row = {**cells(session.dataset, label.failure), **said, "notes": label.note}
                    writer.writerow(guarded(cell) for cell in row.values())
    return tuple(paths)


def export_label_studio(
    session: Session, folder: Path, progress: Progress, *, prefix: str, force: bool = False
) -> tuple[Path, ...]:
    """Write tasks.json, config.xml and the pictures of a sample for Label Studio.

    prefix: what stands before a picture's name in its address. The export of the finished project is read
    by `annotate import`. Raises ClipbenchError where a file is there and `force` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failures = tuple(session.failures.values())
    hints = load_suggestions(session.store, list(session.failures)) if session.hints else {}
    tasks: list[Json] = []
    for failure in failures:
        found = hints.get(failure.key, ())
        data: dict[str, Json] = {
            name: fitting(value) if isinstance(value, str) else value  # its database holds no NUL
            for name, value in cells(session.dataset, failure).items()
            if value
        }
        pictures = (f"{prefix}{_name(failure.image)}", f"{prefix}{_name(failure.retrieved)}")
        tasks.append(label_studio_task(data, pictures, found[0].category if found else None))
    if has_photographs(session.dataset):
        _pictures(session, failures, folder, progress)
    paths = (folder / "tasks.json", folder / "config.xml")
    for path, text in zip(paths, (json.dumps(tasks, indent=1), label_studio_config()), strict=True):
        with whole_file(path, force=force) as partial:
            partial.write_text(text, encoding="utf-8")
    return paths


def _name(place: int) -> str:
    return f"image_{place}.jpg"


def _pictures(session: Session, failures: Sequence[Failure], folder: Path, progress: Progress) -> None:
    places = sorted({place for f in failures for place in (f.image, f.retrieved)})
    bar = progress.start("pictures", len(places))
    for place in places:
        with whole_file(folder / _name(place), force=True) as path:
            path.write_bytes(jpeg(photograph(session.dataset, place, SIDE)))
        progress.advance(bar, 1)
