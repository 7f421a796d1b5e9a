"""Hints at why a failure happened, each with the rule that found it. Never labels: they count nowhere.

Compares the caption with what the retrieved picture's own captions say, and the two pictures by distance.
The words of number, colour, place and action come from outside (`Vocabulary`), so that this knows no language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from clipbench.failures.taxonomy import AMBIGUOUS, NEAR_DUPLICATE

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
HASH_SIDE = 8
NEAR_HASH = 6
"""Pictures whose 64-bit difference hashes differ in at most this many bits look nearly the same."""

NEAR_COSINE = 0.95
"""Pictures whose embeddings are at least this similar count as near-duplicates."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Word classes of a language; `action` returns a word's base form where it is a verb, else None.

    numbers: number words and the number each means ("two": 2), so that "2" and "two" are one.
    """

    numbers: Mapping[str, int]
    colours: Mapping[str, str]
    places: frozenset[str]
    action: Callable[[str], str | None] = field(default=lambda _: None)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A hint: the category it hints at, the rule, what was found in words, and a score where there is one."""

    rule: str
    category: str
    subtype: str | None
    detail: str
    score: float | None = None


RETRIEVED, OTHER = "the retrieved picture's captions", "the captions of one of the pictures"
"""How a hint names what it compared with, and how it does where nobody may know which picture was retrieved."""


def shown_detail(suggestion: Suggestion, *, blind: bool) -> str:
    """Return a hint in words. blind: without a word that tells which picture was retrieved."""
    return suggestion.detail.replace(RETRIEVED, OTHER) if blind else suggestion.detail


def words(text: str) -> list[str]:
    """Return the words of a caption in lower case."""
    return [word.casefold() for word in WORD.findall(text)]


def from_captions(query: str, others: Sequence[str], vocabulary: Vocabulary) -> tuple[Suggestion, ...]:
    """Return what the query says that no caption of the retrieved picture says, where those say something else.

    A class of words counts only where both sides use it: silence is no difference. Rules: "number",
    "colour", "place", "verb".
    """
    found = []
    for rule, category, classify in _classes(vocabulary):
        asked = _said([query], classify)
        told = _said(others, classify)
        if asked and told and not asked <= told:
            missing, instead = sorted(asked - told), sorted(told - asked)
            detail = f"the caption says {_list(missing)}"
            detail += f"; {RETRIEVED} say {_list(instead)}" if instead else ""
            found.append(Suggestion(rule, category, None, detail))
    return tuple(found)


def _classes(vocabulary: Vocabulary) -> tuple[tuple[str, str, Callable[[str], str | None]], ...]:
    def number(word: str) -> str | None:
        return str(vocabulary.numbers[word]) if word in vocabulary.numbers else None

    def place(word: str) -> str | None:
        return word if word in vocabulary.places else None

    return (
        ("number", "Count", number),
        ("colour", "Attribute", vocabulary.colours.get),
        ("place", "Spatial", place),
        ("verb", "Action", vocabulary.action),
    )


def _said(texts: Sequence[str], classify: Callable[[str], str | None]) -> set[str]:
    return {found for text in texts for word in words(text) if (found := classify(word)) is not None}


def _list(found: Sequence[str]) -> str:
    return ", ".join(found[:5])


def from_similarity(cosine: float) -> tuple[Suggestion, ...]:
    """Return a near-duplicate hint where the embeddings of the two pictures are alike enough."""
    if cosine < NEAR_COSINE:
        return ()
    detail = f"the pictures' embeddings have cosine {cosine:.3f} (from {NEAR_COSINE:g} on)"
    return (Suggestion("embedding", AMBIGUOUS, NEAR_DUPLICATE, detail, float(cosine)),)


def from_hashes(first: int, second: int) -> tuple[Suggestion, ...]:
    """Return a near-duplicate hint where the pictures' difference hashes are alike enough."""
    apart = (first ^ second).bit_count()
    if apart > NEAR_HASH:
        return ()
    detail = f"the pictures' difference hashes differ in {apart} of 64 bits (up to {NEAR_HASH})"
    return (Suggestion("perceptual-hash", AMBIGUOUS, NEAR_DUPLICATE, detail, float(apart)),)


def difference_hash(grey: npt.NDArray[np.uint8]) -> int:
    """Return the 64-bit difference hash of a grey picture shrunk to 8 × 9: each bit says brighter than its left.

    Source: Krawetz 2013, "Kind of Like That". Raises ValueError for another shape.
    """
    if grey.shape != (HASH_SIDE, HASH_SIDE + 1):
        raise ValueError(f"a difference hash is of 8 × 9 pixels, got {grey.shape}")
    bits = (grey[:, 1:].astype(np.int16) > grey[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
