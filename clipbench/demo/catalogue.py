"""A drawn catalogue of cushions: pictures, and fields as noisy as those of a shop. Made from nothing.

It is what adaptation, filters and re-ranking by words are shown on without any data. Its words are those of the drawn
scenes, for the bundled model knows no others; its pictures are not, so that the model is weak here and can learn.
Fields are missing, repeat one another or shout as in real catalogues. Every product has a stream of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from PIL import Image

from clipbench.demo.catalogue_drawing import COLOURS, FIGURES, PATTERNS, draw_product
from clipbench.demo.scenes.stream import Stream

VERSION = 1
PRODUCTS = 600
"""How many products there are; the first n are the same for any number asked for."""

FIELDS = ("sku", "name", "type", "color", "size", "description", "image")
"""The columns of the table, as shops call them."""

NO_COLOUR, NO_DESCRIPTION, NO_SIZE, SHOUTED = 0.05, 0.10, 0.25, 0.06
"""Shares of products whose colour, description or size is empty, and whose description is in capitals."""

_SYLLABLES = ("BA", "DRO", "FJA", "GRUM", "HEM", "KLA", "LUN", "MOR", "NOR", "SKA", "TOR", "VIN")

_PRAISE = (
    "The cover can be washed.",
    "Fits every sofa and every chair.",
    "Soft, and easy to carry from room to room.",
    "Made by hand, so that no two are equal.",
    "A gift for a friend who has everything.",
    "Filled with feathers.",
)
"""What descriptions say of anything, so that they repeat, as they do in shops."""

SIZES = {True: (50, 60, 70), False: (30, 35, 40)}
"""Centimetres of cushions with a large and with a small figure."""


@dataclass(frozen=True, slots=True)
class Product:
    """One product. The fields are as the table has them, "" where it has none; the rest is the truth.

    figure, colour, pattern: what is drawn. large: whether the figure is.
    """

    sku: str
    name: str
    figure: str
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
            self.figure.capitalize(),
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
        product.figure,
        product.colour,
        product.pattern,
        large=product.large,
        stream=_stream("picture", product.sku),
    )
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def table(rows: Iterable[Product]) -> str:
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
    figure = stream.pick(FIGURES)
    colour = stream.pick(tuple(COLOURS))
    pattern = stream.pick(PATTERNS)
    large = stream.pick((True, False))
    pattern_words = "" if pattern == "plain" else f", {pattern}"
    description = stream.pick(_PRAISE)
    # Half of the descriptions say what the picture shows, the others only praise, as in shops.
    if stream.chance(0.5):
        description = f"{'Large' if large else 'Small'} {figure}{pattern_words}. {description}"
    if stream.chance(SHOUTED):
        description = description.upper()
    if stream.chance(NO_DESCRIPTION):
        description = ""
    told_colour = "" if stream.chance(NO_COLOUR) else f"{colour}{pattern_words}".capitalize()
    size = "" if stream.chance(NO_SIZE) else f"{stream.pick(SIZES[large])} cm"
    name = "".join(stream.pick(_SYLLABLES) for _ in range(2))
    return Product(sku, name, figure, colour, pattern, large, size, told_colour, description)
