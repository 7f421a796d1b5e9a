"""Meaning-changing controls: edits after which the caption is false.

A model whose scores do not fall under them reads captions as a bag of words, or less. Small tables of our own. Case and punctuation stay, and a or an before a changed word follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clipbench.perturb.inflect import with_ing, with_s
from clipbench.perturb.streams import Stream
from clipbench.perturb.word_class import word_classes
from clipbench.perturb.word_lists import BASIC_COLOURS, COUNTS, word_set
from clipbench.perturb.words import core, replace_core

FLIPPED_COLOURS = frozenset((*BASIC_COLOURS, "grey"))
"""Colours that are replaced: the basic ones. "gold" or "tan" are left alone, being materials and verbs too."""

COUNT_DIGITS = tuple(str(number) for number in range(2, 11))

LEFT_RIGHT_PAIRS = "left right | leftmost rightmost | left-hand right-hand | lefthand righthand"
ABOVE_BELOW_PAIRS = """
above below | over under | top bottom | upper lower | up down | atop beneath | upward downward
upwards downwards | uphill downhill | upstairs downstairs
"""
OPPOSITES = """
big small | large little | huge tiny | giant miniature | tall short | high low | long brief | young old
younger older | wet dry | hot cold | warm cool | dark light | bright dim | clean dirty | new used
happy sad | open closed | empty full | fast slow | quick sluggish | deep shallow | wide narrow | thick thin
heavy weightless | strong weak | hard soft | rough smooth | beautiful ugly | pretty hideous | good bad
calm stormy | quiet loud | busy idle | crowded deserted | sunny cloudy | indoor outdoor | indoors outdoors
inside outside | near far | front back | male female | adult juvenile | alive dead | awake asleep | wild tame
fat skinny | rich poor | sharp blunt | steep flat | straight crooked | dressed undressed | same different
many few | first last | day night | sunrise sunset | summer winter | always never | together apart
clothed naked | hairy bald | curly straightened | modern ancient | urban rural | public private | raw cooked
"""
OPPOSITE_VERBS = """
stand sit | push pull | throw catch | enter leave | climb descend | smile frown | laugh cry | open close
rise fall | arrive depart | lift lower | float sink | give take | start stop | win lose | fill empty
"""


def flip_colour(_old: str, present: frozenset[str], stream: Stream) -> str:
    """Return a basic colour that the caption does not name."""
    present |= {"gray"} if "grey" in present else frozenset()
    absent = [colour for colour in BASIC_COLOURS if colour not in present]
    return stream.choice(absent or [colour for colour in BASIC_COLOURS if colour != _old])


def is_count(word: str) -> bool:
    """Tell whether a word is a count from two to ten. "one" is left alone, being a pronoun too."""
    return word in COUNTS or word in COUNT_DIGITS


def flip_number(old: str, present: frozenset[str], stream: Stream) -> str:
    """Return another count from two to ten that the caption does not name, in words or digits as before."""
    counts = COUNTS if old in COUNTS else COUNT_DIGITS
    absent = [count for count in counts if count not in present]
    return stream.choice(absent or [count for count in counts if count != old])


def _pairs(table: str) -> list[tuple[str, str]]:
    entries = (entry.split() for line in table.strip().splitlines() for entry in line.split("|"))
    return [(a, b) for a, b in entries]


def _both_ways(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for a, b in pairs:
        found.setdefault(a, b)
        found.setdefault(b, a)
    return found


LEFT_RIGHT = _both_ways(_pairs(LEFT_RIGHT_PAIRS))
ABOVE_BELOW = _both_ways(_pairs(ABOVE_BELOW_PAIRS))
ANTONYMS = _both_ways(
    [
        *_pairs(OPPOSITES),
        *((form(a), form(b)) for a, b in _pairs(OPPOSITE_VERBS) for form in (str, with_ing, with_s)),
    ]
)
"""Verbs in base form, third person and participle. A word of several pairs becomes its first partner."""

AUXILIARIES = word_set("is are was were can could will would should has have had")


def negate(words: Sequence[str]) -> list[str]:
    """Deny the caption by one word.

    A caption that holds a "not" loses it. Any other gets "not" after the first auxiliary; else "not" before the first participle in -ing that follows a noun;
    else "no" in place of the first article; else "no" before everything.

    >>> " ".join(negate("A dog is running .".split())), " ".join(negate("A dog runs .".split()))
    ('A dog is not running .', 'No dog runs .')
    """
    cores = [core(word) for word in words]
    if "not" in cores and len(words) > 1:
        denial = cores.index("not")
        return [*words[:denial], *words[denial + 1 :]]
    for at, one in enumerate(cores):
        if one in AUXILIARIES:
            return [*words[: at + 1], "not", *words[at + 1 :]]
    kinds = word_classes(words)
    for at in range(1, len(words)):
        if kinds[at] == "verb" and cores[at].endswith("ing") and kinds[at - 1] == "noun":
            return [*words[:at], "not", *words[at:]]
    for at, one in enumerate(cores):
        if one in ("a", "an", "the"):
            return [*words[:at], _no(words[at]), *words[at + 1 :]]
    return ["no", *words]


def _no(article: str) -> str:
    # "A" is a capital letter and also a word in capitals; only the first is meant.
    return replace_core(article.lower(), "No" if article[:1].isupper() else "no")
