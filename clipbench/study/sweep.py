"""Runs a sweep: each unique string and picture is encoded once, each setting becomes a stored run.

Killed at any time, the same command goes on where it stopped: vectors, sets and runs are keyed by content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipbench.keys import Json, digest, short
from clipbench.perturb.registry import ImageOperation
from clipbench.records import CLEAN, Dataset, Modality, RunSpec, text_key
from clipbench.store.datasets import load_dataset
from clipbench.store.embeddings import EmbeddingSet, set_key
from clipbench.store.engine import Store
from clipbench.store.runs import find_run
from clipbench.store.sweeps import StoredSweep, save_sweep
from clipbench.store.vectors import Pool
from clipbench.study.corruption import corruption, image_audit
from clipbench.study.embed import Rendering, Wording, embed_images, embed_texts, photographs, stored_set
from clipbench.study.encode import encode_texts
from clipbench.study.evaluate import Sets, evaluate_sets
from clipbench.study.models import EncoderSource
from clipbench.study.progress import Progress
from clipbench.study.protocol import Protocol
from clipbench.study.settings import Setting, SweepRequest, settings
from clipbench.study.wording import text_audit, unlike, wording

KIND = "robustness"


@dataclass(frozen=True)
class Planned:
    """One run of a sweep: its setting, the texts it ranks, and whether it is stored already."""

    setting: Setting
    texts: tuple[str, ...]
    spec: RunSpec
    stored: bool


@dataclass(frozen=True)
class Plan:
    """A whole sweep before anything is encoded.

    strings counts the unique strings that no vector is stored for; pictures the images to encode.
    """

    dataset: Dataset
    runs: tuple[Planned, ...]
    strings: int
    pictures: int

    @property
    def stored(self) -> int:
        """How many of the runs are stored already."""
        return sum(run.stored for run in self.runs)


def plan(store: Store, name: str, source: EncoderSource, request: SweepRequest, protocol: Protocol) -> Plan:
    """Return the runs of a sweep, the clean one first, and what is left to encode for them."""
    dataset = load_dataset(store, name)
    worded = [(setting, wording(dataset.captions, setting, request)) for setting in settings(request)]
    images = [pair for pair in worded if isinstance(pair[0].operation, ImageOperation)]
    others = unlike([pair for pair in worded if not isinstance(pair[0].operation, ImageOperation)])
    runs = tuple(
        _planned(store, dataset, source, setting, texts, protocol) for setting, texts in [*others, *images]
    )
    strings = sorted({text for run in runs if not run.stored for text in run.texts})
    lacking = Pool(store, source.identity.key, "text").missing([text_key(text) for text in strings])
    sides = {p.key: p for run in runs if not run.stored for p in [run.setting.perturbation.side("image")]}
    unmade = [p for p in sides.values() if stored_set(store, dataset, source, ("image", p)) is None]
    return Plan(dataset, runs, len(lacking), len(unmade) * len(dataset.samples))


def _planned(
    store: Store,
    dataset: Dataset,
    source: EncoderSource,
    setting: Setting,
    texts: tuple[str, ...],
    protocol: Protocol,
) -> Planned:
    def side(modality: Modality) -> str:
        return set_key(dataset.key, source.identity.key, setting.perturbation.side(modality).key, modality)

    kind = "evaluate" if setting.is_clean else KIND
    spec = RunSpec(kind, dataset.key, side("image"), side("text"), protocol.as_json())
    return Planned(setting, texts, spec, find_run(store, spec.key) is not None)


def sweep(
    planned: Plan,
    source: EncoderSource,
    protocol: Protocol,
    progress: Progress,
    allow_missing: float = 0.0,
) -> None:
    """Encode what is lacking, then evaluate and store every setting that is not stored yet."""
    store, dataset = source.store, planned.dataset
    if planned.strings:
        pool = Pool(store, source.identity.key, "text")
        strings = {text for run in planned.runs if not run.stored for text in run.texts}
        encode_texts(pool, strings, source.encoder, progress)
    bar = progress.start("runs", len(planned.runs))
    for run in planned.runs:
        if not run.stored:
            images = _images(store, dataset, source, run, progress, allow_missing)
            texts = _texts(store, dataset, source, run, progress)
            sets = Sets(dataset, images, texts, run.setting.perturbation, source.device)
            evaluate_sets(store, sets, protocol, kind=run.spec.kind)
        progress.advance(bar)


def record(
    store: Store, planned: Plan, source: EncoderSource, name: str | None, request: Mapping[str, Json]
) -> StoredSweep:
    """Store the runs of a finished sweep as one named list; the same runs have the same name by default."""
    keys = [run.spec.key for run in planned.runs]
    key = digest("sweep", [planned.dataset.key, source.identity.key, keys])
    return save_sweep(store, name or f"sweep-{short(key, 8)}", key, request, keys)


def _texts(
    store: Store, dataset: Dataset, source: EncoderSource, run: Planned, progress: Progress
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
    store: Store, dataset: Dataset, source: EncoderSource, run: Planned, progress: Progress, allowed: float
) -> EmbeddingSet:
    setting, operation = run.setting.perturbation, run.setting.operation
    if not isinstance(operation, ImageOperation):
        return embed_images(store, dataset, source, progress, CLEAN, allow_missing=allowed).set
    if (found := stored_set(store, dataset, source, ("image", setting))) is not None:
        return found
    transform = corruption(source.encoder, operation, setting)
    account = image_audit(photographs(dataset)[0], source.encoder, transform)
    return embed_images(
        store,
        dataset,
        source,
        progress,
        setting,
        rendering=Rendering(transform, account),
        allow_missing=allowed,
    ).set


def runs_left(planned: Plan) -> Sequence[Planned]:
    """Return the runs that are still to do."""
    return [run for run in planned.runs if not run.stored]
