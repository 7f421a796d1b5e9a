"""The edit distance: the fewest insertions, deletions and replacements from one sequence to another."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise

LONGEST = 10_000
"""Items up to which the distance is exact: no caption of a sentence or a page is longer."""

PIECE = 2_000
"""Items of a piece of longer ones."""


def distance(before: Sequence[Hashable], after: Sequence[Hashable]) -> int:
    """Return the Levenshtein distance of two sequences, e.g. two strings or two lists of words.

    Of more than LONGEST items after what is equal at both ends, the sequences are compared in as many pieces,
    cut at the same shares of both: the result is then an upper bound, in a time that grows with the length.

    A column of the table is held in the bits of two integers, so a step costs a few operations
    whatever the length. Source: Myers 1999, J. ACM 46(3), in the form of Hyyrö 2003.

    >>> distance("kitten", "sitting"), distance(["a", "dog"], ["dog"])
    (3, 1)
    """
    start, limit = 0, min(len(before), len(after))
    while start < limit and before[start] == after[start]:
        start += 1
    end = 0
    while end < limit - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return _pieces(before[start : len(before) - end], after[start : len(after) - end])


def _pieces(before: Sequence[Hashable], after: Sequence[Hashable]) -> int:
    longest = max(len(before), len(after))
    if longest <= LONGEST:
        return _distance(before, after)
    count = -(-longest // PIECE)
    cuts = [(len(before) * n // count, len(after) * n // count) for n in range(count + 1)]
    return sum(_distance(before[a:b], after[c:d]) for (a, c), (b, d) in pairwise(cuts))


def _distance(column: Sequence[Hashable], row: Sequence[Hashable]) -> int:
    if not column or not row:
        return len(column) + len(row)
    where: dict[Hashable, int] = {}
    for place, item in enumerate(column):
        where[item] = where.get(item, 0) | 1 << place
    everywhere, last = (1 << len(column)) - 1, 1 << (len(column) - 1)
    up, down, total = everywhere, 0, len(column)  # vertical steps of +1 and -1; the distance so far
    for item in row:
        match = where.get(item, 0) | down
        diagonal = (((match & up) + up) ^ up) | match
        rises = down | (everywhere & ~(diagonal | up))
        falls = up & diagonal
        total += bool(rises & last) - bool(falls & last)
        rises = rises << 1 | 1
        up = everywhere & (falls << 1 | ~(diagonal | rises))
        down = rises & diagonal & everywhere
    return total
