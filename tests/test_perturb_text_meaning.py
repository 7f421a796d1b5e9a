"""Word order, word classes, controls, sentences: what is changed is what the name says."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.perturb.apply_text import perturb_captions
from clipbench.perturb.controls import ABOVE_BELOW, ANTONYMS, FLIPPED_COLOURS, LEFT_RIGHT, negate
from clipbench.perturb.registry import text_operation
from clipbench.perturb.resources import TextResources
from clipbench.perturb.sentence import PREFIXES, SUFFIXES, UNRELATED
from clipbench.perturb.word_class import word_classes
from clipbench.perturb.word_lists import BASIC_COLOURS, COLOURS, COUNTS, NUMBERS, SPATIAL, STOP_WORDS
from clipbench.perturb.words import core, replace_core
from clipbench.records import Caption

SCENE = "Two young girls in red coats and a boy with an orange hat run to the left of three big dogs ."


def after(name: str, text: str, level: float = 1.0, item: str = "x", seed: int = 42) -> str:
    (result,) = perturb_captions((Caption(item, text),), text_operation(name), level, seed)
    return result


words = st.lists(
    st.sampled_from(["a", "dog", "runs", "in", "red", "snow", "the", "girl", "small", "near", "two"]),
    max_size=12,
)


@pytest.mark.parametrize(
    "name",
    [
        *("word-shuffle", "bigram-shuffle", "trigram-shuffle", "local-shuffle", "word-reverse"),
        *("noun-adjective-shuffle", "other-word-shuffle"),
    ],
)
@settings(max_examples=20)
@given(caption=words, seed=st.integers(0, 99))
def test_word_order_changes_keep_every_word(name: str, caption: list[str], seed: int) -> None:
    assert sorted(after(name, " ".join(caption), seed=seed).split()) == sorted(caption)


@pytest.mark.parametrize("text", ["one", "one two"])
def test_two_words_are_not_shuffled(text: str) -> None:
    assert {after("word-shuffle", text, item=str(n)) for n in range(20)} == {text}


def test_a_full_shuffle_reaches_every_order() -> None:
    assert len({after("word-shuffle", "a b c", item=str(n)) for n in range(200)}) == 6


def test_block_shuffles_keep_the_order_inside_blocks() -> None:
    text = " ".join("abcdefgh")
    for n in range(20):
        pairs = after("bigram-shuffle", text, item=str(n)).split()
        blocks = {" ".join(pairs[start : start + 2]) for start in range(0, 8, 2)}
        assert blocks == {"a b", "c d", "e f", "g h"}
        assert "a b c" in after("trigram-shuffle", text, item=str(n))


def test_a_local_shuffle_stays_inside_groups_of_three() -> None:
    for n in range(20):
        moved = after("local-shuffle", " ".join("abcdefgh"), item=str(n)).split()
        assert [set(moved[0:3]), set(moved[3:6]), set(moved[6:])] == [set("abc"), set("def"), set("gh")]


def test_class_shuffles_move_their_own_words_alone() -> None:
    kinds = word_classes(SCENE.split())
    for n in range(20):
        moved = after("noun-adjective-shuffle", SCENE, item=str(n)).split()
        others = after("other-word-shuffle", SCENE, item=str(n)).split()
        for kind, old, one, other in zip(kinds, SCENE.split(), moved, others, strict=True):
            assert old == (other if kind in ("noun", "adjective") else one)


def test_the_tagger_knows_everyday_captions() -> None:
    tags = {
        "A man runs in a race": "- N V - - N",
        "A boy goes down the slide": "- N V - - N",
        "Two dogs play with a red ball on the wet grass": "- N V - - A N - - A N",
        "The children swing on a swing near the brick building": "- N V - - N - - A N",
        "A smiling woman quickly rides her old bicycle to the store": "- V N - V - A N - - N",
        "Three people stand and watch a fishing boat": "- N V - V - V N",
    }
    letter = {"noun": "N", "verb": "V", "adjective": "A", "other": "-"}
    for text, expected in tags.items():
        assert [letter[kind] for kind in word_classes(text.split())] == expected.split(), text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("drop-nouns", "Two young in red and a with an orange run to the of three big ."),
        (
            "drop-verbs",
            "Two young girls in red coats and a boy with an orange hat to the left of three big dogs .",
        ),
        ("drop-adjectives", "Two girls in coats and a boy with an hat run to the left of three dogs ."),
        (
            "drop-colours",
            "Two young girls in coats and a boy with an hat run to the left of three big dogs .",
        ),
        (
            "drop-numbers",
            "young girls in red coats and a boy with an orange hat run to the left of big dogs .",
        ),
        (
            "drop-spatial",
            "Two young girls in red coats and a boy with an orange hat run to the of three big dogs .",
        ),
        ("drop-stop-words", "Two young girls red coats boy orange hat run left three big dogs ."),
        ("keep-nouns", "girls coats boy hat left dogs"),
    ],
)
def test_word_classes_are_dropped_whole(name: str, expected: str) -> None:
    assert after(name, SCENE) == expected


def test_dropping_everything_leaves_one_word_and_keeping_nothing_leaves_all() -> None:
    assert after("drop-nouns", "dogs cats birds") in ("dogs", "cats", "birds")
    assert after("keep-nouns", "is very red") == "is very red"


def test_dropped_words_are_nested_across_levels() -> None:
    kept = [set(after("drop-stop-words", SCENE, level).split()) for level in (0.1, 0.3, 0.6, 1.0)]
    assert all(more >= fewer for more, fewer in pairwise(kept))


def changed(name: str, text: str, item: str = "x") -> dict[str, str]:
    pairs = zip(text.split(), after(name, text, item=item).split(), strict=True)
    return {core(old): core(new) for old, new in pairs if old != new}


def test_colours_become_basic_colours_that_the_caption_does_not_name() -> None:
    for n in range(30):
        found = changed("colour-flip", "A red dog , a grey cat and a (Red) bird", str(n))
        found.pop("a", None)  # "a red" may become "an orange"
        assert set(found) == {"red", "grey"}
        assert set(found.values()) <= set(BASIC_COLOURS) - {"red", "gray"}


def test_counts_become_other_counts_and_one_stays() -> None:
    for n in range(30):
        found = changed("number-flip", "Two dogs and one cat near 3 birds", str(n))
        assert set(found) == {"two", "3"}
        assert found["two"] in set(COUNTS) - {"two"}
        assert found["3"] in {"2", *map(str, range(4, 11))}


def test_sides_are_flipped_and_flip_back() -> None:
    assert after("left-right-flip", "A cat on the left, a dog on the Right .") == (
        "A cat on the right, a dog on the Left ."
    )
    assert after("above-below-flip", "A bird above a boat under the bridge") == (
        "A bird below a boat over the bridge"
    )
    for table in (LEFT_RIGHT, ABOVE_BELOW):
        assert all(table[table[word]] == word for word in table)


def test_opposites_replace_adjectives_and_verbs_and_the_article_follows() -> None:
    assert after("antonym", "An old man is sitting near a small house .") == (
        "A young man is standing far a big house ."
    )
    assert after("antonym", "A young woman") == "An old woman"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog is running .", "A dog is not running ."),
        ("A dog running on grass", "A dog not running on grass"),
        ("A dog runs", "No dog runs"),
        ("dogs run in the snow", "dogs run in no snow"),
        ("dogs run", "no dogs run"),
        ("A dog is not running", "A dog is running"),
        ("not", "no not"),
    ],
)
def test_a_negation_denies_by_one_word(text: str, expected: str) -> None:
    assert after("negation", text) == expected
    assert abs(len(negate(text.split())) - len(text.split())) <= 1


@pytest.mark.parametrize(
    "name", ["colour-flip", "number-flip", "left-right-flip", "above-below-flip", "antonym"]
)
@settings(max_examples=20)
@given(caption=words, seed=st.integers(0, 9))
def test_controls_change_words_of_their_table_and_articles_alone(
    name: str, caption: list[str], seed: int
) -> None:
    table = {
        "colour-flip": FLIPPED_COLOURS,
        "number-flip": frozenset(COUNTS),
        "left-right-flip": LEFT_RIGHT,
        "above-below-flip": ABOVE_BELOW,
        "antonym": ANTONYMS,
    }[name]
    pairs = zip(caption, after(name, " ".join(caption), seed=seed).split(), strict=True)
    for old, new in pairs:
        assert (old != new) == (old in table) or {old, new} == {"a", "an"}


def test_fillers_and_unrelated_sentences_leave_the_caption_whole() -> None:
    text = "A dog runs ."
    assert {after("prefix-filler", text, item=str(n)) for n in range(99)} == {f"{p} {text}" for p in PREFIXES}
    assert {after("suffix-filler", text, item=str(n)) for n in range(99)} == {f"{text} {s}" for s in SUFFIXES}
    assert {after("irrelevant-sentence", text, item=str(n)) for n in range(99)} == {
        f"{text} {one}" for one in UNRELATED
    }


def test_fillers_and_templates_hold_no_colour_count_or_place() -> None:
    told = (BASIC_COLOURS, COUNTS, ("left", "right", "above", "below"))
    fillers = {core(word) for text in (*PREFIXES, *SUFFIXES) for word in text.split()}
    assert not fillers & {word for table in told for word in table}


def test_truncation_keeps_the_other_end() -> None:
    text = "a b c d e f g h"
    assert after("truncate-head", text, 0.5) == "e f g h"
    assert after("truncate-tail", text, 0.25) == "a b c d e f"
    assert after("truncate-head", text, 1.0) == "h"
    assert after("truncate-tail", text, 1.0) == "a"


def test_the_template_takes_the_caption_as_it_is() -> None:
    (found,) = perturb_captions(
        (Caption("x", "two {} dogs "),),
        text_operation("prompt-template"),
        1,
        0,
        TextResources(template="<{}>"),
    )
    assert found == "<two {} dogs >"


def test_replacing_a_core_keeps_case_and_punctuation() -> None:
    assert [replace_core(word, "blue") for word in ("red", "Red,", '"RED"', "(red)!")] == [
        "blue",
        "Blue,",
        '"BLUE"',
        "(blue)!",
    ]


def test_word_lists_are_in_lower_case() -> None:
    for table in (COLOURS, NUMBERS, SPATIAL, STOP_WORDS, ANTONYMS, FLIPPED_COLOURS):
        assert all(word == core(word) for word in table)
