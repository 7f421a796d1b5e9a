"""Edits of single words: dropout, swap, insertion, synonyms, punctuation. Words in, words out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from clipbench.perturb.resources import SynonymSource
from clipbench.perturb.streams import Stream
from clipbench.perturb.word_lists import STOP_WORDS
from clipbench.perturb.words import core, replace_at, target_count, targets

PUNCTUATION_MARKS = (".", ";", "?", ":", "!", ",")
"""The six marks of AEDA (Karimi et al. 2021, arXiv 2108.13230)."""

FILLER_WORDS = ("really", "just", "quite", "actually", "maybe", "even", "simply", "rather")
"""Inserted where no word of the caption has a synonym."""


def dropout(words: Sequence[str], rate: float, stream: Stream) -> list[str]:
    """Keep a word where its uniform number u > rate; where none is kept, the one with the largest u.

    The achieved share is therefore random, `rate` its mean. One number per word serves all rates, so a
    word dropped at .1 is dropped at .2, and the survivor of a high rate is a survivor of a lower one.
    """
    drawn = stream.uniforms(len(words))
    kept = [word for word, u in zip(words, drawn, strict=True) if u > rate]
    return kept or [words[max(range(len(words)), key=drawn.__getitem__)]]


def swap(words: Sequence[str], rate: float, stream: Stream) -> list[str]:
    """Exchange round(rate·n) pairs of words; no word moves twice, so no exchange undoes another.

    The words of a pair differ (case aside), so the order really changes where two words differ at all.
    There are at most n/2 pairs. A swap at a lower rate is also made at a higher one.
    """
    order = list(range(len(words)))
    stream.shuffle(order)
    swapped = list(words)
    left = target_count(rate, len(words))
    for a, b in _differing_pairs(words, order):
        if not left:
            break
        swapped[a], swapped[b] = words[b], words[a]
        left -= 1
    return swapped


def _differing_pairs(words: Sequence[str], order: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first position and the next one that holds another word, both then gone, until all are equal.

    Positions of equal words that follow one another are held as a run, so that all pairs together take a time
    that grows with the number of words.
    """
    runs: deque[tuple[str, deque[int]]] = deque()
    for position in order:
        word = words[position].lower()
        if not runs or runs[-1][0] != word:
            runs.append((word, deque()))
        runs[-1][1].append(position)
    while len(runs) > 1:
        first, other = runs[0][1], runs[1][1]
        yield first.popleft(), other.popleft()
        if not other:
            del runs[1]
            if first and len(runs) > 1 and runs[1][0] == runs[0][0]:
                first.extend(runs[1][1])
                del runs[1]
        if not first:
            runs.popleft()


def insert(words: Sequence[str], rate: float, stream: Stream, synonyms: SynonymSource) -> list[str]:
    """Insert round(rate·n) words, each next to a word of its own: a synonym of a random word.

    Where no word of the caption has a synonym, a filler word. EDA's random insertion.
    """
    known = _with_synonyms(words, synonyms)
    result = [[word] for word in words]
    for position, own in targets(range(len(words)), rate, stream):
        if known:
            new = own.choice(synonyms.lookup(core(words[own.choice(known)])))
        else:
            new = own.choice(FILLER_WORDS)
        result[position].insert(own.below(2), new)
    return [word for group in result for word in group]


def replace_synonyms(words: Sequence[str], rate: float, stream: Stream, synonyms: SynonymSource) -> list[str]:
    """Replace round(rate·n) of all n words by a synonym each, or all that have one where they are fewer.

    EDA's synonym replacement: stop words are left alone, yet count as words.
    """
    chosen = targets(_with_synonyms(words, synonyms), rate, stream, of=len(words))
    return replace_at(words, chosen, lambda old, own: own.choice(synonyms.lookup(old)))


def _with_synonyms(words: Sequence[str], synonyms: SynonymSource) -> list[int]:
    return [
        position
        for position, word in enumerate(words)
        if (one := core(word)) not in STOP_WORDS and synonyms.lookup(one)
    ]


def insert_punctuation(words: Sequence[str], rate: float, stream: Stream) -> list[str]:
    """Insert a punctuation mark, as a word of its own, after round(rate·n) words."""
    marks = {at: own.choice(PUNCTUATION_MARKS) for at, own in targets(range(len(words)), rate, stream)}
    result: list[str] = []
    for position, word in enumerate(words):
        result.append(word)
        if position in marks:
            result.append(marks[position])
    return result
