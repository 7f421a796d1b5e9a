"""Texts that begin alike share their beginnings: the tree holds every text, and a tower gives the same vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.encoders.prefix_tree import pack, windows

rows_of_tokens = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=9), min_size=1, max_size=25)


def padded(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(row) for row in rows])
    tokens = np.zeros((len(rows), lengths.max()), dtype=np.int64)
    for number, row in enumerate(rows):
        tokens[number, : len(row)] = row
    return tokens, lengths


@given(rows_of_tokens, st.integers(1, 30))
def test_every_row_is_the_path_to_its_end(rows: list[list[int]], nodes: int) -> None:
    seen = []
    for packed in pack(*padded(rows), nodes):
        mask = packed.mask()
        for text, end in zip(packed.texts.tolist(), packed.ends.tolist(), strict=True):
            path = []
            node = end
            while node >= 0:
                path.append(node)
                node = int(packed.parents[node])
            path.reverse()
            assert packed.tokens[path].tolist() == rows[text]
            assert packed.depths[path].tolist() == list(range(len(path)))
            assert np.flatnonzero(mask[end]).tolist() == sorted(path)
            seen.append(text)
    assert sorted(seen) == list(range(len(rows)))


@given(rows_of_tokens)
def test_one_sequence_holds_every_beginning_once(rows: list[list[int]]) -> None:
    beginnings = {tuple(row[:n]) for row in rows for n in range(1, len(row) + 1)}
    (packed,) = pack(*padded(rows), nodes=10_000)
    assert len(packed.tokens) == len(beginnings)


@given(rows_of_tokens, st.integers(3, 30))
def test_a_sequence_is_longer_than_asked_only_for_a_row_that_is(rows: list[list[int]], nodes: int) -> None:
    for packed in pack(*padded(rows), nodes):
        assert len(packed.tokens) <= max(nodes, *(len(rows[t]) for t in packed.texts.tolist()))


@given(rows_of_tokens, st.integers(5, 40), st.integers(1, 12))
def test_a_window_shows_every_node_its_path_and_no_more(rows: list[list[int]], nodes: int, most: int) -> None:
    for packed in pack(*padded(rows), nodes):
        cut = windows(packed, most)
        mask = packed.mask()
        assert cut.size <= most
        assert cut.nodes - len(packed.tokens) < cut.count
        for node, sees in enumerate(cut.sees.reshape(cut.nodes, -1)):
            seen = cut.keys[node // cut.size][sees]
            path = np.flatnonzero(mask[node]) if node < len(mask) else [node]
            assert seen.tolist() == list(path)  # so none of them twice


@given(rows_of_tokens, st.integers(1, 12))
def test_every_end_is_asked_once_in_its_window(rows: list[list[int]], most: int) -> None:
    for packed in pack(*padded(rows)):
        cut = windows(packed, most)
        asked, places = cut.asked(packed.ends)
        assert asked.reshape(-1)[places].tolist() == packed.ends.tolist()
        assert len(set(places.tolist())) == len(packed.ends)
        assert (asked // cut.size == np.arange(cut.count)[:, None]).all()


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_the_order_of_the_texts_changes_only_their_numbers(order: list[int]) -> None:
    tokens, lengths = padded([[1, 2, 3], [1, 2], [4]])
    (packed,) = pack(tokens[order], lengths[order])
    assert packed.tokens.tolist() == [1, 2, 3, 4]
    ends = dict(zip([order[t] for t in packed.texts.tolist()], packed.ends.tolist(), strict=True))
    assert ends == {0: 2, 1: 1, 2: 3}
