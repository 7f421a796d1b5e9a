"""Embedding sets: the vectors of one modality of a dataset under one perturbation, made or found.

The same request finds the stored set and touches neither photographs nor model.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.errors import DatasetError
from clipbench.keys import Json
from clipbench.records import CLEAN, Dataset, Modality, Perturbation, image_key, text_key
from clipbench.store.embeddings import EmbeddingSet, Encoding, find_set, is_complete, save_set, set_key
from clipbench.store.engine import Store, check_writable
from clipbench.study.embedding.encode import Picture, Render
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Progress

SHOWN = 5
"""Unreadable photographs an error names; the store keeps all of them."""


@dataclass(frozen=True)
class Embedded:
    """An embedding set, whether it was there before, and how many items had to be encoded for it."""

    set: EmbeddingSet
    found: bool
    encoded: int


@dataclass(frozen=True)
class Wording:
    """The texts of a text set where they are not the dataset's own: one per caption, in order.

    audit: what the perturbation that made them did, as counted.
    """

    texts: Sequence[str]
    audit: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class Rendering:
    """The pixels of an image set where they are not the photographs' own, and what that did, as counted."""

    render: Render
    audit: Mapping[str, Json]


def stored_set(
    store: Store, dataset: Dataset, source: VectorSource, side: tuple[Modality, Perturbation]
) -> EmbeddingSet | None:
    """Return the embedding set of one modality under one perturbation, None while it lacks a vector.

    A set may lack vectors that it had: `store gc --damaged` gives up files that no longer read.
    """
    modality, perturbation = side
    found = find_set(store, set_key(dataset.key, source.identity.key, perturbation.key, modality))
    return found if found is not None and is_complete(store, found) else None


def embed_texts(
    store: Store,
    dataset: Dataset,
    source: VectorSource,
    progress: Progress,
    perturbation: Perturbation = CLEAN,
    wording: Wording | None = None,
) -> Embedded:
    """Return the text side of a dataset as vectors, encoding what the store lacks.

    Raises EncoderError where the model cannot be loaded, DatasetError for a dataset without captions,
    StoppedError on Ctrl-C (finished shards stay).
    """
    need_captions(dataset)
    found = stored_set(store, dataset, source, ("text", perturbation))
    if found is not None:
        return Embedded(found, found=True, encoded=0)
    check_writable(store)
    began = time.monotonic()
    texts = wording.texts if wording else [caption.text for caption in dataset.captions]
    encoded = source.ensure_texts(texts, progress)
    encoding = Encoding(
        dataset=dataset.key,
        encoder=source.identity.key,
        perturbation=perturbation,
        modality="text",
        items=[text_key(text) for text in texts],
        truncated=source.truncated(texts),
        seconds=time.monotonic() - began,
        audit=wording.audit if wording else None,
    )
    return Embedded(save_set(store, encoding), found=False, encoded=encoded)


def embed_images(
    store: Store,
    dataset: Dataset,
    source: VectorSource,
    progress: Progress,
    perturbation: Perturbation = CLEAN,
    *,
    rendering: Rendering | None = None,
    allow_missing: float = 0.0,
) -> Embedded:
    """Return the image side of a dataset as vectors, encoding what the store lacks.

    rendering: how a perturbation makes its pixels. allow_missing: share in 0..1 of the images that may lack
    a usable photograph; they have no row in the set and are named in it. Raises DatasetError above that share.
    Of a dataset without captions any number may: no figure is made of it that would be wrong without them.
    """
    allow_missing = allow_missing if dataset.captions else 1.0
    found = stored_set(store, dataset, source, ("image", perturbation))
    if found is not None:
        _refuse_missing(dataset, found.unreadable, allow_missing)
        return Embedded(found, found=True, encoded=0)
    check_writable(store)
    began = time.monotonic()
    pictures, unusable = photographs(dataset)
    _refuse_missing(dataset, unusable, allow_missing)
    done = source.ensure_images(pictures, progress, perturbation, rendering.render if rendering else None)
    unreadable = {
        s.id: reason for s in dataset.samples if (reason := {**unusable, **done.unreadable}.get(s.id))
    }
    _refuse_missing(dataset, unreadable, allow_missing)
    encoding = Encoding(
        dataset=dataset.key,
        encoder=source.identity.key,
        perturbation=perturbation,
        modality="image",
        items=[image_key(p.digest, perturbation, p.id) for p in pictures if p.id not in unreadable],
        unreadable=unreadable,
        seconds=time.monotonic() - began,
        audit=rendering.audit if rendering else None,
    )
    return Embedded(save_set(store, encoding), found=False, encoded=done.encoded)


def need_captions(dataset: Dataset) -> None:
    """Raise DatasetError for a dataset that has no captions, which is there to be searched."""
    if not dataset.captions:
        raise DatasetError(
            f"{dataset.name} has no captions, so there is no right answer to measure against",
            f"clipbench search WORDS --dataset {dataset.name}, or add it under another name with --captions FILE",
        )


def photographs(dataset: Dataset) -> tuple[list[Picture], dict[str, str]]:
    """Return the photographs that were readable when the dataset was added, and why the others are not.

    Raises DatasetError for a dataset that came without photographs.
    """
    folder = dataset.image_folder
    if folder is None:
        raise DatasetError(
            f"{dataset.name} has no photographs to embed",
            f"clipbench embed import {dataset.name} --images VECTORS.npy --image-ids IDS.txt, "
            "or add it again with --images FOLDER",
        )
    usable: list[Picture] = []
    unusable: dict[str, str] = {}
    for sample in dataset.samples:
        if sample.problem is None and sample.path is not None and sample.digest is not None:
            usable.append(Picture(sample.id, folder / sample.path, sample.digest))
        else:
            unusable[sample.id] = sample.problem or "missing"
    return usable, unusable


def _refuse_missing(dataset: Dataset, unusable: Mapping[str, str], allowed: float) -> None:
    total = len(dataset.samples)
    if len(unusable) <= allowed * total and len(unusable) < total:
        return
    named = "; ".join(f"{id_}: {reason}" for id_, reason in list(unusable.items())[:SHOWN])
    more = f"; and {len(unusable) - SHOWN:,} more" if len(unusable) > SHOWN else ""
    share = min(1.0, -(-len(unusable) * 1000 // total) / 1000)
    raise DatasetError(
        f"{len(unusable):,} of {total:,} photographs of {dataset.name} cannot be used "
        f"({allowed:.1%} may be missing): {named}{more}",
        f"mend the files, or leave them out with --allow-missing {share:g}"
        if len(unusable) < total
        else None,
    )
