"""Byte-pair encoding of one long word in time that grows with its letters, not with their square.

open_clip's own loop looks for the best pair through the whole word again after every merge. Here pairs wait in
a heap; each round merges all places of the best rank from left to right, as open_clip does, so the tokens are
the same. Source of the algorithm: Sennrich et al. 2016, arXiv 1508.07909.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

END = "</w>"
NONE = -1


def merged(piece: str, ranks: Mapping[tuple[str, str], int]) -> list[str]:
    """Return the tokens of a piece (of at least one symbol), the last one marked as the end of a word.

    ranks: pair -> how early it is merged.

    >>> merged("abab", {("a", "b"): 0, ("ab", "ab</w>"): 2, ("a", "b</w>"): 1})
    ['abab</w>']
    """
    symbols = [*piece[:-1], piece[-1] + END]
    count = len(symbols)
    before, after = list(range(-1, count - 1)), [*range(1, count), NONE]
    heap: list[tuple[int, int]] = []

    def wait(place: int) -> None:
        """Put the pair that begins at a place in the heap, where it can be merged."""
        if place != NONE and after[place] != NONE:
            rank = ranks.get((symbols[place], symbols[after[place]]))
            if rank is not None:
                heapq.heappush(heap, (rank, place))

    for place in range(count):
        wait(place)
    while heap:
        rank = heap[0][0]
        grown: list[int] = []
        while heap and heap[0][0] == rank:
            place = heapq.heappop(heap)[1]
            other = after[place]
            # A place may have been merged away, or hold another pair by now.
            if not symbols[place] or other == NONE or ranks.get((symbols[place], symbols[other])) != rank:
                continue
            symbols[place] += symbols[other]
            symbols[other] = ""
            after[place] = after[other]
            if after[place] != NONE:
                before[after[place]] = place
            grown.append(place)
        # New pairs wait until the round is over, even where one has a better rank.
        for place in grown:
            wait(before[place])
            wait(place)
    return [symbol for symbol in symbols if symbol]
