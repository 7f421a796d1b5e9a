"""All text operations: seeded per caption, nested across levels, honest about levels, robust to any text."""

import os
import subprocess
import sys
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.perturb.apply_text import perturb_captions
from clipbench.perturb.operation import TextOperation
from clipbench.perturb.registry import text_operation
from clipbench.perturb.resources import Rewrites, TextResources
from clipbench.perturb.streams import stream
from clipbench.perturb.text_operations import TEXT_OPERATIONS
from clipbench.perturb.words import target_count, targets
from clipbench.records import Caption

TEXTS = (
    "A black dog runs through the snow .",
    "Two young girls are playing with a red ball on the beach.",
    "A man in a blue shirt is standing on the left of a large white truck",
    "three children jump over a small puddle , laughing",
    "AN OLD WOMAN IS SITTING ON A BENCH",
    "a brown and white cat sleeps under the kitchen table ",
    "Hello world",
    "skateboarder",
    'The sign says "open" above the door of a restaurant in 1998',
    "Several people ride bicycles down a busy street at night\n",
    "  a   boy  holds\ta kite  ",
    "",
)
CAPTIONS = tuple(Caption(f"{n}.jpg#0", text) for n, text in enumerate(TEXTS))
OPERATIONS = TEXT_OPERATIONS
every_operation = pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
any_text = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            " ",
            "\n\t ",
            "a",
            "dog",
            "🐕 👩‍👩‍👧 runs",
            "كلب يجري في الثلج",
            "כלב רץ",
            "犬が走る",
            "a\u200bb",
            "é e\u0301",
            "ß ŉ İ Σ",
        ]
    ),
    st.lists(
        st.sampled_from(
            ("a", "two", "red", "dogs", "run", "left", "of", "an", "old", "man", ".", "is", "above")
        ),
        max_size=12,
    ).map(" ".join),
)
levels = st.sampled_from([0.01, 0.15, 0.35, 0.5, 1.0])


def resources_for(captions: tuple[Caption, ...]) -> TextResources:
    return TextResources(rewrites=Rewrites("shout", {c.id: f"{c.text.upper()} !" for c in captions}))


def run(
    one: TextOperation, level: float, captions: tuple[Caption, ...] = CAPTIONS, seed: int = 42
) -> tuple[str, ...]:
    return perturb_captions(captions, one, level, seed, resources_for(captions))


def usable(one: TextOperation, level: float) -> float:
    return level if one.graded else 1.0


GOLDEN: dict[str, str] = {
    "keyboard": "1:2114d298180f",
    "ocr": "1:4ff52f8c944a",
    "char-insert": "1:7e958fad71d3",
    "char-replace": "1:8522e44719f4",
    "char-swap": "1:96b880efd06c",
    "char-delete": "1:8f07e185f1c5",
    "letter-repeat": "1:04c8976e18b2",
    "homoglyph": "1:3a0676108ee6",
    "leet": "1:0950c08c5548",
    "diacritic": "1:d1b9fbea6420",
    "space-drop": "1:4f285b6198b3",
    "space-insert": "1:0e2cb9990ad5",
    "zero-width": "1:1e921ebda07b",
    "case": "1:a46dfd2ca8ea",
    "word-dropout": "1:8d802e2d14fd",
    "word-swap": "1:465a7278f4f0",
    "word-insert": "2:4ce615a704f9",
    "synonym": "2:51897acef199",
    "punctuation-insert": "1:bc8acfe3bc47",
    "word-shuffle": "1:1066d0e830af",
    "bigram-shuffle": "1:5a457fd0dec6",
    "trigram-shuffle": "1:140f9ea007b3",
    "local-shuffle": "1:206de1da1334",
    "word-reverse": "1:0d63253fd3a9",
    "noun-adjective-shuffle": "2:102b1f777069",
    "other-word-shuffle": "2:33fdf555055b",
    "drop-nouns": "2:d260e73f4319",
    "drop-verbs": "2:5f4ed4113734",
    "drop-adjectives": "1:21c7d156fec3",
    "drop-colours": "1:de6af6c812c3",
    "drop-numbers": "1:63900d86c401",
    "drop-spatial": "1:ae33a9b7c0d4",
    "drop-stop-words": "1:59f7052c5f90",
    "keep-nouns": "2:b878dd277937",
    "colour-flip": "1:a8712230d5c2",
    "number-flip": "1:d9fc91bc7f01",
    "left-right-flip": "1:4bd446a7f984",
    "above-below-flip": "1:559ba6772a2f",
    "negation": "2:1e1148794fc7",
    "antonym": "1:48620c857ed7",
    "prefix-filler": "1:18f655254954",
    "suffix-filler": "1:709b8a5ee913",
    "irrelevant-sentence": "1:fa41bcbe8c8c",
    "truncate-head": "1:8c293f4d70ae",
    "truncate-tail": "1:22a6d6c2caf5",
    "prompt-template": "1:f44f9453181b",
    "rewrite": "1:404e84d3468e",
}


def digest_of(one: TextOperation) -> str:
    outputs = [run(one, level, seed=seed) for level in one.levels for seed in (0, 42)]
    return f"{one.version}:{blake2b(repr(outputs).encode(), digest_size=6).hexdigest()}"


@every_operation
def test_outputs_are_those_of_every_other_platform(one: TextOperation) -> None:
    """A new digest needs a new `version` of the operation: stored runs must not mix the two."""
    assert digest_of(one) == GOLDEN[one.name]


@every_operation
def test_level_zero_is_the_identity_down_to_whitespace(one: TextOperation) -> None:
    assert run(one, 0.0) == TEXTS


@every_operation
def test_a_caption_depends_on_no_other(one: TextOperation) -> None:
    level = one.levels[-1]
    whole = dict(zip(CAPTIONS, run(one, level), strict=True))
    backwards = CAPTIONS[::-1]
    assert run(one, level, backwards) == tuple(whole[caption] for caption in backwards)
    for caption in CAPTIONS:
        assert run(one, level, (caption,)) == (whole[caption],)


@every_operation
@settings(max_examples=12)
@given(text=any_text, level=levels, seed=st.integers(-5, 5))
def test_any_text_is_survived_and_repeated(one: TextOperation, text: str, level: float, seed: int) -> None:
    captions = (Caption("x", text),)
    once = run(one, usable(one, level), captions, seed)
    assert once == run(one, usable(one, level), captions, seed)
    assert all(isinstance(result, str) for result in once)
    if not text.strip() and one.name != "rewrite":
        assert once == (text,)
    if text.strip():
        assert once[0].strip(), "a caption with words never becomes blank"


DRAWN = {one.name for one in OPERATIONS} - {
    # one outcome per level: nothing is drawn, or all counterparts are replaced at level 1
    *("word-reverse", "negation", "truncate-head", "truncate-tail", "prompt-template", "rewrite"),
    *("left-right-flip", "above-below-flip", "antonym"),
    *(one.name for one in OPERATIONS if one.family == "word-class"),
}


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_another_seed_is_another_outcome(name: str) -> None:
    one = text_operation(name)
    assert len({run(one, one.levels[0], seed=seed) for seed in range(5)}) > 1


def changed_words(before: str, after: str) -> dict[int, str]:
    pairs = enumerate(zip(before.split(" "), after.split(" "), strict=True))
    return {place: new for place, (old, new) in pairs if old != new}


IN_PLACE = [
    one
    for one in OPERATIONS
    if (one.family in ("char", "char-extra", "control") and not one.name.startswith("space") and one.graded)
    or one.name == "synonym"
]
plain = st.lists(
    st.sampled_from(
        [
            "the",
            "black",
            "dogs",
            "run",
            "over",
            "a",
            "small",
            "red",
            "two",
            "left",
            "beach",
            "above",
            "puppies",
        ]
    ),
    min_size=1,
    max_size=14,
).map(" ".join)


@pytest.mark.parametrize("one", IN_PLACE, ids=lambda one: one.name)
@settings(max_examples=12)
@given(text=plain, seed=st.integers(0, 9))
def test_edits_are_nested_and_the_same_at_every_level(one: TextOperation, text: str, seed: int) -> None:
    captions = (Caption("x", text),)
    edits: dict[int, str] = {}
    for level in (0.1, 0.2, 0.35, 0.5, 1.0):
        now = changed_words(text, run(one, level, captions, seed)[0])
        assert edits.items() <= now.items()
        edits = now


@settings(max_examples=50)
@given(text=any_text, seed=st.integers(0, 9))
def test_a_word_dropped_at_one_level_is_dropped_at_the_next(text: str, seed: int) -> None:
    words = text.split()
    marked = (Caption("x", " ".join(f"{place}" for place in range(len(words)))),)
    kept = set(marked[0].text.split())
    for level in (0.1, 0.2, 0.3, 0.4, 0.5, 0.9, 1.0):
        now = set(run(text_operation("word-dropout"), level, marked, seed)[0].split())
        assert now <= kept
        assert now or not words
        kept = now


def test_dropout_drops_the_asked_share_on_average() -> None:
    many = tuple(Caption(f"{n}", "one two three four five six seven eight nine ten") for n in range(1000))
    for level in (0.1, 0.3, 0.5):
        kept = sum(len(text.split()) for text in run(text_operation("word-dropout"), level, many))
        # 10,000 words: standard deviation below 50.
        assert abs(kept - 10_000 * (1 - level)) < 5 * 50


def test_dropout_keeps_a_word_where_its_number_exceeds_the_rate() -> None:
    drawn = stream("word-dropout", 42, "x").uniforms(5)
    for level in (0.2, 0.5, 0.8):
        expected = [word for word, u in zip("abcde", drawn, strict=True) if u > level]
        assert run(text_operation("word-dropout"), level, (Caption("x", "a b c d e"),))[0].split() == expected


def test_a_rate_names_its_share_of_the_words_and_at_least_one() -> None:
    assert [target_count(rate, 20) for rate in (0, 0.01, 0.1, 0.15, 0.35, 1)] == [0, 1, 2, 3, 7, 20]
    assert [target_count(0.35, n) for n in (0, 1, 90, 100)] == [0, 1, 32, 35]  # 31.5 is rounded up


@pytest.mark.parametrize("one", [o for o in OPERATIONS if o.family == "char"], ids=lambda one: one.name)
@pytest.mark.parametrize("level", [0.15, 0.25, 0.35, 1.0])
def test_character_operations_edit_the_asked_number_of_words(one: TextOperation, level: float) -> None:
    text = "black dogs running through deep white snow after small yellow tennis balls near tall green trees"
    found = changed_words(text, run(one, level, (Caption("x", text),))[0])
    assert len(found) == target_count(level, len(text.split()))


@pytest.mark.parametrize(("level", "replaced"), [(0.01, 1), (0.15, 2), (0.25, 3), (0.35, 4), (1.0, 4)])
def test_synonyms_replace_their_share_of_all_words_while_there_are_any(level: float, replaced: int) -> None:
    text = "a big dog is on the couch and a cat is here"  # 12 words; big, dog, couch and cat have synonyms
    found = changed_words(text, run(text_operation("synonym"), level, (Caption("x", text),))[0])
    assert len(set(found) - {0, 8}) == replaced  # 0 and 8: articles, which follow the word after them
    assert set(found) <= {0, 1, 2, 6, 8, 9}


def test_targets_of_a_lower_rate_come_first_with_the_same_streams() -> None:
    few = targets(range(20), 0.2, stream("a", 0, "x"))
    many = targets(range(20), 0.5, stream("a", 0, "x"))
    assert [(at, own.next64()) for at, own in few] == [(at, own.next64()) for at, own in many[:4]]


@pytest.mark.parametrize(
    "one", [o for o in OPERATIONS if o.family.startswith("char")], ids=lambda one: one.name
)
def test_character_edits_keep_whitespace_and_survive_lower_casing_unless_they_are_about_it(
    one: TextOperation,
) -> None:
    for before, after in zip(TEXTS, run(one, 1.0), strict=True):
        if not one.name.startswith("space"):
            assert [c for c in after if c.isspace()] == [c for c in before if c.isspace()]
        if one.name == "case":
            assert after.lower() == before.lower()
        elif after != before:
            assert after.lower() != before.lower()


@settings(max_examples=60)
@given(text=any_text, level=levels)
def test_case_is_undone_by_lower_casing_in_any_script(text: str, level: float) -> None:
    (after,) = run(text_operation("case"), level, (Caption("x", text),))
    assert after.lower() == text.lower()


def test_case_changes_the_text() -> None:
    changed = [a != b for a, b in zip(TEXTS, run(text_operation("case"), 0.15), strict=True)]
    assert changed == [bool(text) for text in TEXTS]


@settings(max_examples=60)
@given(words=st.lists(st.sampled_from(("a", "the", "red", "dog", "The", "DOG")), max_size=8), level=levels)
def test_a_word_swap_changes_the_order_wherever_two_words_differ(words: list[str], level: float) -> None:
    text = " ".join(words)
    (after,) = run(text_operation("word-swap"), level, (Caption("x", text),))
    assert sorted(after.split()) == sorted(words)
    assert (after.lower() != text.lower()) == (len({word.lower() for word in words}) > 1)


def test_a_word_swap_changes_all_captions_at_the_lowest_level() -> None:
    """Public code finds words by value and swaps many of them back: three of four captions unchanged."""
    many = tuple(Caption(f"{n}", "a man and a woman walk a dog on a beach") for n in range(200))
    assert all(text != many[0].text for text in run(text_operation("word-swap"), 0.15, many))


def test_a_word_swap_makes_the_asked_number_of_exchanges() -> None:
    text = " ".join("abcdefghijklmnopqrst")
    for level, moved in ((0.15, 6), (0.25, 10), (0.35, 14), (1.0, 20)):
        (after,) = run(text_operation("word-swap"), level, (Caption("x", text),))
        assert len(changed_words(text, after)) == moved


@pytest.mark.parametrize("name", ["word-insert", "punctuation-insert"])
def test_insertions_add_the_asked_number_of_words_and_keep_the_old_ones(name: str) -> None:
    text = "ten grown men carry one heavy piano down the long old stairs"
    words = text.split()
    for level in (0.15, 0.25, 0.35):
        (after,) = run(text_operation(name), level, (Caption("x", text),))
        rest = iter(after.split())
        assert all(word in rest for word in words)  # in order
        assert len(after.split()) == len(words) + target_count(level, len(words))


def test_a_text_whose_words_stay_keeps_its_whitespace_and_other_texts_lose_it() -> None:
    caption = (Caption("x", "  no\tcolour   here "),)
    assert run(text_operation("drop-colours"), 1.0, caption) == (caption[0].text,)
    assert run(text_operation("word-reverse"), 1.0, caption) == ("here colour no",)


def test_levels_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ClipbenchError, match=r"between 0 and 1, not 1\.5"):
        run(text_operation("keyboard"), 1.5)
    with pytest.raises(ClipbenchError, match="between 0 and 1, not nan"):
        run(text_operation("keyboard"), float("nan"))
    with pytest.raises(ClipbenchError, match="one setting"):
        run(text_operation("word-shuffle"), 0.3)


def test_outputs_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    code = (
        "from clipbench.perturb.text_operations import TEXT_OPERATIONS as t\n"
        "from clipbench.perturb.apply_text import perturb_captions as p\n"
        "from clipbench.records import Caption\n"
        "c=[Caption(str(n),'Two red dogs run over a small wall on the left .') for n in range(20)]\n"
        "print([p(c,o,o.levels[0],1) for o in t if o.name!='rewrite'])"
    )
    outputs = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1
