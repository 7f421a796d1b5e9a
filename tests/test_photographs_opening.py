"""Photographs: opened upright and complete or refused with a reason, within limits, for every use."""

import contextlib
import io
import os
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from clipbench.errors import PhotographError
from clipbench.keys import bytes_digest
from clipbench.photographs import opening
from clipbench.photographs.budget import PixelBudget
from clipbench.photographs.facts import facts
from clipbench.photographs.opening import (
    ChangedPhotographError,
    DamagedPhotographError,
    GiantPhotographError,
    MissingPhotographError,
    Source,
    checked_digest,
    photograph,
    quiet_pillow,
)
from clipbench.photographs.png import SIGNATURE, without_large_metadata
from clipbench.records import MAX_PIXELS


def opened(source: Source, digest: str | None = None) -> Image.Image:
    with photograph(source, digest) as image:
        return image.copy()


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def gradient(side: int = 16) -> Image.Image:
    ramp = np.linspace(0, 255, side * side * 3).astype(np.uint8)
    return Image.fromarray(ramp.reshape(side, side, 3))


def test_sixteen_bit_greys_keep_their_high_byte() -> None:
    values = np.array([[0, 255, 256, 0x7FFF], [0x8000, 0xFEFF, 0xFF00, 0xFFFF]], np.uint16)
    image = opened(encoded(Image.fromarray(values)))
    assert image.mode == "L"
    assert np.asarray(image).tolist() == [[0, 0, 1, 127], [128, 254, 255, 255]]
    # What happens without it: everything from 255 up turns white.
    assert np.asarray(Image.fromarray(values).convert("L")).tolist()[1] == [255] * 4


def test_sixteen_bit_tiffs_are_treated_like_sixteen_bit_pngs() -> None:
    image = Image.fromarray(np.full((4, 4), 0x8123, np.uint16))
    assert np.array_equal(np.asarray(opened(encoded(image, "TIFF"))), np.full((4, 4), 0x81))


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_greys_without_a_fixed_white_are_refused(kind: type[np.number]) -> None:
    with pytest.raises(PhotographError, match="no fixed white"):
        opened(encoded(Image.fromarray(np.ones((4, 4), kind)), "TIFF"))


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, np.rot90),
    ],
)
def test_the_exif_orientation_is_applied(orientation: int, turn: Callable[[np.ndarray], np.ndarray]) -> None:
    stored = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = opened(encoded(Image.fromarray(stored), "PNG", exif=exif))
    assert np.array_equal(np.asarray(image), turn(stored))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_picture_with_broken_metadata_stands_as_it_is_stored() -> None:
    plain = encoded(gradient(), "JPEG")
    broken = b"Exif\x00\x00II*\x00\xff\xff\xff\xff garbage"
    segment = b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken
    image = opened(plain[:2] + segment + plain[2:])
    assert np.array_equal(np.asarray(image), np.asarray(opened(plain)))


def test_a_cut_off_file_is_an_error_not_a_half_grey_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        data = encoded(Image.fromarray(noise), form)
        assert opened(data).size == (64, 64)
        with pytest.raises(PhotographError):
            opened(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"not an image", b"<svg/>", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_unreadable_and_says_so_in_words(data: bytes) -> None:
    with pytest.raises(PhotographError) as caught:
        opened(data)
    assert "0x" not in str(caught.value)


def png_claiming(width: int, height: int) -> bytes:
    """A tiny PNG whose header claims any size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (header, b"IDAT" + zlib.compress(b""))
    framed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(PhotographError, match="12,000 × 7,000 is more pixels"):
        opened(png_claiming(12_000, 7_000))


def test_a_bomb_beyond_pillows_own_limit_is_refused_too() -> None:
    with pytest.raises(PhotographError, match="more pixels than the limit"):
        opened(png_claiming(100_000, 100_000))


def test_a_program_for_another_program_is_not_an_image() -> None:
    with pytest.raises(PhotographError, match="supported format"):
        opened(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")


def test_of_several_frames_the_first_one_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert opened(data).convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_a_file_that_changed_since_its_import_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(gradient()))
    digest = bytes_digest(path.read_bytes())
    assert opened(path, digest).size == (16, 16)
    path.write_bytes(encoded(Image.new("RGB", (16, 16))))
    with pytest.raises(PhotographError, match="has changed"):
        opened(path, digest)


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(PhotographError, match="No such file"):
        opened(tmp_path / "none.png")


def test_the_limit_is_below_the_one_pillow_warns_at() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAX_PIXELS < Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["text", "itxt", "profile", "xmp"])
def test_large_metadata_in_a_png_hides_no_sound_pixels(kind: str, tmp_path: Path) -> None:
    image, long = gradient(), "abc " * 1_000_000
    info = PngImagePlugin.PngInfo()
    if kind == "text":
        info.add_text("Comment", long, zip=True)
    elif kind == "itxt":
        info.add_itxt("Comment", long, zip=True)
    elif kind == "xmp":
        info.add_itxt("XML:com.adobe.xmp", long, zip=True)
    options = {"icc_profile": long.encode()} if kind == "profile" else {"pnginfo": info}
    path = tmp_path / "a.png"
    path.write_bytes(encoded(image, "PNG", **options))
    with pytest.raises(ValueError, match="too large"):  # what Pillow alone does
        Image.open(path)
    assert opened(path).tobytes() == image.tobytes()
    assert checked_digest(path) == bytes_digest(path.read_bytes())


def test_metadata_after_the_pixels_may_be_large_too(tmp_path: Path) -> None:
    data = encoded(gradient())
    packed = b"zTXt" + b"Comment\0\0" + zlib.compress(b"abc " * 1_000_000)
    chunk = struct.pack(">I", len(packed) - 4) + packed + struct.pack(">I", zlib.crc32(packed))
    end = data.rindex(b"IEND") - 4
    assert opened(data[:end] + chunk + data[end:]).tobytes() == gradient().tobytes()


def test_an_orientation_beside_large_metadata_is_applied() -> None:
    stored = Image.fromarray(np.arange(18, dtype=np.uint8).reshape(2, 3, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "abc " * 1_000_000, zip=True)
    image = opened(encoded(stored, "PNG", exif=exif, pnginfo=info))
    assert np.array_equal(np.asarray(image), np.rot90(np.asarray(stored), -1))


@given(st.binary(max_size=200))
def test_any_bytes_keep_what_is_no_large_metadata(tail: bytes) -> None:
    for data in (tail, SIGNATURE + tail, encoded(gradient()) + tail):
        assert without_large_metadata(data) == data


def shown(mode: str) -> Image.Image:
    if mode == "P":
        palette = gradient().quantize(8)
        palette.info["transparency"] = 3
        return palette
    if mode == "I;16":
        return Image.fromarray(np.arange(256, dtype=np.uint16).reshape(16, 16) * 257)
    return gradient().convert(mode)


MODES = (
    ("1", "PNG"),
    ("L", "PNG"),
    ("LA", "PNG"),
    ("P", "PNG"),
    ("I;16", "PNG"),
    ("RGBA", "PNG"),
    ("CMYK", "JPEG"),
    ("CMYK", "TIFF"),
    ("P", "GIF"),
    ("RGBA", "WEBP"),
    ("YCbCr", "JPEG"),
)


@pytest.mark.parametrize(("mode", "form"), MODES)
def test_every_mode_becomes_colours(mode: str, form: str) -> None:
    image = opened(encoded(shown(mode), form))
    assert opening.colours(image).mode == "RGB"
    assert opening.colours(image).size == (16, 16)


def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero"), tmp_path):
        with pytest.raises(PhotographError):
            opened(path)
        with pytest.raises(PhotographError):
            checked_digest(path)


def test_a_file_of_many_bytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(12 << 30)
    with pytest.raises(PhotographError, match="at most"):
        opened(path)


def test_the_kinds_of_failure_can_be_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(MissingPhotographError):
        opened(path)
    data = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)))
    path.write_bytes(data)
    with pytest.raises(ChangedPhotographError):
        opened(path, bytes_digest(b"other"))
    with pytest.raises(DamagedPhotographError):
        opened(data[: len(data) // 2])
    with pytest.raises(GiantPhotographError):
        opened(png_claiming(12_000, 7_000))


def test_no_reason_tells_where_the_folder_lies(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("none.png", "pipe.png", "."):
        with pytest.raises(PhotographError) as caught:
            opened(tmp_path / name)
        assert str(tmp_path) not in str(caught.value)


def test_whoever_asks_for_more_than_all_gets_all() -> None:
    budget = PixelBudget(10)
    with budget.hold(1_000):
        pass
    with budget.hold(10):
        pass


def test_pictures_that_do_not_fit_together_wait_for_each_other() -> None:
    budget = PixelBudget(10)
    held: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def work(pixels: int) -> None:
        with budget.hold(pixels):
            with lock:
                held.append(pixels)
                most.append(sum(held))
            with lock:
                held.remove(pixels)

    threads = [threading.Thread(target=work, args=(1 + number % 10,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 60
    assert max(most) <= 10


FORMS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_an_image_or_a_reason(form: str, data: st.DataObject) -> None:
    if form not in Image.registered_extensions().values():
        return
    whole = bytearray(encoded(gradient(), form))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))
    with quiet_pillow(), contextlib.suppress(PhotographError):
        assert opening.colours(opened(bytes(whole[:cut]))).mode == "RGB"


def test_a_header_that_claims_too_many_pixels_is_refused_unread(tmp_path: Path) -> None:
    data = bytearray(encoded(gradient(), "BMP"))
    data[18:26] = (20_000).to_bytes(4, "little") * 2  # width and height in a BMP header
    path = tmp_path / "a.bmp"
    path.write_bytes(bytes(data))
    for refused in (lambda: opened(bytes(data)), lambda: checked_digest(path)):
        with pytest.raises(GiantPhotographError, match=r"20,000 × 20,000|80,000,000"):
            refused()


def test_facts_of_a_turned_photograph() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with opening.decoded(encoded(Image.new("RGB", (4, 3)), "JPEG", exif=exif)) as raw:
        seen = facts(raw)
    assert (seen.width, seen.height, seen.rotated, seen.mode, seen.format) == (4, 3, True, "RGB", "JPEG")
