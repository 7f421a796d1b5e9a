"""A light tagger for captions: noun, verb, adjective or other, from small word lists and endings.

It is no parser. Closed classes and known adjectives and verbs come from `word_lists`; then endings
decide (-ing, -ed: verb; -ly: other; -ful, -ous, ...: adjective), and what is left is a noun. A word
that can be noun or verb ("a run", "he runs") is told apart by the word before it. Words are expected in
English; words without a letter are "other".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, TypeAlias

from clipbench.perturb.inflect import with_ed, with_ing, with_s
from clipbench.perturb.streams import Stream
from clipbench.perturb.word_lists import (
    ADJECTIVES,
    ADVERBS,
    DETERMINERS,
    IRREGULAR_PASTS,
    NOUN_EXCEPTIONS,
    NUMBERS,
    STOP_WORDS,
    VERBS,
    word_set,
)
from clipbench.perturb.words import core, targets

WordClass: TypeAlias = Literal["noun", "verb", "adjective", "other"]
Finder: TypeAlias = Callable[[Sequence[str]], Sequence[int]]
"""Words -> positions of those a word-class operation is about."""

_NEITHER = STOP_WORDS | NUMBERS | ADVERBS
_IRREGULAR_PLURALS = word_set("children people men women policemen firemen teeth feet geese police")
_ADJECTIVE_ENDINGS = ("ful", "ous", "less", "able", "ible", "ish", "ive")
_BEFORE_VERB = word_set("who that which to they we you i he she it there while")


@cache
def _participles() -> frozenset[str]:
    return frozenset((*map(with_ing, VERBS), *map(with_ed, VERBS), *IRREGULAR_PASTS))


@cache
def _third_persons() -> frozenset[str]:
    return frozenset(map(with_s, VERBS))


def word_classes(words: Sequence[str]) -> list[WordClass]:
    """Return the class of each word.

    >>> word_classes("Two black dogs run across the grassy field .".split())
    ['other', 'adjective', 'noun', 'verb', 'other', 'other', 'adjective', 'noun', 'other']
    """
    classes: list[WordClass] = []
    before = ""
    for word in words:
        one = core(word)
        classes.append(_class_of(one, before, classes[-1] if classes else None))
        before = one
    return classes


def _class_of(word: str, before: str, class_before: WordClass | None) -> WordClass:
    if not any(map(str.isalpha, word)) or word in _NEITHER:
        return "other"
    if word in ADJECTIVES:
        return "adjective"
    if word in VERBS or word in _third_persons():
        return "verb" if _verb_fits(word, before, class_before) else "noun"
    if word in NOUN_EXCEPTIONS:
        return "noun"
    if word in _participles():
        return "verb"
    return _by_ending(word)


def _verb_fits(word: str, before: str, class_before: WordClass | None) -> bool:
    """Tell whether a word that may be noun or verb is a verb here, by what stands before it."""
    if before == "and":
        return word not in NOUN_EXCEPTIONS
    if before in _BEFORE_VERB or before.endswith("ly"):
        return True
    # After a noun, "dog runs" and "dogs run" are verbs, "park bench" and "ski slopes" are not.
    after_noun = class_before == "noun" and before not in DETERMINERS
    plural = before.endswith("s") or before in _IRREGULAR_PLURALS
    return after_noun and (word not in NOUN_EXCEPTIONS or plural != word.endswith("s"))


def _by_ending(word: str) -> WordClass:
    if word.endswith("ly"):
        return "other"
    if len(word) > 4 and word.endswith(("ing", "ed")):
        return "verb"
    return "adjective" if word.endswith(_ADJECTIVE_ENDINGS) else "noun"


def of_class(kind: WordClass) -> Finder:
    """Return the finder of the words of one class."""
    return lambda words: [at for at, found in enumerate(word_classes(words)) if found == kind]


def not_nouns(words: Sequence[str]) -> list[int]:
    """Find all words but nouns; none at all where there is no noun, so that something always stays."""
    classes = word_classes(words)
    return [at for at, kind in enumerate(classes) if kind != "noun"] if "noun" in classes else []


def drop(words: Sequence[str], rate: float, stream: Stream, find: Finder) -> list[str]:
    """Drop round(rate·n) of the n words found; where that is every word, the last one drawn stays."""
    chosen = [position for position, _ in targets(find(words), rate, stream)]
    dropped = set(chosen[:-1] if len(chosen) == len(words) else chosen)
    return [word for position, word in enumerate(words) if position not in dropped]
