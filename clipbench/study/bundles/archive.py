"""Bundles as zip files: written the same for the same content, read without trusting a byte of them.

Nothing is ever unpacked to the disk. Names, sizes and counts are looked at before anything is read, and no
more is read than was announced. Knows members by name and bytes, not what they mean.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError, InputError, Problem
from clipbench.foreign_files import open_foreign, reason
from clipbench.keys import digest
from clipbench.study.output.whole_files import whole_file

MANIFEST = "manifest.json"
FORMAT, VERSION = "clipbench bundle", 1
NAME = re.compile(r"(?:[a-z0-9_]{1,64}/){0,3}[a-z0-9_]{1,64}\.(?:json|npy)")
"""Members are called so and not otherwise: no .., no drive, no backslash, no capitals that a disk may fold."""

HEADER = 256
"""Most bytes of an array's header; numpy writes 118 for a row or table of numbers."""

MEMBERS = 20_000
LARGEST = 512 << 20
TOTAL = 2 << 30
"""Most members, and most bytes of one and of all of them unpacked."""

RATIO = 200
"""Times that a member may unpack to more than it takes, beyond its first megabyte; ledgers reach 30."""


def write_members(members: Mapping[str, bytes], out: Path, *, force: bool = False) -> str:
    """Write a bundle and return its name: the digest of everything in it.

    Raises ClipbenchError where `out` exists and `force` is False, or cannot be written.
    """
    files = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in sorted(members.items())
    }
    name = bundle_name(files)
    manifest = {"format": FORMAT, "version": VERSION, "bundle": name, "files": files}
    with whole_file(out, force=force) as path, zipfile.ZipFile(path, "w") as archive:
        for member, data in {MANIFEST: json_bytes(manifest), **dict(sorted(members.items()))}.items():
            info = zipfile.ZipInfo(member)  # of a fixed date, so that the same content is the same file
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED, compresslevel=6)
    return name


def bundle_name(files: Mapping[str, Any]) -> str:
    """Return the digest of the members' names, sizes and digests."""
    return digest("bundle", {name: [told["sha256"], told["bytes"]] for name, told in files.items()})


def read_members(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a bundle's name and its members, the manifest left out.

    Raises InputError with everything that is wrong: names, sizes, digests, members too few or too many.
    """
    try:
        with open_foreign(path, TOTAL, error=DatasetError) as file, zipfile.ZipFile(file) as archive:
            _check_announced(path, archive)
            members = {info.filename: _read(path, archive, info) for info in archive.infolist()}
    except DatasetError as error:  # no file, or no regular one
        raise _refused(path, [Problem(str(path), 0, error.message)]) from error
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
        raise _refused(path, [Problem(str(path), 0, f"no readable zip file ({error})")]) from error
    except InputError:
        raise
    except Exception as error:  # encrypted, or damaged inside: zipfile raises whatever it meets
        raise _refused(path, [Problem(str(path), 0, f"cannot be unpacked ({reason(error)})")]) from error
    manifest = _manifest(path, members.pop(MANIFEST, None))
    problems = list(_against(path, manifest["files"], members))
    if bundle_name(manifest["files"]) != manifest["bundle"]:
        problems.append(Problem(f"{path}!{MANIFEST}", 0, "the bundle's name is not that of its members"))
    if problems:
        raise _refused(path, problems)
    return str(manifest["bundle"]), members


def _check_announced(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise InputError where names, sizes or counts alone forbid to read on."""
    problems = _announced(path, archive)
    if problems:
        raise _refused(path, problems)


def _announced(path: Path, archive: zipfile.ZipFile) -> list[Problem]:
    infos = archive.infolist()
    problems = []
    if len(infos) > MEMBERS:
        return [Problem(str(path), 0, f"{len(infos):,} members, at most {MEMBERS:,} are read")]
    names = Counter(info.filename for info in infos)
    for info in infos:
        where = f"{path}!{info.filename[:80]!r}"
        if not NAME.fullmatch(info.filename):
            problems.append(Problem(where, 0, "no member of a bundle is called so"))
        if names[info.filename] > 1:
            problems.append(Problem(where, 0, "is there twice"))
        if info.flag_bits & 1:
            problems.append(Problem(where, 0, "is encrypted"))
        if info.file_size > LARGEST:
            problems.append(Problem(where, 0, f"{info.file_size:,} bytes, at most {LARGEST:,} are read"))
        if info.file_size > (1 << 20) + RATIO * info.compress_size:
            problems.append(
                Problem(where, 0, f"{info.compress_size:,} bytes that unpack to {info.file_size:,}: a bomb")
            )
    total = sum(info.file_size for info in infos)
    if total > TOTAL:
        problems.append(Problem(str(path), 0, f"unpacks to {total:,} bytes, at most {TOTAL:,} are read"))
    return problems


def _read(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as member:
        data = member.read(info.file_size + 1)
    if len(data) != info.file_size:
        where = f"{path}!{info.filename}"
        raise _refused(path, [Problem(where, 0, f"{info.file_size:,} bytes are announced, others are there")])
    return data


def _manifest(path: Path, data: bytes | None) -> dict[str, Any]:
    where = f"{path}!{MANIFEST}"
    if data is None:
        raise _refused(path, [Problem(where, 0, "is not there: this is no bundle")])
    found = json_value(path, MANIFEST, data)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _refused(path, [Problem(where, 0, f"is not that of a {FORMAT}")])
    if found.get("version") != VERSION:
        told = f"version {found.get('version')!r}, this clipbench reads {VERSION}"
        raise _refused(path, [Problem(where, 0, told)])
    files = found.get("files")
    sound = isinstance(files, dict) and all(
        isinstance(told, dict) and isinstance(told.get("sha256"), str) and isinstance(told.get("bytes"), int)
        for told in files.values()
    )
    if not sound:
        raise _refused(path, [Problem(where, 0, "names no files")])
    return found


def _against(path: Path, files: Mapping[str, Any], members: Mapping[str, bytes]) -> list[Problem]:
    problems = [Problem(f"{path}!{name}", 0, "is missing") for name in sorted(set(files) - set(members))]
    for name, data in sorted(members.items()):
        if name not in files:
            problems.append(Problem(f"{path}!{name}", 0, "is not in the manifest"))
        elif (found := hashlib.sha256(data).hexdigest()) != files[name]["sha256"]:
            told = f"has SHA-256 {found[:12]}, the manifest says {files[name]['sha256'][:12]}"
            problems.append(Problem(f"{path}!{name}", 0, told))
    return problems


def _refused(path: Path, problems: list[Problem]) -> InputError:
    return InputError(
        f"bundle {path}", problems, "ask for the file again; clipbench runs export --bundle writes one"
    )


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON in one form only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def json_value(path: Path, name: str, data: bytes) -> Any:
    """Return the value of a member that is JSON. Raises InputError."""
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _refused(path, [Problem(f"{path}!{name}", 0, f"is no JSON ({error})")]) from error


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no number")


def array_bytes(array: npt.NDArray[Any]) -> bytes:
    """Return an array as the bytes of an .npy file, little-endian."""
    data = io.BytesIO()
    np.lib.format.write_array(data, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return data.getvalue()


def array_value(
    path: Path, name: str, data: bytes, dtype: str, columns: int | None = None
) -> npt.NDArray[Any]:
    """Return the array of a member: one row of numbers of `dtype`, or rows of `columns` of them.

    Its header is held against the bytes that follow before any memory is given to it. Raises InputError.
    """
    try:
        return _array(data, np.dtype(dtype), columns)
    except Exception as error:
        # numpy evaluates the header, and raises whatever its content does to it: SyntaxError, TypeError …
        told = f"is no array of a bundle: {reason(error)}"
        raise _refused(path, [Problem(f"{path}!{name}", 0, told)]) from error


def _array(data: bytes, wanted: np.dtype[Any], columns: int | None) -> npt.NDArray[Any]:
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("it is of another version of .npy")
    # Python's parser reads the header; bounded like this it cannot be made to take long or to nest deeply.
    shape, by_column, kind = np.lib.format.read_array_header_1_0(file, max_header_size=HEADER)
    if kind != wanted or by_column or len(shape) != (1 if columns is None else 2):
        raise ValueError(f"holds {kind} of shape {shape}, {wanted.str} was expected")
    if columns is not None and shape[1] != columns:
        raise ValueError(f"has rows of {shape[1]} numbers, {columns} were expected")
    rest = len(data) - file.tell()
    if min(shape) < 0 or math.prod(shape) * wanted.itemsize != rest:
        raise ValueError(f"announces shape {shape}, {rest:,} bytes follow")
    return np.frombuffer(data, dtype=wanted, offset=file.tell()).reshape(shape)
