"""Opens a photograph, for every use: encoding, lint, thumbnails, sheets, hints.

Knows Pillow. Knows no dataset, no folder and no model. Decided here, once:

- A file is looked at before it is read: regular, not too large, its pixels within the limit; what is decoded
  at once in all threads stays within a budget.
- Whatever a decoder raises on damaged bytes becomes a PhotographError, whose message is the reason alone.
- The EXIF orientation is applied, and never written: a photograph is evaluated the way people see it.
- 16-bit greys keep their high byte, as Pillow does for 16-bit colours. Pillow's own conversion to 8 bits
  clips at 255, so nearly every pixel of a photograph would turn white.
- Float and 32-bit greys have no fixed white, so they are refused rather than guessed.
- Of several frames the first one counts. An incomplete file is an error, never a half-grey picture.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, BinaryIO, Literal, TypeAlias

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from clipbench.errors import ContainerChangedError, PhotographError
from clipbench.foreign_files import open_foreign, reason
from clipbench.keys import bytes_digest
from clipbench.photographs.budget import PixelBudget
from clipbench.photographs.containers import contained, open_contained
from clipbench.photographs.png import without_large_metadata
from clipbench.records import MAX_PIXELS

COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")  # Pillow has these without importing all its plugins
OTHERS = ("TIFF", "WEBP", "MPO", "JPEG2000", "AVIF")
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".dib", ".ppm", ".pgm",
    ".tif", ".tiff", ".webp", ".mpo", ".jp2", ".avif",
)  # fmt: skip
"""File name endings of the formats that are opened; formats that start programs (EPS, WMF) are not among them."""

MAX_BYTES = 1 << 29
"""Largest file of a photograph: what 80 million pixels of 16 bits in three colours take without compression."""

BUDGET = PixelBudget(MAX_PIXELS)
"""What is decoded at once in this process."""

BYTES_A_PIXEL = 4
"""What a pixel takes once it is decoded, so that the bytes of a file count too."""

Source: TypeAlias = Path | bytes

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what puts the picture upright."""


class MissingPhotographError(PhotographError):
    """There is no such file."""


class MissingContainerError(MissingPhotographError):
    """There is no such file as the one that the photograph was in."""


class ChangedPhotographError(PhotographError):
    """The file holds other bytes than it did."""


class GiantPhotographError(PhotographError):
    """An image of more than MAX_PIXELS pixels."""


class DamagedPhotographError(PhotographError):
    """An image with a sound header whose pixels do not decode."""


@contextmanager
def photograph(source: Source, digest: str | None = None) -> Iterator[Image.Image]:
    """Open a photograph as every encoder sees it: upright, complete, 8 bits a channel, colours as stored.

    digest: the SHA-256 its bytes must have, None where it is not known. The pixels are gone when the block
    ends. Raises PhotographError, one of the kinds above where there is one.
    """
    with decoded(source, digest) as image:
        yield as_seen(image)


@contextmanager
def decoded(source: Source, digest: str | None = None) -> Iterator[Image.Image]:
    """Open a photograph as its file has it, its pixels decoded; `as_seen` then makes it what encoders see.

    Raises PhotographError as `photograph` does.
    """
    if isinstance(source, bytes):
        with BUDGET.hold(_claimed_pixels(io.BytesIO(source))):
            yield _decoded(source)
        return
    file, size = _file(source)
    with file, BUDGET.hold(max(_claimed_pixels(file), size // BYTES_A_PIXEL)):
        yield _decoded(_content(file, digest, source))


def claimed_pixels(data: bytes) -> int:
    """Return how many pixels a picture's header claims, 0 where there is none to be read; nothing is decoded."""
    return _claimed_pixels(io.BytesIO(data))


def checked_digest(path: Path) -> str:
    """Return the SHA-256 of a file whose header is that of a photograph within the limits; decodes no pixel.

    Raises PhotographError.
    """
    with _file(path)[0] as file:
        hasher = hashlib.sha256()
        while piece := file.read(1 << 20):
            hasher.update(piece)
        file.seek(0)
        try:
            _header(file)
        except GiantPhotographError:
            raise
        except PhotographError:
            file.seek(0)
            data = file.read(MAX_BYTES + 1)
            lean = without_large_metadata(data)
            if lean == data:
                raise
            _header(io.BytesIO(lean))
    return hasher.hexdigest()


def as_seen(image: Image.Image) -> Image.Image:
    """Return a decoded image upright, in a mode that converts to RGB without loss. Raises PhotographError."""
    return _eight_bit(upright(image))


def upright(image: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF orientation says; broken metadata counts as none."""
    turn = _TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def orientation(image: Image.Image) -> int:
    """Return an image's EXIF orientation, 1 (upright) where none can be read."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
        return value if isinstance(value, int) else 1
    except Exception:  # any failure in optional metadata of a sound picture: as viewers take it
        return 1


def colours(image: Image.Image, mode: Literal["RGB", "RGBA"] = "RGB") -> Image.Image:
    """Return an image in colours, itself where it is. Raises PhotographError where Pillow has no way to."""
    try:
        return image if image.mode == mode else image.convert(mode)
    except (ValueError, OSError) as error:
        raise PhotographError(f"a {image.mode} image that cannot be turned into {mode}") from error


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn what Pillow and numpy raise on odd pixels inside the block into a PhotographError that says `what`."""
    try:
        yield
    except (OSError, SyntaxError, ValueError, OverflowError, MemoryError, struct.error) as error:
        raise PhotographError(f"{what}: {_reason(error)}") from error


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings, which say what our checks say better. Enter it once around a thread pool.

    Warning filters belong to the whole process, so this is not for use inside threads.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        yield


def _file(path: Path) -> tuple[BinaryIO, int]:
    """Return the open file of a photograph and its size: a file of its own, or its place in a container."""
    place = contained(path)
    try:
        if place is not None and not place.container.is_dir():
            return open_contained(place, MAX_BYTES)
        file = open_foreign(path, MAX_BYTES, error=PhotographError)
        return file, os.fstat(file.fileno()).st_size
    except ContainerChangedError as error:
        raise ChangedPhotographError(error.message) from error
    except PhotographError as error:
        # Whoever reports it names the photograph; where its folder lies on this machine is nobody's business.
        words = error.message.removeprefix(f"cannot read {path}: ").replace(str(path), "the file")
        if place is not None:
            words = words.replace(str(place.container), place.container.name)
        missing = isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError))
        if place is not None and missing:
            raise MissingContainerError(f"{place.container.name}, which holds it, is not there") from error
        raise (MissingPhotographError if missing else PhotographError)(words) from error


def _content(file: BinaryIO, digest: str | None, path: Path) -> bytes:
    try:
        file.seek(0)
        data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PhotographError(error.strerror or str(error)) from error
    if digest is not None and (actual := bytes_digest(data)) != digest:
        place = contained(path)
        what = "the file" if place is None else f"what {place.container.name} holds there"
        raise ChangedPhotographError(f"{what} has changed: SHA-256 {actual[:12]}… instead of {digest[:12]}…")
    return data


def _claimed_pixels(file: IO[bytes]) -> int:
    """Return how many pixels a header claims, 0 where it cannot be read: nothing is decoded then."""
    try:
        image = _header(file)
    except GiantPhotographError:
        return 0
    except PhotographError:
        # Its metadata may be too large for Pillow, and its pixels many all the same.
        file.seek(0)
        try:
            image = _header(io.BytesIO(without_large_metadata(file.read(MAX_BYTES + 1))))
        except PhotographError:
            return 0
    return image.width * image.height


def _decoded(data: bytes) -> Image.Image:
    try:
        return _loaded(data)
    except GiantPhotographError:
        raise
    except PhotographError:
        lean = without_large_metadata(data)
        if lean == data:
            raise
        return _loaded(lean)


def _loaded(data: bytes) -> Image.Image:
    image = _header(io.BytesIO(data))
    try:
        image.load()
    except Exception as error:  # decoders raise anything from struct.error to KeyError on damaged bytes
        raise DamagedPhotographError(_reason(error)) from error
    return image


def _header(file: IO[bytes]) -> Image.Image:
    """Return an image whose header was read and whose size is within the limit; pixels are not decoded yet."""
    try:
        image = _identified(file)
    except UnidentifiedImageError as error:
        # Pillow's own message names the buffer's address in memory, which says nothing.
        raise PhotographError("no image of a supported format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise GiantPhotographError(f"more pixels than the limit of {MAX_PIXELS:,}") from error
    except Exception as error:  # as above: any exception type means that these bytes are no sound header
        raise PhotographError(_reason(error)) from error
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width:,} × {image.height:,}"
        raise GiantPhotographError(f"{size} is more pixels than the limit of {MAX_PIXELS:,}")
    return image


def _identified(file: IO[bytes]) -> Image.Image:
    try:
        return Image.open(file, formats=COMMON)
    except UnidentifiedImageError:
        file.seek(0)
        return Image.open(file, formats=_others())


@cache
def _others() -> tuple[str, ...]:
    Image.init()
    # AVIF and JPEG 2000 are missing from some builds, and Pillow answers KeyError for those.
    return tuple(name for name in OTHERS if name in Image.OPEN)


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode == "I" and image.format == "PNG":  # how older Pillows open 16-bit greys
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in {"I", "F"}:
        raise PhotographError(f"pixels of mode {image.mode} have no fixed white; save it with 8 or 16 bits")
    return image


def _reason(error: Exception) -> str:
    text = reason(error)
    return text if isinstance(error, (OSError, MemoryError)) else f"{type(error).__name__} {text}"[:200]
