"""Words of a caption: cutting them out, naming targets by rate, putting them back.

A word is what `str.split()` yields; its core is the word without the punctuation around it. Nothing
here knows what an operation does to a word.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Container, Sequence

from clipbench.perturb.streams import Stream

PUNCTUATION = string.punctuation + "“”‘’«»…–—"
_VOWELS = frozenset("aeiou")


def core(word: str) -> str:
    """Return the word without the punctuation around it, in lower case; the form that tables hold.

    >>> core('"Dogs,')
    'dogs'
    """
    return word.strip(PUNCTUATION).lower()


def replace_core(word: str, new: str) -> str:
    """Return the word with its core replaced, the punctuation and the case around it kept.

    >>> replace_core('(Red),', "blue")
    '(Blue),'
    """
    old = word.strip(PUNCTUATION)
    start = word.index(old) if old else 0
    if old.isupper() and (len(old) > 1 or len(new) == 1):
        new = new.upper()
    elif old[:1].isupper():
        new = new[:1].upper() + new[1:]
    return word[:start] + new + word[start + len(old) :]


def target_count(rate: float, eligible: int) -> int:
    """Return how many of the eligible words a rate names: rate·n rounded half up, at least 1 of any.

    >>> [target_count(rate, 10) for rate in (0.01, 0.15, 0.25, 0.35)]
    [1, 2, 3, 4]
    """
    if rate <= 0 or eligible == 0:
        return 0
    # The small term mends products such as .35·90 = 31.499999999999996.
    return min(eligible, max(1, math.floor(rate * eligible + 0.5 + 1e-9)))


def targets(
    eligible: Sequence[int], rate: float, stream: Stream, of: int | None = None
) -> list[tuple[int, Stream]]:
    """Return the positions to edit, each with a stream of its own, in the order they were drawn.

    The rate is a share of the eligible words, or of as many words as `of` says; never more than all of
    the eligible ones are named. Every eligible word draws a number and the smallest come first; so the
    targets of a lower rate are the first targets of a higher one, with the same streams, and edits are
    nested across levels.
    """
    count = min(target_count(rate, len(eligible) if of is None else of), len(eligible))
    drawn = stream.uniforms(len(eligible))
    order = sorted(range(len(eligible)), key=drawn.__getitem__)
    return [(eligible[place], stream.split()) for place in order[:count]]


def members(words: Sequence[str], table: Container[str]) -> list[int]:
    """Return the positions of the words whose core is in the table."""
    return [position for position, word in enumerate(words) if core(word) in table]


def replace_at(
    words: Sequence[str], chosen: Sequence[tuple[int, Stream]], replacement: Callable[[str, Stream], str]
) -> list[str]:
    """Return the words with the cores of the chosen ones (`targets`) replaced.

    `replacement` maps a core and the target's stream to a new core. The article "a" or "an" before a
    changed word follows it, so that the edit is no slip of grammar.
    """
    changed = list(words)
    for position, own in chosen:
        changed[position] = replace_core(words[position], replacement(core(words[position]), own))
    for position, _ in chosen:
        if position and core(changed[position - 1]) in ("a", "an"):
            changed[position - 1] = _article(changed[position - 1], words[position], changed[position])
    return changed


def _article(article: str, old: str, new: str) -> str:
    was, is_now = core(old)[:1] in _VOWELS, core(new)[:1] in _VOWELS
    if was == is_now:
        return article
    return replace_core(article, "an" if is_now else "a")
