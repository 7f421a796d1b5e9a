"""Images of another collection added to the gallery of t2i: nothing that is searched for, only more to get wrong.

Pictures that are byte for byte in the dataset itself are left out: to find them would be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from clipbench.errors import DatasetError, StoreError
from clipbench.keys import Json
from clipbench.metrics.measures import measure
from clipbench.metrics.positives import Positives
from clipbench.metrics.ranks import rank
from clipbench.metrics.subsample import added_pool
from clipbench.records import Dataset, Ledger, Metric, Protocol, Sample
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, find_set, load_vectors
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun
from clipbench.study.evaluation.galleries import Gallery
from clipbench.study.evaluation.protocol import averaged, metrics_of
from clipbench.study.evaluation.recording import Stopwatch, find_recorded, record_run
from clipbench.study.robustness.gallery_sizes import hits_at
from clipbench.study.runs.kind_names import DISTRACTORS
from clipbench.study.workplace.progress import Progress

if TYPE_CHECKING:
    from clipbench.study.robustness.stress import Ground

KIND = DISTRACTORS
STEPS = (1, 2, 5)


def distractor_run(base: Ground, other: Dataset, progress: Progress, allow_missing: float = 0.0) -> StoredRun:
    """Return the run of t2i with all usable images of another dataset in the gallery.

    Between the dataset's own size N and the whole gallery, hit@K is given at the sizes of `added_sizes`: the
    N own images and so many of the others, drawn without replacement, as an expected value. Raises
    DatasetError where the other dataset is the same, or has nothing to add.
    """
    from clipbench.study.embedding.embed import embed_images  # not where runs are only read: it loads PIL

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
    inputs = base.stressed(KIND, ("t2i",), {"distractors": facts})
    stored = find_recorded(base.store, inputs)
    if stored is not None:
        return stored
    watch = Stopwatch()
    own_images, texts = base.image_vectors(), base.text_vectors()
    gallery = np.concatenate([own_images, load_vectors(base.store, images)[rows]])
    watch.lap("load")
    owners = base.gallery.owners
    positives = Positives(np.arange(len(owners) + 1, dtype=np.int32), owners)
    ledger = rank(gallery, texts, {"t2i": positives}, owners)["t2i"]
    watch.lap("rank")
    metrics = _metrics(base, inputs.protocol, ledger, len(own_images))
    watch.lap("measure")
    return record_run(base.store, inputs, {"t2i": ledger}, metrics, seconds=watch.seconds).run


def usable_samples(other: Dataset, images: EmbeddingSet) -> list[Sample]:
    """Return the images of a dataset that have a vector, in the order of its image set."""
    return [sample for sample in other.samples if sample.id not in images.unreadable]


def added_rows(usable: Sequence[Sample], gallery: Gallery) -> list[int]:
    """Return which of another dataset's usable images are added to a gallery: those that are not in it."""
    own = {sample.digest for sample in gallery.images if sample.digest}
    return [row for row, sample in enumerate(usable) if sample.digest not in own]


def added_names(store: Store, stored: Mapping[str, Json], gallery: Gallery) -> tuple[str, ...]:
    """Return `DATASET/ID` of every image that a run ranked besides its own, by its stored protocol, in order.

    Raises StoreError where the other dataset or its image set is gone.
    """
    facts = cast("Mapping[str, str]", stored["distractors"])
    other, images = load_dataset(store, facts["dataset"]), find_set(store, facts["images"])
    if images is None:
        raise StoreError(f"the image set {facts['images']} of {other.name} is gone", "clipbench store verify")
    usable = usable_samples(other, images)
    return tuple(f"{other.name}/{usable[row].id}" for row in added_rows(usable, gallery))


def added_sizes(own: int, whole: int) -> tuple[int, ...]:
    """Return the round gallery sizes strictly between the dataset's own and the whole gallery, and the latter.

    >>> added_sizes(300, 2400)
    (500, 1000, 2000, 2400)
    """
    powers = [10**exponent for exponent in range(len(str(whole)) + 1)]
    return (*(size for ten in powers for step in STEPS if own < (size := ten * step) < whole), whole)


def _metrics(base: Ground, protocol: Protocol, ledger: Ledger, own: int) -> Sequence[Metric]:
    found = list(metrics_of({"t2i": ledger}, protocol))
    clean = base.ledgers["t2i"]
    pool = added_pool(clean, ledger)
    drawn = [(size, np.full(ledger.queries, size - own)) for size in added_sizes(own, ledger.gallery_size)]
    found += hits_at("t2i", ledger, pool, drawn, protocol)
    names = [f"hit@{k}" for k in protocol.ks]
    drops = [measure(n)(clean, protocol.ties) - measure(n)(ledger, protocol.ties) for n in names]
    labels = [f"{name} drop" for name in names]
    return [*found, *averaged("t2i", labels, np.stack(drops, axis=1), ledger.cluster, protocol)]
