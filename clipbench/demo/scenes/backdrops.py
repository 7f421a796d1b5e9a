"""The eight backdrops: sky, ground and a little scenery, never one of the objects of a scene.

A backdrop is drawn on the large canvas of `scene_drawing`, in units of the finished picture's side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PIL import Image, ImageDraw

from clipbench.demo.scenes.kinds import Colour
from clipbench.demo.scenes.stream import Stream


class Paper:
    """A canvas addressed in units of its side: (0, 0) top left, (1, 1) bottom right."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.side = image.width
        self.pen = ImageDraw.Draw(image)

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon."""
        self.pen.polygon([(round(x * self.side), round(y * self.side)) for x, y in points], fill=colour)

    def oval(self, x: float, y: float, across: float, down: float, colour: Colour) -> None:
        """Fill an ellipse of these half-axes around (x, y)."""
        box = (x - across, y - down, x + across, y + down)
        self.pen.ellipse([round(edge * self.side) for edge in box], fill=colour)

    def block(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill a rectangle."""
        box = (left, top, right, bottom)
        self.pen.rectangle([round(edge * self.side) for edge in box], fill=colour)

    def fade(self, top: float, bottom: float, upper: Colour, lower: Colour) -> None:
        """Fill the band from `top` to `bottom` with a vertical gradient."""
        height = round((bottom - top) * self.side)
        bands = 24
        strip = Image.new("RGB", (1, bands))
        for band in range(bands):
            part = band / (bands - 1)
            mixed = [round(a + (b - a) * part) for a, b in zip(upper, lower, strict=True)]
            strip.putpixel((0, band), (mixed[0], mixed[1], mixed[2]))
        band_image = strip.resize((self.side, height), Image.Resampling.BILINEAR)
        self.image.paste(band_image, (0, round(top * self.side)))


def _hills(paper: Paper, stream: Stream, base: float, height: float, colour: Colour) -> None:
    for place in range(3):
        x = place * 0.45 + stream.between(-0.1, 0.15)
        paper.oval(x, base, stream.between(0.3, 0.45), height * stream.between(0.7, 1.1), colour)


def _clouds(paper: Paper, stream: Stream, colour: Colour) -> None:
    for _ in range(2):
        x, y = stream.between(0.1, 0.9), stream.between(0.06, 0.22)
        for step in range(3):
            paper.oval(x + (step - 1) * 0.05, y, 0.05, 0.025 + 0.012 * (step == 1), colour)


def _specks(paper: Paper, stream: Stream, count: int, top: float, bottom: float, colour: Colour) -> None:
    for _ in range(count):
        x, y, size = stream.unit(), stream.between(top, bottom), stream.between(0.003, 0.006)
        paper.oval(x, y, size, size, colour)


def _meadow(paper: Paper, stream: Stream) -> None:
    paper.fade(0, 0.6, (150, 206, 242), (222, 242, 250))
    _clouds(paper, stream, (250, 252, 254))
    _hills(paper, stream, 0.58, 0.14, (150, 200, 120))
    paper.fade(0.55, 1, (132, 190, 92), (96, 160, 70))
    for _ in range(26):
        x, y = stream.unit(), stream.between(0.58, 0.98)
        blade = [(x - 0.012, y), (x - 0.004, y - 0.035), (x, y), (x + 0.008, y - 0.03), (x + 0.012, y)]
        paper.polygon(blade, (80, 142, 62))


def _beach(paper: Paper, stream: Stream) -> None:
    paper.fade(0, 0.42, (120, 196, 240), (214, 238, 250))
    paper.oval(stream.pick((0.16, 0.84)), 0.14, 0.075, 0.075, (255, 236, 150))
    paper.fade(0.4, 0.62, (50, 140, 190), (96, 186, 208))
    for _ in range(9):
        x, y = stream.unit(), stream.between(0.43, 0.58)
        paper.block(x, y, x + 0.07, y + 0.008, (190, 226, 236))
    paper.fade(0.6, 1, (240, 220, 168), (226, 198, 140))
    paper.block(0, 0.6, 1, 0.615, (250, 250, 246))
    _specks(paper, stream, 40, 0.65, 1, (204, 174, 118))


def _snow(paper: Paper, stream: Stream) -> None:
    paper.fade(0, 0.6, (172, 188, 206), (214, 222, 232))
    _hills(paper, stream, 0.6, 0.16, (226, 232, 240))
    for _ in range(4):
        x, y = stream.unit(), stream.between(0.55, 0.62)
        for step in range(3):
            low = y - step * 0.04
            paper.polygon([(x - 0.045, low), (x, low - 0.07), (x + 0.045, low)], (84, 118, 112))
    paper.fade(0.6, 1, (244, 247, 251), (222, 230, 240))
    _specks(paper, stream, 60, 0, 1, (255, 255, 255))


def _desert(paper: Paper, stream: Stream) -> None:
    paper.fade(0, 0.6, (250, 196, 120), (254, 232, 184))
    paper.oval(stream.between(0.15, 0.85), 0.16, 0.08, 0.08, (255, 246, 214))
    _hills(paper, stream, 0.62, 0.13, (222, 156, 92))
    paper.fade(0.58, 1, (226, 166, 98), (200, 134, 74))
    for place in (stream.between(0.04, 0.2), stream.between(0.8, 0.96)):
        paper.block(place - 0.014, 0.48, place + 0.014, 0.64, (96, 128, 76))
        paper.block(place - 0.045, 0.55, place, 0.568, (96, 128, 76))
        paper.block(place - 0.045, 0.515, place - 0.028, 0.568, (96, 128, 76))
    for step in range(4):
        y = 0.7 + step * 0.08 + stream.between(-0.02, 0.02)
        paper.oval(stream.unit(), y, 0.2, 0.008, (188, 122, 66))


def _forest(paper: Paper, stream: Stream) -> None:
    paper.fade(0, 0.7, (128, 168, 132), (176, 204, 160))
    for place in range(9):
        x = place / 8 + stream.between(-0.04, 0.04)
        width = stream.between(0.014, 0.026)
        paper.block(x - width, 0.1, x + width, 0.72, (92, 72, 56))
        for _ in range(2):
            across = stream.between(0.07, 0.11)
            paper.oval(x, stream.between(0, 0.16), across, 0.1, (58, 106, 66))
    paper.fade(0.7, 1, (104, 92, 60), (76, 70, 48))
    _specks(paper, stream, 40, 0.72, 1, (150, 120, 66))


def _street(paper: Paper, stream: Stream) -> None:
    paper.fade(0, 0.66, (188, 204, 218), (226, 230, 232))
    x = -stream.between(0, 0.08)
    while x < 1:
        width, top = stream.between(0.13, 0.2), stream.between(0.16, 0.42)
        paper.block(x, top, x + width, 0.66, stream.pick(((168, 146, 140), (150, 152, 164), (182, 170, 150))))
        for row in range(int((0.6 - top) / 0.075)):
            for column in (0.25, 0.62):
                left, upper = x + width * column, top + 0.03 + row * 0.075
                paper.block(left, upper, left + 0.025, upper + 0.035, (232, 226, 196))
        x += width + 0.012
    paper.block(0, 0.66, 1, 0.72, (196, 194, 190))
    paper.fade(0.72, 1, (104, 106, 114), (88, 90, 98))
    for step in range(5):
        paper.block(step * 0.22 + 0.03, 0.85, step * 0.22 + 0.14, 0.867, (236, 232, 214))


def _room(paper: Paper, stream: Stream) -> None:
    paper.fade(0, 0.72, (238, 222, 206), (228, 208, 190))
    for step in range(12):
        paper.block(step * 0.09, 0, step * 0.09 + 0.012, 0.72, (222, 200, 182))
    x = stream.between(0.2, 0.6)
    paper.block(x - 0.015, 0.085, x + 0.235, 0.345, (150, 108, 76))
    paper.block(x, 0.1, x + 0.22, 0.33, (186, 222, 240))
    paper.block(x + 0.103, 0.1, x + 0.117, 0.33, (150, 108, 76))
    paper.block(x, 0.21, x + 0.22, 0.224, (150, 108, 76))
    paper.block(0, 0.7, 1, 0.73, (250, 246, 240))
    paper.fade(0.73, 1, (176, 130, 92), (150, 108, 74))
    for step in range(3):
        paper.block(0, 0.8 + step * 0.08, 1, 0.806 + step * 0.08, (128, 90, 60))


def _night(paper: Paper, stream: Stream) -> None:
    paper.fade(0, 0.75, (16, 20, 54), (52, 56, 104))
    _specks(paper, stream, 50, 0, 0.6, (236, 236, 214))
    x = stream.between(0.12, 0.88)
    paper.oval(x, 0.14, 0.07, 0.07, (244, 240, 206))
    paper.oval(x + 0.03, 0.125, 0.058, 0.058, (24, 28, 64))
    _hills(paper, stream, 0.76, 0.12, (34, 40, 70))
    paper.fade(0.74, 1, (30, 42, 58), (20, 28, 42))


PAINTERS: Mapping[str, Callable[[Paper, Stream], None]] = {
    "meadow": _meadow,
    "beach": _beach,
    "snow": _snow,
    "desert": _desert,
    "forest": _forest,
    "street": _street,
    "room": _room,
    "night": _night,
}
"""Context to the function that paints it over the whole canvas."""
