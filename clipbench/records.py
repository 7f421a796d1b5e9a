"""The nouns: frozen records that every other part passes around.

Nothing here reads, writes or computes a metric. Identity is content: a record's `key` is the digest
of everything that determines the result, never a row number or a file name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from clipbench.errors import ClipbenchError
from clipbench.keys import Json, digest, digest_of_list, item_key, rounded

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Direction: TypeAlias = Literal["t2i", "i2t"]
"""Query to target: `t2i` finds a caption's image, `i2t` an image's captions."""

Modality: TypeAlias = Literal["image", "text"]
Target: TypeAlias = Literal["none", "text", "image"]

DIRECTIONS: tuple[Direction, ...] = ("t2i", "i2t")
MAX_PIXELS = 80_000_000
"""Larger images are refused before they are decoded (a decompression bomb; Pillow warns at 89 million)."""

TiePolicy: TypeAlias = Literal["expected", "optimistic", "pessimistic"]
"""expected: the mean over all orders of the tied; optimistic, pessimistic: positives first, last."""

TIES: tuple[TiePolicy, ...] = ("expected", "optimistic", "pessimistic")
POSITIVES = ("own", "equal-captions")

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
        samples = ([s.id, [[c.id, c.text] for c in s.captions]] for s in self.samples)
        return digest_of_list("dataset", [self.split, self.caption_policy], samples)

    @cached_property
    def key(self) -> str:
        """Digest of the fingerprint and of every image's bytes: the identity of the stored dataset."""
        return digest_of_list("content", [self.fingerprint], (s.digest for s in self.samples))

    @cached_property
    def captions(self) -> tuple[Caption, ...]:
        """All captions in order, image after image."""
        return tuple(caption for sample in self.samples for caption in sample.captions)

    @cached_property
    def owners(self) -> npt.NDArray[np.int32]:
        """For each caption in order, the position of its image; shape (captions,)."""
        import numpy as np

        counts = [len(sample.captions) for sample in self.samples]
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


@dataclass(frozen=True, slots=True)
class EncoderIdentity:
    """What an encoder is, down to its weights. `label` and `spec` are for people and not in the key.

    kind: "open_clip", "transformers", "python", "imported" or "toy". spec: what `--model` (and `--pretrained`) said.
    weights: digest of the tensors. preprocessing, tokenizer: everything that shapes the input.
    versions: library versions; major.minor of the model's library (open_clip or transformers) and of torch enter
    the key, the rest is provenance.
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
        keyed = ("transformers", "torch") if self.kind == "transformers" else ("open_clip_torch", "torch")
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

    @property
    def label(self) -> str | None:
        """What a set of rewritten captions is called; None for other settings."""
        rewrites = self.parameters.get("rewrites")
        return str(rewrites["label"]) if isinstance(rewrites, Mapping) and "label" in rewrites else None

    @property
    def words(self) -> str:
        """The setting as tables show it: "clean", "word-dropout 0.3 (seed 1)", "rewrite: formal"."""
        return perturbation_name(self.operation, self.level, self.seed, self.label)

    def side(self, modality: Modality) -> Perturbation:
        """Return this setting as one modality sees it: itself, or CLEAN where it does not touch it."""
        return self if self.target == modality else CLEAN


CLEAN = Perturbation("clean", "none", 0.0, 0)


def perturbation_name(operation: str, level: float, seed: int, label: str | None = None) -> str:
    """Return a setting in words. label: of rewritten captions, which have neither level nor seed.

    >>> perturbation_name("word-dropout", 0.3, 1), perturbation_name("rewrite", 1.0, 0, "formal")
    ('word-dropout 0.3 (seed 1)', 'rewrite: formal')
    """
    if label is not None:
        return f"{operation}: {label}"
    return operation if operation == CLEAN.operation else f"{operation} {level:g} (seed {seed})"


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

    depth is None where the whole ranking is known. A ledger of depth K knows the first K items of each
    query only, as an index returns them. Of a positive that is not among them nothing is known: its `above`
    is `UNKNOWN`, its `tied` and `tied_positives` are 0. `top1` is known always (K is at least 1),
    `positive_score` is -inf where no positive is among the K, `negative_score` where no other item is.
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
    depth: int | None = None

    @property
    def queries(self) -> int:
        """Number of queries."""
        return len(self.top1)


UNKNOWN = -1
"""`above` of a positive that lies deeper than its ledger reaches, and the filling of a shortlist's row."""


@dataclass(frozen=True)
class Shortlist:
    """The first K items of every query of one direction, best first, with their scores.

    items   int32 (Q, K)    gallery positions; `UNKNOWN` fills a row of which fewer than K are known
    scores  float32 (Q, K)  never rising along a row; -inf where the item is `UNKNOWN`
    """

    direction: Direction
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]

    @property
    def depth(self) -> int:
        """Items per query, K."""
        return int(self.items.shape[1])


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


@dataclass(frozen=True, slots=True)
class Protocol:
    """How runs are scored. All of it enters the run's key; these defaults are the only ones there are.

    ks: the cutoffs of hit@K. ties: policy for equal scores. positives: "own", or "equal-captions" where
    captions that say the same share their images. fold: images per gallery, None for one gallery.
    resamples, seed: of the cluster bootstrap.
    """

    ks: tuple[int, ...] = (1, 5, 10)
    directions: tuple[Direction, ...] = DIRECTIONS
    ties: TiePolicy = "expected"
    positives: str = "own"
    fold: int | None = None
    resamples: int = 2000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Raise ClipbenchError for a protocol that means nothing."""
        if not self.ks or min(self.ks) < 1:
            raise ClipbenchError(f"K counts from 1, got {list(self.ks)}", "--k 1 --k 5 --k 10")
        if self.positives not in POSITIVES or self.ties not in TIES:
            raise ClipbenchError(f"positives are one of {POSITIVES}, ties of {TIES}")
        if not 0.5 < self.confidence < 1 or self.resamples < 100:
            raise ClipbenchError("confidence is between .5 and 1, and resamples are 100 or more")
        if self.fold is not None and (self.fold < 2 or self.positives != "own"):
            raise ClipbenchError("folds hold 2 images or more, and go with a caption's own image only")

    def as_json(self) -> dict[str, Json]:
        """Return the protocol as it enters the run's key and is stored.

        The fields in `ALWAYS_WRITTEN` are always there, because they are in the keys of all stored runs. A
        field that came later is written only where it is not at its default, so that it re-keys nothing.
        """
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        kept = {n: v for n, v in told.items() if n in ALWAYS_WRITTEN or v != _DEFAULTS[n]}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}


_DEFAULTS: Mapping[str, object] = MappingProxyType({one.name: one.default for one in fields(Protocol)})
ALWAYS_WRITTEN = ("ks", "directions", "ties", "positives", "fold", "resamples", "seed", "confidence")
"""The fields that a protocol had when runs were first stored. Never to be added to, nor taken from."""


def filled(stored: Mapping[str, Json]) -> dict[str, Json]:
    """Return a stored protocol with every field that it leaves out at its default."""
    return {**Protocol().as_json(), **stored}


def protocol_of(stored: Mapping[str, Json]) -> Protocol:
    """Return the protocol that `Protocol.as_json` wrote: a field that is not there is at its default.

    What a kind of run says besides is left out. Raises ClipbenchError for a protocol that means nothing.
    """
    values = {name: stored.get(name, default) for name, default in _DEFAULTS.items()}
    lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list | tuple)}
    return Protocol(**{**values, **lists})  # type: ignore[arg-type]  # what as_json wrote has these types


@dataclass(frozen=True)
class RunSpec:
    """Everything that determines the result of one evaluation.

    dataset: the Dataset's key. images and texts: keys of the two embedding sets. protocol: as
    `Protocol.as_json` writes it, and beside that what a kind of run says of its gallery.
    method: what turned the two sets into a ranking, {"name": ..., parameters}; empty for the plain product
    of the vectors, and then it is not in the key.

    The two sets may come from different encoders of one space, such as a model and a head on its texts.
    Encoders share a space where their vectors were made to be multiplied with one another: towers of one
    model, and adapters of it. Only the dimension can be checked.
    """

    kind: str
    dataset: str
    images: str
    texts: str
    protocol: Mapping[str, Json]
    metric_version: int = METRIC_VERSION
    method: Mapping[str, Json] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Digest of the whole specification, the protocol as it stands (see `Protocol.as_json`)."""
        protocol = dict(self.protocol)
        if "confidence" in protocol:  # a share that people type; everything else is exact
            protocol["confidence"] = rounded(protocol["confidence"])
        fields: list[Json] = [self.kind, self.dataset, self.images, self.texts, protocol, self.metric_version]
        return digest("run", [*fields, self.method] if self.method else fields)
