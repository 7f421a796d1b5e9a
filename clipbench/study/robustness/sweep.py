"""Runs a sweep: each unique string and picture is encoded once, each setting becomes a stored run.

Killed at any time, the same command goes on where it stopped: vectors, sets and runs are keyed by content.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from clipbench.errors import StoppedError
from clipbench.keys import digest, short
from clipbench.perturb.operation import ImageOperation
from clipbench.records import CLEAN, Dataset, Modality, Perturbation, Protocol, RunSpec, text_key
from clipbench.store.embeddings import EmbeddingSet, find_set, is_complete, is_elsewhere, set_key
from clipbench.store.engine import Store
from clipbench.store.runs import find_run
from clipbench.store.sweeps import StoredSweep, check_sweep_name, save_sweep
from clipbench.store.vectors import Pool
from clipbench.study.embedding.embed import (
    Rendering,
    Wording,
    embed_images,
    embed_texts,
    photographs,
    stored_set,
)
from clipbench.study.embedding.models import VectorSource
from clipbench.study.evaluation.evaluate import evaluate_sets
from clipbench.study.evaluation.galleries import gallery_words
from clipbench.study.evaluation.recording import RunInputs
from clipbench.study.robustness.corruption import Corrupting, image_audit
from clipbench.study.robustness.perturbed_texts import perturbed_texts, text_audit, without_repeats
from clipbench.study.robustness.settings import Setting, SweepRequest, settings
from clipbench.study.runs.kind_names import EVALUATE, ROBUSTNESS
from clipbench.study.workplace.progress import RUNS, WHOLE, Counted, OneBar, Progress, Silent, Work

PICTURE, RUN = 8, 60
"""What a picture and a run cost in strings, about: on a CPU a ViT-B/32 encodes 100 strings or 13 pictures a second."""


@dataclass(frozen=True)
class Planned:
    """One run of a sweep: its setting, the texts it ranks, and whether it is stored already, vectors and all."""

    setting: Setting
    texts: tuple[str, ...]
    spec: RunSpec
    stored: bool


@dataclass(frozen=True)
class Plan:
    """A whole sweep before anything is encoded, the clean run first.

    encoder: its key. strings counts the unique strings that no vector is stored for; pictures the images
    to encode. name: what the sweep is stored under; by default it follows from the runs.
    """

    dataset: Dataset
    encoder: str
    request: SweepRequest
    runs: tuple[Planned, ...]
    strings: int
    pictures: int
    asked_name: str | None = None

    @property
    def stored(self) -> int:
        """How many of the runs are stored already."""
        return sum(run.stored for run in self.runs)

    @property
    def work(self) -> int:
        """What is left to do, in strings to encode: time left follows from it and not from the number of runs."""
        return self.strings + PICTURE * self.pictures + RUN * (len(self.runs) - self.stored)

    @cached_property
    def key(self) -> str:
        """Digest of the dataset, the encoder and the runs: the same list of runs has the same key."""
        return digest("sweep", [self.dataset.key, self.encoder, [run.spec.key for run in self.runs]])

    @property
    def name(self) -> str:
        """What the sweep is stored under."""
        return self.asked_name or f"sweep-{short(self.key, 8)}"


def plan(
    source: VectorSource,
    dataset: Dataset,
    request: SweepRequest,
    protocol: Protocol,
    name: str | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Return the runs of a sweep, the clean one first, and what is left to encode for them.

    Raises StoreError where another sweep has the name, ClipbenchError for settings that mean nothing.
    """
    worded = list(_worded(dataset, request, progress or Silent()))
    images = [pair for pair in worded if isinstance(pair[0].operation, ImageOperation)]
    others = without_repeats([pair for pair in worded if not isinstance(pair[0].operation, ImageOperation)])
    found = _plan(source, dataset, request, protocol, [*others, *images], name)
    check_sweep_name(source.store, found.name, found.key)
    return found


def plan_for(planned: Plan, source: VectorSource, protocol: Protocol) -> Plan:
    """Return the same settings of the same dataset for another source of vectors."""
    worded = [(run.setting, run.texts) for run in planned.runs]
    return _plan(source, planned.dataset, planned.request, protocol, worded)


def _plan(
    source: VectorSource,
    dataset: Dataset,
    request: SweepRequest,
    protocol: Protocol,
    worded: Sequence[tuple[Setting, tuple[str, ...]]],
    name: str | None = None,
) -> Plan:
    store = source.store
    runs = tuple(_planned(dataset, source, setting, texts, protocol) for setting, texts in worded)
    strings = sorted({text for run in runs if not run.stored for text in run.texts})
    lacking = Pool(store, source.identity.key, "text").missing([text_key(text) for text in strings])
    sides = {p.key: p for run in runs if not run.stored for p in [run.setting.perturbation.side("image")]}
    unmade = [p for p in sides.values() if stored_set(store, dataset, source, ("image", p)) is None]
    pictures = len(unmade) * len(dataset.samples)
    return Plan(dataset, source.identity.key, request, runs, len(lacking), pictures, name)


def _worded(
    dataset: Dataset, request: SweepRequest, progress: Progress
) -> Iterator[tuple[Setting, tuple[str, ...]]]:
    """Yield every setting with the captions' texts under it."""
    chosen = settings(request)
    bar = progress.start("settings", len(chosen))
    for setting in chosen:
        yield setting, perturbed_texts(dataset.captions, setting, request)
        progress.advance(bar)


def _planned(
    dataset: Dataset,
    source: VectorSource,
    setting: Setting,
    texts: tuple[str, ...],
    protocol: Protocol,
) -> Planned:
    def side(modality: Modality) -> str:
        return set_key(dataset.key, source.identity.key, setting.perturbation.side(modality).key, modality)

    kind = EVALUATE if setting.is_clean else ROBUSTNESS
    words = {**protocol.as_json(), **gallery_words(dataset)}
    spec = RunSpec(kind, dataset.key, side("image"), side("text"), words)
    return Planned(setting, texts, spec, _is_stored(source.store, spec))


def _is_stored(store: Store, spec: RunSpec) -> bool:
    """Whether a run is stored and still has its vectors: those that `store gc --damaged` gave up are missed.

    A run of a bundle came without them, and nothing of it is encoded here unasked.
    """
    if find_run(store, spec.key) is None:
        return False
    sides = [find_set(store, key) for key in (spec.images, spec.texts)]
    return all(side is not None and (is_elsewhere(side) or is_complete(store, side)) for side in sides)


def sweep(
    planned: Plan,
    source: VectorSource,
    protocol: Protocol,
    progress: Progress,
    allow_missing: float = 0.0,
) -> StoredSweep:
    """Encode what is lacking, evaluate and store every setting that is not stored yet, then the list of them.

    Raises DatasetError, EncoderError or StoreError with the next command; StoppedError on Ctrl-C.
    """
    run_planned(planned, source, protocol, progress, allow_missing)
    keys = [run.spec.key for run in planned.runs]
    return save_sweep(source.store, planned.name, planned.key, planned.request.as_json(), keys)


def run_planned(
    planned: Plan,
    source: VectorSource,
    protocol: Protocol,
    progress: Progress,
    allow_missing: float = 0.0,
) -> None:
    """Encode what is lacking, then evaluate and store every setting that is not stored yet; errors as `sweep`."""
    store, dataset = source.store, planned.dataset
    done = [run for run in planned.runs if run.stored]
    with _interruptible(done, len(planned.runs)):
        whole = Work(progress, WHOLE, planned.work)
        if planned.strings:
            _encode_strings(planned, source, Counted(progress, whole, 1))
        pictures = OneBar(Counted(progress, whole, PICTURE), planned.pictures)
        bar = progress.start(RUNS, len(planned.runs))
        for run in planned.runs:
            if not run.stored:
                images = _images(store, dataset, source, run, pictures, allow_missing)
                texts = _texts(store, dataset, source, run, progress)
                setting = run.setting.perturbation
                inputs = RunInputs(
                    run.spec.kind, dataset, images, texts, protocol, setting, device=source.device
                )
                evaluate_sets(store, inputs)
                done.append(run)
                whole.did(RUN)
            progress.advance(bar)
        whole.finish()


@contextmanager
def _interruptible(done: Sequence[Planned], total: int) -> Iterator[None]:
    """Turn Ctrl-C between two encodings, which tell of themselves, into a message that says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(
            f"interrupted: {len(done):,} of {total:,} runs of this sweep are stored, nothing is lost",
            "the same command again goes on where this one stopped",
        ) from None


def _encode_strings(planned: Plan, source: VectorSource, progress: Progress) -> None:
    """Encode what is lacking, an operation at a time: its shards then hold what its runs will ask for."""
    left = [run for run in planned.runs if not run.stored]
    bar = OneBar(progress, planned.strings)
    for name in dict.fromkeys(run.setting.perturbation.operation for run in left):
        runs = [run for run in left if run.setting.perturbation.operation == name]
        source.ensure_texts({text for run in runs for text in run.texts}, bar)


def _texts(
    store: Store, dataset: Dataset, source: VectorSource, run: Planned, progress: Progress
) -> EmbeddingSet:
    setting = run.setting.perturbation
    if setting.target != "text":
        return embed_texts(store, dataset, source, progress).set
    if (found := stored_set(store, dataset, source, ("text", setting))) is not None:
        return found
    before = [caption.text for caption in dataset.captions]
    encoder = source.encoder
    account = text_audit(before, run.texts, encoder.count_tokens, encoder.text_limit)
    return embed_texts(store, dataset, source, progress, setting, Wording(run.texts, account)).set


def _images(
    store: Store, dataset: Dataset, source: VectorSource, run: Planned, progress: Progress, allowed: float
) -> EmbeddingSet:
    setting, operation = run.setting.perturbation, run.setting.operation
    if not isinstance(operation, ImageOperation):
        return embed_images(store, dataset, source, progress, CLEAN, allow_missing=allowed).set
    return corrupted_images(source, dataset, (operation, setting), progress, allowed)


def corrupted_images(
    source: VectorSource,
    dataset: Dataset,
    corrupted: tuple[ImageOperation, Perturbation],
    progress: Progress,
    allowed: float = 0.0,
) -> EmbeddingSet:
    """Return the images of a dataset under a corruption as vectors, encoding what is lacking."""
    operation, setting = corrupted
    if (found := stored_set(source.store, dataset, source, ("image", setting))) is not None:
        return found
    render = Corrupting(operation, setting)
    account = image_audit(photographs(dataset)[0], source.encoder, render(source.encoder))
    return embed_images(
        source.store,
        dataset,
        source,
        progress,
        setting,
        rendering=Rendering(render, account),
        allow_missing=allowed,
    ).set
