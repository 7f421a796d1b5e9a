"""Photographs: decoded upright and complete or refused, and ahead of the model in order."""

import io
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipbench.encoders.images import Decoded, PhotoFile, Unreadable, decode, decode_ahead, read_photo
from clipbench.keys import bytes_digest
from clipbench.records import MAX_PIXELS


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def gradient(side: int = 16) -> Image.Image:
    ramp = np.linspace(0, 255, side * side * 3).astype(np.uint8)
    return Image.fromarray(ramp.reshape(side, side, 3))


def test_sixteen_bit_greys_keep_their_high_byte() -> None:
    values = np.array([[0, 255, 256, 0x7FFF], [0x8000, 0xFEFF, 0xFF00, 0xFFFF]], np.uint16)
    image = decode(encoded(Image.fromarray(values)))
    assert image.mode == "L"
    assert np.asarray(image).tolist() == [[0, 0, 1, 127], [128, 254, 255, 255]]
    # What happens without it: everything from 255 up turns white.
    assert np.asarray(Image.fromarray(values).convert("L")).tolist()[1] == [255] * 4


def test_sixteen_bit_tiffs_are_treated_like_sixteen_bit_pngs() -> None:
    image = Image.fromarray(np.full((4, 4), 0x8123, np.uint16))
    assert np.array_equal(np.asarray(decode(encoded(image, "TIFF"))), np.full((4, 4), 0x81))


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_greys_without_a_fixed_white_are_refused(kind: type[np.number]) -> None:
    with pytest.raises(Unreadable, match="no fixed white"):
        decode(encoded(Image.fromarray(np.ones((4, 4), kind)), "TIFF"))


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
    image = decode(encoded(Image.fromarray(stored), "PNG", exif=exif))
    assert np.array_equal(np.asarray(image), turn(stored))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_picture_with_broken_metadata_stands_as_it_is_stored() -> None:
    plain = encoded(gradient(), "JPEG")
    broken = b"Exif\x00\x00II*\x00\xff\xff\xff\xff garbage"
    segment = b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken
    image = decode(plain[:2] + segment + plain[2:])
    assert np.array_equal(np.asarray(image), np.asarray(decode(plain)))


def test_a_cut_off_file_is_an_error_not_a_half_grey_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        data = encoded(Image.fromarray(noise), form)
        assert decode(data).size == (64, 64)
        with pytest.raises(Unreadable):
            decode(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"not an image", b"<svg/>", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_unreadable_and_says_so_in_words(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        decode(data)
    assert "0x" not in caught.value.reason
    assert str(caught.value).startswith("unreadable: ")


def png_claiming(width: int, height: int) -> bytes:
    """A tiny PNG whose header claims any size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (header, b"IDAT" + zlib.compress(b""))
    framed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(Unreadable, match="12000 × 7000 pixels"):
        decode(png_claiming(12_000, 7_000))


def test_a_bomb_beyond_pillows_own_limit_is_refused_too() -> None:
    with pytest.raises(Unreadable, match="bomb"):
        decode(png_claiming(100_000, 100_000))


def test_a_program_for_another_program_is_not_an_image() -> None:
    with pytest.raises(Unreadable, match="known format"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")


def test_of_several_frames_the_first_one_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_a_file_that_changed_since_its_import_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(gradient()))
    digest = bytes_digest(path.read_bytes())
    assert read_photo(PhotoFile(path, digest)).size == (16, 16)
    path.write_bytes(encoded(Image.new("RGB", (16, 16))))
    with pytest.raises(Unreadable, match="has changed"):
        read_photo(PhotoFile(path, digest))


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        read_photo(PhotoFile(tmp_path / "none.png"))


def written(folder: Path, count: int) -> list[PhotoFile]:
    files = []
    for number in range(count):
        path = folder / f"{number}.png"
        path.write_bytes(encoded(Image.new("RGB", (4, 4), (number, 0, 0))))
        files.append(PhotoFile(path))
    return files


def pixels(position: int, image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


@pytest.mark.parametrize(("workers", "depth"), [(1, 1), (3, 2), (4, 100)])
def test_files_come_back_in_order_whatever_the_threads(tmp_path: Path, workers: int, depth: int) -> None:
    files = written(tmp_path, 30)
    decoded = list(decode_ahead(files, pixels, workers=workers, depth=depth))
    assert [d.file for d in decoded] == files
    assert [int(d.pixels[0, 0, 0]) for d in decoded if d.pixels is not None] == list(range(30))


def test_an_unreadable_file_is_named_in_its_place_and_the_others_go_on(tmp_path: Path) -> None:
    files = written(tmp_path, 5)
    files[2].path.write_bytes(b"broken")
    decoded = list(decode_ahead(files, pixels, workers=2))
    assert [d.problem is None for d in decoded] == [True, True, False, True, True]
    assert decoded[2].pixels is None


def test_preparing_is_told_the_position_of_the_file(tmp_path: Path) -> None:
    files = written(tmp_path, 6)
    seen = decode_ahead(files, lambda position, _: np.full((1, 1, 3), position, np.uint8), workers=3)
    assert [int(d.pixels.max()) for d in seen if d.pixels is not None] == list(range(6))


def test_any_other_error_ends_the_iteration(tmp_path: Path) -> None:
    def fails(position: int, image: Image.Image) -> np.ndarray:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(decode_ahead(written(tmp_path, 3), fails, workers=2))


@pytest.mark.parametrize("how", [KeyboardInterrupt, None])
def test_leaving_early_stops_the_threads(tmp_path: Path, how: type[BaseException] | None) -> None:
    begun: list[int] = []

    def count(position: int, image: Image.Image) -> np.ndarray:
        begun.append(position)
        return pixels(position, image)

    ahead = decode_ahead(written(tmp_path, 50), count, workers=2, depth=4)
    assert isinstance(next(ahead), Decoded)
    if how is None:
        ahead.close()
    else:
        with pytest.raises(how):
            ahead.throw(how())
    assert len(begun) < 50
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_no_more_than_depth_files_wait_in_memory(tmp_path: Path) -> None:
    begun: list[int] = []

    def count(position: int, image: Image.Image) -> np.ndarray:
        begun.append(position)
        return pixels(position, image)

    ahead = decode_ahead(written(tmp_path, 40), count, workers=2, depth=5)
    for taken in range(1, 11):
        next(ahead)
        assert len(begun) <= taken + 5
    ahead.close()


def test_the_limit_is_below_the_one_pillow_warns_at() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAX_PIXELS < Image.MAX_IMAGE_PIXELS
