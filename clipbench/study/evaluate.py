"""One evaluation: two embedding sets and a protocol to a stored run, or the run that is stored already."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench import __version__
from clipbench.errors import DatasetError, StoreError
from clipbench.metrics.folds import folds
from clipbench.metrics.positives import Positives, equal_captions, own
from clipbench.metrics.ranks import rank
from clipbench.records import CLEAN, Dataset, Direction, Ledger, Perturbation, Protocol, RunSpec
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, load_vectors
from clipbench.store.engine import Store, check_writable
from clipbench.store.runs import RunRecord, StoredRun, find_run, save_run
from clipbench.study.embed import embed_images, embed_texts
from clipbench.study.environment import command_line, environment
from clipbench.study.folds import joined
from clipbench.study.galleries import Gallery, gallery_of
from clipbench.study.models import EncoderSource
from clipbench.study.progress import Progress
from clipbench.study.protocol import metrics_of

Vectors: TypeAlias = npt.NDArray[np.float32]
Positions: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Evaluated:
    """A stored run; `created` is False where the same request had been stored before."""

    run: StoredRun
    created: bool


@dataclass(frozen=True)
class Sets:
    """What is ranked: an image set and a text set of one dataset, and what was done to one of them.

    device: where the encoder ran in this process, None where all vectors were stored before.
    """

    dataset: Dataset
    images: EmbeddingSet
    texts: EmbeddingSet
    perturbation: Perturbation = CLEAN
    device: str | None = None


def evaluate(
    store: Store,
    name: str,
    source: EncoderSource,
    protocol: Protocol,
    progress: Progress,
    *,
    allow_missing: float = 0.0,
) -> Evaluated:
    """Evaluate the clean dataset `name`, embedding first what is lacking.

    Raises DatasetError, EncoderError or StoreError with the next command; StoppedError on Ctrl-C.
    """
    dataset = load_dataset(store, name)
    images = embed_images(store, dataset, source, progress, allow_missing=allow_missing).set
    texts = embed_texts(store, dataset, source, progress).set
    return evaluate_sets(store, Sets(dataset, images, texts, device=source.device), protocol, kind="evaluate")


def evaluate_sets(store: Store, sets: Sets, protocol: Protocol, *, kind: str) -> Evaluated:
    """Rank two embedding sets in both directions, and store ledgers and metrics as one run."""
    spec = RunSpec(kind, sets.dataset.key, sets.images.key, sets.texts.key, protocol.as_json())
    found = find_run(store, spec.key)
    if found is not None:
        return Evaluated(found, created=False)
    check_writable(store)
    began = time.monotonic()
    gallery = gallery_of(sets.dataset, sets.images.unreadable)
    images = load_vectors(store, sets.images)[gallery.image_rows]
    texts = load_vectors(store, sets.texts)[gallery.caption_rows]
    loaded = time.monotonic()
    ledgers = ranked(images, texts, gallery, protocol)
    counted = time.monotonic()
    metrics = metrics_of(ledgers, protocol)
    measured = time.monotonic()
    record = RunRecord(
        encoder=sets.images.encoder,
        perturbation=sets.perturbation.key,
        command=command_line(),
        version=__version__,
        environment={**environment(), "device": sets.device, "dataset_name": sets.dataset.name},
        timings={"load": loaded - began, "rank": counted - loaded, "measure": measured - counted},
        confidence=protocol.confidence,
    )
    saved = save_run(store, spec, record, ledgers, metrics)
    run = find_run(store, saved.key)
    if run is None:
        raise StoreError(f"run {saved.key} was deleted while it was stored", "type the command again")
    return Evaluated(run, saved.created)


def ranked(images: Vectors, texts: Vectors, gallery: Gallery, protocol: Protocol) -> dict[Direction, Ledger]:
    """Return the ledgers of both directions; with folds, of all folds one after another."""
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
        parts.append(rank(images[fold.images], texts[fold.captions], wanted, fold.owners))
    return {d: joined([part[d] for part in parts]) for d in protocol.directions}


def _positives(
    captions: list[str], owners: Positions, images: int, protocol: Protocol
) -> dict[Direction, Positives]:
    if protocol.positives == "equal-captions":
        return equal_captions(captions, owners, images)
    return own(owners, images)
