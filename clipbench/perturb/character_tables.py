"""Which characters are taken for which: keys that lie side by side, shapes that look alike.

Tables of our own making. No entry is undone by lower-casing, which CLIP's tokenizer does to all text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

KEY_ROWS = (("1234567890", 0.0), ("qwertyuiop", 0.5), ("asdfghjkl", 0.75), ("zxcvbnm", 1.25))
"""Rows of a QWERTY keyboard with the place of their first key, in key widths."""


def _keyboard() -> dict[str, str]:
    keys = [
        (key, column + offset, row)
        for row, (letters, offset) in enumerate(KEY_ROWS)
        for column, key in enumerate(letters)
    ]
    near: dict[str, str] = {}
    for key, x, y in keys:
        around = (other for other, u, v in keys if other != key and abs(x - u) <= 1 and abs(y - v) <= 1)
        near[key] = "".join(other for other in around if other.isalpha() or key.isdigit())
    return near


def both_cases(table: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return the table with capital letters turned into capital replacements as well."""
    capitals = {key.upper(): [new.upper() for new in table[key]] for key in table if key.isalpha()}
    return {**table, **capitals}


KEYBOARD = both_cases(_keyboard())
"""The keys next to a key; letters are mistaken for letters only."""

OCR: Mapping[str, Sequence[str]] = {
    "0": ("o", "O"),
    "1": ("l", "I"),
    "2": ("z",),
    "5": ("s",),
    "6": ("b", "G"),
    "8": ("B",),
    "9": ("g", "q"),
    "a": ("o", "d"),
    "b": ("6", "h"),
    "c": ("e", "o"),
    "d": ("cl",),
    "e": ("c", "o"),
    "f": ("t",),
    "g": ("9", "q"),
    "h": ("b", "li"),
    "i": ("1", "l", "j"),
    "j": ("i",),
    "k": ("lc",),
    "l": ("1", "I"),
    "m": ("rn", "nn"),
    "n": ("ri", "u"),
    "o": ("0", "c"),
    "q": ("9", "g"),
    "r": ("i",),
    "s": ("5",),
    "t": ("f", "l"),
    "u": ("n", "ii"),
    "v": ("y",),
    "w": ("vv",),
    "y": ("v",),
    "z": ("2",),
    "A": ("4",),
    "B": ("8",),
    "C": ("G",),
    "D": ("O", "0"),
    "E": ("F",),
    "F": ("P",),
    "G": ("6", "C"),
    "H": ("N",),
    "I": ("1", "l"),
    "O": ("0", "Q"),
    "P": ("F",),
    "Q": ("O",),
    "S": ("5",),
    "T": ("7",),
    "U": ("V",),
    "V": ("U",),
    "W": ("VV",),
    "Y": ("V",),
    "Z": ("2",),
}
"""Shapes that a scanner mixes up."""

HOMOGLYPHS: Mapping[str, Sequence[str]] = {
    # Cyrillic letters drawn like Latin ones.
    "a": "а", "c": "с", "e": "е", "i": "і", "j": "ј", "o": "о", "p": "р", "s": "ѕ", "x": "х", "y": "у",
    "A": "А", "B": "В", "C": "С", "E": "Е", "H": "Н", "I": "І", "J": "Ј", "K": "К", "M": "М", "O": "О",
    "P": "Р", "S": "Ѕ", "T": "Т", "X": "Х",
}  # fmt: skip

LEET = both_cases(
    {"a": "4", "b": "8", "e": "3", "g": "9", "i": "1", "l": "1", "o": "0", "s": "5", "t": "7", "z": "2"}
)

DIACRITICS = both_cases(
    {
        "a": "áàâäãå", "c": "çć", "e": "éèêë", "g": "ğ", "i": "íìîï", "l": "ł", "n": "ñń", "o": "óòôöõ",
        "r": "ř", "s": "śš", "t": "ť", "u": "úùûü", "w": "ŵ", "y": "ýÿ", "z": "źž",
    }
)  # fmt: skip
