"""A folder of photographs, each with a .txt file of the same stem: one caption per line that is not blank.

Image ids are paths within the folder; the order is theirs by code point, never the file system's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from clipbench.datasets.fields import FieldError, clean
from clipbench.datasets.images import SUFFIXES
from clipbench.datasets.rows import Parsed, ReadRequest, Row, note, plural
from clipbench.datasets.textfile import read_bytes, read_text, split_lines
from clipbench.errors import ClipbenchError, DatasetError, InputError, Problem


def parse(request: ReadRequest) -> Parsed:
    """Return the captions of every photograph below the folder, hidden files and folders passed over.

    With an images folder of its own, the photographs are looked up there and the .txt files here.
    Raises DatasetError where there is no such folder or no photograph in it.
    """
    root = request.captions
    photographs = request.images or root
    for folder in (root, photographs):
        if not folder.is_dir():
            raise DatasetError(
                f"{folder} is no folder", "give the folder that holds photographs and .txt files"
            )
    images = sorted(f for f in _files(photographs) if f.lower().endswith(SUFFIXES))
    texts = {f.removesuffix(".txt"): f for f in sorted(_files(root)) if f.endswith(".txt")}
    if not images:
        raise DatasetError(f"{photographs} holds no photographs", f"supported: {' '.join(SUFFIXES)}")
    problems: list[Problem] = []
    rows: list[Row] = []
    owners: dict[str, str] = {}
    for image in images:
        stem = image.rpartition(".")[0]
        try:
            clean(image, "the file name")
        except FieldError as error:
            problems.append(Problem(str(photographs), 0, f"{image!a}: {error}"))
            continue
        if stem in owners and stem in texts:
            problems.append(Problem(str(root / texts[stem]), 0, f"could belong to {owners[stem]} or {image}"))
            continue
        owners[stem] = image
        rows += _captions(root, image, texts.get(stem), problems)
    strays = [file for stem, file in texts.items() if stem not in owners]
    message = f"{plural(len(strays), '.txt file')} without a photograph of the same name"
    return Parsed(tuple(rows), note("captions-without-photograph", message, strays), tuple(problems))


def _captions(root: Path, image: str, text: str | None, problems: list[Problem]) -> list[Row]:
    nothing = [Row(image, image, None)]
    if text is None:
        return nothing
    file = root / text
    try:
        if not file.resolve().is_relative_to(root.resolve()):
            problems.append(Problem(str(file), 0, "is a link that leaves the folder"))
            return []
        if not read_bytes(file).strip():
            return nothing
        lines = split_lines(read_text(file))
    except InputError as error:
        problems += error.problems
        return []
    except (ClipbenchError, OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        problems.append(Problem(str(file), 0, str(error)))
        return []
    return [Row(image, image, line) for line in lines if line.strip()] or nothing


def _files(root: Path) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise DatasetError(
            f"cannot read {error.filename}: {error.strerror}", "check its permissions"
        ) from error

    for folder, inner, names in os.walk(root, onerror=refuse):
        inner[:] = [name for name in inner if not name.startswith(".")]
        relative = Path(folder).relative_to(root).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        yield from (prefix + name for name in names if not name.startswith("."))
