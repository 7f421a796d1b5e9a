"""Vectors made elsewhere, read from disk: .npy with an id list, HDF5, clip-retrieval folders. No pickles.

Knows file layouts; what the ids mean is for `importing` to check.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError, InputError, Problem
from clipbench.foreign_files import open_foreign, parsing, read_foreign
from clipbench.records import Modality
from clipbench.study.embedding import hdf5_trial
from clipbench.study.output.escapes import MARK, restored
from clipbench.tabular.text import decode_text, split_lines

MAGIC_HDF5 = b"\x89HDF\r\n\x1a\n"
MAGIC_NPY = b"\x93NUMPY"
NPY_HINT = "numpy.save(FILE, array) writes one from floats"

LARGEST, LARGEST_IDS = 1 << 40, 1 << 30
"""Bytes of a file of vectors, which is read when its ids are known to fit, and of an id list."""

TRIAL_SECONDS, SLOWEST = 20.0, 10 << 20
"""Seconds in which an HDF5 file must be read, and bytes that the slowest disk reads in another one."""

UNPACKED, RATIO = 64 << 20, 20
"""Bytes that a dataset of HDF5 may unpack to, and times more than its file has. Vectors hardly pack."""

PREFIX = {"image": "img_emb", "text": "text_emb"}
CAPTION = "caption"
"""The column in which clip-retrieval keeps what a text says; its captions have no ids."""

ID_COLUMNS = {"image": ("image_path", "key", "id"), "text": ("caption_id", "image_path", "key", "id")}


FLOAT32: np.dtype[np.floating[Any]] = np.dtype(np.float32)


@dataclass(frozen=True)
class Vectors:
    """Vectors as a file holds them: float32 (n, D), and the id of each row. `file` is for messages.

    dtype: the type that it has them in, float32 for finer ones. captions: where the ids are images' and the vectors are texts', what each of them says; else None.
    """

    file: str
    ids: tuple[str, ...]
    rows: npt.NDArray[np.float32]
    captions: tuple[str, ...] | None = None
    dtype: np.dtype[np.floating[Any]] = FLOAT32


def read_vectors(path: Path, ids: Path | None, modality: Modality) -> Vectors:
    """Return the vectors at `path` with their ids.

    .npy needs `ids` (one id per line); HDF5 has datasets `vectors` and `ids`, in the group
    `image` or `text` where there is one (`embed export` writes those), or `ids` beside it; a folder is what
    clip-retrieval writes (img_emb/*.npy or text_emb/*.npy with metadata/*.parquet).

    Raises DatasetError for a path of no known layout, InputError where ids and vectors do not fit together.
    """
    if path.is_dir():
        return _clip_retrieval(path, modality)
    if not path.exists():
        raise DatasetError(
            f"{path} does not exist", "name a .npy file, an .h5 file or a clip-retrieval folder"
        )
    with open_foreign(path, LARGEST, error=DatasetError) as file:
        magic = file.read(len(MAGIC_HDF5))
    if magic == MAGIC_HDF5:
        return _hdf5(path, ids, modality)
    rows = _npy(path)
    if ids is None:
        raise _without_ids(path, len(rows), modality)
    return _matched(path, _id_lines(ids), rows)


def _without_ids(path: Path, rows: int, modality: Modality) -> DatasetError:
    return DatasetError(
        f"{path.name} holds {rows:,} vectors and no ids",
        f"--{modality}-ids FILE names them, one per line, in order",
    )


def _matched(path: Path, names: Sequence[str], rows: npt.NDArray[np.floating[Any]]) -> Vectors:
    _check_count(path, len(rows), len(names))
    numbers = np.ascontiguousarray(rows, dtype=np.float32)
    coarse = rows.dtype if rows.dtype.itemsize < numbers.itemsize else numbers.dtype
    return Vectors(str(path), tuple(names), numbers, dtype=coarse)


def _check_count(path: Path, rows: int, names: int) -> None:
    if names != rows:
        raise InputError(
            "vectors and ids do not fit",
            [Problem(str(path), 0, f"{rows:,} vectors, {names:,} ids")],
            "give the id list that was written with these vectors",
        )


def _npy(path: Path) -> npt.NDArray[np.floating[Any]]:
    """Return the array of a file, still on the disk: it is read once its ids are known to fit."""
    _check_npy(path)
    with parsing(path, ".npy file of numbers", error=DatasetError, hint=NPY_HINT):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    vectors: npt.NDArray[np.floating[Any]] = _matrix(path, array)
    return vectors


def _check_npy(path: Path) -> None:
    """Raise DatasetError where a file's header is none, or announces more than follows it."""
    with (
        open_foreign(path, LARGEST, error=DatasetError) as file,
        parsing(path, ".npy file of numbers", error=DatasetError, hint=NPY_HINT),
    ):
        if file.read(len(MAGIC_NPY)) != MAGIC_NPY:
            # A pickle runs code when it is read, and numpy takes whatever it does not know for one.
            raise ValueError("it is pickled or another format")
        file.seek(0)
        read = np.lib.format.read_array_header_1_0
        if np.lib.format.read_magic(file) != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject:
            raise ValueError("it is pickled or another format")
        announced, there = math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
        if announced != there:
            raise ValueError(f"it announces {announced:,} bytes of numbers, {there:,} follow")


def _matrix(path: Path, array: Any) -> Any:
    """Return an array or a dataset of HDF5 that is vectors by its shape and type. Raises DatasetError."""
    shape, kind = getattr(array, "shape", "several arrays"), getattr(array, "dtype", None)
    if not isinstance(shape, tuple) or len(shape) != 2 or getattr(kind, "kind", "") != "f":
        raise DatasetError(f"{path} holds {kind} {shape}; vectors are floats of shape (items, dimension)")
    return array


def _hdf5(path: Path, ids: Path | None, modality: Modality) -> Vectors:
    import h5py

    try_hdf5([path], [f"{group}{name}" for group in ("", f"{modality}/") for name in ("ids", "vectors")])
    # Nothing is written to it, so no lock is needed, and some file systems have none.
    with (
        parsing(path, "HDF5 file", error=DatasetError),
        h5py.File(path, "r", locking=False) as file,
    ):
        group = file[modality] if isinstance(_linked(file, modality), h5py.Group) else file
        vectors = _linked(group, "vectors")
        if not isinstance(vectors, h5py.Dataset):
            raise DatasetError(
                f"{path} has no dataset `vectors` or `{modality}/vectors`; "
                f"it has {', '.join(sorted(file)) or 'nothing'}"
            )
        _matrix(path, vectors)
        if ids is None and not isinstance(_linked(group, "ids"), h5py.Dataset):
            raise _without_ids(path, len(vectors), modality)
        names = _id_lines(ids) if ids is not None else _hdf5_ids(path, group["ids"], len(vectors))
        _check_count(path, len(vectors), len(names))
        _check_size(path, vectors)
        return _matched(path, names, vectors[()])


def try_hdf5(paths: Sequence[Path], names: Sequence[str]) -> None:
    """Read files of HDF5 in a process of its own first. Raises DatasetError where that one fails or hangs.

    names: datasets that are read of each where it has them, and attributes as `@NAME`.
    """
    size = sum(path.stat().st_size for path in paths)
    files = [str(path.resolve()) for path in paths]
    # Isolated, so that no file of the folder this was typed in takes the place of a library.
    command = [sys.executable, "-I", hdf5_trial.__file__, str(size), str(len(names)), *names, *files]
    try:
        done = subprocess.run(  # noqa: S603, our own interpreter and our own file
            command, capture_output=True, timeout=TRIAL_SECONDS + size / SLOWEST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DatasetError(
            f"{paths[0]} is no HDF5 file that can be read (the HDF5 library hangs in it)"
        ) from error
    if done.returncode:
        told = (
            " ".join(done.stderr.decode("utf-8", "replace").split())[:200] or "the HDF5 library fails in it"
        )
        raise DatasetError(f"{paths[0]} is no HDF5 file that can be read ({told})")


def _linked(group: Any, name: str) -> Any:
    """Return what lies under a name in this very file, None for nothing or a link to another file."""
    import h5py

    return group.get(name) if isinstance(group.get(name, getlink=True), h5py.HardLink) else None


def _hdf5_ids(path: Path, ids: Any, rows: int) -> list[str]:
    if ids.shape != (rows,):
        _check_count(path, rows, ids.shape[0] if len(ids.shape) == 1 else 0)
    _check_size(path, ids)
    names = [value.decode() if isinstance(value, bytes) else str(value) for value in ids[()]]
    return [restored(name) for name in names] if MARK in ids.attrs else names


def _check_size(path: Path, dataset: Any) -> None:
    """Raise ValueError where a dataset lies in another file, or unpacks to far more than its file has."""
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} lies in another file")
    size = path.stat().st_size
    if dataset.nbytes > UNPACKED + RATIO * size:
        raise ValueError(f"{dataset.name} unpacks to {dataset.nbytes:,} bytes from {size:,}")


def _id_lines(path: Path) -> list[str]:
    return split_lines(decode_text(read_foreign(path, LARGEST_IDS, error=DatasetError), str(path)).text)


def _clip_retrieval(folder: Path, modality: Modality) -> Vectors:
    parts = sorted((folder / PREFIX[modality]).glob("*.npy"), key=_part_number)
    tables = sorted((folder / "metadata").glob("*.parquet"), key=_part_number)
    if not parts or len(parts) != len(tables):
        raise DatasetError(
            f"{folder} holds {len(parts)} {PREFIX[modality]}/*.npy and {len(tables)} metadata/*.parquet; "
            "clip-retrieval writes one of each per part",
            "name the folder that holds img_emb/, text_emb/ and metadata/",
        )
    names: list[str] = []
    captions: list[str] = []
    for table in tables:
        ids, said = _parquet_ids(table, modality)
        names += ids
        captions += said
    vectors = _matched(folder, names, np.concatenate([_npy(part) for part in parts]))
    return replace(vectors, captions=tuple(captions)) if len(captions) == len(names) else vectors


def _part_number(path: Path) -> tuple[int, str]:
    digits = path.stem.rpartition("_")[2]
    return (int(digits) if digits.isdecimal() else 0, path.name)


def _parquet_ids(path: Path, modality: Modality) -> tuple[list[str], list[str]]:
    """Return the id of each row and, where these are images' and texts are asked for, their captions."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise DatasetError("reading Parquet needs pyarrow", "pip install 'clipbench[parquet]'") from None
    with (
        open_foreign(path, LARGEST, error=DatasetError) as file,
        parsing(path, "Parquet file", error=DatasetError),
    ):
        table = parquet.ParquetFile(file)
        columns = table.schema_arrow.names
        name = next((known for known in ID_COLUMNS[modality] if known in columns), None)
        if name is not None:
            asked = [name, CAPTION] if modality == "text" and CAPTION in columns else [name]
            read = table.read(columns=asked)
            captions = read[CAPTION].to_pylist() if CAPTION in asked and name != "caption_id" else []
            return [str(value) for value in read[name].to_pylist()], [str(text or "") for text in captions]
    wanted = ", ".join(ID_COLUMNS[modality])
    raise DatasetError(f"{path} has the columns {', '.join(columns)}; one of {wanted} names the items")
