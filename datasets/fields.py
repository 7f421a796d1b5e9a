"""Values of JSON fields and table cells to ids, texts and rows, with a plain word for whatever is wrong.

Knows the well-known column names. Knows neither files nor lines.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from clipbench.datasets.caption_template import CaptionTemplate
from clipbench.datasets.rows import Columns, Note, Row
from clipbench.wording import plural

KNOWN: Mapping[str, tuple[str, ...]] = {
    "image": ("image_path", "image", "file_name", "filename", "filepath", "image_file", "img", "image_name"),
    "caption": ("caption", "captions", "text", "comment", "sentence", "title"),
    "image_id": ("image_id", "imgid", "img_id"),
    "caption_id": ("caption_id", "sentid", "caption_number", "comment_number"),
    "split": ("split",),
}
"""Role of a column -> names it has in files people have, the first one present wins."""

NAME_COLUMNS = (
    "name the columns: --image-column NAME --caption-column NAME, or compose captions of them: "
    "--caption-template '{COLUMN}, {COLUMN}'"
)
"""What to do where a table's columns do not tell what they are."""

_EXACT = 2.0**53

MOST_NAMES, LONGEST_NAME = 20, 60
"""What a message shows of the columns there are: a file may have a million of them."""


class FieldError(ValueError):
    """A value that is no id, no text, or missing. The message completes "line 3: ..."."""


def identifier(value: object, what: str) -> str:
    """Return an id as text: a non-empty string or a whole number. Raises FieldError."""
    if isinstance(value, bool) or value is None:
        raise FieldError(f"{what} is {'missing' if value is None else 'true/false'}")
    if isinstance(value, float) and value.is_integer():  # tables with gaps turn whole numbers into floats
        value = int(value)
    if isinstance(value, int):
        if abs(value) >= 10**30:
            raise FieldError(f"{what} is a number of more than 30 digits")
        return str(value)
    if not isinstance(value, str):
        raise FieldError(f"{what} is a {type(value).__name__}, not text or a whole number")
    name = clean(value, what).strip()
    if not name:
        raise FieldError(f"{what} is empty")
    return name


def clean(value: object, what: str) -> str:
    """Return a text exactly as it is. Raises FieldError where it is none, or holds half a surrogate pair."""
    if value is None:
        raise FieldError(f"{what} is missing")
    if not isinstance(value, str):
        raise FieldError(f"{what} is a {type(value).__name__}, not text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise FieldError(f"{what} holds half a surrogate pair at character {error.start}") from error
    return value


def posix(path: str) -> str:
    r"""Return a path with forward slashes and no leading "./", as Dataset records hold it.

    >>> posix(".\\images\\a.jpg")
    'images/a.jpg'
    """
    path = path.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which role; `image` or `image_id` is always there, and `caption` or templates.

    others: the columns that play none, those that templates use among them. required: which may not be empty.
    """

    image: str | None
    caption: str | None
    image_id: str | None
    caption_id: str | None
    split: str | None
    others: tuple[str, ...] = ()
    templates: tuple[CaptionTemplate, ...] = ()
    required: tuple[str, ...] = ()

    def lacking(self, record: Mapping[str, object]) -> str | None:
        """Return the first required column that is empty in a record, None where none is."""
        return next((name for name in self.required if not cell(record.get(name)).strip()), None)


def roles(columns: Columns, present: Iterable[str]) -> Roles:
    """Return the columns to use of those present: the named ones, else the well-known names.

    Templates take the place of a caption column and of its ids. Raises FieldError for a named column that is
    absent, and where no image or no caption column is found.
    """
    names = list(present)
    told = shown(names)
    composed = {name for template in columns.templates for name in template.columns}
    for asked in (*_named(columns), *sorted(composed), *columns.required):
        if asked not in names:
            raise FieldError(f"there is no column {asked!r}; found: {told}")
    chosen = {
        role: getattr(columns, role) or next((name for name in known if name in names), None)
        for role, known in KNOWN.items()
    }
    if columns.templates:
        chosen |= {"caption": None, "caption_id": None}
    elif chosen["caption"] is None:
        raise FieldError(f"no caption column among: {told}")
    if chosen["image"] is None and chosen["image_id"] is None:
        raise FieldError(f"no image column among: {told}")
    others = tuple(name for name in names if name not in chosen.values())
    return Roles(**chosen, others=others, templates=columns.templates, required=columns.required)


def _named(columns: Columns) -> list[str]:
    return [asked for role in KNOWN if (asked := getattr(columns, role)) is not None]


def shown(names: Sequence[str]) -> str:
    """Return column names for a message: the first few of very many, each cut where it is no name."""
    cut = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..." for name in names[:MOST_NAMES]]
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(cut)}{more}" if cut else "none"


def rows_of(record: Mapping[str, object], names: Roles, line: int) -> list[Row]:
    """Return the rows of one record: one, or one for each caption where the caption field is a list.

    An empty list, or null, is an image without captions, as is a record of which no template makes one; equal
    captions of several templates are one. Raises FieldError.
    """
    path = None
    if names.image is not None:
        path = posix(identifier(record.get(names.image), names.image))
    image = path if names.image_id is None else identifier(record.get(names.image_id), names.image_id)
    if image is None:
        raise FieldError("the image is missing")
    split = None
    if names.split is not None and record.get(names.split) not in (None, ""):
        split = identifier(record[names.split], names.split)
    cells = tuple(cell(record.get(name)) for name in names.others)
    plain = Row(image, path, None, None, split, line, cells)
    if names.caption is None:
        values = dict(zip(names.others, cells, strict=True))
        values |= {n: cell(record.get(n)) for t in names.templates for n in t.columns if n not in values}
        made = dict.fromkeys(template.compose(values) for template in names.templates)
        return [replace(plain, caption=text) for text in made if text is not None] or [plain]
    given = record.get(names.caption)
    numbers = None if names.caption_id is None else record.get(names.caption_id)
    if given is None and names.caption in record:  # null: an image without captions
        return [plain]
    if not isinstance(given, list):
        number = None if numbers is None else identifier(numbers, "caption id")
        return [replace(plain, caption=clean(given, names.caption), caption_id=number)]
    if not given:
        return [plain]
    if numbers is not None and not (isinstance(numbers, list) and len(numbers) == len(given)):
        raise FieldError(f"{len(given)} captions need a list of {len(given)} caption ids")
    ids = [identifier(n, "caption id") for n in numbers] if isinstance(numbers, list) else [None] * len(given)
    texts = [clean(text, f"{names.caption}[{place}]") for place, text in enumerate(given)]
    return [replace(plain, caption=text, caption_id=number) for text, number in zip(texts, ids, strict=True)]


def cell(value: object) -> str:
    """Return the value of a column that plays no role as text: "" where there is none.

    >>> cell(None), cell(12), cell(9.5), cell(True), cell(["red", "oak"])
    ('', '12', '9.5', 'true', 'red, oak')

    Raises FieldError for a text that holds half a surrogate pair.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):  # Parquet says nothing by NaN
        return ""
    if isinstance(value, str):
        return clean(value, "a column")
    if isinstance(value, list) and not any(isinstance(part, list | dict) for part in value):
        return ", ".join(text for part in value if (text := cell(part)))
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))  # tables with gaps turn whole numbers into floats
    plain = isinstance(value, bool | int | float | list | dict)
    return json.dumps(value, ensure_ascii=False) if plain else str(value)


def left_out(lacking: Counter[str]) -> tuple[Note, ...]:
    """Return what is said of rows that lack a required column, by column."""
    return tuple(
        Note("rows-left-out", count, f"{plural(count, 'row')} left out: {name} is empty")
        for name, count in lacking.items()
    )


def own_numbers(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, with caption ids that only count within each image turned into `<image>#<number>`.

    They do where every image numbers its captions 0, 1, 2 ... or every image 1, 2, 3 ..., repeats allowed.
    """
    numbers: dict[str, set[str]] = {}
    for row in rows:
        if row.caption_id is not None:
            numbers.setdefault(row.image, set()).add(row.caption_id)
    for first in (0, 1):
        if numbers and all(own == {str(n + first) for n in range(len(own))} for own in numbers.values()):
            return [
                row if row.caption_id is None else replace(row, caption_id=f"{row.image}#{row.caption_id}")
                for row in rows
            ]
    return list(rows)
