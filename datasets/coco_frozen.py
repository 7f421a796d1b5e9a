"""A frozen caption list: `captions_5000.json` (a list of texts) with its ids in `meta_5000.json`.

The meta file holds `sampled_img_ids`, `caption_ids` and `gt_img_index` (for each caption the position of its
image). The order of both lists is kept. Photographs are optional: with an images folder, COCO's own file names
(twelve digits) are looked up.
"""

from __future__ import annotations

from pathlib import Path

from clipbench.datasets.fields import FieldError, clean, identifier
from clipbench.datasets.jsonvalues import fault, listed, record
from clipbench.datasets.rows import Note, Parsed, ReadRequest, Row
from clipbench.datasets.textfile import read_json
from clipbench.errors import DatasetError, InputError, Problem


def parse(request: ReadRequest) -> Parsed:
    """Return the captions in their frozen order, grouped by image in the order of `sampled_img_ids`.

    Raises InputError where the two files disagree, DatasetError where one is absent.
    """
    path = request.captions
    meta_path = request.meta or meta_file(path)
    if meta_path is None:
        hint = "--meta FILE with sampled_img_ids, caption_ids and gt_img_index"
        raise DatasetError(
            f"{path.name} is a list of texts, and no file beside it says which image each is of", hint
        )
    texts = read_json(path)
    if not isinstance(texts, list):
        raise InputError(
            f"{path} is no caption list", [Problem(str(path), 0, "the document is no list of texts")]
        )
    try:
        meta = record(read_json(meta_path), "the document")
        images, numbers, owners = (
            listed(meta, n) for n in ("sampled_img_ids", "caption_ids", "gt_img_index")
        )
    except FieldError as error:
        raise InputError(f"{meta_path} does not describe captions", [fault(meta_path, error)]) from error
    problems = [
        Problem(str(meta_path), 0, f"{name} has {len(values):,} entries for {len(texts):,} captions")
        for name, values in (("caption_ids", numbers), ("gt_img_index", owners))
        if len(values) != len(texts)
    ]
    declared = meta.get("num_images", len(images))
    if declared != len(images):
        problems.append(
            Problem(
                str(meta_path),
                0,
                f"num_images is {declared!r:.40}, sampled_img_ids has {len(images):,} entries",
            )
        )
    names = _names(images, meta_path, problems)
    rows: list[list[Row]] = [[] for _ in names]
    for place, (text, number, owner) in enumerate(zip(texts, numbers, owners, strict=False)):
        try:
            position = _position(owner, len(names))
            name = names[position]
            caption = clean(text, "the text"), identifier(number, "caption_ids")
        except FieldError as error:
            problems.append(fault(path, error, f"[{place}]"))
            continue
        rows[position].append(Row(name, _photograph(name, request), *caption))
    flat: list[Row] = []
    for name, own in zip(names, rows, strict=True):
        flat += own or [Row(name, _photograph(name, request), None)]
    notes = (Note("meta", len(texts), f"image and caption ids come from {meta_path.name}"),)
    return Parsed(tuple(flat), notes, tuple(problems))


def meta_file(captions: Path) -> Path | None:
    """Return the meta file beside a caption list (`captions_X.json` -> `meta_X.json`), None where there is none."""
    if not captions.name.startswith("captions"):
        return None
    beside = captions.with_name("meta" + captions.name.removeprefix("captions"))
    return beside if beside.is_file() else None


def _names(images: list[object], path: Path, problems: list[Problem]) -> list[str]:
    names: list[str] = []
    for place, value in enumerate(images):
        try:
            names.append(identifier(value, "image id"))
        except FieldError as error:
            problems.append(fault(path, error, f"sampled_img_ids[{place}]"))
            names.append(f"?{place}")
    if len(set(names)) != len(names):
        repeated = len(names) - len(set(names))
        problems.append(
            Problem(str(path), 0, f"sampled_img_ids repeats {repeated:,} of its {len(names):,} ids")
        )
    return names


def _position(owner: object, images: int) -> int:
    if isinstance(owner, bool) or not isinstance(owner, int) or not 0 <= owner < images:
        raise FieldError(f"gt_img_index is {owner!r:.40}, there are {images:,} images")
    return owner


def _photograph(name: str, request: ReadRequest) -> str | None:
    return f"{name:0>12}.jpg" if request.images is not None else None
