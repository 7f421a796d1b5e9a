"""Vectors equal open_clip's own: trimmed texts, prepared images, whatever the order and the batch."""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch.nn.functional import normalize

from clipbench.encoders.activation import activation_record
from clipbench.encoders.batching import length_sorted, unique_texts
from clipbench.encoders.openclip import OpenClipEncoder
from clipbench.encoders.preprocessing import split
from clipbench.encoders.text_trimming import agrees, causal_tower
from clipbench.encoders.tokenizing import Tokenizing, tokenizing
from clipbench.errors import EncoderError
from clipbench.photographs import opening
from clipbench.records import EncoderIdentity

TEXTS = (
    "a red ball",
    "two dogs run through deep snow towards the camera",
    "",
    "dog",
    "a man in a blue jacket climbs a very steep wall of ice while his friends watch from below",
    "word " * 200,
    "a red ball",
)


def tiny_model(*, custom: bool = False, vision: dict[str, Any] | None = None, **text: Any) -> Any:
    """A random two-layer model; BatchNorm towers get statistics of their own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = (CustomTextCLIP if custom else CLIP)(
            embed_dim=16,
            vision_cfg={"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16}
            | (vision or {}),
            text_cfg={"context_length": 24, "width": 32, "heads": 2, "layers": 2, **text},
        )
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
    return model.eval().requires_grad_(requires_grad=False)


@cache
def tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(context_length=24)


@cache
def tokens() -> Tokenizing:
    return tokenizing(tokenizer())


def encoder_of(model: Any, *, trim: bool = True, cfg: PreprocessCfg | None = None) -> OpenClipEncoder:
    cfg = cfg or PreprocessCfg(size=32)
    transform = image_transform_v2(cfg, is_train=False)
    identity = EncoderIdentity("open_clip", "tiny", "tiny", "tiny", None, "w", "a", {}, {}, "fp32", 16)
    return OpenClipEncoder(
        identity=identity,
        model=model,
        preprocessing=split(transform, vars(cfg)),
        tokenizing=tokens(),
        tower=causal_tower(model) if trim else None,
        precision="fp32",
        device="cpu",
        channels_last=False,
        text_batch=3,
        image_batch=2,
    )


def own_texts(encoder: OpenClipEncoder, texts: tuple[str, ...]) -> np.ndarray:
    ids = tokenizer()(list(texts))
    with torch.inference_mode():
        return normalize(encoder.model.encode_text(ids), dim=-1).numpy()


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"custom": True},
        {"custom": True, "pool_type": "eos", "eos_id": 49407},
        {"pool_type": "eos", "eos_id": 49407},
        {"custom": True, "proj_bias": True},
        {"custom": True, "proj_type": "none", "width": 16},
        {"custom": True, "scale_heads": True, "qk_norm": True},
    ],
    ids=str,
)
def test_trimmed_texts_have_open_clips_vectors(model: dict[str, Any]) -> None:
    encoder = encoder_of(tiny_model(**model))
    assert encoder.trimmed
    assert np.abs(encoder.encode_texts(TEXTS).vectors - own_texts(encoder, TEXTS)).max() <= 1e-6


@pytest.mark.parametrize(
    "model",
    [
        {"custom": True, "no_causal_mask": True},
        {"custom": True, "pool_type": "last"},
        {"custom": True, "pool_type": "first"},
        {"custom": True, "embed_cls": True},
    ],
    ids=str,
)
def test_other_towers_are_never_cut_and_still_have_open_clips_vectors(model: dict[str, Any]) -> None:
    encoder = encoder_of(tiny_model(**model))
    assert not encoder.trimmed
    assert np.abs(encoder.encode_texts(TEXTS).vectors - own_texts(encoder, TEXTS)).max() <= 1e-6


def test_a_tower_that_is_altered_in_some_other_way_is_found_out_by_its_vectors() -> None:
    model = tiny_model()
    ids = torch.from_numpy(tokens()(TEXTS).ids)
    tower = causal_tower(model)
    assert tower is not None
    assert agrees(tower, model, ids, "fp32")
    plain = model.encode_text
    model.encode_text = lambda text: plain(text) + 1.0 * (text == 0).sum(dim=1, keepdim=True)
    assert not agrees(tower, model, ids, "fp32")


def test_trimmed_batches_are_cut_at_their_longest_text() -> None:
    model = tiny_model()
    tower = causal_tower(model)
    assert tower is not None
    lengths: list[int] = []
    hook = model.transformer.register_forward_pre_hook(lambda _, states: lengths.append(states[0].shape[1]))
    tower.features(torch.from_numpy(tokens()(["dog", "a red ball"]).ids))
    hook.remove()
    assert lengths == [5]  # start, three words, end


@pytest.mark.parametrize("trim", [True, False])
def test_vectors_depend_on_the_set_of_texts_not_on_their_order_or_number(*, trim: bool) -> None:
    encoder = encoder_of(tiny_model(), trim=trim)
    whole = encoder.encode_texts(TEXTS)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled = encoder.encode_texts([TEXTS[i] for i in order])
    assert np.array_equal(shuffled.vectors, whole.vectors[order])
    assert np.array_equal(shuffled.tokens, whole.tokens[order])
    assert np.array_equal(encoder.encode_texts(TEXTS * 3).vectors, np.tile(whole.vectors, (3, 1)))


def test_texts_beyond_the_context_length_are_flagged_with_their_true_length() -> None:
    found = encoder_of(tiny_model()).encode_texts(["dog", "dog " * 22, "dog " * 23, "dog " * 100])
    assert found.tokens.tolist() == [3, 24, 25, 102]
    assert found.truncated.tolist() == [False, False, True, True]
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)


def test_no_texts_and_no_images_give_no_vectors() -> None:
    encoder = encoder_of(tiny_model())
    assert encoder.encode_texts([]).vectors.shape == (0, 16)
    assert encoder.encode_images(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 16)


def photograph(mode: str) -> Image.Image:
    generator = np.random.default_rng(1)
    rgb = Image.fromarray(generator.integers(0, 256, (60, 47, 3), dtype=np.uint8))
    if mode == "I;16":
        return Image.fromarray(generator.integers(0, 65536, (60, 47), dtype=np.uint16))
    if mode in {"LA", "RGBA"}:
        rgb.putalpha(Image.fromarray(generator.integers(0, 256, (60, 47), dtype=np.uint8)))
    return rgb.convert(mode)


def as_file(image: Image.Image, form: str, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, form, **({"exif": exif} if orientation != 1 else {}))
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    with opening.photograph(data) as image:
        return image.copy()


@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize(
    ("mode", "form", "orientation"),
    [
        ("RGB", "PNG", 1),
        ("RGB", "JPEG", 6),
        ("L", "PNG", 1),
        ("1", "PNG", 1),
        ("P", "PNG", 1),
        ("CMYK", "JPEG", 1),
        ("LA", "PNG", 1),
        ("RGBA", "PNG", 8),
        ("I;16", "PNG", 1),
    ],
)
def test_prepared_images_have_open_clips_vectors(
    mode: str, form: str, orientation: int, resize_mode: str
) -> None:
    cfg = PreprocessCfg(size=32, resize_mode=resize_mode)
    encoder = encoder_of(tiny_model(), cfg=cfg)
    image = opened(as_file(photograph(mode), form, orientation))
    numbers = image_transform_v2(cfg, is_train=False)(image)[None]
    pixels = encoder.prepare(image)[None]
    assert pixels.dtype == np.uint8
    assert torch.equal(encoder.preprocessing.numbers(torch.from_numpy(pixels.copy())), numbers)
    with torch.inference_mode():
        own = normalize(encoder.model.encode_image(numbers), dim=-1).numpy()
    assert np.abs(encoder.encode_images(pixels) - own).max() <= 1e-6


def test_sixteen_bit_pixels_left_as_they_are_would_follow_open_clip_into_white() -> None:
    cfg = PreprocessCfg(size=32)
    encoder = encoder_of(tiny_model(), cfg=cfg)
    raw = photograph("I;16")
    numbers = image_transform_v2(cfg, is_train=False)(raw)
    ours = encoder.preprocessing.numbers(torch.from_numpy(encoder.prepare(raw)[None].copy()))[0]
    assert torch.equal(ours, numbers)
    assert np.mean(encoder.prepare(raw) == 255) > 0.9
    assert np.mean(encoder.prepare(opened(as_file(raw, "PNG"))) == 255) < 0.1


@pytest.mark.parametrize("size", [(2, 700), (700, 2), (40, 4_400), (4_400, 40), (32, 3_300), (3_300, 32)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "CMYK", "L"])
@pytest.mark.parametrize("frame", [32, (24, 32)])
def test_a_thin_strip_is_prepared_as_open_clip_does(
    size: tuple[int, int], mode: str, frame: int | tuple[int, int]
) -> None:
    cfg = PreprocessCfg(size=frame)
    preprocessing = split(image_transform_v2(cfg, is_train=False), vars(cfg))
    generator = np.random.default_rng(3)
    colours = Image.fromarray(generator.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    if mode in {"RGBA", "LA"}:
        colours.putalpha(Image.fromarray(generator.integers(0, 256, size[::-1], dtype=np.uint8)))
    image = colours.convert(mode)
    numbers = image_transform_v2(cfg, is_train=False)(image)
    ours = preprocessing.numbers(torch.from_numpy(preprocessing.prepare(image)[None].copy()))[0]
    assert torch.equal(ours, numbers)


def test_a_strip_never_becomes_the_picture_it_would_be_before_the_crop() -> None:
    cfg = PreprocessCfg(size=224)
    preprocessing = split(image_transform_v2(cfg, is_train=False), vars(cfg))
    pixels = preprocessing.prepare(Image.new("RGB", (5_000_000, 1), (1, 2, 3)))  # 224 × 1,120,000,000
    assert (pixels == (1, 2, 3)).all()


@pytest.mark.parametrize("size", [(3_000, 1), (1, 3_000), (65, 1)])
def test_where_the_longer_side_fits_one_pixel_of_the_shorter_stays(size: tuple[int, int]) -> None:
    cfg = PreprocessCfg(size=32, resize_mode="longest", fill_color=0)
    preprocessing = split(image_transform_v2(cfg, is_train=False), vars(cfg))
    pixels = preprocessing.prepare(Image.new("RGB", size, "white"))
    assert (pixels == 255).all(axis=2).sum() == 32


def test_a_frame_that_is_not_square_is_prepared_as_open_clip_does() -> None:
    cfg = PreprocessCfg(size=(24, 32))
    preprocessing = split(image_transform_v2(cfg, is_train=False), vars(cfg))
    numbers = image_transform_v2(cfg, is_train=False)(photograph("RGB"))
    pixels = preprocessing.prepare(photograph("RGB"))
    assert pixels.shape == (24, 32, 3)
    assert torch.equal(preprocessing.numbers(torch.from_numpy(pixels[None].copy()))[0], numbers)


@pytest.mark.parametrize(
    "transform",
    [
        lambda image: image,
        image_transform_v2(PreprocessCfg(size=32), is_train=True),
    ],
    ids=["a function", "training"],
)
def test_a_transform_of_another_kind_is_refused(transform: Callable[..., object]) -> None:
    with pytest.raises(EncoderError, match="not of the known kind"):
        split(transform, {"size": 32})


@pytest.mark.parametrize(
    "vision", [{}, {"layers": [1, 1, 1, 1], "width": 8, "patch_size": None}], ids=["vit", "resnet"]
)
def test_an_image_has_the_same_vector_alone_and_in_company(vision: dict[str, Any]) -> None:
    encoder = encoder_of(tiny_model(vision=vision))
    pixels = np.random.default_rng(2).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    together = encoder.encode_images(pixels)
    alone = np.concatenate([encoder.encode_images(pixels[i : i + 1]) for i in range(5)])
    assert np.abs(together - alone).max() <= 1e-6
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 32, 32, 3), np.float32),
        np.zeros((1, 31, 32, 3), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((1, 3, 32, 32), np.uint8),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_pixels_of_another_shape_are_refused(pixels: Any) -> None:
    with pytest.raises(EncoderError, match="prepared images are uint8"):
        encoder_of(tiny_model()).encode_images(pixels)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_vectors_that_point_nowhere_are_an_error_never_a_zero(value: float) -> None:
    encoder = encoder_of(tiny_model())
    encoder.model.text_projection.fill_(value)
    encoder.model.visual.proj.fill_(value)
    with pytest.raises(EncoderError, match="no finite unit vector for the text"):
        encoder.encode_texts(["dog"])
    with pytest.raises(EncoderError, match="no finite unit vector for image 0"):
        encoder.encode_images(np.zeros((1, 32, 32, 3), np.uint8))


def test_texts_of_like_length_share_a_batch() -> None:
    texts = ["d", "c", "b", "a", "e"]
    batches = length_sorted(texts, np.array([3, 9, 3, 9, 5]), 2)
    assert [[texts[i] for i in batch] for batch in batches] == [["c", "a"], ["e", "d"], ["b"]]


def test_distinct_texts_are_sorted_and_found_again() -> None:
    distinct, place = unique_texts(["b", "a", "b", ""])
    assert distinct == ["", "a", "b"]
    assert [distinct[i] for i in place] == ["b", "a", "b", ""]


def test_activations_are_read_from_the_modules() -> None:
    assert activation_record(tiny_model()) == "image GELU, text GELU"
    assert activation_record(tiny_model(act_kwargs={"approximate": "tanh"})) == "image GELU, text GELU(tanh)"
    resnet = tiny_model(vision={"layers": [1, 1, 1, 1], "width": 8})
    assert activation_record(resnet) == "image ReLU, text GELU"


@pytest.mark.shared
def test_real_captions_trimmed_have_the_padded_vectors(shared: Path) -> None:
    from clipbench.encoders.loading import load
    from clipbench.encoders.specification import parse

    encoder = load(parse(f"local-dir:{shared / 'models' / 'flickr8k-lite'}", device="cpu"))
    assert isinstance(encoder, OpenClipEncoder)
    assert encoder.trimmed
    lines = (shared / "data" / "flickr8k" / "Flickr8k.token.txt").read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[1] for line in lines[::200]]
    with torch.inference_mode():
        ids = torch.from_numpy(encoder.tokenizing(texts).ids)
        own = np.concatenate([normalize(encoder.model.encode_text(i), dim=-1) for i in ids.split(64)])
    assert np.abs(encoder.encode_texts(texts).vectors - own).max() <= 1e-5
