"""The formats that can be read, by name, and how a file's format is told from its content.

Used for --help, for error messages and by `reading`. Parses nothing itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from clipbench.datasets import (
    coco,
    coco_frozen,
    flickr8k,
    folder,
    hf_disk,
    jsonl,
    karpathy,
    parquet,
    shards,
    table,
    webdataset,
)
from clipbench.datasets.listing import spelling
from clipbench.datasets.rows import Parsed, ReadRequest
from clipbench.datasets.textfile import LARGEST, read_json, read_text
from clipbench.errors import DatasetError, InputError
from clipbench.foreign_files import open_foreign
from clipbench.photographs.opening import SUFFIXES
from clipbench.tabular.text import split_lines

Parse: TypeAlias = Callable[[ReadRequest], Parsed]


@dataclass(frozen=True, slots=True)
class Format:
    """One way captions lie on disk.

    options: request fields that only some formats know and this one does ("columns", "quoting", "meta").
    splits: what `--split` means here, None where only a split list can choose.
    image_folders: where the photographs may lie, by the caption file's path, likeliest first.
    """

    name: str
    description: str
    parse: Parse
    image_folders: Callable[[Path], tuple[Path, ...]]
    options: tuple[str, ...] = ()
    splits: str | None = None
    split_list: Callable[[Path, str], Path | None] | None = None


def _beside(captions: Path) -> tuple[Path, ...]:
    here, above = captions.parent, captions.parent.parent
    return (
        *(here / name for name in flickr8k.IMAGE_FOLDERS),
        here,
        *(above / n for n in flickr8k.IMAGE_FOLDERS),
    )


def _named_folders(captions: Path) -> tuple[Path, ...]:
    return tuple(path for path in _beside(captions) if path != captions.parent)


def _around(captions: Path) -> tuple[Path, ...]:
    """Paths start beside the files, or inside of them."""
    return (*shards.image_folders(captions), *_beside(captions))


_RECORDED = "a value of the split column"

FORMATS: Mapping[str, Format] = {
    found.name: found
    for found in (
        Format(
            "flickr8k",
            "Flickr8k/30k token file (name.jpg#N<TAB>caption) or Kaggle CSV (image,caption)",
            flickr8k.parse,
            _named_folders,
            ("columns", "quoting"),
            "train, dev or test by the official lists beside the caption file",
            flickr8k.split_list,
        ),
        Format(
            "coco",
            "COCO captions JSON (captions_val2017.json: images, annotations)",
            coco.parse,
            coco.image_folders,
        ),
        Format(
            "coco-frozen",
            "list of COCO captions in a frozen order, with its ids in a meta JSON; photographs optional",
            coco_frozen.parse,
            lambda _: (),
            ("meta",),
        ),
        Format(
            "karpathy",
            "Karpathy split JSON (dataset_flickr8k.json, dataset_flickr30k.json, dataset_coco.json)",
            karpathy.parse,
            _beside,
            (),
            "train, restval, val or test as recorded; several joined by +",
        ),
        Format(
            "jsonl",
            "JSON lines with image_path, caption, image_id, caption_id, split (or named fields)",
            jsonl.parse,
            _beside,
            ("columns",),
            _RECORDED,
        ),
        Format(
            "csv",
            "CSV with a header; delimiter , ; | or tab",
            table.parse,
            _beside,
            ("columns", "quoting"),
            _RECORDED,
        ),
        Format("tsv", "TSV with a header", table.parse, _beside, ("columns", "quoting"), _RECORDED),
        Format(
            "parquet",
            "Parquet with a caption column and image paths, or the photographs inside (needs clipbench[parquet])",
            parquet.parse,
            _around,
            ("columns", "no_captions"),
            f"{_RECORDED}, or the start of the file's name (test-00000-of-00001.parquet)",
        ),
        Format(
            "folder",
            "folder of photographs, each with a .txt file of the same name: one caption per line",
            folder.parse,
            lambda path: (path,),
            ("no_captions",),
        ),
        Format(
            "webdataset",
            "tar files of photographs, each with a .txt or .json of the same key; a folder or pattern of them",
            webdataset.parse,
            shards.image_folders,
            ("columns", "no_captions"),
            "a value of the field split of the .json",
        ),
        Format(
            "hf-disk",
            "folder that save_to_disk of Hugging Face's datasets wrote (needs clipbench[parquet])",
            hf_disk.parse,
            shards.image_folders,
            ("columns", "no_captions"),
            "a split of the dictionary that was saved, or a value of the split column",
        ),
    )
}

SUFFIX_FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".tar": "webdataset",
    ".tgz": "webdataset",
}


@dataclass(frozen=True, slots=True)
class Detected:
    """A format's name and what in the file tells it."""

    name: str
    reason: str


def format_named(name: str) -> Format:
    """Return the format of a name. Raises DatasetError naming all formats."""
    if name not in FORMATS:
        raise DatasetError(f"there is no format {name!r}", f"--format {' | '.join(FORMATS)}")
    return FORMATS[name]


def detect(path: Path) -> str:
    """Return the name of the format of a caption file or folder. Raises as `recognise` does."""
    return recognise(path).name


def recognise(path: Path, *, bare: bool = False) -> Detected:
    """Return a caption file's format with the reason: by its ending where that decides, else by its content.

    bare: photographs in a folder need no captions.

    Raises DatasetError where the path is nothing readable or the format cannot be told.
    """
    try:
        if path.is_dir():
            return _recognise_folder(path, bare=bare)
    except OSError as error:
        raise DatasetError(
            f"cannot read {path}: {error.strerror}", "check the path and its permissions"
        ) from error
    if shards.is_pattern(path):
        path = next(iter(shards.shards(path, ())))[1]
    suffix = ".tgz" if path.name.lower().endswith(".tar.gz") else path.suffix.lower()
    if suffix in SUFFIX_FORMATS:
        return Detected(SUFFIX_FORMATS[suffix], f"its name ends in {suffix}")
    with open_foreign(path, LARGEST, error=DatasetError) as file:
        magic = file.read(4)
    if magic == b"PAR1":
        return Detected("parquet", "it starts with PAR1")
    if suffix == ".json":
        return _recognise_json(path)
    return _recognise_lines(path)


def _recognise_folder(path: Path, *, bare: bool) -> Detected:
    if hf_disk.is_saved(path):
        return Detected(
            "hf-disk", f"it holds {hf_disk.STATE} or {hf_disk.SPLITS}, as save_to_disk writes them"
        )
    if not bare:
        _refuse_caption_file(path)
    matched, containers = _inside(path, bare=bare)
    if matched:
        return Detected("folder", "it holds photographs with .txt files of the same name")
    for form, name in containers.items():
        return Detected(form, f"it holds {name}")
    if bare:
        return Detected("folder", "it was asked for without captions")
    raise DatasetError(
        f"{path} holds no photographs with .txt files of the same name",
        "give the caption file itself, or --no-captions for the photographs alone",
    )


def _refuse_caption_file(path: Path) -> None:
    for name in sorted(os.listdir(path)):  # noqa: PTH208, there may be a million
        if name.endswith(".token.txt") or name.startswith(("captions", "dataset_", "results.csv")):
            raise DatasetError(
                f"{path} is a folder that holds {name}", f"give the caption file: {path / name}"
            )


def _inside(path: Path, *, bare: bool) -> tuple[bool, dict[str, str]]:
    """Return whether a folder holds photographs, captioned ones unless `bare`, and its first file of each container."""
    stems: set[str] = set()
    photographs: set[str] = set()
    containers: dict[str, str] = {}
    for name in folder.files_below(path, links=True):
        stem, _, ending = name.rpartition(".")
        if ending in {"tar", "parquet"}:
            containers.setdefault(SUFFIX_FORMATS[f".{ending}"], name)
        elif ending == "txt":
            stems.add(spelling(stem))
        elif f".{ending.lower()}" in SUFFIXES:
            photographs.add(spelling(stem))
    return bool(photographs if bare else stems & photographs), containers


def _recognise_json(path: Path) -> Detected:
    try:
        value = read_json(path)
    except InputError:
        if (
            (lines := split_lines(read_text(path)))
            and lines[0].lstrip().startswith("{")
            and lines[0].endswith("}")
        ):
            return Detected("jsonl", "its lines are JSON objects")
        raise
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return Detected("coco-frozen", "it is a list of texts")
    if isinstance(value, dict) and "annotations" in value:
        return Detected("coco", 'it has "annotations"')
    images = value.get("images") if isinstance(value, dict) else None
    if isinstance(images, list) and images and isinstance(images[0], dict) and "sentences" in images[0]:
        return Detected("karpathy", 'its images have "sentences"')
    if isinstance(value, dict) and len(split_lines(read_text(path))) == 1:
        return Detected("jsonl", "it is one JSON object on one line")
    raise _unknown(path, "JSON without annotations, sentences or a list of texts")


def _recognise_lines(path: Path) -> Detected:
    text = read_text(path)
    lines = [line for line in split_lines(text) if line.strip()]
    first = lines[0] if lines else ""
    if flickr8k.LINE.fullmatch(first) or flickr8k.SPACED.fullmatch(first):
        return Detected("flickr8k", "its lines are name#N and a caption")
    header = [name.strip() for name in first.split(",")]
    if header == ["image", "caption"] and flickr8k.PHOTOGRAPH.match("".join(lines[1:2])):
        return Detected("flickr8k", "its columns are image,caption and its images have Flickr names")
    if first.lstrip().startswith("{"):
        return Detected("jsonl", "its first line is a JSON object")
    if columns := table.header_names(text):
        return Detected("csv", f"its first line names the columns {', '.join(columns)}")
    if path.suffix.lower() == ".csv":  # the reader says which columns it misses, --*-column may name them
        return Detected("csv", "its name ends in .csv")
    raise _unknown(path, f"its first line is {first[:60]!r}")


def _unknown(path: Path, why: str) -> DatasetError:
    return DatasetError(f"cannot tell the format of {path}: {why}", f"--format {' | '.join(FORMATS)}")
