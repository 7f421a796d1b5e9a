"""Which row of a file of vectors belongs to which item of a dataset.

By id; by the longest end of a path that is an id or a path of the dataset (files made elsewhere name
`/data/job/photos/00000/1.jpg`); captions also by image and text, as clip-retrieval has them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from clipbench.datasets.listing import alone, spelling, visible
from clipbench.errors import InputError, Problem
from clipbench.records import Caption, Dataset, Modality
from clipbench.study.embedding.vector_files import Vectors


def item_ids(dataset: Dataset, modality: Modality) -> list[str]:
    """Return the ids of the items that a side's vectors are of, in order."""
    if modality == "image":
        return [sample.id for sample in dataset.samples]
    return [caption.id for caption in dataset.captions]


def places(dataset: Dataset, vectors: Vectors, modality: Modality) -> dict[str, int]:
    """Return where the vector of each item stands in a file.

    Raises InputError with every item that has none, and every two rows that are about one item.
    """
    found: dict[str, int] = {}
    problems: list[Problem] = []
    for row, ids in enumerate(_named(dataset, vectors, modality)):
        for id_ in ids:
            if id_ in found:
                raw, first = vectors.ids[row], vectors.ids[found[id_]]
                before = f"{id_} came before" if raw == first else f"{raw} is {id_}, and so is {first}"
                message = f"{before}, on line {found[id_] + 1}"
                problems.append(Problem(vectors.file, row + 1, message))
            found.setdefault(id_, row)
    lacking = [id_ for id_ in item_ids(dataset, modality) if id_ not in found]
    problems += [Problem(vectors.file, 0, f"no vector for {modality} {id_}") for id_ in lacking]
    if problems:
        what = f"{modality} vectors do not fit the dataset"
        raise InputError(what, problems, "check the id list and the dataset")
    return found


def respelt(dataset: Dataset, vectors: Vectors, modality: Modality) -> list[str]:
    """Return in words the ids of a file that were found in another spelling alone (Unicode form, percent signs)."""
    names = _names(dataset, vectors, modality)
    forms = alone(names)
    return [
        f"{visible(raw, forms[form])} is {forms[form]}"
        for raw in dict.fromkeys(vectors.ids)
        if tail(raw, names) is None and (form := tail(spelling(raw), forms)) is not None
    ]


def _names(dataset: Dataset, vectors: Vectors, modality: Modality) -> dict[str, str]:
    """Return what items may be called in a file, and the id that each of these names means."""
    if modality == "image" or vectors.captions is not None:
        names = {sample.path: sample.id for sample in dataset.samples if sample.path}
        return names | {sample.id: sample.id for sample in dataset.samples}
    return {caption.id: caption.id for caption in dataset.captions}


def _named(dataset: Dataset, vectors: Vectors, modality: Modality) -> list[Sequence[str]]:
    """Return for each row the ids of the items it is about: none, one, or captions that say the same."""
    names = _names(dataset, vectors, modality)
    forms = alone(names)
    named: list[str | None] = []
    for raw in vectors.ids:
        name = tail(raw, names)
        if name is None and (form := tail(spelling(raw), forms)) is not None:
            name = forms[form]
        named.append(name)
    if modality == "image" or vectors.captions is None:
        return [[names[name]] if name is not None else [] for name in named]
    said: dict[tuple[str, str], list[Caption]] = {}
    for sample in dataset.samples:
        for caption in sample.captions:
            said.setdefault((sample.id, caption.text.strip()), []).append(caption)
    rows = [
        (None if name is None else names[name], text)
        for name, text in zip(named, vectors.captions, strict=True)
    ]
    told = set(rows)
    # A caption that the file has letter for letter is not taken by a row that differs from it in blanks.
    return [
        [
            caption.id
            for caption in said.get((image, text.strip()), [])
            if caption.text == text or (image, caption.text) not in told
        ]
        if image is not None
        else []
        for image, text in rows
    ]


def tail(raw: str, names: Mapping[str, object]) -> str | None:
    """Return the longest end of a path that is a name, the whole path first; None where no end is.

    >>> tail("/data/photos/00000/1.jpg", {"00000/1.jpg": 0, "1.jpg": 1})
    '00000/1.jpg'
    """
    if raw in names:
        return raw
    parts = PurePosixPath(raw.replace("\\", "/")).parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end in names), None)
