"""Hard negatives in the gallery of i2t: each caption's meaning-changed copies stand beside it.

A model that reads captions ranks "a dog left of a tree" and "a dog right of a tree" apart; one that sees a
bag of words does not. How often it is fooled is counted in `false_rates`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clipbench.errors import ClipbenchError
from clipbench.keys import Json
from clipbench.metrics.measures import measure
from clipbench.metrics.positives import folded, own
from clipbench.metrics.ranks import rank
from clipbench.perturb.apply_text import perturb_captions, text_perturbation
from clipbench.perturb.operation import TextOperation
from clipbench.perturb.text_operations import TEXT_OPERATIONS
from clipbench.records import Ledger, Metric, Perturbation
from clipbench.store.embeddings import load_vectors
from clipbench.store.perturbations import save_perturbation
from clipbench.store.runs import StoredRun
from clipbench.study.embedding.embed import Wording, embed_texts
from clipbench.study.evaluation.galleries import Gallery
from clipbench.study.evaluation.protocol import averaged, metrics_of
from clipbench.study.evaluation.recording import RunInputs, Stopwatch, find_recorded, record_run
from clipbench.study.robustness.false_rates import KIND, OWN_FALSE_RATE, false_metrics
from clipbench.study.robustness.stress import Ground
from clipbench.study.workplace.progress import Progress

FAMILY = "control"


@dataclass(frozen=True)
class HardNegatives:
    """The copies that one operation makes: texts and, for each, the position of its image in the gallery."""

    operation: str
    texts: tuple[str, ...]
    owners: npt.NDArray[np.int32]


def controls(names: Sequence[str] = ()) -> tuple[TextOperation, ...]:
    """Return the meaning-changing operations of these names, all by default. Raises ClipbenchError for others."""
    known = {one.name: one for one in TEXT_OPERATIONS if one.family == FAMILY}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ClipbenchError(
            f"{unknown[0]} is no operation that changes the meaning; there are {', '.join(known)}",
            "clipbench robustness list family:control",
        )
    return tuple(known[name] for name in names) if names else tuple(known.values())


def hard_negatives_of(gallery: Gallery, operation: TextOperation, seed: int) -> HardNegatives:
    """Return what an operation makes of the captions, without what is not false.

    A copy is left out where it is the caption itself, says the same as one of the image's own captions, or
    repeats another copy of that image.
    """
    captions, owners = gallery.captions, gallery.owners
    said = [{folded(caption.text) for caption in sample.captions} for sample in gallery.samples]
    texts: list[str] = []
    images: list[int] = []
    for caption, text, image in zip(
        captions, perturb_captions(captions, operation, 1.0, seed), owners.tolist(), strict=True
    ):
        if text != caption.text and folded(text) not in said[image]:
            said[image].add(folded(text))
            texts.append(text)
            images.append(image)
    return HardNegatives(operation.name, tuple(texts), np.array(images, dtype=np.int32))


def hard_negative_runs(
    base: Ground, operations: Sequence[TextOperation], seed: int, progress: Progress
) -> tuple[StoredRun, ...]:
    """Return a run with the copies of all operations together, and one for each that makes any.

    Raises ClipbenchError where no operation changes a caption.
    """
    made = [found for one in operations if len((found := hard_negatives_of(base.gallery, one, seed)).texts)]
    if not made:
        raise ClipbenchError(f"no caption of {base.dataset.name} has a meaning that these operations change")
    groups = [made, *([one] for one in made)] if len(made) > 1 else [made]
    by_name = {one.name: one for one in operations}
    return tuple(
        _run(base, group, [by_name[one.operation] for one in group], seed, progress) for group in groups
    )


def _run(
    base: Ground,
    made: Sequence[HardNegatives],
    operations: Sequence[TextOperation],
    seed: int,
    progress: Progress,
) -> StoredRun:
    keys: list[Json] = [text_perturbation(one, 1.0, seed).key for one in operations]
    names: list[Json] = [one.name for one in operations]
    setting = Perturbation("fooling-captions", "text", 1.0, seed, {"controls": names, "keys": keys})
    save_perturbation(base.store, setting)
    genuine = [caption.text for caption in base.dataset.captions]
    added = [text for one in made for text in one.texts]
    account: dict[str, Json] = {one.operation: len(one.texts) for one in made}
    wording = Wording([*genuine, *added], account)
    texts = embed_texts(base.store, base.dataset, base.source, progress, setting, wording).set
    counts: list[Json] = [[one.operation, len(one.texts)] for one in made]
    extra: dict[str, Json] = {"fooling": counts, "genuine": len(base.gallery.captions)}
    inputs = replace(base.stressed(KIND, ("i2t",), extra), texts=texts, perturbation=setting)
    stored = find_recorded(base.store, inputs)
    if stored is not None:
        return stored
    watch = Stopwatch()
    matrix = load_vectors(base.store, texts)
    rows = np.concatenate([base.gallery.caption_rows, np.arange(len(genuine), len(matrix))])
    images = base.image_vectors()[: len(base.gallery.samples)]  # a distractor asks for nothing
    watch.lap("load")
    positives = {"i2t": own(base.gallery.owners, len(images))["i2t"]}
    owners = np.concatenate([base.gallery.owners, *(one.owners for one in made)])
    ledger = rank(images, matrix[rows], {"i2t": positives["i2t"]}, owners)["i2t"]
    watch.lap("rank")
    metrics = _metrics(base, inputs, ledger, owners)
    watch.lap("measure")
    return record_run(base.store, inputs, {"i2t": ledger}, metrics, seconds=watch.seconds).run


def _metrics(base: Ground, inputs: RunInputs, ledger: Ledger, owners: npt.NDArray[np.int32]) -> list[Metric]:
    protocol = inputs.protocol
    clean = base.ledgers["i2t"]
    names = [f"hit@{k}" for k in protocol.ks]
    drops = [measure(n)(clean, protocol.ties) - measure(n)(ledger, protocol.ties) for n in names]
    mine = (ledger.top1 >= len(base.gallery.captions)) & (owners[ledger.top1] == np.arange(ledger.queries))
    table = np.stack([mine.astype(np.float64), *drops], axis=1)
    labels = [OWN_FALSE_RATE, *(f"{name} drop" for name in names)]
    return [
        *metrics_of({"i2t": ledger}, protocol),
        *false_metrics(ledger, inputs.gallery, protocol),
        *averaged("i2t", labels, table, ledger.cluster, protocol),
    ]
