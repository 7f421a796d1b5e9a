"""Which words differ between two texts, for showing them side by side. Marks words, draws nothing."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TypeAlias

Marked: TypeAlias = tuple[tuple[str, bool], ...]
"""The words of a text in order, each with True where it has no counterpart in the other text."""


LONGEST = 2_000
"""Words of a text beyond which only its equal beginning and end are told from the rest: to search is too slow."""


def mark(before: str, after: str) -> tuple[Marked, Marked]:
    """Return the words of both texts, each with whether it changed.

    >>> mark("a red ball", "a blue ball")
    ((('a', False), ('red', True), ('ball', False)), (('a', False), ('blue', True), ('ball', False)))
    """
    old, new = before.split(), after.split()
    if max(len(old), len(new)) > LONGEST:
        return _ends(old, new)
    old_kept, new_kept = set[int](), set[int]()
    for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        old_kept.update(range(block.a, block.a + block.size))
        new_kept.update(range(block.b, block.b + block.size))
    return (
        tuple((word, at not in old_kept) for at, word in enumerate(old)),
        tuple((word, at not in new_kept) for at, word in enumerate(new)),
    )


def _ends(old: list[str], new: list[str]) -> tuple[Marked, Marked]:
    limit = min(len(old), len(new))
    start = next((at for at in range(limit) if old[at] != new[at]), limit)
    end = next((at for at in range(limit - start) if old[-1 - at] != new[-1 - at]), limit - start)

    def marked(words: list[str]) -> Marked:
        return tuple((word, start <= at < len(words) - end) for at, word in enumerate(words))

    return marked(old), marked(new)
