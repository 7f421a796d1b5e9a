"""Both sides of a dataset as embedding sets, as one request."""

from __future__ import annotations

from collections.abc import Mapping

from clipbench.errors import ClipbenchError
from clipbench.records import Modality
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.study.embedding.embed import Embedded, embed_images, embed_texts
from clipbench.study.embedding.models import VectorSource
from clipbench.study.workplace.progress import Progress

MODALITIES: tuple[Modality, ...] = ("image", "text")


def modalities(only: str | None) -> tuple[Modality, ...]:
    """Return the modalities that `--only` leaves. Raises ClipbenchError for another word."""
    chosen = tuple(m for m in MODALITIES if only in {None, m})
    if not chosen:
        raise ClipbenchError(f"there is no side {only!r}", "--only image or --only text")
    return chosen


def embed_modalities(
    store: Store,
    name: str,
    source: VectorSource,
    progress: Progress,
    wanted: tuple[Modality, ...] = MODALITIES,
    *,
    allow_missing: float = 0.0,
) -> Mapping[Modality, Embedded]:
    """Return the wanted embedding sets of the clean dataset `name`, encoding what is lacking.

    Of a dataset without captions that is the photographs alone.
    """
    dataset = load_dataset(store, name)
    done: dict[Modality, Embedded] = {}
    if "image" in wanted:
        done["image"] = embed_images(store, dataset, source, progress, allow_missing=allow_missing)
    if "text" in wanted and (dataset.captions or "image" not in wanted):
        done["text"] = embed_texts(store, dataset, source, progress)
    return done
