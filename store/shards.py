"""One shard of vectors as an HDF5 file: its bytes, its checks, its place. Knows no database.

A file holds `keys` (n, 16) uint8 and `vectors` (n, D) float32, both contiguous, and attributes that say
whose they are. Equal content gives equal bytes. The image is built in memory and written in one go, so
HDF5 never has a half-written file open, and a full disk is an ordinary OSError. The default `libver` is
used: files of the newest one that were not closed well do not open again.
"""

import hashlib
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clipbench.errors import StoreError
from clipbench.home import TEMPORARY
from clipbench.keys import ITEM_BYTES, digest, short
from clipbench.records import Modality
from clipbench.store.columns import Items

FORMAT = 1
"""Version of the file format."""

UNIT = 1e-3
"""How far a vector's norm may be from 1: fp16 towers round by a few 1e-4, an unnormalised one is far off."""

MODALITIES: tuple[Modality, ...] = ("image", "text")

Vectors = npt.NDArray[np.float32]

_MEND = "clipbench store verify names all such files; bring them back from a backup, or clipbench store gc --damaged"


def relative_path(encoder: str, modality: Modality, key: str) -> str:
    """Return where a shard lies inside the embeddings folder, POSIX."""
    return f"{short(encoder, 16)}/{modality}-{short(key, 40)}.h5"


def shard_key(encoder: str, modality: Modality, items: Items) -> str:
    """Return the key of the shard that holds these items, shape (n, 16), in this order."""
    return digest("shard", [encoder, modality, hashlib.sha256(np.ascontiguousarray(items).data).hexdigest()])


def check_vectors(vectors: Vectors, rows: int, dimension: int) -> Vectors:
    """Return `vectors` as they are stored: float32 of unit norm, shape (rows, dimension).

    Raises StoreError for another shape or type, a NaN or infinity, or a norm that is not 1.
    """
    if vectors.shape != (rows, dimension) or vectors.dtype != np.float32:
        raise StoreError(
            f"vectors of shape {vectors.shape} and type {vectors.dtype} were to be stored, "
            f"expected ({rows}, {dimension}) float32"
        )
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise StoreError(
            f"{int((~finite).sum())} of {rows} vectors hold NaN or infinity, first in row {finite.argmin()}"
        )
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    wrong = np.abs(norms - 1) > UNIT
    if wrong.any():
        row = int(wrong.argmax())
        raise StoreError(
            f"{int(wrong.sum())} of {rows} vectors are not of norm 1, first row {row}: {norms[row]:.4g}"
        )
    return np.ascontiguousarray(vectors, dtype="<f4")


def content(items: Items, vectors: Vectors) -> str:
    """Return the SHA-256 of the keys' and the vectors' bytes, which the file carries as `content`."""
    hasher = hashlib.sha256(np.ascontiguousarray(items).data)
    hasher.update(np.ascontiguousarray(vectors, dtype="<f4").data)
    return hasher.hexdigest()


def file_bytes(encoder: str, modality: Modality, items: Items, vectors: Vectors) -> bytes:
    """Return the bytes of a shard's file."""
    import h5py

    with h5py.File("shard.h5", "w", driver="core", backing_store=False) as file:
        file.attrs.update(
            format=FORMAT,
            encoder=encoder,
            modality=modality,
            dimension=vectors.shape[1],
            created_by="clipbench",
            content=content(items, vectors),
        )
        file.create_dataset("keys", data=items, dtype="u1")
        file.create_dataset("vectors", data=vectors, dtype="<f4")
        file.flush()
        return bytes(file.id.get_file_image())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import h5py

    try:
        _check_regular(path)
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        # Finished files never change, so no lock is needed (and some network folders have none).
        access.set_file_locking(use_file_locking=False, ignore_when_disabled=False)
        # By HDF5's own calls, at half the time of h5py.File: of a large store thousands of files are read.
        file = h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, access)
        try:
            yield file
        finally:
            file.close()
    except FileNotFoundError:
        raise StoreError(f"the vector file {path} is gone", _MEND) from None
    except PermissionError as error:
        raise StoreError(
            f"the vector file {path} may not be read ({error})", "check its permissions"
        ) from None
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError, StopIteration) as error:
        raise StoreError(f"the vector file {path} is damaged ({error})", _MEND) from error


def _check_regular(path: Path) -> None:
    """Raise ValueError for a pipe or a device, which would be waited for or read for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")


def read_items(path: Path, rows: int) -> Items:
    """Return the item keys of a shard, shape (rows, 16). Raises StoreError for a damaged file."""
    with _opened(path) as file:
        keys = _plain_dataset(file, "keys", (rows, ITEM_BYTES), np.dtype("u1"))
        items: Items = np.empty(keys.shape, np.uint8)  # only now: a row may announce any number
        return _read(keys, items)


def read_vectors(path: Path, into: Vectors) -> Vectors:
    """Read the vectors of a shard into an array of its shape, and return that. Raises StoreError."""
    with _opened(path) as file:
        return _read(_plain_dataset(file, "vectors", into.shape, np.dtype("<f4")), into)


def _read(dataset: Any, into: npt.NDArray[Any]) -> npt.NDArray[Any]:
    import h5py

    if len(into):
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, into)
    return into


def _plain_dataset(file: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Return a dataset that lies in this file in one piece. Raises ValueError or TypeError for any other.

    So no other file is opened for it (HDF5 can name one), and it takes the memory that its shape says.
    """
    import h5py

    link = file.links.get_info(name.encode())
    dataset = h5py.h5o.open(file, name.encode()) if link.type == h5py.h5l.TYPE_HARD else None
    if not isinstance(dataset, h5py.h5d.DatasetID):
        raise TypeError(f"{name} is not in it")
    if dataset.shape != shape or dataset.dtype != dtype:
        told = f"{name} are {dataset.dtype} of shape {dataset.shape}"
        raise ValueError(f"{told}, expected {dtype} of shape {shape}")
    layout = dataset.get_create_plist()
    if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count():
        raise ValueError(f"{name} are not laid out as ours")
    return dataset


@dataclass(frozen=True)
class Whole:
    """What a sound shard says of itself, its item keys, shape (n, 16), and its vectors, (n, dimension)."""

    encoder: str
    modality: Modality
    dimension: int
    items: Items
    vectors: Vectors

    @property
    def key(self) -> str:
        """The key of the shard, which names its file."""
        return shard_key(self.encoder, self.modality, self.items)


def whole_shard(path: Path) -> Whole:
    """Return what a shard's file says of itself, all of it held against its digest. Raises StoreError."""
    import h5py

    with _opened(path) as opened:
        file = h5py.File(opened)
        told = {name: file.attrs[name] for name in ("format", "encoder", "modality", "dimension", "content")}
        modality = next(side for side in MODALITIES if side == told["modality"])
        count, dimension = int(file["keys"].shape[0]), int(told["dimension"])
        if told["format"] != FORMAT or not isinstance(told["encoder"], str):
            raise ValueError(f"it is of format {told['format']!r}")
        _plain_dataset(opened, "vectors", (count, dimension), np.dtype("<f4"))
    items = read_items(path, count)
    vectors = read_vectors(path, np.empty((count, dimension), dtype=np.float32))
    if told["content"] != content(items, check_vectors(vectors, count, dimension)):
        raise StoreError(f"the vector file {path} is damaged (its content has another digest)", _MEND)
    return Whole(told["encoder"], modality, dimension, items, vectors)


def is_shard(path: Path, encoder: str, modality: Modality, items: Items, dimension: int) -> bool:
    """Whether the file is there, whole, and holds unit vectors of just these items."""
    try:
        whole = whole_shard(path)
    except StoreError:
        return False
    same = (whole.encoder, whole.modality, whole.dimension) == (encoder, modality, dimension)
    return same and bool(np.array_equal(whole.items, items))


@contextmanager
def temporary(final: Path, data: bytes) -> Iterator[Path]:
    """Write `data` beside `final` under a temporary name, synced; it is removed unless it was renamed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    path = final.with_name(f".{final.name}{TEMPORARY}{uuid.uuid4().hex}")
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def rename(path: Path, final: Path) -> None:
    """Give a synced file its final name, and sync the folder so that the name outlives a power cut."""
    path.replace(final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable."""
    if os.name == "nt":  # Windows opens no folder, and keeps names by itself
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
