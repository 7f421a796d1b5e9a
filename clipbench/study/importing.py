"""Attaches vectors made elsewhere to a dataset, under the encoder the user declares.

Such an encoder is known by name only, so it is marked as imported and never taken for one that was
loaded here. Its vectors are checked for norm, order and ids; none is guessed and none left out silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError, EncoderError, InputError, Problem
from clipbench.keys import item_key
from clipbench.records import CLEAN, Dataset, EncoderIdentity, Modality, text_key
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import Encoding, save_set
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store
from clipbench.store.vectors import Pool
from clipbench.study.embed import Embedded
from clipbench.study.encode import shards
from clipbench.study.vector_files import Vectors, read_vectors

NORM_TOLERANCE = 1e-3
SHARD = 4096


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
    chosen, notes = {}, []
    for modality, vectors in given.items():
        chosen[modality], remarks = _in_order(dataset, vectors, modality, normalize=request.normalize)
        notes += remarks
    identity = declared(request.model, dimensions.pop())
    save_encoder(store, identity, None)
    sets = {modality: _save(store, dataset, identity, modality, rows) for modality, rows in chosen.items()}
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


def _in_order(
    dataset: Dataset, vectors: Vectors, modality: Modality, *, normalize: bool
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Return the vectors in the dataset's order, and what is worth saying."""
    wanted = _ids(dataset, modality)
    place = _places(vectors, wanted, modality)
    rows = vectors.rows[[place[id_] for id_ in wanted]]
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    bad = [i for i, n in enumerate(norms) if not abs(n - 1) <= NORM_TOLERANCE]
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
    if len(vectors.ids) > len(wanted):
        remarks.append(
            f"{len(vectors.ids) - len(wanted):,} {modality} vectors belong to nothing in {dataset.name}"
        )
    return (rows / norms[:, None]).astype(np.float32) if bad else rows, remarks


def _ids(dataset: Dataset, modality: Modality) -> list[str]:
    if modality == "image":
        return [sample.id for sample in dataset.samples]
    return [caption.id for caption in dataset.captions]


def _places(vectors: Vectors, wanted: Sequence[str], modality: Modality) -> dict[str, int]:
    """Return where each wanted id stands in the file. File names match with or without their folder."""
    known = set(wanted)
    place: dict[str, int] = {}
    problems = []
    for row, raw in enumerate(vectors.ids):
        id_ = raw if raw in known else PurePosixPath(raw).name
        if id_ in place:
            problems.append(Problem(vectors.file, row + 1, f"{id_} came before, on line {place[id_] + 1}"))
        place.setdefault(id_, row)
    problems += [
        Problem(vectors.file, 0, f"no vector for {modality} {id_}") for id_ in wanted if id_ not in place
    ]
    if problems:
        raise InputError(
            f"{modality} vectors do not fit the dataset", problems, "check the id list and the dataset"
        )
    return place


def _save(
    store: Store,
    dataset: Dataset,
    identity: EncoderIdentity,
    modality: Modality,
    rows: npt.NDArray[np.float32],
) -> Embedded:
    keys = _item_keys(dataset, modality)
    pool = Pool(store, identity.key, modality)
    place = {key: row for row, key in reversed(list(enumerate(keys)))}
    unequal = [i for i, key in enumerate(keys) if not np.array_equal(rows[i], rows[place[key]])]
    if unequal:
        caption = dataset.captions[unequal[0]]
        raise DatasetError(f"equal captions have unequal vectors, first {caption.id}: {caption.text[:60]!r}")
    distinct = sorted(place, key=lambda key: place[key])
    missing = [distinct[i] for i in pool.missing(distinct)]
    for shard in shards(missing, SHARD):
        pool.write(shard, rows[[place[key] for key in shard]])
    if not np.array_equal(pool.gather(keys), rows):
        raise DatasetError(
            f"other vectors are stored for {dataset.name} under {identity.label}",
            "import these under another --model name",
        )
    encoding = Encoding(dataset.key, identity.key, CLEAN, modality, keys)
    return Embedded(save_set(store, encoding), found=not missing, encoded=0)


def _item_keys(dataset: Dataset, modality: Modality) -> list[bytes]:
    # By id, not by file: a dataset without photographs can have image vectors.
    if modality == "image":
        return [item_key(("imported", dataset.key, sample.id)) for sample in dataset.samples]
    return [text_key(caption.text) for caption in dataset.captions]
