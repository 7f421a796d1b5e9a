"""Positives: an image's own captions, or all with an equal text; the same relation seen from both sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.metrics.positives import Positives, equal_captions, folded, own
from clipbench.metrics.ranks import rank


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_own_positives_are_each_others_inverse(owners: list[int]) -> None:
    owners = [*owners, *range(6)]
    both = own(owners, 6)
    assert [both["t2i"].of(c).tolist() for c in range(len(owners))] == [[i] for i in owners]
    assert [both["i2t"].of(i).tolist() for i in range(6)] == [
        [c for c, o in enumerate(owners) if o == i] for i in range(6)
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a dog", "A dog.", "cat", "CAT!", "bird"]), st.integers(0, 3)), max_size=12
    )
)
def test_equal_captions_share_positives_in_both_directions(captions: list[tuple[str, int]]) -> None:
    captions = [*captions, *(("a dog" if i % 2 else "own words", i) for i in range(4))]
    texts, owners = [c[0] for c in captions], [c[1] for c in captions]
    both = equal_captions(texts, owners, 4)
    related = {
        (c, owners[other])
        for c in range(len(texts))
        for other in range(len(texts))
        if folded(texts[c]) == folded(texts[other])
    }
    assert {(c, int(i)) for c in range(len(texts)) for i in both["t2i"].of(c)} == related
    assert {(int(c), i) for i in range(4) for c in both["i2t"].of(i)} == related


@pytest.mark.parametrize(
    ("one", "other"),
    [("A dog.", "a dog"), ("ﬁsh", "FISH"), ("a\u00a0 b", "a b"), ("man's", "mans"), ("straße", "STRASSE")],
)
def test_captions_that_differ_in_form_alone_are_equal(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(("one", "other"), [("2 dogs", "3 dogs"), ("?", "!"), ("a bc", "ab c"), ("$5", "5")])
def test_captions_that_say_something_else_are_not_equal(one: str, other: str) -> None:
    assert folded(one) != folded(other)


def test_equal_captions_rank_as_one() -> None:
    """Two photographs with one caption: strictly one of them is wrong, duplicate-aware neither."""
    images = np.array([[1, 0], [0.6, 0.8]], dtype=np.float32)
    texts, owners = images[[0, 0]], np.array([0, 1], dtype=np.int32)
    strict = rank(images, texts, own(owners, 2), owners)["t2i"]
    aware = rank(images, texts, equal_captions(["A dog", "a dog."], owners, 2), owners)["t2i"]
    assert strict.above.tolist() == [0, 1]
    assert np.minimum.reduceat(aware.above, aware.offsets[:-1]).tolist() == [0, 0]


def test_an_image_without_captions_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="1 of 3 images have no caption, the first is 1"):
        own([0, 2], 3)
    with pytest.raises(ValueError, match="2 of 3 queries have no positive, the first is 0"):
        Positives(np.array([0, 0, 1, 1]), np.array([0]))


@pytest.mark.parametrize(
    ("offsets", "items"),
    [([1, 2], [0]), ([0, 3], [0]), ([0, 2], [1, 1]), ([0, 2], [1, 0]), ([0, 1], [-1]), ([], [])],
)
def test_positives_that_are_no_compressed_rows_are_refused(offsets: list[int], items: list[int]) -> None:
    with pytest.raises(ValueError, match=r"offsets|items"):
        Positives(np.array(offsets, dtype=np.int32), np.array(items, dtype=np.int32))


def test_owners_outside_the_gallery_are_refused() -> None:
    with pytest.raises(ValueError, match="image is 3, but there are 2"):
        own([0, 1, 3], 2)
    with pytest.raises(ValueError, match="2 texts, but 1 owners"):
        equal_captions(["a", "b"], [0], 1)
