"""Flickr8k and Flickr30k: the token file `name.jpg#N<TAB>caption`, the Kaggle CSV `image,caption`, the split lists.

Knows the quirks of the copies in circulation. Image ids are file names, caption ids `name.jpg#N`.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from clipbench.datasets import table
from clipbench.datasets.rows import Note, Parsed, ReadRequest, Row, note
from clipbench.datasets.textfile import read_text
from clipbench.errors import Problem
from clipbench.tabular.text import split_lines
from clipbench.wording import plural

LINE = re.compile(r"(?P<name>.+)#(?P<number>[0-9]{1,9})\t(?P<caption>.*)", re.DOTALL)
SPACED = re.compile(
    r"(?P<name>[^\s#]+\.(?:jpe?g|png)(?:\.[0-9]+)?)#(?P<number>[0-9]{1,9}) +(?P<caption>\S.*)",
    re.DOTALL | re.IGNORECASE,
)
"""A line whose tab became spaces. The file name has no space and ends like a photograph, so it can be told."""

BOGUS = re.compile(r".+\.(?:jpe?g|png)\.[0-9]+", re.IGNORECASE)
"""Names such as `2258277193_586949ec62.jpg.1`: captions of the original file that belong to no photograph."""

PHOTOGRAPH = re.compile(r"[0-9]+_[0-9a-f]{8,}\.jpg\b")
"""How Flickr's photographs are called in the Kaggle copy (`captions.txt`, a CSV in spite of its name)."""

IMAGE_FOLDERS = (
    "Images",
    "images",
    "Flicker8k_Dataset",
    "Flickr8k_Dataset",
    "flickr30k_images",
    "flickr30k-images",
)
"""Where the photographs lie beside the caption file; the misspelt one is the original archive's."""

LISTS = {
    "train": ("Flickr_8k.trainImages.txt", 6000),
    "dev": ("Flickr_8k.devImages.txt", 1000),
    "test": ("Flickr_8k.testImages.txt", 1000),
}
"""The official split lists and how many names they hold."""

OFFICIAL = ("Flickr8k.token.txt", 40_460)


def parse(request: ReadRequest) -> Parsed:
    """Return the rows of a token file, or of a CSV with the columns image and caption.

    Raises InputError where the file is no text, DatasetError where there is none.
    """
    text = read_text(request.captions)
    first = next((line for line in split_lines(text) if line.strip()), "")
    is_table = not LINE.fullmatch(first) and table.header_names(text)
    return _without_bogus(table.parse(request) if is_table else parse_tokens(request.captions))


def parse_tokens(path: Path) -> Parsed:
    """Return every caption of a token file, bogus names included."""
    rows: list[Row] = []
    problems: list[Problem] = []
    spaced: list[str] = []
    blank = 0
    for number, line in enumerate(split_lines(read_text(path)), start=1):
        if not line.strip():
            blank += 1
            continue
        found = LINE.fullmatch(line)
        if found is None and "\t" not in line:
            found = SPACED.fullmatch(line)
            if found:
                spaced.append(str(number))
        if found is None:
            problems.append(Problem(str(path), number, _fault(line)))
            continue
        name, index = found["name"], int(found["number"])
        rows.append(Row(name, name, found["caption"], f"{name}#{index}", None, number))
    notes = note(
        "spaces-for-tab", f"{plural(len(spaced), 'line')} with spaces where the tab was, on lines", spaced
    )
    if blank:
        notes += (Note("blank-lines", blank, f"{plural(blank, 'blank line')} passed over"),)
    if path.name == OFFICIAL[0] and len(rows) != OFFICIAL[1]:
        message = f"the original {path.name} holds {OFFICIAL[1]:,} captions, this copy {len(rows):,}"
        notes += (Note("unofficial-copy", len(rows), message),)
    return Parsed(tuple(rows), notes, tuple(problems))


def split_list(captions: Path, split: str) -> Path | None:
    """Return the official list of a split ("val" is their "dev") beside the caption file, None where there is none."""
    official = LISTS.get({"val": "dev"}.get(split, split))
    if official is None:
        return None
    for folder in (
        captions.parent,
        captions.parent / "Flickr8k_text",
        captions.parent.parent / "Flickr8k_text",
    ):
        if (folder / official[0]).is_file():
            return folder / official[0]
    return None


def list_note(path: Path, names: int) -> tuple[Note, ...]:
    """Return a note where a file called like an official list holds another number of names."""
    for name, count in LISTS.values():
        if path.name == name and names != count:
            return (
                Note(
                    "unofficial-list",
                    names,
                    f"the original {name} holds {count:,} names, this copy {names:,}",
                ),
            )
    return ()


def _fault(line: str) -> str:
    start = line if len(line) <= 60 else line[:57] + "..."
    if "\t" not in line:
        return f"no tab between name#N and caption: {start!r}"
    return f"does not start with name#N: {start!r}"


def _without_bogus(parsed: Parsed) -> Parsed:
    bogus = Counter(row.image for row in parsed.rows if BOGUS.fullmatch(row.image))
    if not bogus:
        return parsed
    kept = tuple(row for row in parsed.rows if row.image not in bogus)
    message = f"{plural(sum(bogus.values()), 'caption')} of names that are no photographs left out"
    return Parsed(kept, parsed.notes + note("bogus-names", message, bogus), parsed.problems)
