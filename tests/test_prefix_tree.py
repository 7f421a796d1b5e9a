"""Texts that begin alike share their beginnings: the tree holds every text, and a tower gives the same vectors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clipbench.encoders.prefix_tree import features, pack
from clipbench.encoders.text_trimming import causal_tower

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


def test_a_tower_gives_the_same_features_as_text_by_text() -> None:
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    torch.manual_seed(0)
    vision = CLIPVisionCfg(layers=1, width=32, head_width=16, patch_size=16, image_size=32)
    text = CLIPTextCfg(context_length=20, vocab_size=60, width=32, heads=4, layers=3)
    tower = causal_tower(CLIP(16, vision, text).eval())
    assert tower is not None
    draws = np.random.default_rng(0)
    tokens = np.zeros((80, 20), dtype=np.int64)
    for row in tokens:
        length = draws.integers(1, 18)
        row[: length + 2] = [57, *draws.integers(1, 5, length), 59]  # 59, the highest, ends a text
    ids = torch.from_numpy(tokens)
    with torch.inference_mode():
        alone = torch.cat([tower.features(row[None]) for row in ids])
        for nodes in (30, 256):
            together = features(tower, ids, nodes=nodes)
            torch.testing.assert_close(together, alone, rtol=0, atol=2e-6)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_the_order_of_the_texts_changes_only_their_numbers(order: list[int]) -> None:
    tokens, lengths = padded([[1, 2, 3], [1, 2], [4]])
    (packed,) = pack(tokens[order], lengths[order])
    assert packed.tokens.tolist() == [1, 2, 3, 4]
    ends = dict(zip([order[t] for t in packed.texts.tolist()], packed.ends.tolist(), strict=True))
    assert ends == {0: 2, 1: 1, 2: 3}
