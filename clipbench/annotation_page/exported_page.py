"""A session as one HTML file, for annotators without Python: it opens from the disk and gives a result file."""

from __future__ import annotations

from pathlib import Path

from clipbench.annotation_page.pages import file_page
from clipbench.keys import Json
from clipbench.study.annotation.pictures import jpeg, photograph
from clipbench.study.annotation.session import Session, page_data, pair_places
from clipbench.study.output.single_page import data_address
from clipbench.study.output.whole_files import whole_file
from clipbench.study.workplace.progress import Progress

SIDE = 640
"""Pixels of a picture's longer side: 200 pairs make a file of some 30 MB."""


def export_page(
    session: Session, annotator: str, out: Path, progress: Progress, *, side: int = SIDE, force: bool = False
) -> int:
    """Write the page of one annotator with all its pictures to `out`; return its number of failures.

    The result that people download from it names the annotator, and `annotate import` reads it. Raises
    ClipbenchError for an annotator without a part, or where `out` exists and `force` is False.
    """
    data = page_data(session, annotator)
    items = data["items"]
    if not isinstance(items, list):
        raise TypeError("the page's items are a list")
    tasks = session.tasks(annotator)
    bar = progress.start("pictures", len(tasks))
    pictures: dict[int, str] = {}  # by position; several captions may have found one image
    numbers: dict[int, int] = {}
    for item, task in zip(items, tasks, strict=True):
        for one, place in zip(item["sides"], pair_places(task), strict=True):
            if place not in pictures:
                numbers[place] = len(pictures)
                pictures[place] = data_address(jpeg(photograph(session.dataset, place, side)))
            one["src"] = numbers[place]
        item["caption_id"] = task.failure.caption_id
        # Earlier labels stay in the store: the file is a sitting of its own.
        item |= {"category": None, "subtype": None, "note": ""}
        progress.advance(bar, 1)
    page: dict[str, Json] = {**data, "items": items, "pictures": list(pictures.values())}
    with whole_file(out, force=force) as path:
        path.write_text(file_page(page), encoding="utf-8")
    return len(tasks)
