"""Photographs from bytes to PIL images, safely, and ahead of the model that waits for them.

Knows files and pixels, no model. Decided here, once, for every encoder:

- The EXIF orientation is applied: a photograph is evaluated the way people see it.
- 16-bit greys keep their high byte, as Pillow does for 16-bit colours. Pillow's own conversion to 8 bits
  clips at 255, so nearly every pixel of a photograph would turn white.
- Float and 32-bit greys have no fixed white, so they are refused rather than guessed.
- Of several frames the first one counts. An incomplete file is an error, never a half-grey picture.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from clipbench.errors import EncoderError
from clipbench.keys import bytes_digest
from clipbench.records import MAX_PIXELS

# Formats Pillow decodes itself. EPS, for one, would start Ghostscript on a stranger's program.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA")
_ORIENTATION = 0x0112
_UPRIGHT = 1
_BROKEN = (
    OSError,  # not an image, or cut short
    SyntaxError,  # a broken PNG
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class Unreadable(EncoderError):  # noqa: N818  # "unreadable" is what the dataset calls it too
    """An image file that cannot be decoded. `reason` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"unreadable: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """One file to decode. `digest` is the SHA-256 it must have, None where it is not known."""

    path: Path
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded file: prepared pixels, or the problem why there are none. Exactly one of them is set."""

    file: PhotoFile
    pixels: npt.NDArray[np.uint8] | None
    problem: Unreadable | None = None


def decode(data: bytes) -> Image.Image:
    """Return the image in `data`, upright and complete, in a mode that converts to RGB without loss.

    Raises Unreadable.
    """
    try:
        image = Image.open(BytesIO(data), formats=_formats())
    except _BROKEN as error:
        raise Unreadable(_first_line(error)) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Unreadable(f"{width} × {height} pixels, more than {MAX_PIXELS:,}")
    try:
        image.load()
    except _BROKEN as error:
        raise Unreadable(_first_line(error)) from error
    return _eight_bit(_upright(image))


def read_photo(file: PhotoFile) -> Image.Image:
    """Return the decoded image of a file.

    Raises Unreadable where it is missing, broken, or not the file that was imported.
    """
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    if file.digest is not None and (found := bytes_digest(data)) != file.digest:
        raise Unreadable(f"the file has changed: SHA-256 {found[:12]}… instead of {file.digest[:12]}…")
    return decode(data)


def decode_ahead(
    files: Iterable[PhotoFile],
    prepare: Callable[[int, Image.Image], npt.NDArray[np.uint8]],
    *,
    workers: int | None = None,
    depth: int | None = None,
) -> Iterator[Decoded]:
    """Decode and prepare files in threads, up to `depth` of them ahead, and yield them in order.

    prepare: called in a worker with the position in `files` and the image; an encoder's `prepare`, with a
    corruption before or after. Unreadable files are yielded with their problem; any other error ends the
    iteration. workers: by default the processors less one, at most 8 (Pillow decodes outside the
    interpreter lock). Leaving the iteration early, by Ctrl-C too, drops what was not yet started.
    """
    workers = workers or max(1, min(8, (os.cpu_count() or 2) - 1))
    depth = depth or 4 * workers + 16
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    waiting: deque[Future[Decoded]] = deque()
    try:
        for position, file in enumerate(files):
            waiting.append(pool.submit(_decoded, position, file, prepare))
            if len(waiting) >= depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _decoded(
    position: int, file: PhotoFile, prepare: Callable[[int, Image.Image], npt.NDArray[np.uint8]]
) -> Decoded:
    try:
        image = read_photo(file)
    except Unreadable as problem:
        return Decoded(file, None, problem)
    return Decoded(file, prepare(position, image))


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION, _UPRIGHT)
    except _BROKEN:
        # Broken metadata of a sound picture: without an orientation it stands as it is stored.
        return image
    return image if orientation == _UPRIGHT else ImageOps.exif_transpose(image)


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode == "I" and image.format == "PNG":  # how older Pillows open 16-bit greys
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in {"I", "F"}:
        raise Unreadable(f"pixels of mode {image.mode} have no fixed white; save it with 8 or 16 bits")
    return image


def _first_line(error: BaseException) -> str:
    # Pillow's own message names the buffer's address in memory, which says nothing.
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
