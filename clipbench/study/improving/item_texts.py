"""Texts of gallery items for re-ranking by words, and what of them would give the answer away.

A photograph's own captions are queries of the run: ranking by them finds each caption by itself. They may
only be used with the query's own left out, or where the user says so; and the run says it then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clipbench.datasets.listing import alone, spelling, visible
from clipbench.errors import ClipbenchError, InputError, Problem
from clipbench.keys import Json, digest
from clipbench.metrics.positives import folded
from clipbench.records import Dataset
from clipbench.rerank.expansion import nearest
from clipbench.store.dataset_columns import load_columns
from clipbench.store.engine import Store
from clipbench.study.evaluation.galleries import Gallery
from clipbench.tabular.table import read_table
from clipbench.wording import plural

OWN = "own captions"


@dataclass(frozen=True)
class ItemTexts:
    """One text for each gallery image, in order; "" where it has none. source: what they are, in words.

    leave_one_out: whether each query's own caption is left out of its own image's text.
    """

    texts: tuple[str, ...]
    source: str
    leave_one_out: bool = False

    def as_json(self) -> dict[str, Json]:
        """Return what they are, as it enters a run's key."""
        told: dict[str, Json] = {"source": self.source, "texts": digest("texts", list(self.texts))}
        return {**told, "leave_one_out": True} if self.leave_one_out else told


def own_captions(gallery: Gallery, *, leave_one_out: bool, allow_leak: bool) -> ItemTexts:
    """Return every image's captions as its text.

    Raises ClipbenchError unless each query leaves its own out, or the leak is allowed.
    """
    if not (leave_one_out or allow_leak):
        raise ClipbenchError(
            "the captions of these images are the queries of this run: each would be found by itself",
            "--leave-one-out leaves a query's own caption out, --allow-leak keeps it and the run says so",
        )
    texts = tuple(" ".join(c.text for c in sample.captions) for sample in gallery.images)
    return ItemTexts(texts, OWN if leave_one_out else f"{OWN}, leaking", leave_one_out)


def checked(gallery: Gallery, texts: Sequence[str], source: str, *, allow_leak: bool) -> ItemTexts:
    """Return texts that somebody brought. Raises ClipbenchError where one contains a query of its own image."""
    leaks = [
        sample.id
        for sample, text in zip(gallery.images, texts, strict=True)
        if any((said := folded(c.text)) and said in folded(text) for c in sample.captions)
    ]
    if leaks and not allow_leak:
        raise ClipbenchError(
            f"the texts of {len(leaks):,} of {len(gallery.images):,} items contain a query of their own, "
            f"first {leaks[0]}: they would be found by it",
            "--allow-leak keeps them and the run says so",
        )
    return ItemTexts(tuple(texts), f"{source}, leaking" if leaks else source)


def from_file(gallery: Gallery, file: Path, *, allow_leak: bool) -> ItemTexts:
    """Return the texts of a table with an id of the image and a text in each row; several rows are joined.

    Raises ClipbenchError for images that are not in the gallery.
    """
    table = read_table(file, known=lambda header: all(_places(header)))
    columns = [places[0] if places else None for places in _places(table.header)]
    if columns[0] is None or columns[1] is None:
        raise ClipbenchError(
            f"{file} has the columns {', '.join(table.header)}: an id and a text are wanted",
            "columns: image,text",
        )
    if twice := [table.header[place] for places in _places(table.header) for place in places[1:2]]:
        problem = Problem(str(file), table.header_line, f"column {twice[0]!r} is there twice, case aside")
        raise InputError(f"{file} repeats a column", [problem])
    if table.problems:
        raise InputError(f"texts of {file}", table.problems, "mend these rows")
    told: dict[str, list[str]] = {}
    for row in table.rows:
        told.setdefault(row.cells[columns[0]], []).append(row.cells[columns[1]])
    known = {sample.id for sample in gallery.images}
    unknown = [id_ for id_ in told if id_ not in known]
    if unknown:
        near = alone(known).get(spelling(unknown[0]))
        also = f" (there is {visible(near, unknown[0])})" if near else ""
        first = visible(unknown[0], near or "")
        raise ClipbenchError(
            f"{file} names {plural(len(unknown), 'image')} not ranked here, first {first}{also}"
        )
    texts = [" ".join(told.get(sample.id, ())) for sample in gallery.images]
    return checked(gallery, texts, file.name, allow_leak=allow_leak)


def from_columns(
    store: Store, dataset: Dataset, gallery: Gallery, names: str, *, allow_leak: bool
) -> ItemTexts:
    """Return the cells of some columns of the dataset's own table, joined. Raises ClipbenchError where it has none."""
    columns = load_columns(store, dataset.key)
    if columns is None:
        raise ClipbenchError(
            f"{dataset.name} keeps no columns besides image and caption",
            "--texts FILE, a table of image and text",
        )
    texts = dict(zip((s.id for s in dataset.samples), columns.joined(names.split(",")), strict=True))
    return checked(gallery, [texts[s.id] for s in gallery.images], f"columns {names}", allow_leak=allow_leak)


def _places(header: Sequence[str]) -> list[list[int]]:
    """Return where the columns of the id and of the text are: those of the first known name that is there."""
    names = [column.casefold() for column in header]
    named = ([[i for i, n in enumerate(names) if n == option] for option in options] for options in _COLUMNS)
    return [next((places for places in found if places), []) for found in named]


_COLUMNS = (("image", "image_id", "id", "item", "sku"), ("text", "caption", "description", "title"))


def pseudo_captions(
    images: npt.NDArray[np.float32], bank: npt.NDArray[np.float32], texts: Sequence[str], n: int
) -> ItemTexts:
    """Return the n nearest captions of another split for each image, as its text."""
    found, _ = nearest(images, bank, n)
    return ItemTexts(
        tuple(" ".join(texts[place] for place in row) for row in found.tolist()),
        f"{n} nearest captions of the bank",
    )


def query_texts(gallery: Gallery) -> list[str]:
    """Return the texts of the t2i queries, in order."""
    return [caption.text for caption in gallery.captions]


def without_own(gallery: Gallery) -> Mapping[int, str]:
    """Return for each query the text of its own image without the query's caption."""
    left: dict[int, str] = {}
    first = 0
    for sample in gallery.samples:
        captions = [c.text for c in sample.captions]
        for place in range(len(captions)):
            left[first + place] = " ".join(t for p, t in enumerate(captions) if p != place)
        first += len(captions)
    return left
