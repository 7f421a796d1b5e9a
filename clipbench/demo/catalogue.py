"""A drawn catalogue of furniture: pictures, and fields as noisy as those of a shop. Made from nothing.

It is what adaptation, filters and re-ranking by words are shown on without any data: products stand alone on
white, in outlines and other colours than the drawn scenes have, so that the bundled model is weak here. Fields
are missing, repeat one another or shout as in real catalogues. Every product has a stream of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from PIL import Image

from clipbench.demo.catalogue_drawing import COLOURS, DRAWINGS, PATTERNS, draw_product
from clipbench.demo.scenes.stream import Stream

VERSION = 1
PRODUCTS = 600
"""How many products there are; the first n are the same for any number asked for."""

FIELDS = ("sku", "name", "type", "color", "size", "description", "image")
"""The columns of the table, as shops call them."""

NO_COLOUR, NO_DESCRIPTION, SHOUTED = 0.05, 0.10, 0.06
"""Shares of products whose colour or description is empty, or whose description is in capitals."""

_SYLLABLES = ("BA", "DRO", "FJA", "GRUM", "HEM", "KLA", "LUN", "MOR", "NOR", "SKA", "TOR", "VIN")

_PRAISE: Mapping[str, tuple[str, ...]] = {
    "chair": ("Easy to carry from room to room.", "A seat for the kitchen or the hall."),
    "table": ("Room for four plates.", "The top is easy to wipe clean."),
    "lamp": ("Gives a warm light.", "The shade spreads the light over the table."),
    "shelf": ("Saves space on the wall.", "Holds books and boxes."),
    "vase": ("Made by hand, so that no two are equal.", "For one flower or for many."),
    "rug": ("Soft under the feet.", "Hides what falls on it."),
    "mirror": ("Makes a small hall look larger.", "Hangs upright or lengthwise."),
    "clock": ("Runs without a sound.", "Can be read across the room."),
    "bowl": ("For fruit or for keys.", "Can be stacked with others."),
    "cushion": ("The cover can be washed.", "Fits every sofa."),
}
"""What descriptions say: of the kind of thing, so that they repeat, as they do in shops."""


@dataclass(frozen=True, slots=True)
class Product:
    """One product. The fields are as the table has them, "" where it has none; the rest is the truth.

    kind, colour, pattern: what is drawn. large: whether the picture shows it large.
    """

    sku: str
    name: str
    kind: str
    colour: str
    pattern: str
    large: bool
    size: str
    told_colour: str
    description: str

    @property
    def row(self) -> dict[str, str]:
        """The product as a row of the table."""
        values = (
            self.sku,
            self.name,
            self.kind.capitalize(),
            self.told_colour,
            self.size,
            self.description,
            f"{self.sku}.png",
        )
        return dict(zip(FIELDS, values, strict=True))


def products(count: int = PRODUCTS) -> Iterator[Product]:
    """Yield the first `count` products in order, nothing drawn."""
    for number in range(count):
        yield _product(number)


def picture(product: Product) -> bytes:
    """Return the PNG file of a product, without touching the disk."""
    image: Image.Image = draw_product(
        product.kind,
        product.colour,
        product.pattern,
        large=product.large,
        stream=_stream("picture", product.sku),
    )
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def table(rows: Iterator[Product] | list[Product]) -> str:
    """Return the products as a CSV table with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(product.row for product in rows)
    return text.getvalue()


def _stream(use: str, name: str) -> Stream:
    return Stream("catalogue", VERSION, use, name)


def _product(number: int) -> Product:
    sku = f"{number // 100:03d}.{number % 100:02d}"
    stream = _stream("fields", sku)
    kind = stream.pick(tuple(DRAWINGS))
    colour = stream.pick(tuple(COLOURS))
    pattern = stream.pick(tuple(PATTERNS))
    large = stream.pick((True, False))
    pattern_words = "" if pattern == "plain" else f", {pattern}"
    description = stream.pick(_PRAISE[kind])
    # Some descriptions say what the picture shows, most only praise, as in shops.
    if stream.chance(0.4):
        description = f"{'Large' if large else 'Small'} {kind}{pattern_words}. {description}"
    if stream.chance(SHOUTED):
        description = description.upper()
    if stream.chance(NO_DESCRIPTION):
        description = ""
    told_colour = "" if stream.chance(NO_COLOUR) else f"{colour}{pattern_words}".capitalize()
    centimetres = round(stream.between(60, 120) if large else stream.between(10, 50))
    name = "".join(stream.pick(_SYLLABLES) for _ in range(2))
    return Product(sku, name, kind, colour, pattern, large, f"{centimetres} cm", told_colour, description)
