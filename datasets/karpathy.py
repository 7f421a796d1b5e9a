"""Karpathy split files (`dataset_flickr8k.json`, `dataset_coco.json`): `images[].{filename, split, sentences[].raw}`.

The image id is `cocoid` where there is one, else the file name; caption ids are the `sentid`s. Policies: all
sentences ("all", 25,010 for the COCO test split) or the first five ("first5", 25,000).
Source: Karpathy and Fei-Fei, Deep Visual-Semantic Alignments (CVPR 2015).
"""

from __future__ import annotations

from collections.abc import Mapping

from clipbench.datasets.fields import FieldError, clean, identifier, posix
from clipbench.datasets.jsonvalues import fault, listed, record
from clipbench.datasets.rows import Parsed, ReadRequest, Row
from clipbench.datasets.textfile import read_json
from clipbench.errors import InputError, Problem


def parse(request: ReadRequest) -> Parsed:
    """Return one row per sentence in the order of the file, with the split of its image.

    Raises InputError where the file is no Karpathy JSON, DatasetError where there is none.
    """
    path = request.captions
    try:
        images = listed(read_json(path), "images")
    except FieldError as error:
        raise InputError(f"{path} is no Karpathy split file", [fault(path, error)]) from error
    rows: list[Row] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for place, value in enumerate(images):
        try:
            found = _image_rows(record(value, "the entry"))
        except FieldError as error:
            problems.append(fault(path, error, f"images[{place}]"))
            continue
        name = found[0].image
        if name in seen:
            message = f"images[{place}]: image {name} is images[{seen[name]}] already"
            problems.append(Problem(str(path), 0, message))
            continue
        seen[name] = place
        rows += found
    return Parsed(tuple(rows), (), tuple(problems))


def _image_rows(image: Mapping[str, object]) -> list[Row]:
    file = identifier(image.get("filename"), "filename")
    folder = image.get("filepath") or ""
    path = posix(f"{identifier(folder, 'filepath')}/{file}" if folder else file)
    name = file if image.get("cocoid") is None else identifier(image["cocoid"], "cocoid")
    split = identifier(image.get("split"), "split")
    rows = []
    for place, value in enumerate(listed(image, "sentences")):
        sentence = record(value, f"sentences[{place}]")
        number = None if sentence.get("sentid") is None else identifier(sentence["sentid"], "sentid")
        rows.append(Row(name, path, clean(sentence.get("raw"), f"sentences[{place}].raw"), number, split))
    return rows or [Row(name, path, None, None, split)]
