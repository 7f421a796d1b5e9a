"""The nouns of a bundle as JSON, and back: each is believed only where its content has the key it goes by.

Photographs, folders of this machine and vectors are no part of a bundle. A field more is one line in a model.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from clipbench.records import (
    Caption,
    Dataset,
    EncoderIdentity,
    Metric,
    Modality,
    Perturbation,
    RunSpec,
    Sample,
    Target,
)
from clipbench.store.embeddings import EmbeddingSet, set_key
from clipbench.store.runs import StoredRun
from clipbench.study.bundles.values import (
    Checksum,
    Count,
    Moment,
    Name,
    Number,
    Object,
    Plain,
    Text,
    Told,
    Whole,
    Words,
    checked,
    same_key,
)

# JSON has lists for rows; the cells of a row are as strict as ever.
CaptionRow: TypeAlias = Annotated[tuple[Text, Text], Field(strict=False)]
SampleRow: TypeAlias = Annotated[
    tuple[Text, Text | None, Text | None, Text | None, list[CaptionRow]], Field(strict=False)
]
MetricRow: TypeAlias = Annotated[
    tuple[Words, Words, Number, Number | None, Number | None, Count, Words], Field(strict=False)
]


class _Dataset(Told):
    key: Text
    name: Name
    format: Words
    split: Words
    caption_policy: Words
    samples: list[SampleRow]


class _Encoder(Told):
    key: Text
    kind: Words
    label: Words
    spec: Words
    architecture: Words
    pretrained: Words | None
    weights: Words
    activation: Words
    preprocessing: Plain
    tokenizer: Plain
    precision: Words
    dimension: Count
    versions: dict[str, Words]


class _Perturbation(Told):
    key: Text
    operation: Words
    target: Target
    level: Number
    seed: Whole
    parameters: Plain


class BundledSet(Told):
    """An embedding set without its vectors; checksum: SHA-256 of the matrix that was ranked."""

    key: Text
    dataset: Text
    encoder: Text
    perturbation: Text
    modality: Modality
    truncated: Count
    unreadable: dict[Text, Words]
    checksum: Checksum
    seconds: Number
    audit: Plain | None


class BundledRun(Told):
    """A run without its ledgers."""

    key: Text
    kind: Words
    dataset: Text
    images: Text
    texts: Text
    protocol: Plain
    metric_version: Count
    method: Plain = Field(default_factory=dict)
    encoder: Text
    perturbation: Text
    command: Words
    version: Words
    environment: Plain
    timings: dict[Words, Number]
    created_at: Moment
    rows: list[MetricRow] = Field(alias="metrics")

    @property
    def spec(self) -> RunSpec:
        """What determines the run's result."""
        return RunSpec(**{field.name: getattr(self, field.name) for field in fields(RunSpec)})

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The run's metrics as the bundle has them."""
        return tuple(Metric(*row) for row in self.rows)


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
    model = checked(_Dataset, told)
    samples = tuple(
        Sample(id_, tuple(Caption(*row) for row in captions), path, digest, problem)
        for id_, path, digest, problem, captions in model.samples
    )
    found = Dataset(model.name, model.format, model.split, model.caption_policy, samples)
    return same_key(found, found.key, model.key)


def encoder_json(identity: EncoderIdentity) -> Object:
    """Return an encoder's identity whole."""
    return _whole(identity)


def encoder_of(told: Object) -> EncoderIdentity:
    """Return the identity of `encoder_json`. Raises ValueError where its key is another."""
    model = checked(_Encoder, told)
    found = EncoderIdentity(**model.model_dump(exclude={"key"}))
    return same_key(found, found.key, model.key)


def perturbation_json(setting: Perturbation) -> Object:
    """Return a perturbation whole."""
    return _whole(setting)


def perturbation_of(told: Object) -> Perturbation:
    """Return the perturbation of `perturbation_json`. Raises ValueError where its key is another."""
    model = checked(_Perturbation, told)
    found = Perturbation(**model.model_dump(exclude={"key"}))
    return same_key(found, found.key, model.key)


def set_json(stored: EmbeddingSet) -> Object:
    """Return an embedding set without its items and vectors."""
    told = {name: getattr(stored, name) for name in BundledSet.model_fields}
    return told | {"perturbation": stored.perturbation.key}


def set_of(told: Object) -> BundledSet:
    """Return the set of `set_json`. Raises ValueError where its key is another."""
    found = checked(BundledSet, told)
    content = set_key(found.dataset, found.encoder, found.perturbation, found.modality)
    return same_key(found, content, found.key)


def run_json(run: StoredRun, metrics: tuple[Metric, ...]) -> Object:
    """Return a run without its ledgers and tags."""
    spec = {field.name: getattr(run.spec, field.name) for field in fields(RunSpec)}
    if not run.spec.method:  # left out, so that bundles of plain runs are what they always were
        del spec["method"]
    return {
        "key": run.key,
        **spec,
        "encoder": run.encoder,
        "perturbation": run.perturbation.key,
        "command": run.command,
        "version": run.version,
        "environment": run.environment,
        "timings": run.timings,
        "created_at": run.created_at.isoformat(),
        "metrics": [[m.direction, m.name, m.value, m.low, m.high, m.n, m.method] for m in metrics],
    }


def run_of(told: Object) -> BundledRun:
    """Return the run of `run_json`. Raises ValueError where its key is another."""
    found = checked(BundledRun, told)
    return same_key(found, found.spec.key, found.key)


def _whole(noun: Any) -> Object:
    return {"key": noun.key, **{field.name: getattr(noun, field.name) for field in fields(noun)}}
