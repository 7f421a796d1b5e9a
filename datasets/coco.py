"""COCO captions JSON (`captions_val2017.json`): `images` with ids and file names, `annotations` with captions.

Image ids are COCO's image ids, caption ids its annotation ids. Images come in the order of `images`, the
captions of an image in the order of `annotations`. Trailing spaces and newlines of captions are kept: the text
is part of a caption's identity, and `lint` counts them.
"""

from __future__ import annotations

from pathlib import Path

from clipbench.datasets.fields import FieldError, clean, identifier, posix
from clipbench.datasets.jsonvalues import fault, listed, member, record
from clipbench.datasets.rows import Parsed, ReadRequest, Row
from clipbench.datasets.textfile import read_json
from clipbench.errors import InputError, Problem


def parse(request: ReadRequest) -> Parsed:
    """Return one row per annotation, image after image; images without annotations have a row without caption.

    Raises InputError where the file is no COCO captions JSON, DatasetError where there is none.
    """
    path = request.captions
    document = read_json(path)
    problems: list[Problem] = []
    try:
        images, annotations = listed(document, "images"), listed(document, "annotations")
    except FieldError as error:
        raise InputError(f"{path} is no COCO captions file", [fault(path, error)]) from error
    if annotations and not any(isinstance(a, dict) and "caption" in a for a in annotations):
        found = Problem(str(path), 0, f"none of {len(annotations):,} annotations has a caption")
        hint = "give captions_*.json; instances_*.json and keypoints_*.json hold no captions"
        raise InputError(f"{path} holds no captions", [found], hint)
    files = _files(images, path, problems)
    captions: dict[str, list[Row]] = {image: [] for image in files}
    for place, value in enumerate(annotations):
        try:
            annotation = record(value, "the entry")
            image = identifier(annotation.get("image_id"), "image_id")
            text = clean(annotation.get("caption"), "caption")
            number = identifier(annotation.get("id"), "id")
        except FieldError as error:
            problems.append(fault(path, error, f"annotations[{place}]"))
            continue
        if image not in files:
            problems.append(Problem(str(path), 0, f"annotations[{place}]: image {image} is not in images"))
            continue
        captions[image].append(Row(image, files[image], text, number))
    rows: list[Row] = []
    for image, file in files.items():
        rows += captions[image] or [Row(image, file, None)]
    return Parsed(tuple(rows), (), tuple(problems))


def _files(images: list[object], path: Path, problems: list[Problem]) -> dict[str, str]:
    files: dict[str, str] = {}
    for place, value in enumerate(images):
        try:
            image = record(value, "the entry")
            name = identifier(image.get("id"), "id")
            file = posix(identifier(member(image, "file_name"), "file_name"))
        except FieldError as error:
            problems.append(fault(path, error, f"images[{place}]"))
            continue
        if files.get(name, file) != file:
            problems.append(
                Problem(str(path), 0, f"images[{place}]: id {name} is both {files[name]} and {file}")
            )
        files.setdefault(name, file)
    return files


def image_folders(captions: Path) -> tuple[Path, ...]:
    """Return where the photographs of `annotations/captions_val2017.json` usually lie: ../val2017, ./val2017."""
    name = captions.stem.removeprefix("captions_")
    return (captions.parent.parent / name, captions.parent / name, captions.parent.parent / "images" / name)
