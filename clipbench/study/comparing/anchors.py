"""Runs held against published numbers: how far apart they are, or why nothing can be said.

A collection is known by its file names and sizes and a model by its architecture and pretrained tag, so
what matches may still be another selection: the split that an anchor is of is named beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.records import Dataset, EncoderIdentity
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store
from clipbench.store.runs import StoredRun
from clipbench.study.comparing.anchors_table import ANCHORS, COLLECTIONS, Anchor, Collection
from clipbench.study.comparing.sides import Side, load_sides
from clipbench.study.methods import method_words

QUICK = "-quickgelu"
"""What open_clip's names of architectures with OpenAI's activation end in."""


@dataclass(frozen=True, slots=True)
class Held:
    """One score of a run beside a published one."""

    direction: str
    k: int
    value: float
    low: float | None
    high: float | None
    published: float

    @property
    def difference(self) -> float:
        """The run's value less the published one."""
        return self.value - self.published


@dataclass(frozen=True)
class Anchored:
    """A run and one anchor with every score that both have, or the reason why there is none."""

    run: StoredRun
    anchor: Anchor | None
    held: tuple[Held, ...]
    reason: str = ""

    @property
    def largest(self) -> float:
        """The largest difference, whatever its sign."""
        return max((abs(one.difference) for one in self.held), default=0.0)

    @property
    def agrees(self) -> bool:
        """Whether every score lies within the anchor's tolerance."""
        return self.anchor is not None and bool(self.held) and self.largest <= self.anchor.tolerance


def hold(store: Store, runs: Sequence[StoredRun]) -> tuple[Anchored, ...]:
    """Return what the anchors say of each run: one result for each anchor that fits, or one that says why none does."""
    found: list[Anchored] = []
    for side in load_sides(store, runs):
        found += _hold(side, load_encoder(store, side.run.encoder))
    return tuple(found)


def hold_against(store: Store, runs: Sequence[StoredRun], anchors: Sequence[Anchor]) -> tuple[Anchored, ...]:
    """Return every run beside every anchor given, whatever collection and model they are of."""
    return tuple(
        Anchored(side.run, anchor, _scores(side, anchor))
        for side in load_sides(store, runs)
        for anchor in anchors
    )


def _hold(side: Side, identity: EncoderIdentity) -> list[Anchored]:
    reason = _unfit(side)
    if reason:
        return [Anchored(side.run, None, (), reason)]
    collection = collection_of(side.dataset)
    if collection is None:
        return [Anchored(side.run, None, (), "its file names are of no collection with published numbers")]
    of_model = [
        anchor for anchor in ANCHORS if anchor.collection == collection.name and is_model(identity, anchor)
    ]
    if not of_model:
        told = f"no numbers of {side.run.model} on {collection.name} are known here"
        return [Anchored(side.run, None, (), told)]
    sizes = _sizes(side, collection)
    if sizes:
        return [Anchored(side.run, None, (), sizes)]
    setting = side.run.perturbation
    fitting = [a for a in of_model if (a.operation, a.level) == (setting.operation, setting.level)]
    if not fitting:
        told = f"published numbers are of other settings than {setting.operation} {setting.level:g}"
        return [Anchored(side.run, None, (), told)]
    return [Anchored(side.run, anchor, _scores(side, anchor)) for anchor in fitting]


def _unfit(side: Side) -> str:
    """Return what of a run's protocol keeps it from any published number, "" for nothing."""
    if side.run.spec.method:
        return f"{method_words(side.run.spec.method)}; published numbers are of the vectors' plain product"
    if side.protocol["positives"] != "own":
        return "equal captions share their images here; published numbers are strict"
    if side.fold is not None:
        return f"folds of {side.fold:,} images are averaged here; published numbers are of one gallery"
    return ""


def _sizes(side: Side, collection: Collection) -> str:
    images, captions = len(side.gallery.samples), len(side.gallery.captions)
    if images == collection.images and captions in collection.captions:
        return ""
    wanted = " or ".join(f"{count:,}" for count in collection.captions)
    return (
        f"{collection.name} means {collection.images:,} images and {wanted} captions "
        f"({collection.split_note}), the run ranked {images:,} and {captions:,}"
    )


def collection_of(dataset: Dataset) -> Collection | None:
    """Return the collection whose file names a dataset has, None where they are of none.

    Of several whose names look alike the one with as many images is meant.
    """
    names = [(sample.path or sample.id).rpartition("/")[2] for sample in dataset.samples]
    fitting = [
        one for one in COLLECTIONS.values() if names and all(one.file_names.fullmatch(name) for name in names)
    ]
    same = [one for one in fitting if one.images == len(names)]
    return next(iter(same or fitting), None)


def is_model(identity: EncoderIdentity, anchor: Anchor) -> bool:
    """Whether an encoder is the model of an anchor: by architecture and tag, or by the words of its label.

    OpenAI's weights are of one activation, so their table says nothing of it; other tags are published with
    and without `-quickgelu`, and the two score differently. Vectors that were made elsewhere have no more than
    the words under which they were brought in.
    """
    architecture, tag = anchor.architecture.casefold(), anchor.pretrained.casefold()
    one_activation = tag == "openai"
    if identity.kind == "open_clip" and identity.pretrained is not None:
        own = identity.architecture.casefold()
        named = own.removesuffix(QUICK) if one_activation else own
        return (named, identity.pretrained.casefold()) == (architecture, tag)
    if identity.kind != "imported":
        return False
    label = identity.label.replace("/", "-").casefold()
    other = "" if one_activation else f"(?!{QUICK})"
    words = (rf"{re.escape(architecture)}{other}", re.escape(tag))
    return all(re.search(rf"(?<![\w]){word}(?![\w])(?!-\d)", label) for word in words)


def _scores(side: Side, anchor: Anchor) -> tuple[Held, ...]:
    held = []
    for (direction, k), published in anchor.scores.items():
        metric = side.metrics.get((direction, f"hit@{k}"))
        if metric is not None:
            held.append(Held(direction, k, metric.value, metric.low, metric.high, published))
    return tuple(held)
