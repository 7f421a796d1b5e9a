"""What a text operation achieved, as against what was asked: how many captions changed, and how much.

Counts tokens only as told by the caller, who has the tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clipbench.perturb.levenshtein import distance


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of all captions before and after, and how many captions exceed the context length.

    Counted with the start and end tokens and before any truncation.
    """

    before: int
    after: int
    truncated_before: int
    truncated_after: int


@dataclass(frozen=True, slots=True)
class TextAudit:
    """How far a set of captions was changed.

    Edits are Levenshtein edits, over words (`str.split()`) and over characters. The `mean_...` rates
    are means over the captions that have words (characters) before; the captions that have none count
    in `wordless` (`blank`). A rate without anything to count is None, never zero.
    """

    captions: int
    changed: int
    words: int
    word_edits: int
    characters: int
    character_edits: int
    wordless: int
    blank: int
    mean_word_error_rate: float | None
    mean_character_error_rate: float | None
    tokens: TokenCounts | None = None

    @property
    def changed_rate(self) -> float | None:
        """Share of the captions whose text is no longer the same, whitespace and case included."""
        return _ratio(self.changed, self.captions)

    @property
    def word_error_rate(self) -> float | None:
        """Word edits of all captions per word of all captions (micro average)."""
        return _ratio(self.word_edits, self.words)

    @property
    def character_error_rate(self) -> float | None:
        """Character edits of all captions per character of all captions (micro average)."""
        return _ratio(self.character_edits, self.characters)

    @property
    def token_ratio(self) -> float | None:
        """Tokens after per token before; 1 where the length stayed."""
        return None if self.tokens is None else _ratio(self.tokens.after, self.tokens.before)


def audit(pairs: Iterable[tuple[str, str]], tokens: TokenCounts | None = None) -> TextAudit:
    """Compare captions before and after; one pair per caption."""
    captions = changed = words = characters = word_edits = character_edits = wordless = blank = 0
    word_rates = character_rates = 0.0
    for before, after in pairs:
        count = len(before.split())
        captions, words, characters = captions + 1, words + count, characters + len(before)
        wordless, blank = wordless + (not count), blank + (not before)
        if before == after:
            continue
        changed += 1
        by_word, by_character = distance(before.split(), after.split()), distance(before, after)
        word_edits, character_edits = word_edits + by_word, character_edits + by_character
        word_rates += by_word / count if count else 0.0
        character_rates += by_character / len(before) if before else 0.0
    return TextAudit(
        captions=captions,
        changed=changed,
        words=words,
        word_edits=word_edits,
        characters=characters,
        character_edits=character_edits,
        wordless=wordless,
        blank=blank,
        mean_word_error_rate=_ratio(word_rates, captions - wordless),
        mean_character_error_rate=_ratio(character_rates, captions - blank),
        tokens=tokens,
    )


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None
