"""WebDataset: tar files of samples, each some files of one name: `0001.jpg` with `0001.txt` or `0001.json`.

A sample's key is its member's path up to the first dot of the file name, and what follows is the member's kind. The
photograph's id is the name of its member, as in a folder. Tars are read where they lie: nothing is unpacked, and what
members are called never becomes a path. Compressed tars have no places to read at, so they are refused.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from clipbench.datasets.fields import (
    NAME_COLUMNS,
    FieldError,
    Roles,
    clean,
    left_out,
    own_numbers,
    roles,
    rows_of,
)
from clipbench.datasets.jsonvalues import record
from clipbench.datasets.photographs import LINKED_TEXT
from clipbench.datasets.rows import Note, Parsed, ReadRequest, Row, note
from clipbench.datasets.shards import shards
from clipbench.datasets.textfile import json_fault
from clipbench.errors import DatasetError, InputError, Problem
from clipbench.foreign_files import ANY_SIZE, inside, open_foreign, parsing
from clipbench.photographs.containers import slice_path
from clipbench.photographs.opening import SUFFIXES
from clipbench.tabular.text import decode_text, split_lines
from clipbench.wording import plural

KEY = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
TEXTS = ("txt", "text", "caption")
"""Kinds of members that hold captions, one a line; the first one present counts."""

LARGEST_TEXT = 1 << 22
LARGEST_HEADER = 1 << 20
"""Bytes of a member's captions, and of the names and attributes before a member, that are read."""

COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
BLOCK = 512
_ID, _TEXT = "__key__", "txt"
"""What the photograph's name and the lines of the text are called among the fields of the JSON."""


class _UnnamedError(FieldError):
    """No field of a sample's JSON is known to hold captions."""


@dataclass(slots=True)
class _Member:
    name: str
    start: int
    length: int


@dataclass(slots=True)
class _Sample:
    key: str
    members: dict[str, _Member] = field(default_factory=dict)


@dataclass(slots=True)
class _Found:
    """What is collected on the way through all shards."""

    request: ReadRequest
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    names: Roles | None = None
    unnamed: list[Problem] = field(default_factory=list)
    lacking: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)


def parse(request: ReadRequest) -> Parsed:
    """Return the captions of every photograph in the shards, in the order of their names by code point, as in a folder.

    So neither how many shards there are counts, nor in what order members were put into them.

    Raises DatasetError where there is no shard, and where one is compressed.
    """
    found = _Found(request)
    files = shards(request.captions, (".tar",), links=request.follow_links)
    for name, path in files:
        if not request.follow_links and not path.resolve().is_relative_to(files.root.resolve()):
            found.problems.append(Problem(str(path), 0, LINKED_TEXT))
            continue
        _read(found, name, path)
    if found.unnamed and found.names is None:
        raise InputError(f"{request.captions} lacks a field", found.unnamed[:1], NAME_COLUMNS)
    found.problems += found.unnamed
    rows = sorted(_told_apart(found.rows), key=lambda row: row.image)
    notes = left_out(found.lacking) + note(
        "members-passed-over",
        f"{plural(found.passed.total(), 'member')} of other kinds passed over",
        [f"{kind} ({count:,})" for kind, count in sorted(found.passed.items())],
    )
    if rows and rows[0].image not in {row.image for row in found.rows}:
        message = "names repeat in several shards, so each id begins with its shard's name"
        notes += (Note("names-repeat", 1, message),)
    others = found.names.others if found.names else ()
    return Parsed(tuple(own_numbers(rows)), notes, tuple(found.problems), others)


def _read(found: _Found, name: str, path: Path) -> None:
    with open_foreign(path, ANY_SIZE, error=DatasetError) as file:
        magic = file.read(6)
        for begins, packer in COMPRESSED.items():
            if magic.startswith(begins):
                raise DatasetError(
                    f"{path} is compressed by {packer}, so nothing in it can be read in place",
                    f"decompress it: {packer.replace('gzip', 'gunzip').replace('bzip2', 'bunzip2')} {path.name}",
                )
        with parsing(path, "tar file", error=DatasetError):
            for sample in _samples(found, file, path):
                _take(found, sample, name, path, file)


def _samples(found: _Found, file: BinaryIO, path: Path) -> Iterable[_Sample]:
    """Return a shard's members by key, wherever in it they lie: a plain `tar` keeps no order."""
    samples: dict[str, _Sample] = {}
    for member in _members(found, file, path):
        match = KEY.fullmatch(member.name)
        if match is None or not inside(member.name):
            _odd(found, path, member.name)
            continue
        sample = samples.setdefault(match[1], _Sample(match[1]))
        if sample.members.setdefault(match[2].lower(), member) is not member:
            found.problems.append(Problem(str(path), 0, f"member {member.name!a} is there twice"))
    return samples.values()


def _odd(found: _Found, path: Path, name: str) -> None:
    if not inside(name):
        found.problems.append(Problem(str(path), 0, f"member {name!a}: its name leaves the folder"))
    elif not name.rpartition("/")[2].startswith("."):
        found.passed["without an ending"] += 1


def _members(found: _Found, file: BinaryIO, path: Path) -> Iterator[_Member]:
    """Yield the regular files of a tar; links, devices and sparse files are problems."""
    file.seek(0)
    size = os.fstat(file.fileno()).st_size
    with tarfile.open(fileobj=_Careful(file), mode="r:") as tar:  # type: ignore[call-overload]
        for info in tar:
            tar.members = []  # it would keep them all
            if info.isdir():
                continue
            name = info.name.removeprefix("./")
            if not info.isreg() or info.issparse():
                kind = (
                    "a sparse file"
                    if info.issparse()
                    else "a link"
                    if info.islnk() or info.issym()
                    else "a device"
                )
                found.problems.append(Problem(str(path), 0, f"member {name!a} is {kind}, no plain file"))
                continue
            if info.offset_data + info.size > size:
                raise DatasetError(f"{path} is cut short: member {name!a} ends beyond its {size:,} bytes")
            yield _Member(name, info.offset_data, info.size)
        end = tar.offset
    file.seek(end)
    block = file.read(BLOCK)
    if block.strip(b"\0") or (len(block) < BLOCK and end < size):
        raise DatasetError(
            f"{path} is damaged at byte {end:,}: there is no member and no end", "make or fetch it again"
        )
    if not block:
        found.odd.append(path.name)


class _Careful:
    """A file for `tarfile` that is never asked for more than a header may have."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes, at most {LARGEST_HEADER:,} are read")
        return self._file.read(size)


def _take(found: _Found, sample: _Sample, shard: str, path: Path, file: BinaryIO) -> None:
    """Add the rows of one sample, or what is wrong with it."""
    kinds = [kind for kind in sample.members if f".{kind}".endswith(SUFFIXES)]
    plain = [kind for kind in kinds if "." not in kind]
    image = found.request.columns.image
    chosen = [image] if image in sample.members else plain or kinds
    if len(chosen) != 1:
        if chosen:
            fault = f"sample {sample.key!a} has several photographs: {', '.join(chosen)} (--image-column KIND takes one)"
            found.problems.append(Problem(str(path), 0, fault))
        else:
            found.passed.update(sample.members)
        return
    member = sample.members[chosen[0]]
    where = slice_path(shard, member.start, member.length, member.name)
    try:
        clean(member.name, "the member's name")
        found.rows += _rows(found, sample, member, where, file)
    except _UnnamedError as error:
        found.unnamed.append(Problem(str(path), 0, f"sample {sample.key!a}: {error}"))
    except (FieldError, InputError) as error:
        message = error.problems[0].message if isinstance(error, InputError) else str(error)
        found.problems.append(Problem(str(path), 0, f"sample {sample.key!a}: {message}"))


def _rows(found: _Found, sample: _Sample, member: _Member, where: str, file: BinaryIO) -> list[Row]:
    """Return a sample's rows. where: the path of its photograph."""
    columns = found.request.columns
    bare = [Row(member.name, where, None)]
    if found.request.no_captions:
        return bare
    texts = [kind for kind in TEXTS if kind in sample.members]
    if columns.caption in sample.members:
        texts = [columns.caption]
    told = sample.members.get("json")
    values: dict[str, object] = {}
    if told is not None:
        values = dict(_json(file, told))
    if texts and (columns.caption is None or columns.caption in texts) and not columns.templates:
        lines = _lines(file, sample.members[texts[0]])
        values[_TEXT] = lines
        if told is None:
            return [Row(member.name, where, line) for line in lines] or bare
    elif told is None:
        return bare
    else:
        values.setdefault(_TEXT, None)  # this one has no text, and so no captions where the others have
    names = _roles(found, values)
    values[_ID] = member.name
    if lacks := names.lacking(values):
        found.lacking[lacks] += 1
        return []
    return [
        Row(row.image, where, row.caption, row.caption_id, row.split, 0, row.cells)
        for row in rows_of(values, names, 0)
    ]


def _lines(file: BinaryIO, member: _Member) -> list[str]:
    data = _bytes(file, member)
    if not data.strip():
        return []
    return [line for line in split_lines(decode_text(data, member.name).text) if line.strip()]


def _roles(found: _Found, values: dict[str, object]) -> Roles:
    """Return the roles of the fields of the JSON, by the first one that there is."""
    if found.names is None:
        columns = found.request.columns
        caption = _TEXT if values.get(_TEXT) is not None else columns.caption
        asked = replace(columns, image=None, caption=None if columns.templates else caption)
        asked = replace(asked, image_id=columns.image_id or _ID)
        nested = {name for name, held in values.items() if isinstance(held, dict)}
        try:
            names = roles(asked, [*(n for n, held in values.items() if n != _TEXT or held is not None), _ID])
        except FieldError as error:
            raise _UnnamedError(str(error)) from error
        plain = tuple(n for n in names.others if n not in nested and n not in {_ID, _TEXT})
        found.names = replace(names, image=None, others=plain)
    return found.names


def _json(file: BinaryIO, member: _Member) -> dict[str, object]:
    try:
        return dict(record(json.loads(_bytes(file, member)), "its JSON"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, FieldError):
            raise
        raise FieldError(f"{member.name}: {json_fault(error)[1]}") from error


def _bytes(file: BinaryIO, member: _Member) -> bytes:
    if member.length > LARGEST_TEXT:
        raise FieldError(
            f"{member.name} has {member.length:,} bytes, at most {LARGEST_TEXT:,} are read as captions"
        )
    at = file.tell()
    file.seek(member.start)
    data = file.read(member.length)
    file.seek(at)
    return data


def _told_apart(rows: list[Row]) -> list[Row]:
    """Return the rows; where a name is in several shards, with the shard's name before every id."""
    shard_of: dict[str, str] = {}
    for row in rows:
        shard = (row.path or "").partition("/bytes-")[0]
        if shard_of.setdefault(row.image, shard) != shard:
            break
    else:
        return rows
    return [replace(row, image=f"{(row.path or '').partition('/bytes-')[0]}/{row.image}") for row in rows]
