"""Windows of resized strips are the pixels Pillow would make, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from clipbench.encoders import preprocessing
from clipbench.encoders.preprocessing import Preprocessing, split
from clipbench.errors import PhotographError
from clipbench.photographs.resizing import resized_window

MODES = ("L", "RGB", "RGBA", "LA", "CMYK", "P", "1")
FILTERS = (
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
    Image.Resampling.NEAREST,
)
SIDE = 32


def noise(mode: str, size: tuple[int, int], seed: int) -> Image.Image:
    generator = np.random.default_rng(seed)
    bands = {"L": 1, "RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4}.get(mode, 3)
    planes = [Image.fromarray(generator.integers(0, 256, size[::-1], dtype=np.uint8)) for _ in range(bands)]
    if mode in {"P", "1"}:
        colours = Image.merge("RGB", planes)
        return colours.quantize(16) if mode == "P" else colours.convert("1")
    return planes[0] if mode == "L" else Image.merge(mode, planes)


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    resample=st.sampled_from(FILTERS),
    short=st.integers(1, 50),
    times=st.integers(11, 200),
    tall=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_window_is_the_crop_of_the_whole(
    mode: str, resample: Image.Resampling, short: int, times: int, *, tall: bool, seed: int
) -> None:
    long = short * times
    size = (SIDE, int(SIDE * long / short)) if tall else (int(SIDE * long / short), SIDE)
    image = noise(mode, (short, long) if tall else (long, short), seed)
    left, top = round((size[0] - SIDE) / 2), round((size[1] - SIDE) / 2)
    window = (left, top, left + SIDE, top + SIDE)
    whole = image.resize(size, resample).crop(window)
    part = resized_window(image, size, window, resample)
    assert part.size == (SIDE, SIDE)
    assert part.convert("RGB").tobytes() == whole.convert("RGB").tobytes()
    assert part.mode == whole.mode or mode in {"P", "1"}


def test_a_strip_of_a_million_pixels_needs_no_picture_of_billions() -> None:
    image = Image.new("RGB", (1_000_000, 1), (10, 20, 30))
    window = (112_000_000 - 112, 0, 112_000_000 + 112, 224)
    part = resized_window(image, (224_000_000, 224), window, Image.Resampling.BICUBIC)
    assert part.getcolors() == [(224 * 224, (10, 20, 30))]


def test_a_filter_that_is_not_known_is_refused() -> None:
    with pytest.raises(PhotographError, match="filter"):
        resized_window(Image.new("RGB", (1, 200)), (2, 400), (0, 0, 2, 2), Image.Resampling.HAMMING)


def shortest(size: int) -> Preprocessing:
    steps = (Resize(size, interpolation=InterpolationMode.BICUBIC), CenterCrop(size), ToTensor())
    return split(Compose([*steps, Normalize((0.5,) * 3, (0.5,) * 3)]), {"size": size})


def test_what_a_picture_becomes_on_the_way_is_bounded_and_its_pixels_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = noise("RGB", (11, 500), 3)
    whole = shortest(64).prepare(image)
    made: list[int] = []
    resize = Image.Image.resize

    def counted(self: Image.Image, size: tuple[int, int], *rest: object) -> Image.Image:
        made.append(size[0] * size[1])
        return resize(self, size, *rest)

    monkeypatch.setattr(preprocessing, "ROOM", 50_000)
    monkeypatch.setattr(Image.Image, "resize", counted)
    assert np.array_equal(shortest(64).prepare(image), whole)
    assert 0 < max(made) < 50_000 < 64 * 64 * 500 / 11


def test_what_cannot_be_kept_within_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocessing, "MAX_PIXELS", 50_000)
    uncut = Preprocessing(shortest(64).steps[:1], (0.5,) * 3, (0.5,) * 3, (64, 64), {})
    with pytest.raises(PhotographError, match="prepared, it would be 64 × 2,909 pixels on the way"):
        uncut.prepare(noise("RGB", (11, 500), 3))
