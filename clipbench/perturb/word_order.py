"""Changes of order alone: the words stay, their places do not. Words in, words out.

Every order is equally likely, the old one included; the audit tells how many captions changed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clipbench.perturb.streams import Stream
from clipbench.perturb.word_class import word_classes


def shuffle(words: Sequence[str], stream: Stream) -> list[str]:
    """Shuffle all words; captions of two words or fewer stay as they are."""
    shuffled = list(words)
    if len(shuffled) > 2:
        stream.shuffle(shuffled)
    return shuffled


def shuffle_blocks(words: Sequence[str], stream: Stream, size: int) -> list[str]:
    """Cut into blocks of `size` words from the left and shuffle the blocks; the order inside stays."""
    blocks = _blocks(words, size)
    stream.shuffle(blocks)
    return [word for block in blocks for word in block]


def shuffle_within(words: Sequence[str], stream: Stream, size: int) -> list[str]:
    """Shuffle inside blocks of `size` words; the order of the blocks stays."""
    blocks = _blocks(words, size)
    for block in blocks:
        stream.shuffle(block)
    return [word for block in blocks for word in block]


def reverse(words: Sequence[str]) -> list[str]:
    """Read from the end."""
    return list(reversed(words))


def shuffle_nouns_and_adjectives(words: Sequence[str], stream: Stream) -> list[str]:
    """Shuffle nouns and adjectives among their own places."""
    return _shuffle_places(words, _nouns_and_adjectives(words), stream)


def shuffle_all_but_nouns_and_adjectives(words: Sequence[str], stream: Stream) -> list[str]:
    """Shuffle all other words among their own places."""
    fixed = frozenset(_nouns_and_adjectives(words))
    return _shuffle_places(words, [at for at in range(len(words)) if at not in fixed], stream)


def _nouns_and_adjectives(words: Sequence[str]) -> list[int]:
    return [at for at, kind in enumerate(word_classes(words)) if kind in ("noun", "adjective")]


def _shuffle_places(words: Sequence[str], places: Collection[int], stream: Stream) -> list[str]:
    moved = [words[at] for at in places]
    stream.shuffle(moved)
    shuffled = list(words)
    for at, word in zip(places, moved, strict=True):
        shuffled[at] = word
    return shuffled


def _blocks(words: Sequence[str], size: int) -> list[list[str]]:
    return [list(words[start : start + size]) for start in range(0, len(words), size)]
