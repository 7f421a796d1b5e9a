"""Finds WordNet's database files where people have them: a `dict` folder, or nltk's data, unpacked or not.

Knows where the files lie, not what is in them. A database of the `wn` package is told from them and refused.
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import NoReturn

from clipbench.errors import ClipbenchError
from clipbench.perturb.resources import SynonymSource
from clipbench.perturb.wordnet import FILE_NAMES, IRREGULAR_NOUNS, wordnet_synonyms

WANTED = (*FILE_NAMES, IRREGULAR_NOUNS)
FIRST = "index.noun"
"""The file that tells a folder of WordNet."""

NLTK = ("wordnet", "wordnet31", "wordnet2021")
"""nltk's packages of an English WordNet in this form, the one that nltk itself prefers first."""

BELOW = (".", "dict", *(f"{at}{name}" for at in ("", "corpora/") for name in NLTK))
"""Folders that are looked into, below the one that is named."""

LARGEST = 64 * 2**20
"""Bytes of a file in a zip; WordNet's largest has 15 MB."""

HINT = (
    "name the `dict` folder of a WordNet 3.x download, or the nltk_data folder after "
    "`python -m nltk.downloader wordnet`"
)


def read_wordnet(path: Path, senses: int = 1) -> SynonymSource:
    """Return the synonyms of the WordNet at `path`: a folder with it in one of the usual places, or a zip.

    senses: how many senses of a word count. Raises ClipbenchError where there is none, InputError where
    files of it are missing or broken.
    """
    return wordnet_synonyms(_files(path), senses)


def _files(path: Path) -> dict[str, bytes]:
    if path.is_file():
        if zipfile.is_zipfile(path):
            return _of_zip(path)
        _refuse_file(path)
    if not path.is_dir():
        raise ClipbenchError(f"{path} is no folder", HINT)
    for below in BELOW:
        folder = path / below
        if (folder / FIRST).is_file():
            return {name: (folder / name).read_bytes() for name in WANTED if (folder / name).is_file()}
        if below != "." and (packed := folder.with_name(f"{folder.name}.zip")).is_file():
            return _of_zip(packed)
    if any(path.glob("wn.db*")):
        _refuse_file(path / "wn.db")
    raise ClipbenchError(f"there is no WordNet in {path}: it has no {FIRST}", HINT)


def _of_zip(path: Path) -> dict[str, bytes]:
    """Return the files in a zip such as nltk's wordnet.zip, which holds one folder. Nothing is unpacked."""
    with zipfile.ZipFile(path) as archive:
        inside = {PurePosixPath(one.filename): one for one in archive.infolist()}
        folders = sorted(place.parent for place in inside if place.name == FIRST)
        if not folders:
            raise ClipbenchError(f"there is no WordNet in {path}: it has no {FIRST}", HINT)
        found = {name: inside[folders[0] / name] for name in WANTED if folders[0] / name in inside}
        for name, one in found.items():
            if one.file_size > LARGEST:
                size = f"{one.file_size / 2**20:,.0f} MB, more than the {LARGEST // 2**20} MB that are read"
                raise ClipbenchError(f"{name} in {path} has {size}", HINT)
        try:
            return {name: archive.read(one) for name, one in found.items()}
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # damaged, odd, encrypted
            raise ClipbenchError(f"{path} cannot be unpacked ({error})", HINT) from error


def _refuse_file(path: Path) -> NoReturn:
    if path.name.startswith("wn.db"):
        raise ClipbenchError(
            f"{path} is a database of the wn package, whose layout changes with its version; "
            "the files of WordNet itself can be read",
            HINT,
        )
    raise ClipbenchError(f"{path} is no folder and no zip of WordNet", HINT)
