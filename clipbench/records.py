"""The nouns: frozen records that every other part passes around.

Nothing here reads, writes or computes a metric. Identity is content: a record's `key` is the digest
of everything that determines the result, never a row number or a file name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.keys import Json, digest, item_key, rounded

Direction: TypeAlias = Literal["t2i", "i2t"]
"""Query to target: `t2i` finds a caption's image, `i2t` an image's captions."""

Modality: TypeAlias = Literal["image", "text"]
Target: TypeAlias = Literal["none", "text", "image"]

DIRECTIONS: tuple[Direction, ...] = ("t2i", "i2t")
MAX_PIXELS = 80_000_000
"""Larger images are refused before they are decoded (a decompression bomb; Pillow warns at 89 million)."""

METRIC_VERSION = 1
"""Raised whenever a metric's definition changes, so that old and new runs are never mixed."""


@dataclass(frozen=True, slots=True)
class Caption:
    """One caption. `id` is unique in its dataset; `text` is exactly what the source holds."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its captions.

    `path` is relative to the dataset's image folder (POSIX), None where the dataset has no photographs.
    `digest` is the SHA-256 of the file's bytes, None where there is no usable file; `problem` then
    says why ("missing", "unreadable: ...").
    """

    id: str
    captions: tuple[Caption, ...]
    path: str | None = None
    digest: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Dataset:
    """A frozen, ordered, captioned image collection (one split of it).

    `caption_policy` is "all", "first5" or "first<N>". `source` records how it was read: paths, sample
    size and seed. It is provenance only: two readings with the same content have the same key.
    """

    name: str
    format: str
    split: str
    caption_policy: str
    samples: tuple[Sample, ...]
    image_folder: Path | None = None
    source: Mapping[str, Json] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of ordered ids, texts, split and caption policy. Runs compare only where it is equal."""
        samples: list[Json] = [[s.id, [[c.id, c.text] for c in s.captions]] for s in self.samples]
        return digest("dataset", [self.split, self.caption_policy, samples])

    @cached_property
    def key(self) -> str:
        """Digest of the fingerprint and of every image's bytes: the identity of the stored dataset."""
        return digest("content", [self.fingerprint, [s.digest for s in self.samples]])

    @cached_property
    def captions(self) -> tuple[Caption, ...]:
        """All captions in order, image after image."""
        return tuple(caption for sample in self.samples for caption in sample.captions)

    @cached_property
    def owners(self) -> npt.NDArray[np.int32]:
        """For each caption in order, the position of its image; shape (captions,)."""
        counts = [len(sample.captions) for sample in self.samples]
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """What an encoder is, down to its weights. `label` and `spec` are for people and not in the key.

    kind: "open_clip", "imported" or "toy". spec: what `--model` (and `--pretrained`) said.
    weights: digest of the tensors. preprocessing, tokenizer: everything that shapes the input.
    versions: library versions; major.minor of open_clip and torch enter the key, the rest is provenance.
    """

    kind: str
    label: str
    spec: str
    architecture: str
    pretrained: str | None
    weights: str
    activation: str
    preprocessing: Mapping[str, Json]
    tokenizer: Mapping[str, Json]
    precision: str
    dimension: int
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Digest of everything that determines a vector; constants of the preprocessing have 4 decimals."""
        keyed = ("open_clip_torch", "torch")
        versions = {
            name: ".".join(self.versions[name].split(".")[:2]) for name in keyed if name in self.versions
        }
        return digest(
            "encoder",
            {
                "kind": self.kind,
                "architecture": self.architecture,
                "weights": self.weights,
                "activation": self.activation,
                "preprocessing": rounded(self.preprocessing),
                "tokenizer": self.tokenizer,
                "precision": self.precision,
                "dimension": self.dimension,
                "versions": versions,
            },
        )


@dataclass(frozen=True)
class Perturbation:
    """One setting of one operation. Clean data is a perturbation too: `CLEAN`.

    `level` is a rate in 0..1 for text operations and a severity 1..5 for image corruptions.
    """

    operation: str
    target: Target
    level: float
    seed: int
    parameters: Mapping[str, Json] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Digest of operation, target, level, seed and parameters, floats of 4 decimals: 0.1 + 0.2 is 0.3."""
        level, parameters = rounded(self.level), rounded(self.parameters)
        fields: list[Json] = [self.operation, self.target, level, self.seed, parameters]
        return digest("perturbation", fields)

    def side(self, modality: Modality) -> Perturbation:
        """Return this setting as one modality sees it: itself, or CLEAN where it does not touch it."""
        return self if self.target == modality else CLEAN


CLEAN = Perturbation("clean", "none", 0.0, 0)


def text_key(text: str) -> bytes:
    """Return the item key of one string to encode; equal strings are encoded once per encoder."""
    return item_key(("text", text))


def image_key(file_digest: str, perturbation: Perturbation, image_id: str) -> bytes:
    """Return the item key of one image to encode; equal files are encoded once per encoder.

    A corruption draws by image id, so the id enters the key only where there is a corruption.
    """
    if perturbation.target != "image":
        return item_key(("image", file_digest))
    return item_key(("image", file_digest, perturbation.key, image_id))


@dataclass(frozen=True)
class Ledger:
    """Who was ranked where, for every query of one direction. Every metric derives from it.

    Q queries, P (query, positive) pairs in query order; a query's pairs are
    `offsets[q]:offsets[q+1]`, its positives in ascending gallery order.

    offsets         int32 (Q+1,)
    positive        int32 (P,)  gallery position of the positive
    above           int32 (P,)  gallery items scored strictly above it (other positives included)
    tied            int32 (P,)  gallery items with its score, itself included (at least 1)
    tied_positives  int32 (P,)  positives of the query among the tied, itself included (at least 1)
    top1            int32 (Q,)  gallery position of the highest score, the first one where tied
    positive_score  float32 (Q,)  score of the best positive
    negative_score  float32 (Q,)  best score among the others, -inf where every item is a positive
    cluster         int32 (Q,)  position of the image the query belongs to, for clustered statistics
    """

    direction: Direction
    gallery_size: int
    offsets: npt.NDArray[np.int32]
    positive: npt.NDArray[np.int32]
    above: npt.NDArray[np.int32]
    tied: npt.NDArray[np.int32]
    tied_positives: npt.NDArray[np.int32]
    top1: npt.NDArray[np.int32]
    positive_score: npt.NDArray[np.float32]
    negative_score: npt.NDArray[np.float32]
    cluster: npt.NDArray[np.int32]

    @property
    def queries(self) -> int:
        """Number of queries."""
        return len(self.top1)


@dataclass(frozen=True, slots=True)
class Metric:
    """One number with its interval. `direction` is "t2i", "i2t" or "both"; `n` counts the queries.

    `low` and `high` bound the interval at `confidence`; None where the value has none (a count, say).
    """

    direction: str
    name: str
    value: float
    low: float | None
    high: float | None
    n: int
    method: str = ""


@dataclass(frozen=True)
class RunSpec:
    """Everything that determines the result of one evaluation.

    dataset: the Dataset's key. images and texts: keys of the two embedding sets. protocol: tie policy,
    K list, positives policy, folds, bootstrap resamples and seed, in the words of the command line.
    """

    kind: str
    dataset: str
    images: str
    texts: str
    protocol: Mapping[str, Json]
    metric_version: int = METRIC_VERSION

    @property
    def key(self) -> str:
        """Digest of the whole specification."""
        protocol = rounded(self.protocol)
        fields: list[Json] = [self.kind, self.dataset, self.images, self.texts, protocol]
        return digest("run", [*fields, self.metric_version])
