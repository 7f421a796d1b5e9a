"""Captions composed from columns: what is there is said once, and what is not leaves no trace."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.datasets.caption_template import parse_template
from clipbench.errors import DatasetError

SHOP = parse_template("{type}, {color}. {description}")


@pytest.mark.parametrize(
    ("values", "caption"),
    [
        (("Vase", "Blue", "By hand."), "Vase, Blue. By hand."),
        (("Vase", "", "By hand."), "Vase. By hand."),
        (("", "Blue", "By hand."), "Blue. By hand."),
        (("Vase", "Blue", ""), "Vase, Blue"),
        (("", "", "By hand."), "By hand."),
        (("Vase", "", ""), "Vase"),
        (("", "  \n ", ""), None),
        (("Vase.", "Blue.", "By hand."), "Vase., Blue. By hand."),  # "Blue." before ". " does not end twice
        ((" Vase ", "Blue,\n  matt", "By {hand}."), "Vase, Blue, matt. By {hand}."),
    ],
)
def test_an_empty_field_takes_its_comma_along(values: tuple[str, str, str], caption: str | None) -> None:
    assert SHOP.compose(dict(zip(("type", "color", "description"), values, strict=True))) == caption


@pytest.mark.parametrize(
    ("template", "values", "caption"),
    [
        ("A {color} {type} of {material}.", "red,chair,oak", "A red chair of oak."),
        ("A {color} {type} of {material}.", ",chair,oak", "A chair of oak."),
        ("A {color} {type} of {material}.", "red,chair,", "A red chair."),
        ("{type} ({color}), {material}", "vase,,oak", "vase, oak"),
        ("{type} ({color})", "vase,", "vase"),
        ("{type} \"{color}\" [{material}]!", "vase,,", "vase!"),
        ("{{{type}}}", "vase", "{vase}"),
        ("{type}: {type}", "vase", "vase: vase"),
        ("{ type }", "vase", "vase"),
    ],
)  # fmt: skip
def test_words_brackets_and_braces_around_fields(template: str, values: str, caption: str) -> None:
    parsed = parse_template(template)
    names = dict.fromkeys(parsed.columns)
    assert parsed.compose(dict(zip(names, values.split(","), strict=True))) == caption


WORD = st.text("abc x", min_size=1, max_size=8).filter(str.strip)


@given(st.lists(WORD, min_size=4, max_size=4))
def test_no_subset_of_fields_leaves_a_stray_mark(words: list[str]) -> None:
    template = parse_template("{a}, {b} ({c}). {d}")
    for kept in product((True, False), repeat=4):
        values = [word if keep else "" for word, keep in zip(words, kept, strict=True)]
        caption = template.compose(dict(zip("abcd", values, strict=True)))
        assert (caption is None) == (not any(kept))
        if caption is not None:
            assert not re.search(r"^\W|[,.(]$|[,.] ?[,.)]|\(\)|\s\s| [,.]", caption), caption
            assert [w for w in re.split(r"\W+", caption) if w] == " ".join(values).split()


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("a plain text", "names no column"),
        ("{type", "a brace without the other one"),
        ("type} ", "a brace without the other one"),
        ("{}", "a field without a column's name"),
    ],
)
def test_a_template_that_is_none_is_refused(template: str, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        parse_template(template)
