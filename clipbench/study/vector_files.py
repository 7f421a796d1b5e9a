"""Vectors made elsewhere, read from disk: .npy with an id list, HDF5, clip-retrieval folders. No pickles.

Knows file layouts; what the ids mean is for `importing` to check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError, InputError, Problem
from clipbench.records import Modality

MAGIC_HDF5 = b"\x89HDF\r\n\x1a\n"
PREFIX = {"image": "img_emb", "text": "text_emb"}
ID_COLUMNS = {"image": ("image_path", "key", "id"), "text": ("caption_id", "caption", "key", "id")}


@dataclass(frozen=True)
class Vectors:
    """Vectors as a file holds them: float32 (n, D), and the id of each row. `file` is for messages."""

    file: str
    ids: tuple[str, ...]
    rows: npt.NDArray[np.float32]


def read_vectors(path: Path, ids: Path | None, modality: Modality) -> Vectors:
    """Return the vectors at `path` with their ids.

    .npy needs `ids` (one id per line); HDF5 has datasets `vectors` and `ids`, in the group
    `image` or `text` where there is one (`embed export` writes those), or `ids` beside it; a folder is what
    clip-retrieval writes (img_emb/*.npy or text_emb/*.npy with metadata/*.parquet).

    Raises DatasetError for a path of no known layout, InputError where ids and vectors do not fit together.
    """
    if path.is_dir():
        return _clip_retrieval(path, modality)
    if not path.is_file():
        raise DatasetError(
            f"{path} does not exist", "name a .npy file, an .h5 file or a clip-retrieval folder"
        )
    with path.open("rb") as file:
        magic = file.read(len(MAGIC_HDF5))
    if magic == MAGIC_HDF5:
        rows, own = _hdf5(path, modality)
    else:
        rows, own = _npy(path), None
    names = _id_lines(ids) if ids is not None else own
    if names is None:
        raise DatasetError(
            f"{path.name} holds {len(rows):,} vectors and no ids",
            f"--{modality}-ids FILE names them, one per line, in order",
        )
    return _matched(path, names, rows)


def _matched(path: Path, names: Sequence[str], rows: npt.NDArray[np.float32]) -> Vectors:
    if len(names) != len(rows):
        raise InputError(
            "vectors and ids do not fit",
            [Problem(str(path), 0, f"{len(rows):,} vectors, {len(names):,} ids")],
            "give the id list that was written with these vectors",
        )
    return Vectors(str(path), tuple(names), rows)


def _npy(path: Path) -> npt.NDArray[np.float32]:
    try:
        # A pickle runs code when it is read, so object arrays are refused.
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        # numpy takes whatever it does not know for a pickle, and says how to read one all the same.
        why = "it is pickled or another format" if "pickle" in str(error) else error
        raise DatasetError(
            f"{path} is no .npy file of numbers: {why}", "numpy.save(FILE, array) writes one from floats"
        ) from error
    return _matrix(path, array)


def _matrix(path: Path, array: object) -> npt.NDArray[np.float32]:
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
        shape = getattr(array, "shape", "several arrays")
        kind = getattr(array, "dtype", "")
        raise DatasetError(f"{path} holds {kind} {shape}; vectors are floats of shape (items, dimension)")
    return np.ascontiguousarray(array, dtype=np.float32)


def _hdf5(path: Path, modality: Modality) -> tuple[npt.NDArray[np.float32], list[str] | None]:
    import h5py

    try:
        # Nothing is written to it, so no lock is needed, and some file systems have none.
        with h5py.File(path, "r", locking=False) as file:
            side = file[modality] if isinstance(file.get(modality), h5py.Group) else file
            if "vectors" not in side:
                raise DatasetError(
                    f"{path} has no dataset `vectors` or `{modality}/vectors`; "
                    f"it has {', '.join(sorted(file)) or 'nothing'}"
                )
            rows = _matrix(path, side["vectors"][()])
            if "ids" not in side:
                return rows, None
            return rows, [v.decode() if isinstance(v, bytes) else str(v) for v in side["ids"][()]]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is no HDF5 file that can be read: {error}") from error


def _id_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read the ids in {path}: {error}") from error
    lines = text.replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


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
    for table in tables:
        names += _parquet_ids(table, modality)
    return _matched(folder, names, np.concatenate([_npy(part) for part in parts]))


def _part_number(path: Path) -> tuple[int, str]:
    digits = path.stem.rpartition("_")[2]
    return (int(digits) if digits.isdigit() else 0, path.name)


def _parquet_ids(path: Path, modality: Modality) -> list[str]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DatasetError("reading Parquet needs pyarrow", "pip install 'clipbench[parquet]'") from None
    columns = parquet.read_schema(path).names
    for name in ID_COLUMNS[modality]:
        if name in columns:
            return [str(value) for value in parquet.read_table(path, columns=[name])[name].to_pylist()]
    wanted = ", ".join(ID_COLUMNS[modality])
    raise DatasetError(f"{path} has the columns {', '.join(columns)}; one of {wanted} names the items")
