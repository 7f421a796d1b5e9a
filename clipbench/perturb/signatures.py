"""From a plain function to an operation: one adapter for each shape of function, to the common signature.

An operation is written in the fewest arguments it needs (words and a stream, say); the adapter cuts the
caption, passes what is asked for and puts the text together. Whitespace: a text whose words come out
as they were is returned untouched, anything else as words joined by single spaces; operations on
characters keep all whitespace. A caption without words is returned untouched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from clipbench.perturb.operation import TextApply
from clipbench.perturb.resources import SynonymSource, TextResources
from clipbench.perturb.streams import Stream
from clipbench.perturb.words import core, replace_at, targets
from clipbench.records import Caption

_WHITESPACE = re.compile(r"(\s+)")


def words_at_rate(change: Callable[[list[str], float, Stream], Sequence[str]]) -> TextApply:
    """Adapt a function of words, rate and stream."""

    def apply(caption: Caption, rate: float, stream: Stream, _resources: TextResources) -> str:
        words = caption.text.split()
        return _joined(caption.text, words, change(words, rate, stream)) if words else caption.text

    return apply


def words_drawn(change: Callable[[list[str], Stream], Sequence[str]]) -> TextApply:
    """Adapt a function of words and stream that has one setting."""

    def apply(caption: Caption, _rate: float, stream: Stream, _resources: TextResources) -> str:
        words = caption.text.split()
        return _joined(caption.text, words, change(words, stream)) if words else caption.text

    return apply


def words_fixed(change: Callable[[list[str]], Sequence[str]]) -> TextApply:
    """Adapt a function of words alone."""
    return words_drawn(lambda words, _stream: change(words))


def words_with_synonyms(
    change: Callable[[list[str], float, Stream, SynonymSource], Sequence[str]],
) -> TextApply:
    """Adapt a function of words, rate, stream and synonyms."""

    def apply(caption: Caption, rate: float, stream: Stream, resources: TextResources) -> str:
        words = caption.text.split()
        if not words:
            return caption.text
        return _joined(caption.text, words, change(words, rate, stream, resources.synonyms))

    return apply


def cores_replaced(
    eligible: Callable[[str], bool], replacement: Callable[[str, frozenset[str], Stream], str]
) -> TextApply:
    """Adapt a replacement of words: core, cores of the whole caption and stream -> new core."""

    def change(words: list[str], rate: float, stream: Stream) -> Sequence[str]:
        cores = [core(word) for word in words]
        present = frozenset(cores)
        places = [position for position, one in enumerate(cores) if eligible(one)]
        chosen = targets(places, rate, stream)
        return replace_at(words, chosen, lambda old, own: replacement(old, present, own))

    return words_at_rate(change)


def counterparts(table: Mapping[str, str]) -> TextApply:
    """Adapt a table of words and what they become."""
    return cores_replaced(table.__contains__, lambda old, _present, _stream: table[old])


def text_drawn(change: Callable[[str, Stream], str]) -> TextApply:
    """Adapt a function of the whole text and a stream."""

    def apply(caption: Caption, _rate: float, stream: Stream, _resources: TextResources) -> str:
        return change(caption.text, stream) if caption.text.strip() else caption.text

    return apply


def characters_edited(
    sites: Callable[[str], Sequence[int]], edit: Callable[[str, int, Stream], str]
) -> TextApply:
    """Adapt an edit of one place in a word: word, place and stream -> new word.

    A word is eligible where `sites` finds a place in it. One edit is made in each target word.
    """

    def apply(caption: Caption, rate: float, stream: Stream, _resources: TextResources) -> str:
        pieces = _WHITESPACE.split(caption.text)  # words at even places, whitespace at odd ones
        places = {at: found for at in range(0, len(pieces), 2) if (found := sites(pieces[at]))}
        for at, own in targets(list(places), rate, stream):
            pieces[at] = edit(pieces[at], own.choice(places[at]), own)
        return "".join(pieces)

    return apply


def gaps_edited(edit: Callable[[str], str]) -> TextApply:
    """Adapt an edit of the whitespace between two words."""

    def apply(caption: Caption, rate: float, stream: Stream, _resources: TextResources) -> str:
        pieces = _WHITESPACE.split(caption.text)
        gaps = [at for at in range(1, len(pieces), 2) if pieces[at - 1] and pieces[at + 1]]
        for at, _ in targets(gaps, rate, stream):
            pieces[at] = edit(pieces[at])
        return "".join(pieces)

    return apply


def _joined(text: str, before: Sequence[str], after: Sequence[str]) -> str:
    return text if list(after) == list(before) else " ".join(after)
