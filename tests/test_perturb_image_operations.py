"""What every image operation promises, whatever it draws: shape, type, seeds, severities, odd pictures."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.perturb.image_audit import psnr
from clipbench.perturb.image_operations import IMAGE_OPERATIONS, IMAGENET_C, IMAGENET_C_EXTRA
from clipbench.perturb.image_pixels import Pixels
from clipbench.perturb.image_streams import generator
from clipbench.perturb.operation import IMAGE_FAMILIES, ImageOperation

every_operation = pytest.mark.parametrize("operation", IMAGE_OPERATIONS, ids=lambda one: one.name)
BY_NAME = {operation.name: operation for operation in IMAGE_OPERATIONS}


def corrupt(
    operation: ImageOperation, pixels: Pixels, level: float, image: str = "a", seed: int = 0
) -> Pixels:
    severity = int(level)
    return operation.apply(pixels, severity, generator(operation.name, seed, image, severity))


def drawn(height: int = 72, width: int = 96, variant: int = 0) -> Pixels:
    """A picture with a slope, a disc, stripes and a little grain."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    base = np.stack([0.2 + 0.5 * x, 0.6 - 0.4 * y, 0.3 + 0.3 * np.sin(9 * x * y + variant)], axis=-1)
    base[(x - 0.4) ** 2 + (y - 0.35) ** 2 < 0.04] = (0.8, 0.2, 0.15)
    base[(np.floor(14 * (x + y)) % 2 == variant % 2) & (x > 0.7)] *= 0.5
    grain = np.random.default_rng(variant).normal(0, 0.015, base.shape)
    return np.clip((base + grain) * 255, 0, 255).astype(np.uint8)


def test_every_imagenet_c_corruption_is_listed_once() -> None:
    names = [operation.name for operation in IMAGE_OPERATIONS]
    assert len(names) == len(set(names)) == 26
    assert len(set(IMAGENET_C)) == 15
    assert {*IMAGENET_C, *IMAGENET_C_EXTRA} <= set(names)


@every_operation
def test_the_listing_is_complete(operation: ImageOperation) -> None:
    assert operation.family in IMAGE_FAMILIES
    assert operation.levels in ((1.0, 2.0, 3.0, 4.0, 5.0), (1.0,))
    assert operation.source
    assert operation.description


@every_operation
def test_shape_and_type_stay_and_the_input_is_not_written(operation: ImageOperation) -> None:
    pixels = drawn()
    kept = pixels.copy()
    pixels.flags.writeable = False
    for level in operation.levels:
        corrupted = corrupt(operation, pixels, level)
        assert corrupted.shape == pixels.shape
        assert corrupted.dtype == np.uint8
        assert corrupted.flags.writeable
        assert not np.shares_memory(corrupted, pixels)
        assert not np.array_equal(corrupted, kept)
    assert np.array_equal(pixels, kept)


@settings(max_examples=120, deadline=None)
@given(
    operation=st.sampled_from(IMAGE_OPERATIONS),
    severity=st.integers(1, 5),
    height=st.integers(8, 50),
    width=st.integers(8, 50),
    colour=st.sampled_from([None, (0, 0, 0), (255, 255, 255), (128, 128, 128), (10, 200, 90)]),
)
def test_any_shape_and_any_one_colour_is_corrupted(
    operation: ImageOperation, severity: int, height: int, width: int, colour: tuple[int, ...] | None
) -> None:
    pixels = drawn(height, width)
    if colour is not None:
        pixels[:] = colour
    corrupted = corrupt(operation, pixels, min(severity, len(operation.levels)))
    assert corrupted.shape == (height, width, 3)
    assert corrupted.dtype == np.uint8


@every_operation
def test_the_same_request_gives_the_same_pixels_whatever_ran_before(operation: ImageOperation) -> None:
    pixels = drawn()
    forward = {level: corrupt(operation, pixels, level, "b") for level in operation.levels}
    corrupt(operation, drawn(variant=1), 1, "c", seed=5)
    np.random.seed(1)  # noqa: NPY002 - the global generator must not matter
    for level in reversed(operation.levels):
        assert np.array_equal(corrupt(operation, pixels, level, "b"), forward[level])


@every_operation
def test_seeds_and_images_differ_exactly_where_an_operation_draws(operation: ImageOperation) -> None:
    pixels = drawn(64, 90)
    first = corrupt(operation, pixels, 1)
    seeds = [np.array_equal(first, corrupt(operation, pixels, 1, seed=seed)) for seed in range(1, 8)]
    images = [np.array_equal(first, corrupt(operation, pixels, 1, image)) for image in "bcdefgh"]
    if operation.deterministic:
        assert all(seeds + images)
    else:
        # Of a rotation left or right, or a shift to one of four corners, some agree; never all.
        assert not all(seeds)
        assert not all(images)


@every_operation
def test_a_deterministic_operation_never_touches_the_generator(operation: ImageOperation) -> None:
    stream = np.random.default_rng(3)
    before = stream.bit_generator.state
    operation.apply(drawn(), 1, stream)
    assert (stream.bit_generator.state == before) is operation.deterministic


def test_another_process_draws_the_same() -> None:
    names = ("gaussian-noise", "glass-blur", "snow", "frost", "elastic", "crop")
    code = (
        "import hashlib, numpy as np\n"
        "from clipbench.perturb.image_operations import IMAGE_OPERATIONS\n"
        "from clipbench.perturb.image_streams import generator\n"
        "pixels = np.arange(40 * 30 * 3, dtype=np.uint32).reshape(40, 30, 3).astype(np.uint8)\n"
        f"for one in [o for o in IMAGE_OPERATIONS if o.name in {names}]:\n"
        "    done = one.apply(pixels, 2, generator(one.name, 7, 'x', 2))\n"
        "    print(one.name, hashlib.sha256(done.tobytes()).hexdigest())\n"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    pixels = np.arange(40 * 30 * 3, dtype=np.uint32).reshape(40, 30, 3).astype(np.uint8)
    here = [
        f"{one.name} {hashlib.sha256(corrupt(one, pixels, 2, 'x', seed=7).tobytes()).hexdigest()}"
        for one in IMAGE_OPERATIONS
        if one.name in names
    ]
    assert there.splitlines() == here


def test_a_stream_is_keyed_by_all_four_names() -> None:
    base = ("snow", 1, "a.jpg", 2)
    others = [
        ("fog", 1, "a.jpg", 2),
        ("snow", 2, "a.jpg", 2),
        ("snow", 1, "b.jpg", 2),
        ("snow", 1, "a.jpg", 3),
    ]
    others += [("snow1", 1, "a.jpg", 2), ("snow", 12, "a.jpg", 2), ("snow", 1, "2a.jpg", 2)]
    firsts = {generator(*names).integers(2**63) for names in (base, *others)}
    assert len(firsts) == 1 + len(others)
    assert isinstance(generator(*base).bit_generator, np.random.PCG64)


def test_a_stream_is_blake2b_over_length_prefixed_names() -> None:
    hasher = hashlib.blake2b(digest_size=16)
    for part in ("image-stream", "snow", "2", "1", "a.jpg"):
        hasher.update(len(part).to_bytes(8, "little") + part.encode())
    expected = np.random.Generator(np.random.PCG64(int.from_bytes(hasher.digest(), "little")))
    assert generator("snow", 1, "a.jpg", 2).integers(2**63, size=4).tolist() == (
        expected.integers(2**63, size=4).tolist()
    )


# Not by definition: saturation falls and then rises; frost and fog trade the picture's weight against the
# texture's; a cut or covered place is drawn, and one that is farther off need not look less alike.
NOT_MONOTONE = {"saturate", "frost", "fog", "crop", "rotation", "translate"}


@pytest.mark.parametrize(
    "operation",
    [one for one in IMAGE_OPERATIONS if len(one.levels) == 5 and one.name not in NOT_MONOTONE],
    ids=lambda one: one.name,
)
def test_higher_severity_is_farther_from_the_picture(operation: ImageOperation) -> None:
    distances = []
    for level in operation.levels:
        pairs = [(drawn(96, 120, k % 3), str(k)) for k in range(6)]
        found = [psnr(pixels, corrupt(operation, pixels, level, name)) for pixels, name in pairs]
        distances.append(np.mean([value for value in found if value is not None]))
    assert distances == sorted(distances, reverse=True)


SYMMETRIC = (
    "gaussian-blur",
    "defocus-blur",
    "zoom-blur",
    "brightness",
    "contrast",
    "saturate",
    "pixelate",
    "grayscale",
    "downscale",
)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_turned_non_square_picture_is_corrupted_as_the_upright_one(name: str) -> None:
    pixels = drawn(60, 101)
    turned = np.ascontiguousarray(pixels.transpose(1, 0, 2))
    for level in BY_NAME[name].levels:
        upright = corrupt(BY_NAME[name], pixels, level).astype(int)
        sideways = corrupt(BY_NAME[name], turned, level).transpose(1, 0, 2)
        # Rows first or columns first may round differently, once per resampling; a downscale has two.
        assert np.abs(upright - sideways).max() <= (2 if name == "downscale" else 1)


KEEPS_ONE_COLOUR = (
    *("gaussian-blur", "defocus-blur", "glass-blur", "motion-blur", "zoom-blur"),
    *("contrast", "elastic", "pixelate", "crop", "flip", "downscale"),
)


@pytest.mark.parametrize("name", KEEPS_ONE_COLOUR)
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (7, 130, 201)])
def test_what_only_moves_or_mixes_pixels_keeps_one_colour(name: str, colour: tuple[int, ...]) -> None:
    pixels = np.full((33, 47, 3), colour, dtype=np.uint8)
    for level in BY_NAME[name].levels:
        assert np.array_equal(corrupt(BY_NAME[name], pixels, level), pixels)


@every_operation
def test_a_severity_outside_is_an_error_that_names_the_range(operation: ImageOperation) -> None:
    for severity in (-1, 0, 6):
        with pytest.raises(ClipbenchError, match=f"severity {severity} .* 1 to {len(operation.levels)}"):
            operation.apply(drawn(), severity, generator(operation.name, 0, "a", severity))


@every_operation
def test_pixels_that_are_not_a_picture_are_an_error(operation: ImageOperation) -> None:
    stream = generator(operation.name, 0, "a", 1)
    for wrong in (drawn().astype(np.float32), drawn()[..., 0], drawn()[..., :2]):
        with pytest.raises(ClipbenchError, match="uint8 pixels of shape"):
            operation.apply(wrong, 1, stream)
    with pytest.raises(ClipbenchError, match="20×7 pixels is too small"):
        operation.apply(drawn(7, 20), 1, stream)


@pytest.mark.parametrize("name", ["fog", "frost", "snow", "glass-blur", "elastic"])
def test_a_picture_larger_than_any_texture_is_covered_to_its_corner(name: str) -> None:
    pixels = drawn(270, 530)
    corrupted = corrupt(BY_NAME[name], pixels, 3)
    for corner in (corrupted[-40:, -40:], corrupted[:40, :40], corrupted[-40:, :40], corrupted[:40, -40:]):
        assert len(np.unique(corner)) > 5
    assert (corrupted[-40:, -40:] != pixels[-40:, -40:]).any(axis=2).mean() > 0.4
