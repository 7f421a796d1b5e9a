"""How the products of the drawn catalogue look: a white figure stamped on a sheet of coloured, patterned cloth.

Figures are those of the drawn scenes, of which only the outline is left; the colours are duller. So a model that
knows the scenes sees every word's meaning where it never looked for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image, ImageChops, ImageDraw

from clipbench.demo.scenes.kinds import SHAPES
from clipbench.demo.scenes.stream import Stream

SIDE = 128
"""Width and height of a picture in pixels."""

OVERSAMPLING = 2
FULL = SIDE * OVERSAMPLING
Colour: TypeAlias = tuple[int, int, int]

FIGURES = tuple(SHAPES)
"""What is stamped on the cloth."""

COLOURS: Mapping[str, Colour] = {
    "red": (172, 74, 62),
    "orange": (206, 142, 84),
    "yellow": (214, 196, 120),
    "green": (92, 130, 98),
    "blue": (92, 118, 166),
    "purple": (120, 92, 140),
    "pink": (214, 166, 182),
    "white": (232, 228, 218),
}
"""The scenes' words for colours, on other colours."""

PATTERNS = ("plain", "striped", "dotted")

WHITE: Colour = (255, 255, 255)
RIM: Colour = (64, 62, 70)
SCALES = {True: 0.78, False: 0.45}
"""Share of the picture that a large and a small figure take."""


def draw_product(figure: str, colour: str, pattern: str, *, large: bool, stream: Stream) -> Image.Image:
    """Return the picture of a product, SIDE × SIDE pixels, RGB. The stream moves and turns it a little."""
    place = _Place(
        radius=FULL / 2 * SCALES[large] * stream.between(0.93, 1.05),
        turn=math.radians(stream.between(-8, 8)),
        x=FULL * (0.5 + stream.between(-0.04, 0.04)),
        y=FULL * (0.5 + stream.between(-0.04, 0.04)),
    )
    mask = _outline(figure, place)
    sheet = _cloth(COLOURS[colour], pattern)
    sheet.paste(WHITE, mask=mask)
    sheet.paste(RIM, mask=ImageChops.subtract(mask, _shrunken(mask)))
    return sheet.reduce(OVERSAMPLING)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a figure stands: half the width of its box and its middle in pixels, its turn in radians."""

    radius: float
    turn: float
    x: float
    y: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the figure's box, from -1 to 1, comes to lie."""
        across, down = math.cos(self.turn) * self.radius, math.sin(self.turn) * self.radius
        return self.x + x * across - y * down, self.y + x * down + y * across


def _outline(figure: str, place: _Place) -> Image.Image:
    """Return all parts of a figure as one mask."""
    mask = Image.new("L", (FULL, FULL))
    pen = ImageDraw.Draw(mask)
    kind = SHAPES[figure]
    for shape in (*kind.behind, *kind.body, *kind.details):
        points = [place.point(x, y) for x, y in shape.points]
        if shape.width:
            pen.line(points, fill=255, width=max(2, round(shape.width * place.radius)))
        else:
            pen.polygon(points, fill=255)
    return mask


def _shrunken(mask: Image.Image) -> Image.Image:
    """Return the mask without its edge of two pixels."""
    inner = mask
    for across, down in ((2, 0), (-2, 0), (0, 2), (0, -2)):
        inner = ImageChops.darker(inner, ImageChops.offset(mask, across, down))
    return inner


def _cloth(colour: Colour, pattern: str) -> Image.Image:
    """Return a sheet of the colour with stripes or dots, lighter on dark and darker on pale."""
    sheet = Image.new("RGB", (FULL, FULL), colour)
    pale = sum(colour) > 560
    mark = tuple(round(part * 0.72 if pale else 255 - (255 - part) * 0.45) for part in colour)
    pen = ImageDraw.Draw(sheet)
    step = FULL / 12
    for row in range(12):
        top = row * step
        if pattern == "striped" and row % 2:
            pen.rectangle((0, top, FULL, top + step - 1), fill=mark)
        for column in range(12):
            if pattern == "dotted" and (row + column) % 2:
                left = column * step
                pen.ellipse((left + 3, top + 3, left + step - 3, top + step - 3), fill=mark)
    return sheet
