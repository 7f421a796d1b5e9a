"""Runs held against published numbers: how far apart they are, or why nothing can be said.

A collection is known by its file names and sizes and a model by its architecture and pretrained tag, so
what matches may still be another selection: the split that published scores are of is named beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from clipbench.errors import ClipbenchError
from clipbench.records import Dataset, EncoderIdentity
from clipbench.store.encoders import load_encoder
from clipbench.store.engine import Store
from clipbench.store.queries import RunFilter, list_runs
from clipbench.store.runs import StoredRun, find_run
from clipbench.study.comparing.published_table import COLLECTIONS, PUBLISHED, Collection, PublishedScores
from clipbench.study.comparing.references import need_known, resolve_runs
from clipbench.study.evaluation.methods import method_words
from clipbench.study.runs.loaded import LoadedRun, load_runs

QUICK = "-quickgelu"
"""What open_clip's names of architectures with OpenAI's activation end in."""


@dataclass(frozen=True, slots=True)
class ScorePair:
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
class PublishedComparison:
    """A run and one source's scores, with every score that both have, or the reason why there is none."""

    run: StoredRun
    published: PublishedScores | None
    scores: tuple[ScorePair, ...]
    reason: str = ""

    @property
    def largest(self) -> float:
        """The largest difference, whatever its sign."""
        return max((abs(score.difference) for score in self.scores), default=0.0)

    @property
    def agrees(self) -> bool:
        """Whether every score lies within the source's tolerance."""
        return self.published is not None and bool(self.scores) and self.largest <= self.published.tolerance


def runs_to_compare(
    store: Store, references: Sequence[str], filters: RunFilter | None = None
) -> tuple[StoredRun, ...]:
    """Return the runs that are named, else those that pass the filters, newest first.

    Raises ClipbenchError where there is none.
    """
    if references:
        return resolve_runs(store, references)
    runs = (find_run(store, summary.key) for summary in list_runs(store, filters))
    present = tuple(run for run in runs if run is not None)
    if not present:
        need_known(store, filters or RunFilter())
        raise ClipbenchError(
            "there is no run to hold against published numbers", "clipbench evaluate DATASET"
        )
    return present


def compare_with_published(
    store: Store, runs: Sequence[StoredRun], sources: Sequence[PublishedScores] = ()
) -> tuple[PublishedComparison, ...]:
    """Return each run beside every source that fits it, or the reason why none does.

    sources: scores to hold the runs against whatever they are of, in place of the published ones.
    """
    comparisons: list[PublishedComparison] = []
    for loaded in load_runs(store, runs):
        if sources:
            fitting, reason = list(sources), ""
        else:
            fitting, reason = _fitting(loaded, load_encoder(store, loaded.run.encoder))
        comparisons += [PublishedComparison(loaded.run, one, _scores(loaded, one)) for one in fitting]
        comparisons += [PublishedComparison(loaded.run, None, (), reason)] if reason else []
    return tuple(comparisons)


def _fitting(loaded: LoadedRun, identity: EncoderIdentity) -> tuple[list[PublishedScores], str]:
    """Return the published scores of a run's data, model and setting, or none and the reason."""
    if reason := _unfit(loaded):
        return [], reason
    collection = collection_of(loaded.dataset)
    if collection is None:
        return [], "its file names are of no collection with published numbers"
    of_model = [one for one in PUBLISHED if one.collection == collection.name and is_model(identity, one)]
    if not of_model:
        return [], f"no numbers of {loaded.run.model} on {collection.name} are known here"
    if reason := _sizes(loaded, collection):
        return [], reason
    setting = loaded.run.perturbation
    fitting = [one for one in of_model if (one.operation, one.level) == (setting.operation, setting.level)]
    if fitting:
        return fitting, ""
    return [], f"published numbers are of other settings than {setting.words}"


def _unfit(loaded: LoadedRun) -> str:
    """Return what of a run's protocol keeps it from any published number, "" for nothing."""
    if loaded.run.spec.method:
        return f"{method_words(loaded.run.spec.method)}; published numbers are of the vectors' plain product"
    if loaded.protocol["positives"] != "own":
        return "equal captions share their images here; published numbers are strict"
    if loaded.fold is not None:
        return f"folds of {loaded.fold:,} images are averaged here; published numbers are of one gallery"
    return ""


def _sizes(loaded: LoadedRun, collection: Collection) -> str:
    images, captions = len(loaded.gallery.images), len(loaded.gallery.captions)
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


def is_model(identity: EncoderIdentity, published: PublishedScores) -> bool:
    """Whether an encoder is the model of published scores: by architecture and tag, or by the words of its label.

    OpenAI's weights are of one activation, so their table says nothing of it; other tags are published with
    and without `-quickgelu`, and the two score differently. Vectors that were made elsewhere have no more than
    the words under which they were brought in.
    """
    architecture, tag = published.architecture.casefold(), published.pretrained.casefold()
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


def _scores(loaded: LoadedRun, published: PublishedScores) -> tuple[ScorePair, ...]:
    return tuple(
        ScorePair(direction, k, metric.value, metric.low, metric.high, score)
        for (direction, k), score in published.scores.items()
        if (metric := loaded.metrics.get((direction, f"hit@{k}"))) is not None
    )
