"""The shapes of the drawn objects, as data: outlines in a box from -1 to 1, y downwards.

`body` takes the object's colour and texture; `behind` and `details` keep their own colours. This module
draws nothing; `scene_drawing` does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Points: TypeAlias = tuple[tuple[float, float], ...]
Colour: TypeAlias = tuple[int, int, int]

INK: Colour = (45, 42, 52)
WOOD: Colour = (140, 96, 60)
GLASS: Colour = (205, 232, 246)
CREAM: Colour = (250, 240, 215)
LEAF: Colour = (70, 140, 70)
STEEL: Colour = (120, 124, 134)
BEAK: Colour = (244, 160, 50)


@dataclass(frozen=True, slots=True)
class Shape:
    """A closed outline, or a line of `width` (in units of the box) where width is not 0."""

    points: Points
    colour: Colour = INK
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of object looks, facing right."""

    body: tuple[Shape, ...]
    behind: tuple[Shape, ...] = ()
    details: tuple[Shape, ...] = ()


def oval(x: float, y: float, across: float, down: float, colour: Colour = INK) -> Shape:
    """Return an ellipse of these half-axes around (x, y)."""
    return arc(x, y, across, down, 0, 360, colour)


def arc(x: float, y: float, across: float, down: float, start: int, end: int, colour: Colour = INK) -> Shape:
    """Return the closed piece of an ellipse from `start` to `end` degrees, clockwise from the right."""
    angles = [math.radians(start + (end - start) * step / 28) for step in range(29)]
    return Shape(tuple((x + across * math.cos(a), y + down * math.sin(a)) for a in angles), colour)


def block(left: float, top: float, right: float, bottom: float, colour: Colour = INK) -> Shape:
    """Return a rectangle."""
    return Shape(((left, top), (right, top), (right, bottom), (left, bottom)), colour)


def star(outer: float, inner: float, tips: int) -> Shape:
    """Return a star with its first tip up."""
    points = []
    for step in range(2 * tips):
        radius = inner if step % 2 else outer
        angle = math.pi * (step / tips - 0.5)
        points.append((radius * math.cos(angle), radius * math.sin(angle)))
    return Shape(tuple(points))


def _petals() -> tuple[Shape, ...]:
    angles = [2 * math.pi * step / 6 - math.pi / 2 for step in range(6)]
    return tuple(oval(0.5 * math.cos(a), -0.3 + 0.5 * math.sin(a), 0.31, 0.31) for a in angles)


SHAPES: Mapping[str, Kind] = {
    "ball": Kind(body=(oval(0, 0, 0.92, 0.92),), details=(oval(-0.34, -0.38, 0.2, 0.15, CREAM),)),
    "box": Kind(
        body=(block(-0.85, -0.6, 0.85, 0.9),),
        details=(
            Shape(((-0.85, -0.6), (-0.62, -0.95), (0.98, -0.95), (0.85, -0.6)), CREAM),
            block(-0.13, -0.6, 0.13, -0.1, CREAM),
        ),
    ),
    "kite": Kind(
        body=(Shape(((0.1, -1), (0.8, -0.35), (0, 0.55), (-0.68, -0.45))),),
        behind=(Shape(((0, 0.5), (-0.2, 0.7), (0.1, 0.82), (-0.15, 1)), INK, 0.1),),
        details=(
            Shape(((0.1, -1), (0, 0.55)), CREAM, 0.1),
            Shape(((0.8, -0.35), (-0.68, -0.45)), CREAM, 0.1),
        ),
    ),
    "balloon": Kind(
        body=(oval(0, -0.3, 0.64, 0.7), Shape(((0, 0.36), (0.16, 0.56), (-0.16, 0.56)))),
        behind=(Shape(((0, 0.5), (0.08, 0.7), (-0.06, 0.85), (0.02, 1)), INK, 0.08),),
        details=(oval(-0.24, -0.56, 0.12, 0.18, CREAM),),
    ),
    "bird": Kind(
        body=(
            oval(-0.1, 0.16, 0.66, 0.46),
            oval(0.5, -0.36, 0.34, 0.34),
            Shape(((-0.6, 0.15), (-1, -0.28), (-0.98, 0.3))),
        ),
        behind=(
            Shape(((-0.1, 0.55), (-0.1, 0.95), (0.08, 0.95)), BEAK, 0.1),
            Shape(((0.2, 0.55), (0.2, 0.95), (0.38, 0.95)), BEAK, 0.1),
        ),
        details=(
            Shape(((0.78, -0.48), (1, -0.28), (0.76, -0.2)), BEAK),
            oval(0.58, -0.44, 0.09, 0.09),
            arc(-0.2, 0.05, 0.38, 0.38, 10, 170, CREAM),
        ),
    ),
    "fish": Kind(
        body=(
            oval(0.15, 0, 0.78, 0.52),
            Shape(((-0.5, 0), (-1, -0.5), (-0.86, 0), (-1, 0.5))),
            Shape(((-0.1, -0.45), (0.3, -0.85), (0.4, -0.4))),
        ),
        details=(
            oval(0.58, -0.14, 0.16, 0.16, CREAM),
            oval(0.62, -0.14, 0.09, 0.09),
            Shape(((0.3, -0.3), (0.2, 0), (0.3, 0.3)), CREAM, 0.08),
        ),
    ),
    "car": Kind(
        body=(
            block(-0.98, -0.1, 0.98, 0.5),
            Shape(((-0.68, -0.08), (-0.44, -0.62), (0.34, -0.62), (0.66, -0.08))),
        ),
        details=(
            Shape(((-0.5, -0.1), (-0.36, -0.48), (-0.06, -0.48), (-0.06, -0.1)), GLASS),
            Shape(((0.06, -0.1), (0.06, -0.48), (0.28, -0.48), (0.48, -0.1)), GLASS),
            oval(-0.52, 0.52, 0.28, 0.28),
            oval(0.52, 0.52, 0.28, 0.28),
            oval(-0.52, 0.52, 0.12, 0.12, STEEL),
            oval(0.52, 0.52, 0.12, 0.12, STEEL),
        ),
    ),
    "boat": Kind(
        body=(
            Shape(((-0.96, 0.3), (0.96, 0.3), (0.6, 0.86), (-0.62, 0.86))),
            Shape(((0.1, -0.9), (0.78, 0.12), (0.1, 0.12))),
        ),
        behind=(block(-0.05, -0.98, 0.06, 0.4, WOOD),),
        details=(Shape(((-0.1, -0.72), (-0.1, 0.12), (-0.62, 0.12)), CREAM),),
    ),
    "house": Kind(
        body=(block(-0.72, -0.12, 0.72, 0.92),),
        behind=(block(0.34, -0.9, 0.56, -0.3, STEEL),),
        details=(
            Shape(((-0.96, -0.1), (0, -0.95), (0.96, -0.1)), WOOD),
            block(-0.16, 0.36, 0.2, 0.92, INK),
            block(-0.56, 0.1, -0.26, 0.4, GLASS),
            block(0.32, 0.1, 0.6, 0.4, GLASS),
        ),
    ),
    "star": Kind(body=(star(1, 0.45, 5),)),
    "cup": Kind(
        body=(Shape(((-0.72, -0.62), (0.52, -0.62), (0.4, 0.82), (-0.58, 0.82))),),
        behind=(Shape(arc(0.5, 0.02, 0.4, 0.4, -90, 90).points, STEEL, 0.18),),
        details=(oval(-0.1, -0.62, 0.62, 0.17, WOOD),),
    ),
    "umbrella": Kind(
        body=(arc(0, 0, 0.98, 0.88, 180, 360),),
        behind=(
            block(-0.05, -0.98, 0.05, 0.8, WOOD),
            Shape(((0, 0.75), (0.04, 0.92), (0.2, 0.95), (0.3, 0.78)), WOOD, 0.11),
        ),
        details=(
            Shape(((0, -0.86), (-0.36, 0)), CREAM, 0.06),
            Shape(((0, -0.86), (0.36, 0)), CREAM, 0.06),
        ),
    ),
    "mushroom": Kind(
        body=(arc(0, 0.05, 0.95, 0.92, 180, 360),),
        behind=(
            Shape(((-0.3, 0), (0.3, 0), (0.38, 0.92), (-0.38, 0.92)), CREAM),
            oval(0, 0.9, 0.38, 0.1, CREAM),
        ),
    ),
    "flower": Kind(
        body=_petals(),
        behind=(
            block(-0.06, 0.2, 0.06, 1, LEAF),
            oval(0.3, 0.74, 0.27, 0.12, LEAF),
            oval(-0.3, 0.86, 0.27, 0.12, LEAF),
        ),
        details=(oval(0, -0.3, 0.26, 0.26, BEAK),),
    ),
}
