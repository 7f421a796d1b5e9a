"""What an encoder is to the rest of clipbench: an identity, a text side and an image side.

Knows no library: open_clip models and the toy encoder meet here. Images are encoded in two steps, so
that a corruption can be applied to the prepared pixels between them (`model_input`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from clipbench.records import EncoderIdentity

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class TextVectors:
    """The vectors of n texts, in the order asked.

    vectors: float32 (n, D), unit length. tokens: int32 (n,), how many tokens each text has with start
    and end, before any truncation. truncated: bool (n,), True where that is more than the model reads.
    """

    vectors: npt.NDArray[np.float32]
    truncated: npt.NDArray[np.bool_]
    tokens: npt.NDArray[np.int32]


class Encoder(Protocol):
    """Anything that turns texts and pixels into unit vectors of one space."""

    @property
    def identity(self) -> EncoderIdentity:
        """Everything that determines a vector."""

    @property
    def text_limit(self) -> int:
        """Context length: the most tokens of a text that are read, start and end included."""

    @property
    def trimmed(self) -> bool:
        """Whether texts are encoded at their own length instead of padded to the limit."""

    @property
    def device(self) -> str:
        """Where the model runs: "cpu", "cuda" or "mps"."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about how this encoder was loaded; empty when nothing is unusual."""

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return each text's token count with start and end, before truncation; shape (n,)."""

    def encode_texts(self, texts: Sequence[str]) -> TextVectors:
        """Return the vectors of `texts`. The batches depend only on the set of strings."""

    def prepare(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the pixels the model will see, uint8 (H, W, 3): resized, cropped, RGB, not normalised.

        Safe to call from several threads.
        """

    def encode_images(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the unit vectors of prepared images: uint8 (n, H, W, 3) to float32 (n, D)."""
