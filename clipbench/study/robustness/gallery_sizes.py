"""hit@K against the size of the gallery, without drawing or encoding anything: expected values in closed form.

A gallery of n images holds a query's own image and n - 1 of the others, drawn without replacement. The
gallery of captions that goes with it holds the image's own captions and so many others that it has n × M/N
in all, of N images and M captions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.metrics.measures import hit_probability
from clipbench.metrics.subsample import Pool, expected_hits, whole_pool
from clipbench.records import DIRECTIONS, Direction, Ledger, Metric, Protocol
from clipbench.store.runs import StoredRun
from clipbench.study.evaluation.protocol import averaged, metrics_of
from clipbench.study.evaluation.recording import Stopwatch, find_recorded, record_run
from clipbench.study.runs.kind_names import GALLERY_SIZE
from clipbench.wording import plural

if TYPE_CHECKING:  # for the types alone: whoever reads runs loads this module, and it should stay quick
    from clipbench.study.robustness.stress import Ground

KIND = GALLERY_SIZE
STEPS = (1, 2, 5)

Integers = npt.NDArray[np.int64]


def default_sizes(images: int) -> tuple[int, ...]:
    """Return 10, 20, 50, 100, ... below the number of images, and that number.

    >>> default_sizes(300)
    (10, 20, 50, 100, 200, 300)
    """
    powers = [10**exponent for exponent in range(1, len(str(images)) + 1)]
    return (*(size for ten in powers for step in STEPS if (size := ten * step) < images), images)


def sizes_of(word: str) -> tuple[int, ...]:
    """Return the sizes that "100,200,500" names. Raises ClipbenchError for anything else."""
    try:
        return tuple(int(part) for part in word.split(","))
    except ValueError:
        raise ClipbenchError(f"{word!r} names no gallery sizes", "--sizes 100,200,500") from None


def size_run(base: Ground, sizes: Sequence[int]) -> StoredRun:
    """Return the run with hit@K at every gallery size (in images), computed from the clean run's ledgers.

    Raises ClipbenchError for a size that the dataset does not have.
    """
    chosen = checked_sizes(sizes, len(base.gallery.images))
    inputs = base.stressed(KIND, base.protocol.directions, {"sizes": list(chosen)})
    stored = find_recorded(base.store, inputs)
    if stored is not None:
        return stored
    watch = Stopwatch()
    metrics = [*metrics_of(base.ledgers, base.protocol), *size_metrics(base.ledgers, chosen, base.protocol)]
    watch.lap("measure")
    return record_run(base.store, inputs, base.ledgers, metrics, seconds=watch.seconds).run


def checked_sizes(sizes: Sequence[int], images: int) -> tuple[int, ...]:
    """Return the sizes in ascending order, each once. Raises ClipbenchError where one does not fit."""
    unfit = [size for size in sizes if not 2 <= size <= images]
    if unfit:
        raise ClipbenchError(
            f"a gallery of {plural(unfit[0], 'image')} cannot be drawn from the {images:,} that are ranked",
            f"--sizes between 2 and {images}; --distractors DATASET makes the gallery larger",
        )
    return tuple(sorted(set(sizes)))


def size_metrics(
    ledgers: Mapping[Direction, Ledger], sizes: Sequence[int], protocol: Protocol
) -> list[Metric]:
    """Return expected hit@K and chance level, called `hit@K n=SIZE`, for every direction and size."""
    found: list[Metric] = []
    images = _images(ledgers)
    for direction in (d for d in DIRECTIONS if d in ledgers):
        ledger = ledgers[direction]
        pool, positives = whole_pool(ledger), np.diff(ledger.offsets).astype(np.int64)
        galleries = [round(size * ledger.gallery_size / images) for size in sizes]
        drawn = [np.clip(gallery - positives, 0, pool.pool) for gallery in galleries]
        found += hits_at(direction, ledger, pool, list(zip(sizes, drawn, strict=True)), protocol)
        for size, gallery in zip(sizes, galleries, strict=True):
            for k in protocol.ks:
                chance = hit_probability(0, np.maximum(gallery, positives), positives, k).mean()
                name = named(f"chance-hit@{k}", size)
                found.append(Metric(direction, name, float(chance), None, None, ledger.queries))
    return found


def hits_at(
    direction: Direction,
    ledger: Ledger,
    pool: Pool,
    drawn: Sequence[tuple[int, Integers]],
    protocol: Protocol,
) -> list[Metric]:
    """Return expected hit@K where so many items are drawn from the pool, called by the size of the gallery."""
    names = [named(f"hit@{k}", size) for size, _ in drawn for k in protocol.ks]
    values = np.stack([expected_hits(pool, count, k) for _, count in drawn for k in protocol.ks], axis=1)
    return averaged(direction, names, values, ledger.cluster, protocol)


def named(metric: str, size: int) -> str:
    """Return a metric's name at a gallery size."""
    return f"{metric} n={size}"


def sized(name: str) -> tuple[str, int] | None:
    """Return metric and size of a name that `named` made, None for any other.

    >>> sized("hit@5 n=100"), sized("hit@5")
    (('hit@5', 100), None)
    """
    metric, mark, size = name.partition(" n=")
    return (metric, int(size)) if mark else None


def _images(ledgers: Mapping[Direction, Ledger]) -> int:
    found = ledgers.get("t2i")
    return found.gallery_size if found else ledgers["i2t"].queries
