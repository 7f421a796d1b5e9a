"""Draws depend on each item's own id, strata get what they are due, parts fit the sample."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.failures.sampling import (
    allocate,
    draw,
    in_hash_order,
    legacy_positions,
    margin_bucket,
    margin_edges,
    matched,
    rank_bucket,
)
from clipbench.failures.slices import file_annotator, slices

IDS = [f"c{number}" for number in range(300)]


def plain(ids: list[str], n: int, seed: int = 42) -> tuple[str, ...]:
    return draw(dict.fromkeys(ids, "all"), n, seed).ids


def test_one_failure_more_or_less_moves_at_most_one_other() -> None:
    whole = set(plain(IDS, 50))
    for left_out in IDS[::7]:
        rest = set(plain([id_ for id_ in IDS if id_ != left_out], 50))
        assert len(whole - rest) == (left_out in whole)


def test_the_draw_depends_neither_on_order_nor_on_what_else_is_asked() -> None:
    shuffled = random.Random(1).sample(IDS, len(IDS))  # noqa: S311, an order, no secret
    assert plain(shuffled, 40) == plain(IDS, 40)
    assert plain(IDS, 100)[:40] == plain(IDS, 40)
    assert plain(IDS, 40, seed=1) != plain(IDS, 40)


def test_the_draw_is_the_same_on_every_machine() -> None:
    # Worked out apart from the code: the smallest BLAKE2b-128 digests of "clipbench failure\n42\n<id>".
    from hashlib import blake2b

    by_hand = sorted(
        IDS, key=lambda i: blake2b(f"clipbench failure\n42\n{i}".encode(), digest_size=16).hexdigest()
    )
    assert list(plain(IDS, 5)) == by_hand[:5]
    assert in_hash_order(IDS, 42) == by_hand


def test_ids_that_come_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="2 ids, but only 1"):
        in_hash_order(["a", "a"], 0)


def test_every_id_is_as_likely_as_every_other() -> None:
    counts = dict.fromkeys(IDS[:60], 0)
    for seed in range(400):
        for id_ in plain(IDS[:60], 15, seed):
            counts[id_] += 1
    # 400 draws at p = 1/4: mean 100, sd 8.7; 60 counts within 4.5 sd but for one in two thousand suites,
    # and the hash is fixed, so this passes always or never.
    assert 61 < min(counts.values()) <= max(counts.values()) < 139


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 60), min_size=1, max_size=6),
    st.integers(1, 120),
    st.sampled_from(["equal", "proportional"]),
)
def test_strata_give_n_in_all_and_never_more_than_they_hold(sizes: dict[str, int], n: int, how: str) -> None:
    shares = allocate(sizes, n, how)  # type: ignore[arg-type]
    assert sum(shares.values()) == min(n, sum(sizes.values()))
    assert all(0 <= shares[name] <= sizes[name] for name in sizes)
    if how == "proportional":
        exact = {
            name: min(n, sum(sizes.values())) * size / sum(sizes.values()) for name, size in sizes.items()
        }
        assert all(abs(shares[name] - exact[name]) < 1 for name in sizes)


def test_a_stratified_draw_says_how_many_each_drawn_one_stands_for() -> None:
    strata = {f"a{n}": "small" for n in range(4)} | {f"b{n}": "large" for n in range(96)}
    found = draw(strata, 20, seed=0)
    by_name = {stratum.name: stratum for stratum in found.strata}
    assert (by_name["small"].drawn, by_name["large"].drawn) == (4, 16)
    assert by_name["large"].weight == 6.0
    assert sum(s.weight * s.drawn for s in found.strata) == 100
    assert list(found.ids) == in_hash_order(list(found.ids), 0)


def test_rank_buckets_hold_the_ranks_their_names_say() -> None:
    assert rank_bucket(1) == "rank 001"
    for rank in range(2, 300):
        low, _, high = rank_bucket(rank).removeprefix("rank ").rstrip("+").partition("-")
        assert int(low) <= rank <= int(high or 10**9)


@settings(max_examples=50)
@given(st.lists(st.floats(-1, 0, allow_nan=False), min_size=4, max_size=60))
def test_margin_buckets_ascend_with_the_margin(margins: list[float]) -> None:
    edges = margin_edges(margins)
    numbers = [margin_bucket(margin, edges) for margin in sorted(margins)]
    assert numbers == sorted(numbers)


def test_the_legacy_draw_is_pythons_own_sample_over_positions() -> None:
    assert legacy_positions(17389, 200) == tuple(random.Random(42).sample(range(17389), 200))  # noqa: S311, the published draw
    with pytest.raises(ValueError, match="there are 3"):
        legacy_positions(3, 4)


def test_parts_are_those_of_the_source_study() -> None:
    found = slices(200, ["A", "B", "C"], overlap=30, per_annotator=50, backup=20)
    assert [(part.part, part.start, part.stop) for part in found] == [
        ("overlap", 0, 30),
        ("A", 30, 80),
        ("B", 80, 130),
        ("C", 130, 180),
        ("backup", 180, 200),
    ]


@pytest.mark.parametrize(
    ("annotators", "sizes", "told"),
    [
        (["A", "B"], (10, 50, 0), "the sample has 100 failures, and 10 \\+ 2 × 50 \\+ 0 = 110"),
        ([], (10, 5, 0), "nobody is named"),
        (["A", "a"], (10, 5, 0), "named twice"),
        (["overlap"], (10, 5, 0), "cannot be the name"),
        (["../x"], (10, 5, 0), "cannot be the name"),
        (["A"], (0, 0, 0), "nobody anything to do"),
    ],
)
def test_parts_that_cannot_be_are_refused(
    annotators: list[str], sizes: tuple[int, int, int], told: str
) -> None:
    with pytest.raises(ClipbenchError, match=told):
        slices(100, annotators, overlap=sizes[0], per_annotator=sizes[1], backup=sizes[2])


def test_file_names_tell_their_annotator_and_parts_are_none() -> None:
    assert file_annotator("assign_A") == "A"
    assert file_annotator("overlap_Mary-Ann") == "Mary-Ann"
    assert file_annotator("assign_overlap") is None
    assert file_annotator("labels") is None
    assert file_annotator("x_") is None


def test_controls_are_different_and_as_near_in_size_as_there_are() -> None:
    offered = [("s1", 5), ("s2", 9), ("s3", 9), ("s4", 20)]
    found = matched([("f1", 9), ("f2", 9), ("f3", 9)], offered, seed=0)
    assert set(found) == {"s1", "s2", "s3"}
    assert matched([("f", 9)] * 9, offered, seed=0) != ()
    assert len(matched([("f", 9)] * 9, offered, seed=0)) == 4
