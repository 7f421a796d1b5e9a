"""An open_clip model as an Encoder: unit vectors from texts and prepared pixels.

Runs a model that loading has built, checked and described; decides nothing about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.encoders.batching import length_sorted, of_one_length, tell, unique_texts
from clipbench.encoders.causal_blocks import Layers
from clipbench.encoders.precision import input_type
from clipbench.encoders.prefix_tree import features as prefix_features
from clipbench.encoders.preprocessing import Preprocessing
from clipbench.encoders.protocol import TextVectors
from clipbench.encoders.specification import Precision
from clipbench.encoders.text_trimming import CausalTower
from clipbench.encoders.tokenizing import Tokenizing
from clipbench.errors import EncoderError
from clipbench.records import EncoderIdentity

if TYPE_CHECKING:
    import torch

Forward: TypeAlias = "Callable[[torch.Tensor], torch.Tensor]"
"""Token ids (n, L) to features (n, D), not normalised."""


@dataclass(frozen=True)
class OpenClipEncoder:
    """A loaded open_clip model. `tower` is None where texts must be padded to the full length.

    shared_by: how linear layers are computed where what texts have in common at their beginning is computed once,
    None where it is not.
    """

    identity: EncoderIdentity
    model: Any  # an open_clip CLIP, CustomTextCLIP or CoCa; open_clip has no types
    preprocessing: Preprocessing
    tokenizing: Tokenizing
    tower: CausalTower | None
    precision: Precision
    device: str
    channels_last: bool
    text_batch: int
    image_batch: int
    shared_by: Layers | None = None
    notes: tuple[str, ...] = ()

    @property
    def text_limit(self) -> int:
        """Context length: the most tokens of a text that are read, start and end included."""
        return self.tokenizing.limit

    @property
    def trimmed(self) -> bool:
        """Whether texts are encoded at their own length instead of padded to the limit."""
        return self.tower is not None

    @property
    def logit_scale(self) -> float | None:
        """What the model multiplies cosines with, None where it does not say."""
        scale = getattr(self.model, "logit_scale", None)
        return None if scale is None else float(scale.exp())

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return each text's token count with start and end, before truncation; shape (n,)."""
        return self.tokenizing.count(texts)

    def encode_texts(self, texts: Sequence[str]) -> TextVectors:
        """Return the vectors of `texts`, each distinct string encoded once.

        A causal tower computes what texts have in common at their beginning once; others take batches of like
        length. Either way the vectors depend on the set of strings alone.
        """
        distinct, place = unique_texts(texts)
        tokens = self.tokenizing(distinct)
        vectors = np.empty((len(distinct), self.identity.dimension), np.float32)
        for rows, forward in self._text_batches(distinct, np.minimum(tokens.counts, self.text_limit)):
            vectors[rows] = self._unit(forward, self._on_device(tokens.ids[rows]))
        if not np.isfinite(vectors).all():
            first = int(np.argmin(np.isfinite(vectors).all(axis=1)))
            raise self._not_finite(f"the text {distinct[first][:60]!r}")
        counts = tokens.counts[place]
        return TextVectors(vectors[place], counts > self.text_limit, counts)

    def prepare(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the pixels the model will see, uint8 (H, W, 3): resized, cropped, RGB, not normalised."""
        return self.preprocessing.prepare(image)

    def encode_images(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the unit vectors of prepared images: uint8 (n, H, W, 3) to float32 (n, D)."""
        import torch

        wanted = (*self.preprocessing.size, 3)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != wanted:
            raise EncoderError(
                f"prepared images are uint8 (n, {', '.join(map(str, wanted))}); "
                f"got {pixels.dtype} {pixels.shape}"
            )
        vectors = np.empty((len(pixels), self.identity.dimension), np.float32)
        for start in range(0, len(pixels), self.image_batch):
            chunk = torch.from_numpy(
                np.array(pixels[start : start + self.image_batch])
            )  # it must be writable
            if self.device == "cuda":
                chunk = chunk.pin_memory()  # so that the copy below does not wait for the device
            vectors[start : start + len(chunk)] = self._unit(self._image_forward, chunk)
            tell(len(chunk))
        if not np.isfinite(vectors).all():
            first = int(np.argmin(np.isfinite(vectors).all(axis=1)))
            raise self._not_finite(f"image {first} of the batch")
        return vectors

    def _text_batches(
        self, texts: Sequence[str], counts: npt.NDArray[np.integer]
    ) -> Iterator[tuple[npt.NDArray[np.intp], Forward]]:
        """Yield which texts go through the tower together, and how."""
        if not texts:
            return
        if self.tower is not None and self.shared_by is not None:
            tower, layers = self.tower, self.shared_by
            yield np.arange(len(texts)), lambda ids: prefix_features(tower, ids, layers)
            return
        forward: Forward = self.model.encode_text if self.tower is None else self.tower.features
        # Rounded to 8 bits, what padding changes in the last digit of a float may become a step.
        batches = of_one_length if self.precision == "int8" else length_sorted
        for rows in batches(texts, counts, self.text_batch):
            yield rows, forward
            tell(len(rows))  # control comes back here once they went through

    def _on_device(self, ids: npt.NDArray[np.integer]) -> torch.Tensor:
        import torch

        return torch.from_numpy(ids).to(self.device)

    def _image_forward(self, pixels: torch.Tensor) -> torch.Tensor:
        import torch

        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        numbers = self.preprocessing.numbers(pixels.to(self.device, non_blocking=self.device == "cuda")).to(
            input_type(self.precision)
        )
        features: torch.Tensor = self.model.encode_image(numbers.contiguous(memory_format=layout))
        return features

    def _unit(
        self, forward: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor
    ) -> npt.NDArray[np.float32]:
        import torch
        from torch.nn.functional import normalize

        try:
            with torch.inference_mode():
                vectors: npt.NDArray[np.float32] = normalize(forward(batch).float(), dim=-1).cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise EncoderError(
                f"{self.device} ran out of memory at a batch of {len(batch)}", "use a smaller batch size"
            ) from error
        # normalize leaves a vector of zeros as it is; it points nowhere, so it is no vector.
        vectors[~vectors.any(axis=1)] = np.nan
        return vectors

    def _not_finite(self, what: str) -> EncoderError:
        return EncoderError(
            f"{self.identity.label} in {self.precision} gave no finite unit vector for {what}",
            "use --precision fp32" if self.precision != "fp32" else "check the weights",
        )
