"""How the products of the drawn catalogue look: one thing on white, filled with a pattern, with an outline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from PIL import Image, ImageChops, ImageDraw

from clipbench.demo.scenes.stream import Stream

SIDE = 128
"""Width and height of a picture in pixels."""

OVERSAMPLING = 3
Colour: TypeAlias = tuple[int, int, int]
Draw: TypeAlias = Callable[[ImageDraw.ImageDraw], None]

COLOURS: Mapping[str, Colour] = {
    "beige": (214, 190, 150),
    "black": (40, 40, 44),
    "brown": (116, 74, 42),
    "dark green": (30, 84, 52),
    "grey": (140, 142, 146),
    "light blue": (150, 196, 226),
    "navy": (28, 44, 96),
    "ochre": (200, 142, 40),
    "rust": (172, 74, 40),
    "turquoise": (52, 172, 170),
}
"""Muted colours of furniture, none of them one of the drawn scenes'."""

PATTERNS: Mapping[str, int] = {"plain": 0, "striped": 1, "dotted": 2, "checked": 3}
"""Fillings, by name."""


def _shape(*parts: tuple[str, tuple[float, ...]]) -> Draw:
    """Return a drawing of rectangles, ellipses and polygons given in hundredths of the picture."""

    def draw(pen: ImageDraw.ImageDraw) -> None:
        unit = SIDE * OVERSAMPLING / 100
        for kind, numbers in parts:
            points = [value * unit for value in numbers]
            if kind == "box":
                pen.rectangle(points, fill=255)
            elif kind == "oval":
                pen.ellipse(points, fill=255)
            else:
                pen.polygon(list(zip(points[::2], points[1::2], strict=True)), fill=255)

    return draw


DRAWINGS: Mapping[str, Draw] = {
    "chair": _shape(
        ("box", (30, 15, 37, 58)),
        ("box", (30, 50, 70, 58)),
        ("box", (30, 58, 35, 88)),
        ("box", (65, 58, 70, 88)),
        ("box", (30, 15, 60, 24)),
    ),
    "table": _shape(("box", (12, 38, 88, 46)), ("box", (18, 46, 24, 84)), ("box", (76, 46, 82, 84))),
    "lamp": _shape(
        ("path", (34, 14, 66, 14, 80, 44, 20, 44)), ("box", (48, 44, 52, 80)), ("oval", (34, 78, 66, 88))
    ),
    "shelf": _shape(
        ("box", (20, 12, 26, 88)),
        ("box", (74, 12, 80, 88)),
        ("box", (20, 14, 80, 20)),
        ("box", (20, 46, 80, 52)),
        ("box", (20, 80, 80, 86)),
    ),
    "vase": _shape(
        ("oval", (30, 40, 70, 90)), ("path", (42, 12, 58, 12, 56, 48, 44, 48)), ("box", (38, 10, 62, 16))
    ),
    "rug": _shape(("path", (24, 34, 96, 34, 76, 72, 4, 72))),
    "mirror": _shape(("oval", (26, 8, 74, 80)), ("path", (40, 78, 60, 78, 66, 92, 34, 92))),
    "clock": _shape(("oval", (20, 20, 80, 80)), ("box", (46, 12, 54, 22))),
    "bowl": _shape(("path", (14, 42, 86, 42, 74, 74, 26, 74)), ("box", (36, 74, 64, 80))),
    "cushion": _shape(("path", (18, 24, 50, 30, 82, 24, 76, 50, 82, 78, 50, 72, 18, 78, 24, 50))),
}
"""Every kind of product, as the mask of its outline."""


def draw_product(kind: str, colour: str, pattern: str, *, large: bool, stream: Stream) -> Image.Image:
    """Return the picture of a product, SIDE × SIDE pixels, RGB. The stream moves and turns it a little."""
    full = SIDE * OVERSAMPLING
    mask = Image.new("L", (full, full))
    DRAWINGS[kind](ImageDraw.Draw(mask))
    scale = (0.95 if large else 0.55) * stream.between(0.93, 1.05)
    turn = stream.between(-6, 6)
    mask = _placed(mask, scale, turn, (stream.between(-0.04, 0.04), stream.between(-0.04, 0.04)))
    canvas = Image.new("RGB", (full, full), (255, 255, 255))
    canvas.paste(_filling(COLOURS[colour], PATTERNS[pattern], full), mask=mask)
    # The outline is what a slightly shrunken mask leaves of the whole one.
    rim = ImageChops.subtract(
        mask, mask.resize((full, full)).transform((full, full), Image.Transform.AFFINE, (1, 0, 5, 0, 1, 5))
    )
    canvas.paste((24, 24, 28), mask=rim)
    return canvas.reduce(OVERSAMPLING)


def _placed(mask: Image.Image, scale: float, turn: float, offset: tuple[float, float]) -> Image.Image:
    full = mask.width
    size = max(8, round(full * scale))
    small = mask.resize((size, size), Image.Resampling.BICUBIC).rotate(turn, Image.Resampling.BICUBIC)
    placed = Image.new("L", (full, full))
    corner = tuple(round((full - size) / 2 + full * share) for share in offset)
    placed.paste(small, (corner[0], corner[1]))
    return placed


def _filling(colour: Colour, pattern: int, full: int) -> Image.Image:
    """Return a sheet of the colour with stripes, dots or checks of a lighter one."""
    sheet = Image.new("RGB", (full, full), colour)
    lighter = tuple(round(255 - (255 - part) * 0.45) for part in colour)
    pen = ImageDraw.Draw(sheet)
    step = full // 16
    for row in range(0, full, step):
        if pattern == 1 and (row // step) % 2:
            pen.rectangle((0, row, full, row + step - 1), fill=lighter)
        for column in range(0, full, step):
            if pattern == 2 and (row // step) % 2 and (column // step) % 2:
                pen.ellipse((column, row, column + step, row + step), fill=lighter)
            if pattern == 3 and (row // step + column // step) % 2:
                pen.rectangle((column, row, column + step - 1, row + step - 1), fill=lighter)
    return sheet
