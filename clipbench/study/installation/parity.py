"""What a coarser precision loses against fp32: on the first photographs and captions of a stored dataset.

Both encoders are loaded and asked for the same vectors; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from clipbench.metrics.measures import measure
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.records import DIRECTIONS, Modality
from clipbench.store.datasets import load_dataset
from clipbench.store.engine import Store
from clipbench.study.embedding.embed import need_captions, photographs
from clipbench.study.embedding.models import ModelRequest, model_spec
from clipbench.study.installation.health import Examined

if TYPE_CHECKING:
    from clipbench.encoders.protocol import Encoder

IMAGES = 200
"""Photographs that are encoded in both precisions, with their captions: seconds rather than minutes."""

LEAST = 0.98
"""Mean cosine with fp32 below which a precision says something else of a photograph or caption."""

KS = (1, 5, 10)

Vectors: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Probe:
    """What both encoders encode. owners: for each text the row of its image."""

    pixels: npt.NDArray[np.uint8]
    texts: tuple[str, ...]
    owners: npt.NDArray[np.int32]


def precision_parity(store: Store, dataset: str, request: ModelRequest) -> Iterator[Examined]:
    """Examine cosines with fp32 and R@K of both, one line each. Raises ClipbenchError for what cannot be encoded."""
    from clipbench.encoders.loading import load

    whole = load(model_spec(replace(request, precision="fp32", device="cpu")))
    coarse = load(model_spec(request))
    probe = _probe(store, dataset, whole)
    vectors = [_vectors(encoder, probe) for encoder in (whole, coarse)]
    name = f"{request.precision} against fp32"
    for modality in ("text", "image"):
        yield _cosines(name, vectors[0][modality], vectors[1][modality], modality)
    before, after = (_recalls(one, probe) for one in vectors)
    for direction in DIRECTIONS:
        told = (
            f"R@{k} {before[direction, k]:.4f} → {after[direction, k]:.4f} "
            f"({after[direction, k] - before[direction, k]:+.4f})".replace("-", "−")
            for k in KS
        )
        of = f"{len(probe.pixels):,} images and {len(probe.texts):,} captions of {dataset}"
        yield Examined(f"{name}: {direction}", passed=True, detail=f"{', '.join(told)}; {of}")


def _probe(store: Store, name: str, encoder: Encoder) -> Probe:
    from clipbench.encoders.images import PhotoFile, decode_ahead

    dataset = load_dataset(store, name)
    need_captions(dataset)
    captions = {sample.id: sample.captions for sample in dataset.samples}
    pictures = [one for one in photographs(dataset)[0] if captions[one.id]][:IMAGES]
    files = [PhotoFile(one.path, one.digest) for one in pictures]
    decoded = list(decode_ahead(files, lambda _, image: encoder.prepare(image)))
    seen = [
        (one.pixels, captions[picture.id])
        for one, picture in zip(decoded, pictures, strict=True)
        if one.pixels is not None
    ]
    texts = tuple(caption.text for _, found in seen for caption in found)
    counts = [len(found) for _, found in seen]
    return Probe(
        np.stack([pixels for pixels, _ in seen]),
        texts,
        np.repeat(np.arange(len(seen), dtype=np.int32), counts),
    )


def _vectors(encoder: Encoder, probe: Probe) -> Mapping[Modality, Vectors]:
    return {"text": encoder.encode_texts(probe.texts).vectors, "image": encoder.encode_images(probe.pixels)}


def _cosines(name: str, whole: Vectors, coarse: Vectors, modality: Modality) -> Examined:
    cosines = np.einsum("ij,ij->i", whole.astype(np.float64), coarse)
    passed = bool(cosines.mean() >= LEAST)
    detail = f"cosine {cosines.min():.5f} at least, {cosines.mean():.5f} on average ({LEAST:g} passes)"
    hint = None if passed else "--precision fp32 says what the model says"
    return Examined(f"{name}: {modality}s", passed=passed, detail=detail, hint=hint)


def _recalls(vectors: Mapping[Modality, Vectors], probe: Probe) -> dict[tuple[str, int], float]:
    positives = own(probe.owners, len(probe.pixels))
    ledgers = rank(vectors["image"], vectors["text"], positives, probe.owners)
    return {(d, k): float(measure(f"hit@{k}")(ledgers[d], "expected").mean()) for d in DIRECTIONS for k in KS}
