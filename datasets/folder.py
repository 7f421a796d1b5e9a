"""A folder of photographs, each with a .txt file of the same stem: one caption per line that is not blank.

Or a folder of photographs alone, where no captions are asked for.
Image ids are paths within the folder; the order is theirs by code point, never the file system's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from clipbench.datasets.fields import FieldError, clean
from clipbench.datasets.listing import spelling, visible
from clipbench.datasets.photographs import LINKED_TEXT, NOWHERE
from clipbench.datasets.rows import Parsed, ReadRequest, Row, note
from clipbench.datasets.textfile import read_bytes, read_text
from clipbench.errors import ClipbenchError, DatasetError, InputError, Problem
from clipbench.photographs.opening import SUFFIXES
from clipbench.tabular.text import split_lines
from clipbench.wording import plural

CLOSED = (".heic", ".heif", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".psd", ".svg", ".jxl")
"""Endings of pictures that people have beside photographs and that are not opened; convert them to JPEG."""


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
    links = request.follow_links
    images = sorted(f for f in files_below(photographs, links=links) if f.lower().endswith(SUFFIXES))
    if not images:
        raise DatasetError(f"{photographs} holds no photographs", _hint(photographs, links=links))
    if request.no_captions:
        return _photographs_alone(photographs, images, links=links)
    texts = {f.removesuffix(".txt"): f for f in sorted(files_below(root, links=links)) if f.endswith(".txt")}
    problems: list[Problem] = []
    rows: list[Row] = []
    owners: dict[str, str] = {}
    respelt = _respelt([image.rpartition(".")[0] for image in images], list(texts))
    for image in images:
        stem = image.rpartition(".")[0]
        try:
            clean(image, "the file name")
        except FieldError as error:
            problems.append(Problem(str(photographs), 0, f"{image!a}: {error}"))
            continue
        text = texts.get(respelt.get(stem, stem))
        if stem in owners and text is not None:
            problems.append(Problem(str(root / text), 0, f"could belong to {owners[stem]} or {image}"))
            continue
        owners[stem] = image
        rows += _captions(root, image, text, problems, links=links)
    strays = [file for stem, file in texts.items() if stem not in owners and stem not in respelt.values()]
    message = f"{plural(len(strays), '.txt file')} without a photograph of the same name"
    notes = note("captions-without-photograph", message, strays)
    pairs = [
        f"{texts[text]} of {visible(stem, text)}{owners[stem].removeprefix(stem)}"
        for stem, text in respelt.items()
        if stem in owners
    ]
    message = (
        f"{plural(len(pairs), '.txt file')} spelt otherwise than the photograph (Unicode form, percent signs)"
    )
    return Parsed(tuple(rows), notes + note("spelt-otherwise", message, pairs), tuple(problems))


def _hint(folder: Path, *, links: bool) -> str:
    if not links and any(f.lower().endswith(SUFFIXES) for f in files_below(folder, links=True)):
        return "--follow-links goes into folders that are links"
    return f"supported: {' '.join(SUFFIXES)}"


def _photographs_alone(root: Path, images: Sequence[str], *, links: bool) -> Parsed:
    """Return the photographs without captions, with a word on pictures of formats that are not opened."""
    problems: list[Problem] = []
    rows: list[Row] = []
    for image in images:
        try:
            clean(image, "the file name")
        except FieldError as error:
            problems.append(Problem(str(root), 0, f"{image!a}: {error}"))
        else:
            rows.append(Row(image, image, None))
    closed = sorted(file for file in files_below(root, links=links) if file.lower().endswith(CLOSED))
    message = f"{plural(len(closed), 'picture')} of a format that is not opened passed over"
    return Parsed(tuple(rows), note("pictures-not-opened", message, closed), tuple(problems))


def _respelt(images: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return for stems of photographs without a .txt file the one that is the same in another spelling.

    Only where one photograph and one file have it; stems that match exactly are not among them.
    """
    unowned = set(texts) - set(images)
    forms = {spelling(stem) for stem in unowned}
    by_form: dict[str, tuple[set[str], set[str]]] = {form: (set(), set()) for form in forms}
    if forms:  # seldom: of a million photographs nothing more is remembered
        for side, stems in enumerate((images, texts)):
            for stem in stems:
                if (form := spelling(stem)) in by_form:
                    by_form[form][side].add(stem)
    pairs = {}
    for ours, theirs in by_form.values():
        if len(ours) == len(theirs) == 1 and ours != theirs:
            pairs[min(ours)] = min(theirs)
    return pairs


def _captions(root: Path, image: str, text: str | None, problems: list[Problem], *, links: bool) -> list[Row]:
    nothing = [Row(image, image, None)]
    if text is None:
        return nothing
    file = root / text
    try:
        # Folders that are links were not entered, so only the file itself may lead out.
        if not links and file.is_symlink() and not file.resolve().is_relative_to(root.resolve()):
            problems.append(Problem(str(file), 0, LINKED_TEXT if file.exists() else NOWHERE))
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


def files_below(root: Path, *, links: bool) -> Iterator[str]:
    """Yield the files below a folder as paths within it. links: go into folders that are links, too."""

    def refuse(error: OSError) -> None:
        raise DatasetError(
            f"cannot read {error.filename}: {error.strerror}", "check its permissions"
        ) from error

    walked = {os.path.realpath(root)}
    for folder, inner, names in os.walk(root, onerror=refuse, followlinks=links):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        if links:  # a folder that links lead to twice is read once, so that a circle of them ends
            real = {name: os.path.realpath(Path(folder) / name) for name in inner}
            inner[:] = [name for name in inner if real[name] not in walked]
            walked |= {real[name] for name in inner}
        relative = Path(folder).relative_to(root).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        yield from (prefix + name for name in sorted(names) if not name.startswith("."))
