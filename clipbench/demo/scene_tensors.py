"""A drawn split as arrays to train on: pixels as the model will see them, captions as small numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from clipbench.demo.scenes import collection as scenes


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens that occur in training, ascending: int64 (V,). End of text is the last, as it must be.

    Position in this list is the token's number while training; ascending order keeps the end of text,
    which the model finds by argmax, the largest.
    """

    folder: Path
    tokens: npt.NDArray[np.int64]

    @classmethod
    def of(cls, folder: Path, known: Iterable[scenes.Scene]) -> Vocabulary:
        """Return the tokens of all captions under the tokenizer of the model folder, padding included."""
        texts = sorted({caption.text for scene in known for caption in scene.captions})
        return cls(folder, np.unique(tokenise(folder, texts)))

    def number(self, texts: list[str]) -> npt.NDArray[np.int64]:
        """Return the texts as training numbers, (texts, context). Raises ValueError for a new token."""
        tokens = tokenise(self.folder, texts)
        if not np.isin(tokens, self.tokens).all():
            raise ValueError("a caption has a token that the training captions do not have")
        return np.searchsorted(self.tokens, tokens)


def tokenise(folder: Path, texts: list[str]) -> npt.NDArray[np.int64]:
    """Return open_clip's tokens of the texts, (texts, context)."""
    import open_clip

    tokens: npt.NDArray[np.int64] = open_clip.get_tokenizer(f"local-dir:{folder}")(texts).numpy()
    return tokens


@dataclass(frozen=True, slots=True)
class SplitTensors:
    """One split. pixels: uint8 (images, 3, side, side); tokens: int64 (images, 5, context)."""

    pixels: npt.NDArray[np.uint8]
    tokens: npt.NDArray[np.int64]
    families: tuple[int, ...]

    def normalised(self, chosen: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return the chosen images as floats in -1..1, laid out for convolution."""
        pixels = torch.from_numpy(self.pixels[chosen]).float().div_(127.5).sub_(1)
        return pixels.contiguous(memory_format=torch.channels_last)


def load_split(folder: Path, split: str, vocabulary: Vocabulary, side: int) -> SplitTensors:
    """Return a drawn split as arrays, resized as open_clip's preprocessing does it."""
    known = scenes.scenes(folder, split)
    pixels = np.empty((len(known), 3, side, side), np.uint8)
    for number, scene in enumerate(known):
        with Image.open(folder / split / f"{scene.id}.png") as image:
            small = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        pixels[number] = np.asarray(small).transpose(2, 0, 1)
    texts = [caption.text for scene in known for caption in scene.captions]
    tokens = vocabulary.number(texts).reshape(len(known), 5, -1)
    return SplitTensors(pixels, tokens, tuple(scene.family for scene in known))
