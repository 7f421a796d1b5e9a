"""One evaluation: two embedding sets and a protocol to a stored run, or the run that is stored already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError
from clipbench.metrics.device_blocks import counting_device
from clipbench.metrics.folds import folds
from clipbench.metrics.positives import Positives, equal_captions, own
from clipbench.metrics.ranks import rank, rank_on_device
from clipbench.records import Direction, Ledger, Protocol
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import load_rows
from clipbench.store.engine import Store, check_writable
from clipbench.study.embedding.embed import embed_images, embed_texts, need_captions
from clipbench.study.embedding.models import VectorSource
from clipbench.study.evaluation.folds import joined
from clipbench.study.evaluation.galleries import Gallery, gallery_of
from clipbench.study.evaluation.protocol import metrics_of
from clipbench.study.evaluation.recording import Recorded, RunInputs, Stopwatch, find_recorded, record_run
from clipbench.study.runs.kind_names import EVALUATE
from clipbench.study.workplace.progress import Progress

Vectors: TypeAlias = npt.NDArray[np.float32]
Positions: TypeAlias = npt.NDArray[np.int32]


def evaluate(
    store: Store,
    name: str,
    source: VectorSource,
    protocol: Protocol,
    progress: Progress,
    *,
    allow_missing: float = 0.0,
) -> Recorded:
    """Evaluate the clean dataset `name`, embedding first what is lacking.

    Raises DatasetError, EncoderError or StoreError with the next command; StoppedError on Ctrl-C.
    """
    dataset = load_dataset(store, name)
    need_captions(dataset)  # before minutes are spent on its photographs
    images = embed_images(store, dataset, source, progress, allow_missing=allow_missing).set
    texts = embed_texts(store, dataset, source, progress).set
    return evaluate_sets(store, RunInputs(EVALUATE, dataset, images, texts, protocol, device=source.device))


def evaluate_sets(store: Store, inputs: RunInputs) -> Recorded:
    """Rank two embedding sets by the product of their vectors, and store ledgers and metrics as one run."""
    stored = find_recorded(store, inputs)
    if stored is not None:
        return Recorded(stored, created=False)
    check_writable(store)
    watch = Stopwatch()
    gallery = gallery_of(inputs.dataset, inputs.images.unreadable, inputs.spec().protocol)
    if inputs.protocol.fold is not None and gallery.distractors:
        raise DatasetError(
            f"{len(gallery.distractors):,} images of {inputs.dataset.name} have no captions, and a fold is made "
            "of images with captions",
            "add the dataset with --drop-uncaptioned, or evaluate it without --fold",
        )
    images = load_rows(store, inputs.images, gallery.image_rows)
    texts = load_rows(store, inputs.texts, gallery.caption_rows)
    watch.lap("load")
    ledgers = ranked(images, texts, gallery, inputs.protocol, inputs.device)
    watch.lap("rank")
    metrics = metrics_of(ledgers, inputs.protocol)
    watch.lap("measure")
    return record_run(store, inputs, ledgers, metrics, seconds=watch.seconds)


def ranked(
    images: Vectors, texts: Vectors, gallery: Gallery, protocol: Protocol, device: str | None = None
) -> dict[Direction, Ledger]:
    """Return the ledgers of both directions; with folds, of all folds one after another.

    images: the gallery's, its distractors last. They are in the way of captions and ask for nothing. device: where
    the encoder runs, if it was loaded; large galleries are counted there too, with the same ledgers.
    """
    if gallery.distractors:
        return _with_distractors(images, texts, gallery, protocol, device)
    parts: list[dict[Direction, Ledger]] = []
    size = protocol.fold or len(images)
    if len(images) % size:
        raise DatasetError(
            f"{len(images):,} images cannot be cut into folds of {size:,} without a rest",
            "--fold N with a divisor of the number of images",
        )
    for fold in folds(gallery.owners, len(images), size):
        captions = [gallery.captions[i].text for i in fold.captions]
        positives = _positives(captions, fold.owners, size, protocol)
        wanted = {d: positives[d] for d in protocol.directions}
        # The captions of a fold are copied; those of the one gallery of a large dataset need not be.
        said = texts if protocol.fold is None else texts[fold.captions]
        parts.append(_rank(images[fold.images], said, wanted, fold.owners, device))
    return {d: joined([part[d] for part in parts]) for d in protocol.directions}


def _rank(
    images: Vectors,
    texts: Vectors,
    positives: Mapping[Direction, Positives],
    owners: Positions,
    encoder: str | None,
) -> dict[Direction, Ledger]:
    """Rank where it is fastest."""
    device = counting_device(encoder, 2.0 * images.size * len(texts))
    if device is None:
        return rank(images, texts, positives, owners)
    return rank_on_device(images, texts, positives, owners, device)


def _with_distractors(
    images: Vectors, texts: Vectors, gallery: Gallery, protocol: Protocol, device: str | None
) -> dict[Direction, Ledger]:
    own_images = len(gallery.samples)
    positives = positives_of(gallery, protocol)
    asked: dict[Direction, Vectors] = {"t2i": images, "i2t": images[:own_images]}
    return {
        direction: _rank(asked[direction], texts, {direction: positives[direction]}, gallery.owners, device)[
            direction
        ]
        for direction in protocol.directions
    }


def positives_of(gallery: Gallery, protocol: Protocol) -> dict[Direction, Positives]:
    """Return what is right for every query of one gallery."""
    captions = [caption.text for caption in gallery.captions]
    return _positives(captions, gallery.owners, len(gallery.samples), protocol)


def _positives(
    captions: list[str], owners: Positions, images: int, protocol: Protocol
) -> dict[Direction, Positives]:
    if protocol.positives == "equal-captions":
        return equal_captions(captions, owners, images)
    return own(owners, images)
