"""The edit distance: the fewest insertions, deletions and replacements from one sequence to another."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def distance(before: Sequence[Hashable], after: Sequence[Hashable]) -> int:
    """Return the Levenshtein distance of two sequences, e.g. two strings or two lists of words.

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
    return _distance(before[start : len(before) - end], after[start : len(after) - end])


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
