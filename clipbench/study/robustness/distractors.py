"""Images of another collection added to the gallery of t2i: nothing that is searched for, only more to get wrong.

Pictures that are byte for byte in the dataset itself are left out: to find them would be right.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from clipbench.errors import DatasetError
from clipbench.keys import Json
from clipbench.metrics.measures import measure
from clipbench.metrics.positives import Positives
from clipbench.metrics.ranks import rank
from clipbench.metrics.subsample import added_pool
from clipbench.records import Dataset, Ledger, Metric, Sample
from clipbench.store.embeddings import EmbeddingSet, load_vectors
from clipbench.store.runs import StoredRun
from clipbench.study.embed import embed_images
from clipbench.study.galleries import Gallery
from clipbench.study.progress import Progress
from clipbench.study.protocol import metrics_of
from clipbench.study.robustness.gallery_sizes import hits_at
from clipbench.study.robustness.stress import Ground, Stress, averaged, find_stress, save_stress

KIND = "distractors"
STEPS = (1, 2, 5)


def distractor_run(base: Ground, other: Dataset, progress: Progress, allow_missing: float = 0.0) -> StoredRun:
    """Return the run of t2i with all usable images of another dataset in the gallery.

    Between the dataset's own size N and the whole gallery, hit@K is given at the sizes of `added_sizes`: the
    N own images and so many of the others, drawn without replacement, as an expected value. Raises
    DatasetError where the other dataset is the same, or has nothing to add.
    """
    if other.key == base.dataset.key:
        raise DatasetError(f"{other.name} cannot be its own distractors", "--distractors OTHER_DATASET")
    images = embed_images(base.store, other, base.source, progress, allow_missing=allow_missing).set
    usable = usable_samples(other, images)
    rows = added_rows(usable, base.gallery)
    if not rows:
        raise DatasetError(f"every image of {other.name} is in {base.dataset.name} too")
    facts: Json = {
        "dataset": other.key,
        "images": images.key,
        "added": len(rows),
        "in_both": len(usable) - len(rows),
        "unusable": len(images.unreadable),
    }
    stress = Stress(KIND, ("t2i",), {"distractors": facts})
    found = find_stress(base, stress)
    if found is not None:
        return found
    began = time.monotonic()
    own_images, texts = base.image_vectors(), base.text_vectors()
    gallery = np.concatenate([own_images, load_vectors(base.store, images)[rows]])
    loaded = time.monotonic()
    owners = base.gallery.owners
    positives = Positives(np.arange(len(owners) + 1, dtype=np.int32), owners)
    ledger = rank(gallery, texts, {"t2i": positives}, owners)["t2i"]
    counted = time.monotonic()
    metrics = _metrics(base, stress, ledger, len(own_images))
    timings = {"load": loaded - began, "rank": counted - loaded, "measure": time.monotonic() - counted}
    return save_stress(base, stress, {"t2i": ledger}, metrics, timings)


def usable_samples(other: Dataset, images: EmbeddingSet) -> list[Sample]:
    """Return the images of a dataset that have a vector, in the order of its image set."""
    return [sample for sample in other.samples if sample.id not in images.unreadable]


def added_rows(usable: Sequence[Sample], gallery: Gallery) -> list[int]:
    """Return which of another dataset's usable images are added to a gallery: those that are not in it."""
    own = {sample.digest for sample in gallery.samples if sample.digest}
    return [row for row, sample in enumerate(usable) if sample.digest not in own]


def added_sizes(own: int, whole: int) -> tuple[int, ...]:
    """Return the round gallery sizes strictly between the dataset's own and the whole gallery, and the latter.

    >>> added_sizes(300, 2400)
    (500, 1000, 2000, 2400)
    """
    powers = [10**exponent for exponent in range(len(str(whole)) + 1)]
    return (*(size for ten in powers for step in STEPS if own < (size := ten * step) < whole), whole)


def _metrics(base: Ground, stress: Stress, ledger: Ledger, own: int) -> Sequence[Metric]:
    protocol = stress.protocol(base.protocol)
    found = list(metrics_of({"t2i": ledger}, protocol))
    clean = base.ledgers["t2i"]
    pool = added_pool(clean, ledger)
    drawn = [(size, np.full(ledger.queries, size - own)) for size in added_sizes(own, ledger.gallery_size)]
    found += hits_at("t2i", ledger, pool, drawn, protocol)
    names = [f"hit@{k}" for k in protocol.ks]
    drops = [measure(n)(clean, protocol.ties) - measure(n)(ledger, protocol.ties) for n in names]
    labels = [f"{name} drop" for name in names]
    return [*found, *averaged("t2i", labels, np.stack(drops, axis=1), ledger.cluster, protocol)]
