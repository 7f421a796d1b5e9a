"""Stress on the gallery's side: what a query meets, not what it says. Runs that share one clean evaluation.

Each kind of stress has its own module; this one knows what they share: the clean run with everything
loaded, and what of it a stressed run starts from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from clipbench.keys import Json
from clipbench.records import Dataset, Direction, Ledger, Protocol
from clipbench.store.embeddings import EmbeddingSet, load_rows
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun, load_ledgers
from clipbench.study.embedding.embed import embed_images, embed_texts
from clipbench.study.embedding.models import VectorSource
from clipbench.study.evaluation.evaluate import Vectors, evaluate_sets
from clipbench.study.evaluation.galleries import Gallery, gallery_of
from clipbench.study.evaluation.recording import RunInputs
from clipbench.study.runs.kind_names import EVALUATE
from clipbench.study.workplace.progress import Progress


@dataclass(frozen=True)
class Ground:
    """A dataset evaluated clean: its vectors' sets, what is ranked, the stored run and its ledgers."""

    source: VectorSource
    dataset: Dataset
    images: EmbeddingSet
    texts: EmbeddingSet
    gallery: Gallery
    run: StoredRun
    ledgers: Mapping[Direction, Ledger]
    protocol: Protocol

    @property
    def store(self) -> Store:
        """The store it is in."""
        return self.source.store

    def image_vectors(self) -> Vectors:
        """Return the vectors of the ranked images, distractors last; float32 (N, D)."""
        return load_rows(self.store, self.images, self.gallery.image_rows)

    def text_vectors(self) -> Vectors:
        """Return the vectors of the ranked captions; float32 (M, D)."""
        return load_rows(self.store, self.texts, self.gallery.caption_rows)

    def stressed(
        self, kind: str, directions: tuple[Direction, ...], gallery: Mapping[str, Json]
    ) -> RunInputs:
        """Return the inputs of a run of `kind` that ranks these directions; gallery: what was done to it."""
        return RunInputs(
            kind,
            self.dataset,
            self.images,
            self.texts,
            replace(self.protocol, directions=directions),
            gallery=gallery,
            encoder=self.run.encoder,
            device=self.source.device,
        )


def ground(
    dataset: Dataset,
    source: VectorSource,
    protocol: Protocol,
    progress: Progress,
    allow_missing: float = 0.0,
) -> Ground:
    """Return the clean evaluation of a dataset, encoding and ranking what is not stored yet."""
    store = source.store
    images = embed_images(store, dataset, source, progress, allow_missing=allow_missing).set
    texts = embed_texts(store, dataset, source, progress).set
    inputs = RunInputs(EVALUATE, dataset, images, texts, protocol, device=source.device)
    run = evaluate_sets(store, inputs).run
    gallery = gallery_of(dataset, images.unreadable, run.spec.protocol)
    return Ground(source, dataset, images, texts, gallery, run, load_ledgers(store, run.key), protocol)
