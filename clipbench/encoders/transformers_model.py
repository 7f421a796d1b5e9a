"""A dual encoder of Hugging Face transformers as an Encoder: whatever has text features and image features.

CLIP, SigLIP, ALIGN, ChineseCLIP and their kin. The model's own processor prepares pixels and its own tokenizer
pads texts; texts are cut at a batch's longest one only where that was found to change nothing, which rules
out SigLIP, whose tower reads its padding. Code of a model's author is never run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from clipbench.encoders.batching import IMAGE_BATCH, TEXT_BATCH, length_sorted, tell, unique_texts
from clipbench.encoders.libraries import library_versions
from clipbench.encoders.network import silent_libraries
from clipbench.encoders.precision import exact_fp32, input_type, labelled, precision_notes, resolve_device
from clipbench.encoders.protocol import TextVectors
from clipbench.encoders.request import ModelRequest
from clipbench.encoders.specification import Precision, device_named, precision_named
from clipbench.encoders.text_trimming import TOLERANCE
from clipbench.encoders.transformers_files import model_place, must_stay_offline
from clipbench.encoders.weights import weights_digest
from clipbench.errors import EncoderError
from clipbench.keys import Json, canonical, digest
from clipbench.photographs.resizing import SLENDER
from clipbench.records import EncoderIdentity

if TYPE_CHECKING:
    import torch

PROBES = ("a", "a photo of two dogs", "a man in a red shirt rides his bike, and " * 2)
"""Texts on which cutting is tried."""

PATCHED = frozenset({"siglip2"})
"""Models that take patches of photographs of any shape; fixed pixels, which corruptions need, they do not have."""


def load(request: ModelRequest) -> TransformersEncoder:
    """Load the model, its tokenizer and its image processor.

    Raises EncoderError for whatever is wrong with the request, the files, the installation or the device.
    """
    place = model_place(request)
    precision = precision_named(request.precision)
    device = resolve_device(device_named(request.device))
    exact_fp32(device, precision)
    model, tokenizer, processor = _loaded(place, offline=must_stay_offline(place))
    _check_kind(model, place)
    model = model.to(device=device, dtype=input_type(precision)).eval().requires_grad_(requires_grad=False)
    texts = TokenizedTexts(tokenizer, _text_limit(model, tokenizer), trimmed=True)
    pixels = _pixels(processor, place)
    probe = TransformersEncoder(_unknown(), model, texts, pixels, precision, device)
    trimmed = probe.trimming_changes_nothing()
    texts = TokenizedTexts(tokenizer, texts.limit, trimmed=trimmed)
    dimension = probe.encode_texts(["a"]).vectors.shape[1]
    identity = _identity(request, place, model, texts, pixels, dimension)
    notes = precision_notes(precision, device)
    return TransformersEncoder(identity, model, texts, pixels, precision, device, notes)


@dataclass(frozen=True)
class TokenizedTexts:
    """The model's tokenizer. limit: most tokens that are read. trimmed: padded to a batch's longest, or to the limit."""

    tokenizer: Any
    limit: int
    trimmed: bool

    def count(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return each text's tokens, special ones included, before truncation."""
        if not texts:
            return np.empty(0, np.int32)
        ids = self.tokenizer(list(texts), truncation=False, padding=False)["input_ids"]
        return np.fromiter((len(one) for one in ids), np.int32, len(texts))

    def __call__(self, texts: Sequence[str], *, whole: bool = False) -> Mapping[str, torch.Tensor]:
        """Return what the model takes; whole: padded to the limit in any case."""
        padding = "max_length" if whole or not self.trimmed else "longest"
        encoded = self.tokenizer(
            list(texts), padding=padding, truncation=True, max_length=self.limit, return_tensors="pt"
        )
        return {
            name: encoded[name]
            for name in ("input_ids", "attention_mask", "token_type_ids")
            if name in encoded
        }


@dataclass(frozen=True)
class ProcessedPixels:
    """The model's image processor in two halves: uint8 pixels, and the numbers made of them."""

    processor: Any
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]

    def prepare(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the pixels after resizing and cropping, uint8 (H, W, 3).

        Of a very slender strip whose middle is cropped only the middle is handed to the processor, which would
        make hundreds of times as many pixels of the whole.
        """
        size = getattr(self.processor, "size", None)
        edge = (
            size.get("shortest_edge") if isinstance(size, Mapping) else getattr(size, "shortest_edge", None)
        )
        if edge:
            image = _middle(image)
        made = self.processor(
            images=image.convert("RGB"), do_rescale=False, do_normalize=False, return_tensors="np"
        )["pixel_values"][0]
        return np.ascontiguousarray(np.asarray(made, dtype=np.uint8).transpose(1, 2, 0))

    def numbers(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return uint8 (n, H, W, 3) as normalised float32 (n, 3, H, W)."""
        import torch

        values = pixels.permute(0, 3, 1, 2).to(torch.float32).mul_(self.scale)
        mean = torch.tensor(self.mean, device=values.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=values.device).view(1, 3, 1, 1)
        return values.sub_(mean).div_(std)


def _middle(image: Image.Image) -> Image.Image:
    """Return the middle of a picture more than SLENDER times as long as wide, that many times as long."""
    width, height = image.size
    most = SLENDER * min(width, height)
    if max(width, height) <= most:
        return image
    start = (max(width, height) - most) // 2
    return image.crop((start, 0, start + most, height) if width > height else (0, start, width, start + most))


@dataclass(frozen=True)
class TransformersEncoder:
    """A loaded model of transformers."""

    identity: EncoderIdentity
    model: Any
    texts: TokenizedTexts
    pixels: ProcessedPixels
    precision: Precision
    device: str
    notes: tuple[str, ...] = ()

    @property
    def text_limit(self) -> int:
        """The most tokens of a text that are read."""
        return self.texts.limit

    @property
    def trimmed(self) -> bool:
        """Whether texts are padded to a batch's longest instead of to the limit."""
        return self.texts.trimmed

    @property
    def logit_scale(self) -> float | None:
        """What the model multiplies cosines with, None where it does not say (ALIGN divides by a temperature)."""
        scale = getattr(self.model, "logit_scale", None)
        return None if scale is None else float(scale.exp())

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Return each text's token count, special tokens included, before truncation; shape (n,)."""
        return self.texts.count(texts)

    def encode_texts(self, texts: Sequence[str]) -> TextVectors:
        """Return the vectors of `texts`, each distinct string encoded once, in batches of like length."""
        distinct, place = unique_texts(texts)
        counts = self.texts.count(distinct)
        kept = np.minimum(counts, self.text_limit)
        parts: dict[int, npt.NDArray[np.float32]] = {}
        for rows in length_sorted(distinct, kept, TEXT_BATCH[self.device]):
            vectors = self._text_vectors(self.texts([distinct[row] for row in rows]))
            parts.update(zip(rows.tolist(), vectors, strict=True))
            tell(len(rows))
        empty = np.empty((0, self.identity.dimension), np.float32)
        vectors = np.stack([parts[row] for row in range(len(distinct))]) if distinct else empty
        self._check_finite(vectors, "text")
        return TextVectors(vectors[place], counts[place] > self.text_limit, counts[place])

    def prepare(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return the pixels the model will see, uint8 (H, W, 3)."""
        return self.pixels.prepare(image)

    def encode_images(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the unit vectors of prepared images: uint8 (n, H, W, 3) to float32 (n, D)."""
        import torch

        wanted = (*self.pixels.size, 3)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != wanted:
            raise EncoderError(
                f"prepared images are uint8 (n, {', '.join(map(str, wanted))}); got {pixels.shape}"
            )
        size = IMAGE_BATCH[self.device]
        parts = [np.empty((0, self.identity.dimension), np.float32)]
        for start in range(0, len(pixels), size):
            chunk = torch.from_numpy(np.array(pixels[start : start + size])).to(self.device)
            numbers = self.pixels.numbers(chunk).to(input_type(self.precision))
            with torch.inference_mode():
                parts.append(_unit(self.model.get_image_features(pixel_values=numbers)))
            tell(len(chunk))
        vectors = np.concatenate(parts)
        self._check_finite(vectors, "image")
        return vectors

    def trimming_changes_nothing(self) -> bool:
        """Return whether padding to a text's own length gives the vectors that padding to the limit gives."""
        alone = np.concatenate([self._text_vectors(self.texts([text])) for text in PROBES])
        whole = self._text_vectors(self.texts(PROBES, whole=True))
        return bool(np.abs(alone - whole).max() <= TOLERANCE[self.precision])

    def _text_vectors(self, tokens: Mapping[str, torch.Tensor]) -> npt.NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            features = self.model.get_text_features(**{k: v.to(self.device) for k, v in tokens.items()})
        return _unit(features)

    def _check_finite(self, vectors: npt.NDArray[np.float32], what: str) -> None:
        if not np.isfinite(vectors).all():
            first = int(np.argmin(np.isfinite(vectors).all(axis=1)))
            raise EncoderError(
                f"{self.identity.label} in {self.precision} gave no finite unit vector for {what} {first}",
                "use --precision fp32" if self.precision != "fp32" else "check the weights",
            )


def _unit(features: Any) -> npt.NDArray[np.float32]:
    """Return features as unit vectors; since version 5 transformers wraps them into a record."""
    import torch
    from torch.nn.functional import normalize

    tensor = features if isinstance(features, torch.Tensor) else features.pooler_output
    vectors: npt.NDArray[np.float32] = normalize(tensor.float(), dim=-1).cpu().numpy()
    vectors[~vectors.any(axis=1)] = np.nan  # zeros point nowhere, so they are no vector
    return vectors


def _loaded(place: str, *, offline: bool) -> tuple[Any, Any, Any]:
    try:
        import transformers
    except ImportError as error:
        raise EncoderError(
            f"hf:{place} needs transformers, which is not installed", "pip install 'clipbench[hf]'"
        ) from error
    messages: Any = transformers.utils.logging
    messages.disable_progress_bar()  # loading has a bar of ours
    arguments = {"local_files_only": offline, "trust_remote_code": False}
    try:
        with silent_libraries():
            model = transformers.AutoModel.from_pretrained(place, **arguments)
            tokenizer = transformers.AutoTokenizer.from_pretrained(place, **arguments)
            images: Any = transformers.AutoImageProcessor
            processor = images.from_pretrained(place, **arguments)
    except Exception as error:  # transformers raises whatever its readers do
        text = " ".join(str(error).split())[:200]
        raise EncoderError(
            f"hf:{place} cannot be loaded: {type(error).__name__}: {text}",
            "a folder needs the model, its tokenizer and its image processor, each saved by save_pretrained",
        ) from error
    return model, tokenizer, processor


def _check_kind(model: Any, place: str) -> None:
    kind = str(model.config.model_type)
    if not (hasattr(model, "get_text_features") and hasattr(model, "get_image_features")):
        raise EncoderError(f"hf:{place} is a {kind}, which has no features of texts and images in one space")
    if kind in PATCHED:
        raise EncoderError(
            f"hf:{place} is a {kind} that reads photographs in patches of any shape, which is not supported",
            "take a checkpoint of fixed size, for example hf:google/siglip2-base-patch16-224",
        )


def _text_limit(model: Any, tokenizer: Any) -> int:
    config = getattr(model.config, "text_config", model.config)
    positions = int(getattr(config, "max_position_embeddings", 512))
    # A tokenizer that knows no limit says some 1e30.
    return min(positions, int(min(tokenizer.model_max_length, 10**6)))


def _pixels(processor: Any, place: str) -> ProcessedPixels:
    """Return the processor cut in two, tried on a picture of odd size against the processor as a whole."""
    import torch

    noise = np.random.default_rng(0).integers(0, 256, (67, 101, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    tall = processor(images=image.rotate(90, expand=True), return_tensors="np")["pixel_values"][0]
    whole = np.asarray(processor(images=image, return_tensors="np")["pixel_values"][0], dtype=np.float32)
    if whole.ndim != 3 or whole.shape[0] != 3:
        raise EncoderError(
            f"the image processor of hf:{place} makes no picture of three channels: {whole.shape}"
        )
    if np.shape(tall) != whole.shape:
        raise EncoderError(
            f"the image processor of hf:{place} makes pictures of different sizes, {whole.shape} and {np.shape(tall)}",
            "write it as --model python:MODULE:FUNCTION",
        )
    scale = (
        float(getattr(processor, "rescale_factor", 1 / 255))
        if getattr(processor, "do_rescale", True)
        else 1.0
    )
    plain = not getattr(processor, "do_normalize", True)
    mean = (0.0,) * 3 if plain else tuple(float(v) for v in processor.image_mean)
    std = (1.0,) * 3 if plain else tuple(float(v) for v in processor.image_std)
    pixels = ProcessedPixels(processor, scale, mean, std, (whole.shape[1], whole.shape[2]))
    numbers = pixels.numbers(torch.from_numpy(pixels.prepare(image)[None]))[0].numpy()
    if np.abs(numbers - whole).max() > 1e-4:
        raise EncoderError(
            f"the image processor of hf:{place} does more than resize, crop and normalise",
            "write it as --model python:MODULE:FUNCTION",
        )
    return pixels


def _identity(
    request: ModelRequest,
    place: str,
    model: Any,
    texts: TokenizedTexts,
    pixels: ProcessedPixels,
    dimension: int,
) -> EncoderIdentity:
    config = model.config
    activations = {
        name: str(getattr(getattr(config, name, None), "hidden_act", "unknown"))
        for name in ("text_config", "vision_config")
    }
    return EncoderIdentity(
        kind="transformers",
        label=labelled(
            Path(place).name if Path(place).is_dir() else place, precision_named(request.precision)
        ),
        spec=request.model,
        architecture=f"{config.model_type} {digest('config', _plain(config.to_dict()))}",
        pretrained=None,
        weights=weights_digest(model.state_dict()),
        activation=", ".join(f"{name.removesuffix('_config')} {act}" for name, act in activations.items()),
        preprocessing={"processor": _plain(pixels.processor.to_dict()), "orientation": "exif applied"},
        tokenizer={
            "class": type(texts.tokenizer).__name__,
            "vocabulary": digest("vocabulary", dict(sorted(texts.tokenizer.get_vocab().items()))),
            "limit": texts.limit,
            "padding": "longest" if texts.trimmed else "max_length",
        },
        precision=request.precision,
        dimension=dimension,
        versions=library_versions(),
    )


IGNORED = (
    "_name_or_path",
    "transformers_version",
    "torch_dtype",
    "dtype",
    "architectures",
    "processor_class",
)
"""What a config says of its file or of the library that wrote it, and not of the model."""


def _plain(config: Mapping[str, Any]) -> dict[str, Json]:
    """Return what a config says as JSON, without what changes with the place or the library."""
    plain: dict[str, Json] = {}
    for name, value in sorted(((str(name), value) for name, value in config.items()), key=itemgetter(0)):
        if name in IGNORED or name.startswith("_"):
            continue
        if isinstance(value, Mapping):
            plain[name] = _plain(value)
        elif value is None or isinstance(value, bool | int | float | str):
            plain[name] = value
        else:
            plain[name] = str(value)
    canonical(plain)  # raises here, where it can be told of what, rather than in a key
    return plain


def _unknown() -> EncoderIdentity:
    """Return an identity for probing, before anything is known."""
    return EncoderIdentity("transformers", "", "", "", None, "", "", {}, {}, "fp32", 0)
