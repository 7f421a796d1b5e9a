"""Vectors that other machines encoded, taken from their vector files into this store.

A file is somebody else's until it has been looked at: it is read once, within the size that a shard can have,
and what was read is held against its own digest, the encoder, and the items of the dataset. What is sound and
lacking here is written as a shard of this store, which is the same file to the byte where all of it is lacking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from clipbench.errors import ClipbenchError, DatasetError, StoreError
from clipbench.foreign_files import read_foreign
from clipbench.keys import short
from clipbench.records import CLEAN, Dataset, EncoderIdentity, Modality, image_key, text_key
from clipbench.store import shards
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store, check_writable
from clipbench.store.shard_files import is_inside, most_bytes
from clipbench.store.shards import Whole
from clipbench.store.vectors import Pool
from clipbench.study.embedding import encode
from clipbench.study.embedding.embed import photographs
from clipbench.study.embedding.modalities import MODALITIES
from clipbench.study.embedding.models import VectorSource
from clipbench.study.embedding.vector_files import try_hdf5
from clipbench.study.workplace.progress import Progress

SHOWN = 5
"""Refused files an error names."""

TRIED = 32
"""Files that one trial process reads; to start one takes as long as reading these."""

READ = ("keys", "vectors", "@format", "@encoder", "@modality", "@dimension", "@content")
"""What is read of a shard's file."""


@dataclass(frozen=True)
class SideAdopted:
    """What became of one side: unique items it has, vectors taken now, and those still lacking."""

    items: int
    adopted: int
    lacking: int


@dataclass(frozen=True)
class Adopted:
    """What came of adopting: per side, and of the files how many were read, and why others were refused.

    elsewhere: sound files that hold nothing of the dataset. empty: folders without any file.
    """

    identity: EncoderIdentity
    sides: Mapping[Modality, SideAdopted]
    files: int
    elsewhere: int
    refused: tuple[str, ...]
    empty: tuple[Path, ...] = ()


@dataclass
class _Wanted:
    """The items of one side: all of them, those that are lacking yet, and of texts what they say."""

    pool: Pool
    items: frozenset[bytes]
    lacking: set[bytes]
    texts: Mapping[bytes, str] = field(default_factory=dict)
    adopted: int = 0


def adopt_shards(
    store: Store, name: str, source: VectorSource, folders: Sequence[Path], progress: Progress
) -> Adopted:
    """Take the vectors of the clean dataset `name` that lie in the vector files of other stores.

    folders: stores, or copies of their `embeddings`. Files that are damaged or not what they say are refused by
    name and the others taken, each in a transaction of its own, so that a stopped run is gone on with.
    Raises StoreError for a folder that is no such folder, or has vectors and none of this encoder.
    """
    check_writable(store)
    dataset = load_dataset(store, name)
    identity = source.identity
    files = {folder: _shard_files(store, folder, identity) for folder in folders}
    found = [one for some in files.values() for one in some]
    if not found:
        _check_places(folders)
    wanted = _wanted(store, dataset, identity.key)
    bar = progress.start("vector files", len(found)) if found else None
    refused: list[str] = []
    elsewhere = 0
    for batch in encode.shards(found, TRIED):
        for shard in _sound_ones(batch, identity):
            if isinstance(shard, str):
                refused.append(shard)
            else:
                elsewhere += not _take(wanted.get(shard.modality), shard)
            if bar is not None:
                progress.advance(bar)
    sides = {side: SideAdopted(len(one.items), one.adopted, len(one.lacking)) for side, one in wanted.items()}
    empty = tuple(folder for folder, some in files.items() if not some)
    return Adopted(identity, sides, len(found), elsewhere, tuple(refused), empty)


def check_none_refused(done: Adopted) -> None:
    """Raise StoreError that names the files that were refused, if any were."""
    if not done.refused:
        return
    more = f"; and {len(done.refused) - SHOWN:,} more" if len(done.refused) > SHOWN else ""
    raise StoreError(
        f"{len(done.refused):,} of {done.files:,} vector files were refused, the others are used: "
        f"{'; '.join(done.refused[:SHOWN])}{more}",
        "copy them again from the machine that made them, or let clipbench embed encode what is lacking",
    )


def _wanted(store: Store, dataset: Dataset, encoder: str) -> dict[Modality, _Wanted]:
    texts = {text_key(caption.text): caption.text for caption in dataset.captions}
    pictures, _ = photographs(dataset) if dataset.image_folder is not None else ([], {})
    keys: dict[Modality, frozenset[bytes]] = {
        "image": frozenset(image_key(p.digest, CLEAN, p.id) for p in pictures),
        "text": frozenset(texts),
    }
    wanted: dict[Modality, _Wanted] = {}
    for side in MODALITIES:
        if keys[side]:
            pool, items = Pool(store, encoder, side), sorted(keys[side])
            lacking = {items[position] for position in pool.missing(items)}
            wanted[side] = _Wanted(pool, keys[side], lacking, texts if side == "text" else {})
    return wanted


def _shard_files(store: Store, folder: Path, identity: EncoderIdentity) -> list[tuple[Path, Path]]:
    """Return the vector files of an encoder in a folder, each after the folder that it must not lead out of."""
    root = folder / "embeddings" if (folder / "embeddings").is_dir() else folder
    if not root.is_dir():
        raise StoreError(f"{folder} is no folder", "name the store of a part, or a copy of its embeddings")
    if root.resolve() == store.home.embeddings.resolve():
        raise StoreError(f"{folder} is this store itself", "name the stores of the other machines")
    ours = short(identity.key, 16)
    found = [(root, path) for path in sorted(root.glob(f"{ours}/*.h5")) if is_inside(_name(root, path))]
    others = sorted({path.parent.name for path in root.glob("*/*.h5") if is_inside(_name(root, path))})
    if others and not found:
        raise StoreError(
            f"{folder} has vectors of other encoders ({', '.join(others[:SHOWN])}) and none of "
            f"{identity.label} {identity.precision} as it is here ({ours})",
            "weights, precision and library versions must be the same on all machines",
        )
    return found


def _check_places(folders: Sequence[Path]) -> None:
    """Raise StoreError where none of some folders without vector files is a store or the like, so mistyped rather."""
    if not any((folder / name).exists() for folder in folders for name in ("embeddings", "clipbench.db")):
        named = ", ".join(map(str, folders[:SHOWN]))
        raise StoreError(
            f"there are no vector files in {named}", "name the store of a part, or a copy of its embeddings"
        )


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _sound_ones(files: Sequence[tuple[Path, Path]], identity: EncoderIdentity) -> Iterator[Whole | str]:
    """Yield what each of some foreign shards holds once all of it has been checked, or why it is refused."""
    with TemporaryDirectory(prefix="clipbench-") as place:
        copies: list[Path | ClipbenchError] = []
        for root, path in files:
            try:
                copies.append(_copied(root, path, Path(place) / f"{len(copies)}.h5", identity))
            except ClipbenchError as error:
                copies.append(error)
        unreadable = _unreadable([copy for copy in copies if isinstance(copy, Path)])
        for (root, path), copy in zip(files, copies, strict=True):
            problem = copy if isinstance(copy, ClipbenchError) else unreadable.get(copy)
            if problem is None and isinstance(copy, Path):
                try:
                    yield _sound(copy, _name(root, path), identity)
                except ClipbenchError as error:
                    problem = error
            if problem is not None:
                told = (
                    problem.message.replace(str(copy), str(path))
                    if isinstance(copy, Path)
                    else problem.message
                )
                yield told if str(path) in told else f"the vector file {path}: {told}"


def _copied(root: Path, path: Path, copy: Path, identity: EncoderIdentity) -> Path:
    """Make a copy of our own, which is what is looked at and taken: the file may be another a moment later."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise StoreError(f"the vector file {path} is a link out of {root}")
    most = most_bytes(encode.LARGEST_SHARD, identity.dimension)
    data = read_foreign(path, most, error=StoreError)
    try:
        copy.write_bytes(data)
    except OSError as error:
        raise StoreError(f"the vector file {path} cannot be copied to {copy.parent} ({error})") from error
    return copy


def _unreadable(copies: Sequence[Path]) -> dict[Path, ClipbenchError]:
    """Return those that the HDF5 library cannot read and why; it is tried in another process, for it may hang."""
    if not copies:
        return {}
    try:
        try_hdf5(copies, READ)
    except DatasetError as error:
        if len(copies) == 1:
            return {copies[0]: error}
        return {copy: why for one in copies for copy, why in _unreadable([one]).items()}
    return {}


def _sound(copy: Path, name: str, identity: EncoderIdentity) -> Whole:
    shard = shards.whole_shard(copy)
    if shard.encoder != identity.key or shard.dimension != identity.dimension:
        raise StoreError(f"it is of another encoder ({shard.encoder}) than its folder says")
    belongs = shards.relative_path(shard.encoder, shard.modality, shard.key)
    if belongs != name:
        raise StoreError(f"it is not where its content belongs ({belongs})")
    return shard


def _take(wanted: _Wanted | None, shard: Whole) -> bool:
    """Store what a sound shard has that is lacking; return whether it has anything of the dataset."""
    if wanted is None:
        return False
    keys = [row.tobytes() for row in shard.items]
    rows = [row for row, key in enumerate(keys) if key in wanted.lacking]
    if rows:
        taken = [keys[row] for row in rows]
        texts = [wanted.texts[key] for key in taken] if wanted.texts else ()
        wanted.pool.write(taken, np.ascontiguousarray(shard.vectors[rows]), texts)
        wanted.lacking.difference_update(taken)
        wanted.adopted += len(taken)
    return not wanted.items.isdisjoint(keys)
