"""The drawn catalogue: the same on every machine, as noisy as a shop's, and told from its pictures."""

import csv
import io

import numpy as np
from PIL import Image

from clipbench.demo.catalogue import FIELDS, PRODUCTS, picture, products, table
from clipbench.demo.catalogue_drawing import COLOURS, FIGURES, PATTERNS, SIDE, draw_product
from clipbench.demo.scenes.stream import Stream


def test_a_product_does_not_depend_on_how_many_there_are() -> None:
    assert list(products(7)) == list(products())[:7]
    assert len(list(products())) == PRODUCTS


def test_fields_are_as_noisy_as_a_shops() -> None:
    rows = list(csv.DictReader(io.StringIO(table(list(products())))))
    assert tuple(rows[0]) == FIELDS
    assert len({row["sku"] for row in rows}) == PRODUCTS
    empty = {name: sum(row[name] == "" for row in rows) / PRODUCTS for name in FIELDS}
    assert 0.02 < empty["color"] < 0.09
    assert 0.06 < empty["description"] < 0.15
    assert 0.18 < empty["size"] < 0.32
    told = [row["description"] for row in rows if row["description"]]
    assert len(set(told)) < len(told) * 0.6
    assert any(text.isupper() for text in told)


def test_every_figure_colour_and_pattern_is_there_and_looks_different() -> None:
    all_of = list(products())
    assert {p.figure for p in all_of} == set(FIGURES)
    assert {p.colour for p in all_of} == set(COLOURS)
    assert {p.pattern for p in all_of} == set(PATTERNS)
    pictures = {
        name: np.asarray(draw_product("cup", "blue", name, large=True, stream=Stream("x")))
        for name in PATTERNS
    }
    for name, other in (("plain", "striped"), ("striped", "dotted")):
        assert (pictures[name] != pictures[other]).any()


def test_a_picture_is_the_same_twice_and_shows_its_colour() -> None:
    for product in list(products(12)):
        image = Image.open(io.BytesIO(picture(product)))
        assert picture(product) == picture(product)
        assert image.size == (SIDE, SIDE)
        colours = {colour for _, colour in image.getcolors(SIDE * SIDE)}
        assert COLOURS[product.colour] in colours
        assert (255, 255, 255) in colours
