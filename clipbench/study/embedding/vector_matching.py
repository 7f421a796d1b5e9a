"""Which row of a file of vectors belongs to which item of a dataset.

By id; by the longest end of a path that is an id or a path of the dataset (files made elsewhere name
`/data/job/photos/00000/1.jpg`); captions also by image and text, as clip-retrieval has them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from clipbench.errors import InputError, Problem
from clipbench.records import Dataset, Modality
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


def _named(dataset: Dataset, vectors: Vectors, modality: Modality) -> list[Sequence[str]]:
    """Return for each row the ids of the items it is about: none, one, or captions that say the same."""
    if modality == "image" or vectors.captions is not None:
        names = {sample.path: sample.id for sample in dataset.samples if sample.path}
        names |= {sample.id: sample.id for sample in dataset.samples}
    else:
        names = {caption.id: caption.id for caption in dataset.captions}
    named = [tail(raw, names) for raw in vectors.ids]
    if modality == "image" or vectors.captions is None:
        return [[names[name]] if name is not None else [] for name in named]
    said: dict[tuple[str, str], list[str]] = {}
    for sample in dataset.samples:
        for caption in sample.captions:
            said.setdefault((sample.id, caption.text.strip()), []).append(caption.id)
    images = [None if name is None else names[name] for name in named]
    return [
        said.get((image, text.strip()), []) if image is not None else []
        for image, text in zip(images, vectors.captions, strict=True)
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
