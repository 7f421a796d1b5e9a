"""The pictures people look at: one of a dataset's photographs, and the pair of a failure on one sheet.

A photograph that is not there is a grey panel that says so: an item is never left out for it.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

from clipbench.errors import PhotographError
from clipbench.failures.items import Failure
from clipbench.photographs import opening
from clipbench.records import Dataset

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

SIDE = 480
GAP = 16
INK, PAPER, GREY, EMPTY = (20, 24, 32), (255, 255, 255), (96, 104, 116), (228, 231, 236)
QUALITY = 88
LONGEST = 1_000
"""Letters of a caption that a sheet shows."""

OWN, FOUND = "Ground truth", "Retrieved"
BLIND = ("Picture 1", "Picture 2")


def photograph(dataset: Dataset, place: int, side: int) -> Image.Image:
    """Return an image of a dataset in RGB, within side × side pixels, its turned camera put right.

    A panel of that size with a word on it where there is no photograph to show.
    """
    sample = dataset.samples[place]
    if dataset.image_folder is None or sample.path is None or sample.problem is not None:
        return _panel(side, f"no photograph\n{sample.id}")
    try:
        with (
            opening.photograph(dataset.image_folder / sample.path, sample.digest) as image,
            opening.telling("cannot be shown"),
        ):
            return _within(opening.colours(image), side)
    except PhotographError as error:
        return _panel(side, f"cannot be shown\n{sample.id}\n{error.message}")


def _within(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    # Small pictures are enlarged: a drawn scene of 128 pixels would be a stamp.
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if scale > 1:
        size = (min(size[0], image.width * 4), min(size[1], image.height * 4))
    return image.resize(size, Image.Resampling.LANCZOS)


def jpeg(image: Image.Image) -> bytes:
    """Return an image as JPEG bytes, without any metadata."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=QUALITY, optimize=True, comment=b"")  # Pillow would keep the file's
    return data.getvalue()


def has_photographs(dataset: Dataset) -> bool:
    """Whether there is anything to look at."""
    return dataset.image_folder is not None and any(sample.path is not None for sample in dataset.samples)


def pair(
    dataset: Dataset, failure: Failure, *, names: tuple[str, str] = (OWN, FOUND), swapped: bool = False
) -> Image.Image:
    """Return the sheet of a failure: its caption above, the own picture left and the found one right.

    swapped: the other way round. names: what is written under the left and the right picture.
    """
    places = [failure.image, failure.retrieved]
    if swapped:
        places.reverse()
    pictures = [photograph(dataset, place, SIDE) for place in places]
    big, small = _font(24), _font(16)
    width = 2 * SIDE + 3 * GAP
    lines = _wrapped(_shown(dataset.captions[failure.caption].text), big, width - 2 * GAP)
    line = 32
    top = GAP + line * len(lines) + GAP // 2
    sheet = Image.new("RGB", (width, top + SIDE + 28 + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(lines):
        draw.text((GAP, GAP + number * line), text, fill=INK, font=big)
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        left = GAP + number * (SIDE + GAP)
        sheet.paste(picture, (left + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2))
        draw.text((left, top + SIDE + 6), name, fill=GREY, font=small)
    return sheet


def _panel(side: int, text: str) -> Image.Image:
    panel = Image.new("RGB", (side, side), EMPTY)
    lines = "\n".join(part for given in text.splitlines() for part in textwrap.wrap(given, 36) or [""])
    ImageDraw.Draw(panel).multiline_text(
        (side // 2, side // 2), lines, fill=GREY, font=_font(18), anchor="mm", align="center"
    )
    return panel


def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _shown(text: str) -> str:
    """Return a caption as a sheet has room for it; nobody reads more beside two pictures."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _wrapped(text: str, font: Font, room: int) -> Sequence[str]:
    """Return a text in lines that fit; a word that is wider than the room is cut."""
    lines = [""]
    for word in text.split() or [""]:
        while font.getlength(word) > room and len(word) > 1:
            cut = max(1, int(len(word) * room / font.getlength(word)) - 1)
            lines += [word[:cut], ""]
            word = word[cut:]  # noqa: PLW2901, the rest of the word goes on
        together = f"{lines[-1]} {word}".strip()
        if font.getlength(together) <= room:
            lines[-1] = together
        else:
            lines.append(word)
    return [line for line in lines if line] or [""]
