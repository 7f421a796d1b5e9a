"""Edits of one character in a word: slips of finger and scanner, and tricks on the tokenizer.

Each edit has a finder (`..._sites`: word -> places where it can be made, none where it cannot) and
the edit itself (word, place, stream -> new word). Only letters and digits are touched, so emoji and
punctuation stay whole. Every edit but `flip_case` survives lower-casing.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from clipbench.perturb.streams import Stream

ZERO_WIDTH_SPACE = "\u200b"

Sites = Callable[[str], Sequence[int]]
Edit = Callable[[str, int, Stream], str]


def substitution(table: Mapping[str, Sequence[str]]) -> tuple[Sites, Edit]:
    """Return finder and edit that replace a character by one of its entries in the table."""

    def sites(word: str) -> list[int]:
        return [at for at, letter in enumerate(word) if letter in table]

    def edit(word: str, at: int, stream: Stream) -> str:
        return word[:at] + stream.choice(table[word[at]]) + word[at + 1 :]

    return sites, edit


def letter_sites(word: str) -> list[int]:
    """Find every letter and digit."""
    return [at for at, letter in enumerate(word) if letter.isalnum()]


def insert(word: str, at: int, stream: Stream) -> str:
    """Put a random small letter before or after the place."""
    at += stream.below(2)
    return word[:at] + stream.choice(string.ascii_lowercase) + word[at:]


def replace(word: str, at: int, stream: Stream) -> str:
    """Put another random letter in the place, in its case."""
    old = word[at]
    new = stream.choice(string.ascii_lowercase.replace(old.lower(), ""))
    return word[:at] + (new.upper() if old.isupper() else new) + word[at + 1 :]


def repeat(word: str, at: int, _stream: Stream) -> str:
    """Write the letter twice."""
    return word[:at] + word[at] + word[at:]


def deletion_sites(word: str) -> list[int]:
    """Find every letter and digit of a word that has two; a word never disappears."""
    found = letter_sites(word)
    return found if len(found) > 1 else []


def delete(word: str, at: int, _stream: Stream) -> str:
    """Take the letter out."""
    return word[:at] + word[at + 1 :]


def swap_sites(word: str) -> list[int]:
    """Find every letter whose right neighbour is another letter."""
    pairs = enumerate(pairwise(word))
    return [at for at, (a, b) in pairs if a.isalnum() and b.isalnum() and a.lower() != b.lower()]


def swap(word: str, at: int, _stream: Stream) -> str:
    """Exchange the letter and its right neighbour."""
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def inner_sites(word: str) -> list[int]:
    """Find every place between two letters or digits (the place before the second)."""
    return [at for at in range(1, len(word)) if word[at - 1].isalnum() and word[at].isalnum()]


def insert_space(word: str, at: int, _stream: Stream) -> str:
    """Cut the word in two."""
    return f"{word[:at]} {word[at:]}"


def insert_zero_width(word: str, at: int, _stream: Stream) -> str:
    """Put a zero-width space inside the word: invisible, yet another token."""
    return word[:at] + ZERO_WIDTH_SPACE + word[at:]


def case_sites(word: str) -> list[int]:
    """Find the start of a word whose case can be turned and is lost again by lower-casing.

    Words such as "ß" are left alone: their capitals do not lower to what they were.
    """
    turned = _turn(word)
    return [0] if turned != word and turned.lower() == word.lower() else []


def flip_case(word: str, _at: int, _stream: Stream) -> str:
    """Write the whole word in capitals, a word in capitals in small letters."""
    return _turn(word)


def _turn(word: str) -> str:
    capitals = word.upper()
    return capitals if capitals != word else word.lower()
