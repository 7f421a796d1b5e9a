"""What fine-tuning feeds a model: a copy of it that may change, photographs as it prepares them, captions as tokens."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clipbench.errors import DatasetError, EncoderError
from clipbench.records import Dataset, Sample
from clipbench.study.adapting.fair import refuse_false_gallery
from clipbench.study.adapting.splits import Split, scores
from clipbench.study.embedding.models import EncoderSource, VectorSource
from clipbench.study.workplace.progress import Progress

if TYPE_CHECKING:
    import torch

    from clipbench.adapters.finetuning import Towers, TrainingPairs
    from clipbench.encoders.openclip import OpenClipEncoder

LARGEST = 12 << 30
"""Bytes of prepared photographs that are held in memory, some 80,000 of 224 × 224 pixels."""


def tunable(source: VectorSource) -> OpenClipEncoder:
    """Return the open_clip model of a source, loading it.

    Raises EncoderError for a source whose weights are not to be had, and for arithmetic other than fp32.
    """
    from clipbench.encoders.openclip import OpenClipEncoder

    if type(source) is not EncoderSource:
        raise EncoderError(
            f"{source.request.model} has no weights to fine-tune: only open_clip models have",
            "clipbench adapt train puts a head on any model's vectors",
        )
    if source.request.precision != "fp32":
        raise EncoderError(
            f"fine-tuning in {source.request.precision} would lose small steps", "--precision fp32"
        )
    encoder = source.encoder
    if not isinstance(encoder, OpenClipEncoder):
        raise EncoderError(
            f"{source.request.model} is no open_clip model, and only those are fine-tuned",
            "clipbench adapt train puts a head on any model's vectors",
        )
    return encoder


def changeable(encoder: OpenClipEncoder) -> OpenClipEncoder:
    """Return an encoder around a copy of the model, so that the loaded one stays what it is."""
    from clipbench.encoders.text_trimming import causal_tower

    model = copy.deepcopy(encoder.model)
    return replace(encoder, model=model, tower=causal_tower(model) if encoder.tower else None)


def towers_of(encoder: OpenClipEncoder) -> Towers:
    """Return the two towers of an encoder as functions that gradients go through."""
    from clipbench.adapters.finetuning import Towers

    def images(pixels: torch.Tensor) -> torch.Tensor:
        numbers = encoder.preprocessing.numbers(pixels.to(encoder.device))
        features: torch.Tensor = encoder.model.encode_image(numbers.contiguous())
        return features

    def texts(tokens: torch.Tensor) -> torch.Tensor:
        forward = encoder.model.encode_text if encoder.tower is None else encoder.tower.features
        features: torch.Tensor = forward(tokens.to(encoder.device))
        return features

    return Towers(encoder.model, images, texts)


@dataclass(frozen=True)
class Prepared:
    """A split as a model takes it: pixels uint8 (N, H, W, 3) of its images with captions, in order; texts (M,)."""

    split: Split
    pixels: npt.NDArray[np.uint8]
    texts: tuple[str, ...]

    def pairs(self, encoder: OpenClipEncoder) -> TrainingPairs:
        """Return it as pairs to learn from."""
        from clipbench.adapters.finetuning import TrainingPairs

        tokens = encoder.tokenizing(self.texts).ids
        return TrainingPairs(lambda rows: self.pixels[rows], tokens, self.split.owners)

    def scores(self, encoder: OpenClipEncoder) -> Mapping[str, float]:
        """Return how a model as it stands ranks the split, as every run ranks. Raises DatasetError for what is false."""
        images = encoder.encode_images(self.pixels)
        texts = encoder.encode_texts(self.texts).vectors
        refuse_false_gallery(self.split.gallery.samples, images, texts, self.split.owners)
        return scores(images, texts, self.split.owners)


def prepare(encoder: OpenClipEncoder, split: Split, label: str, progress: Progress) -> Prepared:
    """Return a split with its photographs decoded and prepared as the encoder prepares every photograph.

    Raises DatasetError for a photograph that can no longer be read, and where they need more memory than is taken.
    """
    pixels = prepared_pixels(encoder, split.dataset, split.gallery.samples, f"preparing {label}", progress)
    return Prepared(split, pixels, tuple(caption.text for caption in split.gallery.captions))


def prepared_pixels(
    encoder: OpenClipEncoder, dataset: Dataset, samples: Sequence[Sample], label: str, progress: Progress
) -> npt.NDArray[np.uint8]:
    """Return the photographs of some of a dataset's images, as the encoder prepares them; uint8 (n, H, W, 3)."""
    from clipbench.encoders.images import PhotoFile, decode_ahead

    height, width = encoder.preprocessing.size
    size = len(samples) * height * width * 3
    if size > LARGEST:
        raise DatasetError(
            f"{len(samples):,} photographs of {height} × {width} pixels need {size / 2**30:.0f} GiB of memory, "
            f"at most {LARGEST >> 30} are taken",
            "clipbench dataset add with --sample N",
        )
    if dataset.image_folder is None:
        raise DatasetError(
            f"{dataset.name} has no photographs to learn from", "clipbench dataset add with --images FOLDER"
        )
    pixels = np.empty((len(samples), height, width, 3), np.uint8)
    bar = progress.start(label, len(samples))
    files = [PhotoFile(dataset.image_folder / (sample.path or ""), sample.digest) for sample in samples]
    seen = decode_ahead(files, lambda _, image: encoder.prepare(image))
    for row, (sample, decoded) in enumerate(zip(samples, seen, strict=True)):
        if decoded.pixels is None:
            reason = decoded.problem.message if decoded.problem else "unreadable"
            raise DatasetError(f"{dataset.name}: {sample.id} can no longer be used: {reason}")
        pixels[row] = decoded.pixels
        progress.advance(bar)
    return pixels
