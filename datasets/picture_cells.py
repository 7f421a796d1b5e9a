"""Tables whose cells hold photographs: what both Parquet and Arrow files of Hugging Face have in common.

A picture is a struct of its bytes and its file name, or the bytes alone. A row with the same name as an earlier one,
and the same bytes, is another caption of that photograph. Knows records; how their bytes are found is its readers'.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clipbench.datasets.fields import (
    KNOWN,
    NAME_COLUMNS,
    FieldError,
    Roles,
    identifier,
    left_out,
    own_numbers,
    posix,
    roles,
    rows_of,
)
from clipbench.datasets.rows import Parsed, ReadRequest, Row
from clipbench.errors import InputError, PhotographError, Problem
from clipbench.photographs.opening import checked_digest

NEEDS = ("pyarrow, which is not installed", "pip install 'clipbench[parquet]'")

SPLIT = re.compile(r"(.+?)-\d{5}-of-\d{5}\.\w+")
"""`test-00000-of-00003.parquet`: how Hugging Face names the files of a split."""

BYTES, PATH = "bytes", "path"


@dataclass(frozen=True, slots=True)
class Layout:
    """What a table's schema says. `picture` is the column of photographs, None where it names files instead.

    named: whether the pictures have file names beside their bytes. names: the roles of all columns. own: the same
    where the picture's column holds the image's id.
    """

    picture: str | None
    named: bool
    names: Roles
    own: Roles

    @property
    def read(self) -> list[str]:
        """The columns that captions and ids are read from, that of the pictures not among them."""
        own = self.names
        asked = (own.image, own.caption, own.image_id, own.caption_id, own.split, *own.required)
        composed = [name for template in own.templates for name in template.columns]
        wanted = dict.fromkeys(n for n in (*asked, *composed, *own.others) if n is not None)
        return [name for name in wanted if name != self.picture]


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table: its cells, its picture's file name, and the path of its bytes, None where it has none."""

    number: int
    cells: dict[str, Any]
    name: str | None = None
    place: str | None = None


@dataclass(slots=True)
class Gathered:
    """Rows of all files on the way. root: where paths of photographs start from."""

    root: Path
    request: ReadRequest
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lacking: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def take(self, file: Path, layout: Layout, records: Iterable[Record], split: str | None) -> None:
        """Add the rows of one file's records, or what is wrong with them."""
        for record in records:
            try:
                self.rows += self._rows(file, layout, record, split)
            except FieldError as error:
                self.problems.append(Problem(str(file), record.number, f"row {record.number}: {error}"))

    def parsed(self, others: Sequence[str]) -> Parsed:
        """Return everything that was gathered."""
        return Parsed(
            tuple(own_numbers(self.rows)), left_out(self.lacking), tuple(self.problems), tuple(others)
        )

    def _rows(self, file: Path, layout: Layout, record: Record, split: str | None) -> list[Row]:
        names = layout.names
        if lacks := names.lacking(record.cells):
            self.lacking[lacks] += 1
            return []
        if layout.picture is None:
            return rows_of(record.cells, names, record.number)
        if record.place is None and record.name is not None:
            raise FieldError(
                f"{layout.picture} holds no bytes, only the name {record.name}: save it with the pictures inside"
            )
        image = self._image(file, layout, record)
        place = None if record.place is None else self._place(image, record.place)
        if self.request.no_captions:
            return [Row(image, place, None, None, split, record.number)]
        rows = rows_of({**record.cells, layout.picture: image}, layout.own, record.number)
        return [
            Row(image, place, row.caption, row.caption_id, row.split or split, row.line, row.cells)
            for row in rows
        ]

    def _image(self, file: Path, layout: Layout, record: Record) -> str:
        column = layout.names.image_id
        if column is not None:
            return identifier(record.cells.get(column), column)
        if record.name:
            return posix(identifier(record.name, f"{layout.picture}.{PATH}"))
        return f"{file.relative_to(self.root).as_posix()}/{record.number - 1}"

    def _place(self, image: str, place: str) -> str:
        """Return where an image's bytes are: at its first row, if a later one has the same."""
        first = self.first.setdefault(image, place)
        if first == place:
            return place
        known = self.digests.get(image) or self._digest(first)
        self.digests[image] = known
        if known != self._digest(place):
            raise FieldError(
                f"image {image} is another photograph than in an earlier row of that name (--image-id-column tells them apart)"
            )
        return first

    def _digest(self, place: str) -> str:
        try:
            return checked_digest(self.root / place)
        except PhotographError as error:
            raise FieldError(f"unreadable: {error}") from error


def layout(path: Path, schema: Any, request: ReadRequest) -> Layout:
    """Return what plays which role in a table of this Arrow schema. Raises InputError where no column does."""
    from pyarrow import types

    columns = request.columns
    candidates = (
        [columns.image]
        if columns.image
        else [n for n in (*KNOWN["image"], *schema.names) if n in schema.names]
    )
    picture = next(
        (
            name
            for name in dict.fromkeys(candidates)
            if name in schema.names and _is_picture(schema.field(name).type)
        ),
        None,
    )
    text = next((n for n in KNOWN["image"] if n in schema.names and _is_text(schema.field(n).type)), None)
    if columns.image is None and text is not None:
        picture = None  # a table of file names, as ever
    plain = {name for name in schema.names if _is_plain(schema.field(name).type)}
    try:
        asked = replace(columns, image=picture) if picture else columns
        if request.no_captions:
            asked = replace(asked, caption=picture or columns.image, templates=())
        names = roles(asked, schema.names)
    except FieldError as error:
        raise InputError(
            f"{path} lacks a column", [Problem(str(path), 0, str(error))], NAME_COLUMNS
        ) from error
    names = replace(names, others=tuple(name for name in names.others if name in plain))
    named = picture is not None and types.is_struct(schema.field(picture).type)
    return Layout(picture, named, names, replace(names, image=picture, image_id=None))


def _is_picture(type_: Any) -> bool:
    from pyarrow import types

    if types.is_struct(type_):
        return any(
            type_.field(n).name == BYTES and _is_bytes(type_.field(n).type) for n in range(type_.num_fields)
        )
    return _is_bytes(type_)


def _is_bytes(type_: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(type_) or types.is_large_binary(type_))


def _is_text(type_: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(type_) or types.is_large_string(type_) or types.is_dictionary(type_))


def _is_plain(type_: Any) -> bool:
    """Whether values of a type are kept: texts and numbers, not pictures and nested ones."""
    from pyarrow import types

    return not (types.is_nested(type_) or _is_bytes(type_))


def split_of(name: str) -> str | None:
    """Return the split that a file's name tells of, by Hugging Face's way of naming.

    >>> split_of("data/test-00000-of-00003.parquet"), split_of("photos.parquet")
    ('test', None)
    """
    match = SPLIT.fullmatch(name.rpartition("/")[2])
    return None if match is None else match[1]
