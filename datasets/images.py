"""The safe way to open a photograph: named raster formats only, a pixel limit, one error for all that can go wrong.

Knows Pillow. Knows no dataset, no folder and no preprocessing.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeAlias

from PIL import ExifTags, Image, UnidentifiedImageError

from clipbench.errors import DatasetError
from clipbench.records import MAX_PIXELS

COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")  # Pillow has these without importing all its plugins
OTHERS = ("TIFF", "WEBP", "MPO", "JPEG2000", "AVIF")
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".dib", ".ppm", ".pgm",
    ".tif", ".tiff", ".webp", ".mpo", ".jp2", ".avif",
)  # fmt: skip
"""File name endings of the formats that are opened; formats that start programs (EPS, WMF) are not among them."""

Source: TypeAlias = Path | bytes | IO[bytes]


class ImageError(DatasetError):
    """A file that is no usable photograph; the message is the reason alone, without the file's name."""


class GiantImageError(ImageError):
    """An image of more than MAX_PIXELS pixels."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a header says. `mode` is Pillow's ("RGB", "CMYK", "P", "L", "I;16" ...)."""

    width: int
    height: int
    format: str
    mode: str
    alpha: bool
    rotated: bool
    frames: int


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings, which say what our checks say better. Enter it once around a thread pool.

    Warning filters belong to the whole process, so this is not for use inside threads.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        yield


def open_image(source: Source, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return an image whose header was read and whose size is within the limit; pixels are not decoded yet.

    The caller closes it. Raises ImageError with the reason, GiantImageError above `max_pixels`.
    """
    try:
        image = _identify(io.BytesIO(source) if isinstance(source, bytes) else source)
    except UnidentifiedImageError as error:
        raise ImageError("no image of a supported format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise GiantImageError(f"more pixels than the limit of {max_pixels:,}") from error
    except Exception as error:  # decoders raise anything from struct.error to KeyError on damaged bytes
        raise ImageError(_reason(error)) from error
    if image.width * image.height > max_pixels:
        size = f"{image.width:,} × {image.height:,}"
        image.close()
        raise GiantImageError(f"{size} is more pixels than the limit of {max_pixels:,}")
    return image


def decode(source: Source, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return an image with its pixels decoded. Raises ImageError, also where the file is cut short."""
    image = open_image(source, max_pixels)
    try:
        image.load()
    except Exception as error:  # as above: any exception type means that these bytes do not decode
        image.close()
        raise ImageError(_reason(error)) from error
    return image


def colours(image: Image.Image, mode: Literal["RGB", "RGBA"] = "RGB") -> Image.Image:
    """Return an image in colours, as every encoder sees it. Raises ImageError where Pillow has no way to."""
    try:
        return image.convert(mode)
    except (ValueError, OSError) as error:
        raise ImageError(f"a {image.mode} image that cannot be turned into {mode}") from error


def facts(image: Image.Image) -> ImageFacts:
    """Return what an opened image's header says; damaged EXIF data counts as none."""
    try:
        rotated = image.getexif().get(ExifTags.Base.Orientation, 1) not in (0, 1)
    except Exception:  # any failure in optional metadata means: no orientation is known, as viewers take it
        rotated = False
    alpha = image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info
    size = (image.width, image.height)
    return ImageFacts(*size, image.format or "", image.mode, alpha, rotated, _frames(image))


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1)) if getattr(image, "is_animated", False) else 1
    except (
        Exception
    ):  # counting reads the headers of later frames, which may be damaged; only the first is used
        return 1


def _identify(source: Path | IO[bytes]) -> Image.Image:
    try:
        return Image.open(source, formats=COMMON)
    except UnidentifiedImageError:
        Image.init()
        # AVIF and JPEG 2000 are missing from some builds, and Pillow answers KeyError for those.
        return Image.open(source, formats=[name for name in OTHERS if name in Image.OPEN])


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (
        text[:200] if isinstance(error, OSError) and text else f"{type(error).__name__} {text}"[:200].strip()
    )
