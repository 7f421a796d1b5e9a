"""Stored runs to compare, with the scores they were ranked by; no test is in here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from store_toys import new_store

from clipbench.keys import Json
from clipbench.records import (
    CLEAN,
    METRIC_VERSION,
    Caption,
    Dataset,
    EncoderIdentity,
    Perturbation,
    Protocol,
    RunSpec,
    Sample,
    text_key,
)
from clipbench.store.datasets import save_dataset
from clipbench.store.embeddings import Encoding, save_set
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store
from clipbench.store.perturbations import save_perturbation
from clipbench.store.runs import RunRecord, StoredRun, find_run, save_run
from clipbench.store.vectors import Pool
from clipbench.study.evaluation.evaluate import ranked
from clipbench.study.evaluation.galleries import gallery_of, gallery_words
from clipbench.study.evaluation.protocol import metrics_of

Floats = npt.NDArray[np.float32]
D = 6
PROTOCOL = Protocol(resamples=100)


def collection(
    images: int = 12, captions: int = 3, name: str = "toys", *, split: str = "test", words: str = "a thing"
) -> Dataset:
    """Captions of varying length: caption j of image i says `words` and i + j further words."""
    samples = tuple(
        Sample(
            f"i{i}",
            tuple(
                Caption(f"i{i}#{j}", f"{words} {i} {j}" + " very" * ((i + j) % 9)) for j in range(captions)
            ),
            path=f"{i}.png",
            digest=f"{i:064x}",
        )
        for i in range(images)
    )
    return Dataset(name, "toy", split, "all", samples)


@dataclass
class Bench:
    """A store and the vectors of its runs: `scores` (images, captions) of each run by key."""

    store: Store
    scores: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    def run(
        self,
        dataset: Dataset,
        noise: float,
        *,
        seed: int = 0,
        model: str = "a",
        setting: Perturbation = CLEAN,
        protocol: Protocol = PROTOCOL,
        stored_protocol: dict[str, Json] | None = None,
        unreadable: dict[str, str] | None = None,
        version: int = METRIC_VERSION,
        texts: tuple[str, ...] | None = None,
        coarse: bool = False,
        kind: str = "evaluate",
    ) -> StoredRun:
        """Store a run whose captions lie near their image, the farther the more `noise` there is.

        coarse: vectors of signs, so that many scores are tied. texts: what the captions are stored as.
        """
        identity = EncoderIdentity("toy", model, model, "toy", None, model, "none", {}, {}, "fp32", D)
        save_dataset(self.store, dataset, replace=True)
        save_encoder(self.store, identity, None)
        save_perturbation(self.store, setting)
        left = [s for s in dataset.samples if s.id not in (unreadable or {})]
        photos, words = vectors(dataset, noise, seed)
        if coarse:
            photos, words = unit(np.sign(photos)), unit(np.sign(words))
        words_of_gallery = gallery_words(dataset)
        gallery = gallery_of(dataset, unreadable or {}, words_of_gallery)
        photos = photos[[dataset.samples.index(s) for s in left]]
        tag = f"{model} {noise} {seed} {setting.key} {sorted(unreadable or {})} {protocol} {stored_protocol} {coarse}"
        keys = [text_key(f"{tag} {s.id}") for s in left]
        texts = texts or tuple(f"{tag} {caption.text}" for caption in dataset.captions)
        text_keys = [text_key(text) for text in texts]
        sets = {}
        for modality, items, matrix in (("image", keys, photos), ("text", text_keys, words)):
            pool = Pool(self.store, identity.key, modality)
            absent = list({items[i]: i for i in pool.missing(items)}.values())
            if absent:
                pool.write([items[i] for i in absent], matrix[absent])
            # A set of its own for each run: the perturbation names it.
            side = replace(setting, parameters={**setting.parameters, "toy": tag})
            encoding = Encoding(dataset.key, identity.key, side, modality, items)
            if modality == "image" and unreadable:
                encoding = replace(encoding, unreadable=unreadable)
            sets[modality] = save_set(self.store, encoding).key
        words = words[gallery.caption_rows]
        ledgers = ranked(photos[gallery.image_rows], words, gallery, protocol)
        spoken = {**protocol.as_json(), **words_of_gallery} if stored_protocol is None else stored_protocol
        spec = RunSpec(kind, dataset.key, sets["image"], sets["text"], spoken, version)
        record = RunRecord(identity.key, setting.key, "clipbench evaluate toys", "0.1.0")
        save_run(self.store, spec, record, ledgers, metrics_of(ledgers, protocol))
        found = find_run(self.store, spec.key)
        assert found is not None
        self.scores[found.key] = photos.astype(np.float64) @ words.astype(np.float64).T
        return found


def vectors(dataset: Dataset, noise: float, seed: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(7)
    photos = random.normal(size=(len(dataset.samples), D))
    near = np.random.default_rng(seed).normal(size=(len(dataset.captions), D))
    return unit(photos), unit(photos[dataset.owners] + noise * near)


def unit(matrix: npt.NDArray[np.float64]) -> Floats:
    scaled: Floats = (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def bench(folder: Path) -> Bench:
    return Bench(new_store(folder))
