"""English endings, and the base forms a word may come from. Rules of thumb, not a grammar.

Irregular plurals that captions hold are listed; others come out wrong ("oxs"), and tables that need them
list them.
"""

from __future__ import annotations

_VOWELS = frozenset("aeiou")
_HISSING = ("s", "x", "z", "ch", "sh")
_NOT_OF_MAN = frozenset(("human", "german", "roman", "shaman", "ottoman", "talisman"))
_IRREGULAR = {
    "child": "children", "foot": "feet", "tooth": "teeth", "goose": "geese", "mouse": "mice",
    "knife": "knives", "wife": "wives", "shelf": "shelves", "wolf": "wolves", "calf": "calves",
    "aircraft": "aircraft", "sheep": "sheep", "deer": "deer",
    "go": "goes", "do": "does", "hero": "heroes", "potato": "potatoes", "tomato": "tomatoes",
}  # fmt: skip


def with_s(word: str) -> str:
    """Return the plural of a noun, or the third person of a verb.

    >>> [with_s(word) for word in ("dog", "beach", "puppy", "boy", "policeman", "go")]
    ['dogs', 'beaches', 'puppies', 'boys', 'policemen', 'goes']
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("man") and word not in _NOT_OF_MAN:
        return word[:-3] + "men"
    if word.endswith(_HISSING):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in _VOWELS:
        return word[:-1] + "ies"
    return word + "s"


def with_ing(verb: str) -> str:
    """Return the present participle.

    >>> [with_ing(verb) for verb in ("run", "ride", "lie", "play", "see", "open", "frolic")]
    ['running', 'riding', 'lying', 'playing', 'seeing', 'opening', 'frolicking']
    """
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return _doubled(verb) + "ing"


def with_ed(verb: str) -> str:
    """Return the regular past.

    >>> [with_ed(verb) for verb in ("jump", "hug", "carry", "smile")]
    ['jumped', 'hugged', 'carried', 'smiled']
    """
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2:-1] not in _VOWELS:
        return verb[:-1] + "ied"
    return _doubled(verb) + "ed"


def _doubled(verb: str) -> str:
    """Double the last letter after one short vowel, in words of one syllable; a final c becomes ck."""
    if verb.endswith("ic"):
        return verb + "k"
    syllables = sum(letter in _VOWELS for letter in verb)
    ends_short = len(verb) > 2 and verb[-1] not in "aeiouwxy" and verb[-2] in _VOWELS
    return verb + verb[-1] if ends_short and syllables == 1 else verb


def bases(word: str, ending: str) -> list[str]:
    """Return the forms that could have been given the ending "s" or "ing", likeliest first.

    >>> bases("puppies", "s"), bases("running", "ing")
    (['puppy', 'puppie'], ['runn', 'run', 'runne'])
    """
    if not word.endswith(ending) or len(word) < len(ending) + 2:
        return []
    stem = word[: -len(ending)]
    if ending == "s":
        if stem.endswith("ie"):
            return [stem[:-2] + "y", stem]
        return [stem, stem[:-1]] if stem.endswith("e") and stem[:-1].endswith(_HISSING) else [stem]
    found = [stem]
    if stem[-1] == stem[-2:-1]:
        found.append(stem[:-1])
    return [*found, stem + "e"]
