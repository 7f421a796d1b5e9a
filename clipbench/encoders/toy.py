"""An encoder without weights: texts by hashing words, images by their colours. For tests and first steps.

A text that names a colour lies near an image that shows it, so retrieval beats chance and perturbations
hurt; everything else about it is arbitrary. Deterministic on every platform; needs no torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.encoders.protocol import TextVectors
from clipbench.errors import EncoderError
from clipbench.keys import digest
from clipbench.records import EncoderIdentity

DIMENSION = 64
SIDE = 32
TEXT_LIMIT = 32
_GRID = 4
_COLOUR_WEIGHT = 3.0

# Where a colour word points among red, green and blue, from the middle grey.
_COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (1, -1, -1),
    "green": (-1, 1, -1),
    "blue": (-1, -1, 1),
    "yellow": (1, 1, -1),
    "orange": (1, 0.2, -1),
    "purple": (0.3, -1, 0.3),
    "pink": (1, 0.3, 0.6),
    "brown": (0.2, -0.3, -0.7),
    "black": (-1, -1, -1),
    "white": (1, 1, 1),
}


def _identity() -> EncoderIdentity:
    return EncoderIdentity(
        kind="toy",
        label="toy",
        spec="toy",
        architecture="words by hashing, images by mean colours",
        pretrained=None,
        weights=digest("weights", ["toy", 1, DIMENSION, {k: list(v) for k, v in _COLOURS.items()}]),
        activation="none",
        preprocessing={"size": [SIDE, SIDE], "resize": "squash", "interpolation": "bilinear"},
        tokenizer={"class": "words", "context_length": TEXT_LIMIT},
        precision="fp32",
        dimension=DIMENSION,
    )


@dataclass(frozen=True)
class ToyEncoder:
    """A deterministic stand-in for a model: 64 dimensions, 32 × 32 pixels, 30 words of a text."""

    identity: EncoderIdentity = field(default_factory=_identity)
    notes: tuple[str, ...] = ()
    trimmed: bool = True
    device: str = "cpu"
    text_limit: int = TEXT_LIMIT

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return each text's word count and two, for start and end; shape (n,)."""
        return np.fromiter((len(text.split()) + 2 for text in texts), np.int32, len(texts))

    def encode_texts(self, texts: Sequence[str]) -> TextVectors:
        """Return the vectors of `texts`; words beyond the limit are cut off."""
        vectors = np.zeros((len(texts), DIMENSION), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = _text_vector(text)
        tokens = self.count_tokens(texts)
        return TextVectors(vectors, tokens > TEXT_LIMIT, tokens)

    def prepare(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the image squashed to 32 × 32, RGB; uint8 (32, 32, 3)."""
        squashed = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        return np.asarray(squashed, dtype=np.uint8)

    def encode_images(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the vectors of prepared images: uint8 (n, 32, 32, 3) to float32 (n, 64)."""
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (SIDE, SIDE, 3):
            raise EncoderError(f"prepared images are uint8 (n, {SIDE}, {SIDE}, 3); got {pixels.shape}")
        centred = pixels.astype(np.float64) / 127.5 - 1
        cell = SIDE // _GRID
        cells = centred.reshape(-1, _GRID, cell, _GRID, cell, 3).mean(axis=(2, 4))
        vectors = np.zeros((len(pixels), DIMENSION))
        vectors[:, :3] = _COLOUR_WEIGHT * centred.mean(axis=(1, 2))
        vectors[:, 3 : 3 + 3 * _GRID**2] = cells.reshape(len(pixels), 3 * _GRID**2)
        vectors[:, -1] = 0.1  # a mid-grey image has no colour at all, and still needs a direction
        return _unit(vectors)


def _text_vector(text: str) -> npt.NDArray[np.float32]:
    vector = np.zeros(DIMENSION)
    vector[-1] = 0.1
    words = text.lower().split()[: TEXT_LIMIT - 2]
    for position, word in enumerate(words):
        plain = word.strip(".,;:!?\"'()")
        vector += 0.2 * _hashed(plain)
        # The place of a word counts a little, so that shuffling words changes a text.
        vector += 0.05 * _hashed(f"{position} {plain}")
        vector[:3] += _COLOUR_WEIGHT * np.array(_COLOURS.get(plain, (0, 0, 0)))
    first: npt.NDArray[np.float32] = _unit(vector[None])[0]
    return first


def _hashed(word: str) -> npt.NDArray[np.float64]:
    """A direction for a word, components in -1..1, the three colour components left empty."""
    data = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=DIMENSION).digest()
    vector = np.frombuffer(data, np.uint8).astype(np.float64) / 127.5 - 1
    vector[:3] = 0
    return vector


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    unit: npt.NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(
        np.float32
    )
    return unit
