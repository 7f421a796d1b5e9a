"""The marks that show an action: speed lines, hops, rays and so on, drawn behind an object.

Eight ways of moving stand for all actions; this module knows which action looks like which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import ImageDraw

from clipbench.demo.scenes.kinds import INK, Colour

PAPER_WHITE: Colour = (255, 255, 255)
DUST: Colour = (214, 210, 204)
GLOW: Colour = (255, 232, 120)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an object is drawn, in pixels of the large canvas. `heading` is 1 (right) or -1 (left)."""

    x: float
    y: float
    radius: float
    heading: int


Stroke = list[tuple[float, float]]


def _line(pen: ImageDraw.ImageDraw, spot: Spot, points: Stroke, colour: Colour = INK) -> None:
    placed = [
        (round(spot.x + x * spot.heading * spot.radius), round(spot.y + y * spot.radius)) for x, y in points
    ]
    width = max(4, round(0.13 * spot.radius))
    halo = PAPER_WHITE if colour == INK else INK
    pen.line(placed, fill=halo, width=width + 4, joint="curve")
    pen.line(placed, fill=colour, width=width, joint="curve")


def _curve(x: float, y: float, radius: float, start: int, end: int) -> Stroke:
    angles = [math.radians(start + (end - start) * step / 12) for step in range(13)]
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]


def _speed(pen: ImageDraw.ImageDraw, spot: Spot) -> None:
    for height, start in ((-0.45, -1.0), (0.0, -1.1), (0.45, -1.0)):
        _line(pen, spot, [(start, height), (start - 0.5, height)])


def _roll(pen: ImageDraw.ImageDraw, spot: Spot) -> None:
    _speed(pen, spot)
    _line(pen, spot, _curve(0, 0, 1.18, -125, -35))
    _line(pen, spot, [(0.72, -0.98), (1.0, -0.68), (1.06, -1.08)])


def _dust(pen: ImageDraw.ImageDraw, spot: Spot) -> None:
    _speed(pen, spot)
    for x, y, size in ((-1.15, 0.72, 0.26), (-1.45, 0.62, 0.18)):
        centre = (spot.x + x * spot.heading * spot.radius, spot.y + y * spot.radius)
        reach = size * spot.radius
        box = (centre[0] - reach, centre[1] - reach, centre[0] + reach, centre[1] + reach)
        pen.ellipse([round(edge) for edge in box], fill=DUST, outline=INK, width=2)


def _hop(pen: ImageDraw.ImageDraw, spot: Spot) -> None:
    _line(pen, spot, _curve(-0.45, 1.35, 0.34, 180, 360))
    _line(pen, spot, _curve(0.35, 1.35, 0.34, 180, 360))


def _fall(pen: ImageDraw.ImageDraw, spot: Spot) -> None:
    for x, start in ((-0.45, -1.0), (0.0, -1.15), (0.45, -1.0)):
        _line(pen, spot, [(x, start), (x, start - 0.45)])


def _rise(pen: ImageDraw.ImageDraw, spot: Spot) -> None:
    for x, start in ((-0.4, 0.95), (0.4, 0.95)):
        _line(pen, spot, [(x, start), (x, start + 0.45)])


def _spin(pen: ImageDraw.ImageDraw, spot: Spot) -> None:
    for turn in (1, -1):
        arc = [(turn * x, turn * y) for x, y in _curve(0, 0, 1.16, -150, -40)]
        head = [(turn * x, turn * y) for x, y in ((0.62, -1.1), (0.92, -0.7), (1.12, -1.05))]
        _line(pen, spot, arc)
        _line(pen, spot, head)


def _shake(pen: ImageDraw.ImageDraw, spot: Spot) -> None:
    for side in (1, -1):
        for reach in (1.1, 1.34):
            _line(pen, spot, [(side * x, y) for x, y in _curve(0, 0, reach, -28, 28)])


def _shine(pen: ImageDraw.ImageDraw, spot: Spot) -> None:
    for step in range(10):
        x, y = math.cos(step * math.pi / 5), math.sin(step * math.pi / 5)
        _line(pen, spot, [(1.08 * x, 1.08 * y), (1.4 * x, 1.4 * y)], GLOW)


MARKS: Mapping[str, Callable[[ImageDraw.ImageDraw, Spot], None]] = {
    "rolling": _roll,
    "racing": _dust,
    "sliding": _speed,
    "flying": _speed,
    "sailing": _speed,
    "swimming": _speed,
    "bouncing": _hop,
    "jumping": _hop,
    "falling": _fall,
    "rising": _rise,
    "spinning": _spin,
    "shaking": _shake,
    "rocking": _shake,
    "swaying": _shake,
    "glowing": _shine,
    "shining": _shine,
}
"""Action to the function that marks it. Standing still has no mark."""
