"""Hints say what differs between a query and what was found, and stay silent where either is."""

import numpy as np
import pytest

from clipbench.failures.suggestions import (
    Vocabulary,
    difference_hash,
    from_captions,
    from_hashes,
    from_similarity,
    words,
)

WORDS = Vocabulary(
    numbers={"two": 2, "2": 2, "three": 3},
    colours={"red": "red", "grey": "gray", "gray": "gray"},
    places=frozenset({"left", "above"}),
    action={"runs": "run", "running": "run", "sits": "sit"}.get,
)


@pytest.mark.parametrize(
    ("query", "others", "expected"),
    [
        ("Two dogs", ["three dogs"], [("number", "Count")]),
        ("two dogs", ["2 dogs"], []),
        ("a grey cat", ["a gray cat"], []),
        ("a red cat", ["a grey cat", "a cat"], [("colour", "Attribute")]),
        ("a red cat", ["a cat"], []),
        ("a lamp left of it", ["a lamp above it"], [("place", "Spatial")]),
        ("a man runs", ["a man sits"], [("verb", "Action")]),
        ("a man runs", ["a running man"], []),
        ("two red dogs", ["three grey dogs"], [("number", "Count"), ("colour", "Attribute")]),
    ],
)
def test_a_difference_is_what_both_sides_speak_of_and_say_otherwise(
    query: str, others: list[str], expected: list[tuple[str, str]]
) -> None:
    assert [(hint.rule, hint.category) for hint in from_captions(query, others, WORDS)] == expected


def test_the_words_that_differ_are_told() -> None:
    (hint,) = from_captions("two dogs", ["three dogs"], WORDS)
    assert hint.detail == "the caption says 2; the retrieved picture's captions say 3"


def test_similar_embeddings_hint_at_a_near_duplicate() -> None:
    assert from_similarity(0.94) == ()
    (hint,) = from_similarity(0.97)
    assert (hint.category, hint.subtype, hint.score) == ("Ambiguous", "nearduplicate", 0.97)


def test_the_difference_hash_tells_pictures_apart_and_ignores_brightness() -> None:
    generator = np.random.default_rng(0)
    one, other = (generator.integers(0, 100, (8, 9), dtype=np.uint8) for _ in range(2))
    assert difference_hash(one) == difference_hash(one + np.uint8(50))
    assert from_hashes(difference_hash(one), difference_hash(one))[0].score == 0
    assert from_hashes(difference_hash(one), difference_hash(other)) == ()
    rising = np.tile(np.arange(9, dtype=np.uint8), (8, 1))
    assert difference_hash(rising) == 2**64 - 1
    with pytest.raises(ValueError, match="8 × 9"):
        difference_hash(one.T)


def test_words_keep_hyphens_and_drop_punctuation() -> None:
    assert words("A blue-eyed dog's ball, isn't it?") == ["a", "blue-eyed", "dog's", "ball", "isn't", "it"]
