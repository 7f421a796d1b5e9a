"""Attaches vectors made elsewhere to a dataset, under the encoder the user declares.

Such an encoder is known by name only, so it is marked as imported and never taken for one that was
loaded here. Its vectors are checked for norm, order and ids; none is guessed and none left out silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError, EncoderError, InputError, Problem
from clipbench.keys import item_key
from clipbench.records import CLEAN, Dataset, EncoderIdentity, Modality, text_key
from clipbench.store.datasets import list_datasets, load_dataset
from clipbench.store.embeddings import Encoding, find_set, save_set, set_key
from clipbench.store.encoders import list_encoders, save_encoder
from clipbench.store.engine import Store, transaction
from clipbench.store.matrices import blocks, room
from clipbench.store.matrices import chosen as select_rows
from clipbench.store.vectors import Pool
from clipbench.study.embedding.embed import Embedded
from clipbench.study.embedding.encode import shard_size, shards
from clipbench.study.embedding.vector_files import Vectors, read_vectors
from clipbench.study.embedding.vector_matching import item_ids, places, respelt

NORM_TOLERANCE = 1e-3
"""How far a vector's length may be from 1."""

EQUAL_TOLERANCE = 0.03
"""How long the difference of two equal captions' vectors of length 1 may be: four steps of bfloat16."""

STEPS = 2
"""Steps of a type that two components of it may be apart and be the same number: rounded once and scaled."""

NAMED = 3
"""Ids that a remark names."""

SHARD = 4096
"""Vectors in a file of the store, of collections that are not very large."""


@dataclass(frozen=True)
class VectorFiles:
    """What to import: the declared model, and for each side a file (or folder) and its id list."""

    model: str
    images: Path | None = None
    image_ids: Path | None = None
    texts: Path | None = None
    text_ids: Path | None = None
    normalize: bool = False


@dataclass(frozen=True)
class _Chosen:
    """The vectors of a side in the dataset's order, and the type that their file has them in."""

    rows: npt.NDArray[np.float32]
    dtype: np.dtype[np.floating[Any]]


@dataclass(frozen=True)
class Imported:
    """The declared encoder, the embedding sets that are in the store now, and remarks."""

    identity: EncoderIdentity
    sets: Mapping[Modality, Embedded]
    notes: tuple[str, ...]


def import_vectors(store: Store, name: str, request: VectorFiles) -> Imported:
    """Store the vectors of `request` as embedding sets of the dataset `name`.

    Raises InputError with every missing, unknown or doubled id and every bad norm; nothing is stored then.
    """
    dataset = load_dataset(store, name)
    given: dict[Modality, Vectors] = {}
    if request.images is not None:
        given["image"] = read_vectors(request.images, request.image_ids, "image")
    if request.texts is not None:
        given["text"] = read_vectors(request.texts, request.text_ids, "text")
    if not given:
        raise DatasetError("there is nothing to import", "give --images FILE, --texts FILE, or both")
    dimensions = {vectors.rows.shape[1] for vectors in given.values()}
    if len(dimensions) > 1:
        raise DatasetError(f"image and text vectors have different dimensions: {sorted(dimensions)}")
    identity = declared(request.model, dimensions.pop())
    _refuse_other_dimension(store, identity)
    chosen: dict[Modality, npt.NDArray[np.float32]] = {}
    notes: list[str] = []
    for modality, vectors in given.items():
        rows, remarks = _in_order(store, dataset, vectors, modality, normalize=request.normalize)
        chosen[modality], more = _one_vector_each(store, dataset, modality, rows)
        notes += [*remarks, *more]
    with transaction(store) as whole:  # where the texts are refused, the images are not kept either
        save_encoder(whole, identity, None)
        for side, rows in chosen.items():  # before a file is written for either
            notes += _refuse_other_vectors(whole, dataset, identity, side, _Chosen(rows, given[side].dtype))
        sets = {side: _save(whole, dataset, identity, side, rows) for side, rows in chosen.items()}
    return Imported(identity, sets, tuple(notes))


def declared(model: str, dimension: int) -> EncoderIdentity:
    """Return the identity of an encoder that is known by name only."""
    if not model.strip():
        raise EncoderError("--model is empty", "say what made the vectors, e.g. --model 'ViT-B-32 openai'")
    return EncoderIdentity(
        kind="imported",
        label=f"imported:{model.strip()}",
        spec=f"imported:{model.strip()}",
        architecture=model.strip(),
        pretrained=None,
        weights="unknown",
        activation="unknown",
        preprocessing={"known": False},
        tokenizer={"known": False},
        precision="unknown",
        dimension=dimension,
    )


def _refuse_other_dimension(store: Store, identity: EncoderIdentity) -> None:
    for known in list_encoders(store):
        if known.identity.label == identity.label and known.identity.dimension != identity.dimension:
            raise DatasetError(
                f"{identity.label} has {known.identity.dimension} dimensions in this store, "
                f"these vectors have {identity.dimension}",
                "import these under another --model name",
            )


def _in_order(
    store: Store, dataset: Dataset, vectors: Vectors, modality: Modality, *, normalize: bool
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Return the vectors in the dataset's order, and what is worth saying."""
    wanted = item_ids(dataset, modality)
    place = places(dataset, vectors, modality)
    order = np.fromiter((place[id_] for id_ in wanted), np.int64, len(wanted))
    rows = select_rows(vectors.rows, order, store.home.embeddings)
    norms = _norms(rows)
    bad = np.flatnonzero(~(np.abs(norms - 1) <= NORM_TOLERANCE)).tolist()
    hopeless = [i for i in bad if not np.isfinite(norms[i]) or norms[i] == 0]
    if hopeless or (bad and not normalize):
        shown = hopeless or bad
        problems = [
            Problem(vectors.file, place[wanted[i]] + 1, f"{wanted[i]}: norm {norms[i]:.4g}") for i in shown
        ]
        hint = None if hopeless else "--normalize scales them to length 1"
        raise InputError("vectors whose length is not 1", problems, hint)
    remarks = []
    if bad:
        remarks.append(f"{len(bad):,} of {len(rows):,} {modality} vectors were scaled to length 1")
    spelt = respelt(dataset, vectors, modality)
    if spelt:
        more = f", and {len(spelt) - NAMED:,} more" if len(spelt) > NAMED else ""
        remarks.append(f"{modality} ids spelt otherwise than the dataset's: {', '.join(spelt[:NAMED])}{more}")
    unused = len(vectors.ids) - len(set(place.values()))
    if unused:
        remarks.append(f"{unused:,} {modality} vectors belong to nothing in {dataset.name}")
    return _scaled(store, rows, norms) if bad else rows, remarks


def _norms(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the lengths of vectors, block by block: in float64 they take twice the memory."""
    norms = np.empty(len(rows))
    for part in blocks(*rows.shape):
        norms[part] = np.linalg.norm(rows[part].astype(np.float64), axis=1)
    return norms


def _scaled(
    store: Store, rows: npt.NDArray[np.float32], norms: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Return vectors of length 1."""
    unit = room(len(rows), rows.shape[1], store.home.embeddings)
    for part in blocks(*rows.shape):
        unit[part] = rows[part] / norms[part, None]
    return unit


def _one_vector_each(
    store: Store, dataset: Dataset, modality: Modality, rows: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Return the rows with one vector for equal captions, the first one's, and what is worth saying.

    A model gives equal captions equal vectors but for rounding, which depends on the batch they were in.
    Raises DatasetError where the difference is larger.
    """
    if modality == "image":
        return rows, []
    first: dict[str, int] = {}
    place = np.array([first.setdefault(caption.text, i) for i, caption in enumerate(dataset.captions)])
    away = np.zeros(len(rows))
    again = np.flatnonzero(place != np.arange(len(rows)))
    for part in blocks(len(again), rows.shape[1]):
        away[again[part]] = np.linalg.norm(rows[again[part]] - rows[place[again[part]]], axis=1)
    if (away > EQUAL_TOLERANCE).any():
        worst = int(away.argmax())
        caption, other = dataset.captions[worst], dataset.captions[place[worst]]
        raise DatasetError(
            f"{other.id} and {caption.id} are equal captions ({caption.text[:60]!r}), "
            f"and their vectors differ by {away[worst]:.2g}",
            "check that ids and vectors are in the same order",
        )
    if not away.any():
        return rows, []
    count = int((away > 0).sum())
    noun = "caption" if count == 1 else "captions"
    same = select_rows(rows, place, store.home.embeddings)
    return same, [f"{count:,} {noun} took the vector of an equal one, {away.max():.1g} away at most"]


def _save(
    store: Store,
    dataset: Dataset,
    identity: EncoderIdentity,
    modality: Modality,
    rows: npt.NDArray[np.float32],
) -> Embedded:
    keys = _item_keys(dataset, modality)
    pool = Pool(store, identity.key, modality)
    place: dict[bytes, int] = {}
    for row, key in enumerate(keys):
        place.setdefault(key, row)
    distinct = list(place)
    missing = [distinct[i] for i in pool.missing(distinct)]
    for shard in shards(missing, shard_size(len(missing), SHARD)):
        pool.write(shard, rows[[place[key] for key in shard]])
    encoding = Encoding(dataset.key, identity.key, CLEAN, modality, keys)
    return Embedded(save_set(store, encoding), found=not missing, encoded=0)


def _refuse_other_vectors(
    store: Store, dataset: Dataset, identity: EncoderIdentity, modality: Modality, given: _Chosen
) -> tuple[str, ...]:
    """Raise DatasetError where items have other vectors in the store; return what is worth saying.

    What was attached before is the same where it is the same at the precision of the file's type. A caption
    that another dataset has too keeps the vector it was first imported with, if only rounding sets them apart.
    """
    keys = _item_keys(dataset, modality)
    pool = Pool(store, identity.key, modality)
    known = np.setdiff1d(np.arange(len(keys)), pool.missing(keys))
    if not len(known):
        return ()
    stored = pool.gather([keys[row] for row in known])
    away, distance = np.empty(len(known)), np.empty(len(known))
    other = np.empty(len(known), dtype=np.bool_)
    limits = np.finfo(given.dtype)
    for part in blocks(*stored.shape):
        rows = given.rows[known[part]]
        steps = STEPS * float(limits.eps) * np.maximum(np.abs(stored[part]), np.abs(rows))
        apart = np.abs(stored[part] - rows)
        other[part] = (apart > steps + float(limits.smallest_subnormal)).any(axis=1)
        away[part], distance[part] = apart.max(axis=1), np.linalg.norm(stored[part] - rows, axis=1)
    elsewhere = _keys_elsewhere(store, dataset, identity) if modality == "text" and other.any() else set()
    shared = np.array([keys[row] in elsewhere for row in known])
    near = distance <= EQUAL_TOLERANCE
    kept = int((other & shared & near).sum())
    other &= ~(shared & near)
    if other.any():
        raise DatasetError(
            f"other vectors are stored for {dataset.name} under {identity.label}: {int(other.sum()):,} of "
            f"{len(keys):,} {modality} items, up to {away[other].max():.2g} away",
            "import these under another --model name",
        )
    if not kept:
        return ()
    what = f"{kept:,} caption{'' if kept == 1 else 's'} of another dataset"
    return (f"{what} kept the vector stored for it, {away[shared].max():.1g} away at most",)


def _keys_elsewhere(store: Store, dataset: Dataset, identity: EncoderIdentity) -> set[bytes]:
    """Return the keys of the captions of other datasets that have vectors of this encoder."""
    others = [found.key for found in list_datasets(store) if found.key != dataset.key]
    attached = [key for key in others if find_set(store, set_key(key, identity.key, CLEAN.key, "text"))]
    return {text_key(caption.text) for key in attached for caption in load_dataset(store, key).captions}


def _item_keys(dataset: Dataset, modality: Modality) -> list[bytes]:
    # By id, not by file: a dataset without photographs can have image vectors.
    if modality == "image":
        return [item_key(("imported", dataset.key, sample.id)) for sample in dataset.samples]
    return [text_key(caption.text) for caption in dataset.captions]
