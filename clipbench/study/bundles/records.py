"""The nouns of a bundle as JSON, and back: each is believed only where its content has the key it goes by.

Photographs, folders of this machine and vectors are no part of a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from clipbench.records import (
    Caption,
    Dataset,
    EncoderIdentity,
    Metric,
    Modality,
    Perturbation,
    RunSpec,
    Sample,
)
from clipbench.store.embeddings import EmbeddingSet, set_key
from clipbench.store.runs import StoredRun
from clipbench.study.bundles.values import (
    Object,
    checksum,
    count,
    mapping,
    maybe,
    moment,
    name,
    number,
    same_key,
    text,
    whole,
    words,
)

MODALITIES = ("image", "text")
TARGETS = ("none", "text", "image")


@dataclass(frozen=True)
class BundledSet:
    """An embedding set without its vectors; checksum: SHA-256 of the matrix that was ranked."""

    key: str
    dataset: str
    encoder: str
    perturbation: str
    modality: Modality
    truncated: int
    unreadable: Mapping[str, str]
    checksum: str
    seconds: float
    audit: Object | None


@dataclass(frozen=True)
class BundledRun:
    """A run without its ledgers."""

    key: str
    spec: RunSpec
    encoder: str
    perturbation: str
    command: str
    version: str
    environment: Object
    timings: Mapping[str, float]
    created_at: datetime
    metrics: tuple[Metric, ...]


def dataset_json(dataset: Dataset) -> Object:
    """Return a dataset without its folder and without where it was read from."""
    return {
        "key": dataset.key,
        "name": dataset.name,
        "format": dataset.format,
        "split": dataset.split,
        "caption_policy": dataset.caption_policy,
        "samples": [
            [s.id, s.path, s.digest, s.problem, [[c.id, c.text] for c in s.captions]] for s in dataset.samples
        ],
    }


def dataset_of(told: Object) -> Dataset:
    """Return the dataset of `dataset_json`. Raises ValueError where its key is another."""
    samples = tuple(
        Sample(
            text(id_),
            tuple(Caption(text(key), text(spoken)) for key, spoken in captions),
            maybe(path),
            maybe(digest),
            maybe(problem),
        )
        for id_, path, digest, problem, captions in told["samples"]
    )
    found = Dataset(
        name(told["name"]),
        words(told["format"]),
        words(told["split"]),
        words(told["caption_policy"]),
        samples,
    )
    return same_key(found, found.key, told)


def encoder_json(identity: EncoderIdentity) -> Object:
    """Return an encoder's identity whole."""
    return {"key": identity.key, **{field.name: getattr(identity, field.name) for field in fields(identity)}}


def encoder_of(told: Object) -> EncoderIdentity:
    """Return the identity of `encoder_json`. Raises ValueError where its key is another."""
    found = EncoderIdentity(**{field.name: told[field.name] for field in fields(EncoderIdentity)})
    for told_in_words in ("kind", "label", "spec", "architecture", "weights", "activation", "precision"):
        words(told[told_in_words])
    if found.pretrained is not None:
        words(found.pretrained)
    mapping(found.preprocessing), mapping(found.tokenizer)
    count(found.dimension)
    return same_key(found, found.key, told)


def perturbation_json(setting: Perturbation) -> Object:
    """Return a perturbation whole."""
    return {
        "key": setting.key,
        "operation": setting.operation,
        "target": setting.target,
        "level": setting.level,
        "seed": setting.seed,
        "parameters": setting.parameters,
    }


def perturbation_of(told: Object) -> Perturbation:
    """Return the perturbation of `perturbation_json`. Raises ValueError where its key is another."""
    if told["target"] not in TARGETS:
        raise ValueError(f"the target {told['target']!r} is none of {TARGETS}")
    found = Perturbation(
        words(told["operation"]),
        told["target"],
        number(told["level"]),
        whole(told["seed"]),
        mapping(told["parameters"]),
    )
    return same_key(found, found.key, told)


def set_json(stored: EmbeddingSet) -> Object:
    """Return an embedding set without its items and vectors."""
    return {
        "key": stored.key,
        "dataset": stored.dataset,
        "encoder": stored.encoder,
        "perturbation": stored.perturbation.key,
        "modality": stored.modality,
        "truncated": stored.truncated,
        "unreadable": stored.unreadable,
        "checksum": stored.checksum,
        "seconds": stored.seconds,
        "audit": stored.audit,
    }


def set_of(told: Object) -> BundledSet:
    """Return the set of `set_json`. Raises ValueError where its key is another."""
    if told["modality"] not in MODALITIES:
        raise ValueError(f"the modality {told['modality']!r} is none of {MODALITIES}")
    dataset, encoder, setting = (text(told[name]) for name in ("dataset", "encoder", "perturbation"))
    found = BundledSet(
        key=text(told["key"]),
        dataset=dataset,
        encoder=encoder,
        perturbation=setting,
        modality=told["modality"],
        truncated=count(told["truncated"]),
        unreadable={text(id_): words(reason) for id_, reason in told["unreadable"].items()},
        checksum=checksum(told["checksum"]),
        seconds=number(told["seconds"]),
        audit=None if told["audit"] is None else mapping(told["audit"]),
    )
    return same_key(found, set_key(dataset, encoder, setting, found.modality), told)


def run_json(run: StoredRun, metrics: tuple[Metric, ...]) -> Object:
    """Return a run without its ledgers and tags."""
    spec = run.spec
    return {
        "key": run.key,
        "kind": spec.kind,
        "dataset": spec.dataset,
        "images": spec.images,
        "texts": spec.texts,
        "protocol": spec.protocol,
        "metric_version": spec.metric_version,
        "encoder": run.encoder,
        "perturbation": run.perturbation.key,
        "command": run.command,
        "version": run.version,
        "environment": run.environment,
        "timings": run.timings,
        "created_at": run.created_at.isoformat(),
        "metrics": [[m.direction, m.name, m.value, m.low, m.high, m.n, m.method] for m in metrics],
        # Left out where it is empty, so that bundles of plain runs are what they always were.
        **({"method": spec.method} if spec.method else {}),
    }


def run_of(told: Object) -> BundledRun:
    """Return the run of `run_json`. Raises ValueError where its key is another."""
    spec = RunSpec(
        words(told["kind"]),
        text(told["dataset"]),
        text(told["images"]),
        text(told["texts"]),
        mapping(told["protocol"]),
        count(told["metric_version"]),
        mapping(told.get("method", {})),
    )
    found = BundledRun(
        text(told["key"]),
        spec,
        text(told["encoder"]),
        text(told["perturbation"]),
        words(told["command"]),
        words(told["version"]),
        mapping(told["environment"]),
        {words(part): number(seconds) for part, seconds in mapping(told["timings"]).items()},
        moment(told["created_at"]),
        tuple(_metric(row) for row in told["metrics"]),
    )
    return same_key(found, spec.key, told)


def _metric(row: Any) -> Metric:
    direction, metric, value, low, high, n, method = row
    bounds = [None if bound is None else number(bound) for bound in (low, high)]
    return Metric(
        words(direction), words(metric), number(value), bounds[0], bounds[1], count(n), words(method)
    )
