"""A scene graph turned into a picture, drawn three times too large and scaled down.

Positions, headings and scenery come from the stream and mean nothing; everything the graph says is
visible. No fonts are used and there is no text. This module knows no files.
"""

from __future__ import annotations

from PIL import Image, ImageDraw

from clipbench.demo.scenes.backdrops import PAINTERS, Paper
from clipbench.demo.scenes.graph import Group, SceneGraph
from clipbench.demo.scenes.kinds import INK, SHAPES, Colour, Shape
from clipbench.demo.scenes.marks import MARKS, Spot
from clipbench.demo.scenes.stream import Stream

SIDE = 128
"""Width and height of a finished picture in pixels."""

OVERSAMPLING = 3
COLOURS: dict[str, Colour] = {
    "red": (218, 48, 46),
    "orange": (244, 140, 36),
    "yellow": (250, 214, 50),
    "green": (46, 160, 72),
    "blue": (46, 98, 212),
    "purple": (134, 62, 178),
    "pink": (248, 142, 186),
    "white": (250, 250, 250),
}
RADII = {"big": 15.0, "small": 9.5}
"""Half the width of an object in pixels of the finished picture."""

Box = tuple[float, float, float, float]
WHOLE: Box = (10, 30, 118, 112)
PLACES: dict[str | None, tuple[Box, ...]] = {
    None: (WHOLE,),
    "left": ((3, 36, 61, 112), (67, 36, 125, 112)),
    "above": ((8, 6, 120, 58), (8, 70, 120, 122)),
}
"""Where the groups of a scene go, in pixels of the finished picture."""


def draw_scene(graph: SceneGraph, stream: Stream) -> Image.Image:
    """Return the picture of `graph`, SIDE × SIDE pixels, RGB."""
    canvas = Image.new("RGB", (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING))
    PAINTERS[graph.context](Paper(canvas), stream)
    for group, place in zip(graph.groups, PLACES[graph.relation], strict=True):
        _draw_group(canvas, group, place, stream)
    return canvas.reduce(OVERSAMPLING)


def _draw_group(canvas: Image.Image, group: Group, place: Box, stream: Stream) -> None:
    heading = stream.pick((1, -1))
    radius = RADII[group.size] * stream.between(0.93, 1.05) * OVERSAMPLING
    spots = [Spot(x, y, radius, heading) for x, y in _positions(group.count, radius, place, stream)]
    pen = ImageDraw.Draw(canvas)
    if group.action in MARKS:
        for spot in spots:
            MARKS[group.action](pen, spot)
    picture = object_picture(group, radius, heading)
    for spot in spots:
        corner = (round(spot.x - picture.width / 2), round(spot.y - picture.height / 2))
        canvas.paste(picture, corner, picture)


def _positions(count: int, radius: float, place: Box, stream: Stream) -> list[tuple[float, float]]:
    """Return the centres of a group: one row where it fits, two rows otherwise, all a little askew."""
    left, top, right, bottom = (edge * OVERSAMPLING for edge in place)
    columns = max(1, min(count, int((right - left) / (radius * 2))))
    if count == 4 and columns == 3:
        columns = 2
    rows = -(-count // columns)
    wide, high = (right - left) / columns, min((bottom - top) / rows, radius * 2.7)
    wide = min(wide, radius * 2.9)
    middle = (left + right) / 2 + stream.between(-1, 1) * max(0.0, (right - left - wide * columns) / 2)
    slack = max(0.0, (bottom - top - high * rows) / 2)
    centre = (top + bottom) / 2 + stream.between(-1, 1) * slack
    places = []
    for number in range(count):
        row, column = divmod(number, columns)
        in_row = min(columns, count - row * columns)
        x = middle + (column - (in_row - 1) / 2) * wide + stream.between(-0.04, 0.04) * radius
        y = centre + (row - (rows - 1) / 2) * high + stream.between(-0.1, 0.1) * radius
        places.append((x, y))
    return places


def object_picture(group: Group, radius: float, heading: int) -> Image.Image:
    """Return one object of the group on a transparent ground, about 2.4 radii wide."""
    side = round(radius * 2.4)
    kind, colour = SHAPES[group.kind], COLOURS[group.colour]
    picture = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(picture)
    edge = max(2, round(radius * 0.07))

    def points(shape: Shape) -> list[tuple[int, int]]:
        return [(round(side / 2 + x * radius), round(side / 2 + y * radius)) for x, y in shape.points]

    def put(shape: Shape) -> None:
        if shape.width:
            pen.line(points(shape), fill=shape.colour, width=max(2, round(shape.width * radius)))
        else:
            pen.polygon(points(shape), fill=shape.colour, outline=INK, width=max(1, edge // 2))

    for shape in kind.behind:
        put(shape)
    mask = Image.new("L", picture.size)
    mask_pen = ImageDraw.Draw(mask)
    for shape in kind.body:
        pen.line([*points(shape), *points(shape)[:2]], fill=INK, width=2 * edge, joint="curve")
        mask_pen.polygon(points(shape), fill=255)
    picture.paste(_cloth(group.texture, colour, side, radius), (0, 0), mask)
    for shape in kind.details:
        put(shape)
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if heading < 0 else picture


def _cloth(texture: str, colour: Colour, side: int, radius: float) -> Image.Image:
    """Return a square of the object's colour with its stripes or dots, dark on pale and pale on dark."""
    cloth = Image.new("RGB", (side, side), colour)
    pale = sum(colour) > 480
    mark: Colour = (70, 66, 84) if pale else (252, 246, 226)
    pen = ImageDraw.Draw(cloth)
    if texture == "striped":
        step = radius * 0.56
        for number in range(-6, 12):
            x = number * step
            pen.line([(round(x), 0), (round(x + side * 0.5), side)], fill=mark, width=round(step * 0.36))
    if texture == "dotted":
        step, reach = radius * 0.64, radius * 0.19
        for row in range(6):
            for column in range(6):
                x, y = (column + 0.5 * (row % 2)) * step, row * step
                pen.ellipse(
                    [round(x - reach), round(y - reach), round(x + reach), round(y + reach)], fill=mark
                )
    return cloth
