"""Streams: the published generator, keyed by the item and by nothing else."""

from collections import Counter
from hashlib import blake2b
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.perturb.streams import Stream, item_seed, stream

# First outputs for the seed 1234567, as Rosetta Code and many other projects list them for SplitMix64.
PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def test_the_generator_is_the_published_one() -> None:
    generator = Stream(1234567)
    assert [generator.next64() for _ in PUBLISHED] == PUBLISHED


def test_uniform_is_the_top_53_bits() -> None:
    generator = Stream(1234567)
    assert [generator.uniform() for _ in PUBLISHED] == [(one >> 11) / 2**53 for one in PUBLISHED]


def test_many_uniforms_are_as_many_single_ones_and_leave_the_same_state() -> None:
    one, other = Stream(7), Stream(7)
    assert one.uniforms(9) == [other.uniform() for _ in range(9)]
    assert one.next64() == other.next64()


@given(st.integers(0, 2**64 - 1), st.integers(1, 1000))
def test_below_stays_below(state: int, n: int) -> None:
    assert 0 <= Stream(state).below(n) < n


def test_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no integer"):
        Stream(0).below(0)


def test_every_order_of_three_is_equally_likely() -> None:
    # 6 orders, 6,000 draws: each 1,000 with a standard deviation of 29.
    counts: Counter[str] = Counter()
    for number in range(6000):
        letters = list("abc")
        stream("orders", 0, str(number)).shuffle(letters)
        counts["".join(letters)] += 1
    assert len(counts) == 6
    assert all(abs(count - 1000) < 5 * 29 for count in counts.values())


@given(st.integers(0, 2**64 - 1), st.integers(0, 12))
def test_a_shuffle_is_a_permutation_and_a_sample_a_part_of_one(state: int, n: int) -> None:
    items = list(range(n))
    Stream(state).shuffle(items)
    assert sorted(items) == list(range(n))
    samples = [Stream(state).sample(range(n), k) for k in range(n + 1)]
    assert all(len(set(one)) == k for k, one in enumerate(samples))
    assert all(larger[: len(smaller)] == smaller for smaller, larger in pairwise(samples))


def test_a_sample_larger_than_its_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot draw 3 of 2"):
        Stream(0).sample("ab", 3)


def test_the_key_is_the_digest_of_operation_seed_and_item() -> None:
    expected = blake2b(b"word-dropout\x0042\x00a.jpg#0", digest_size=8).digest()
    assert item_seed("word-dropout", 42, "a.jpg#0") == int.from_bytes(expected, "little")


def test_each_part_of_the_key_matters() -> None:
    keys = [("a", 1, "x"), ("b", 1, "x"), ("a", 2, "x"), ("a", 1, "y"), ("a", 11, "x"), ("a", 1, "1x")]
    assert len({item_seed(*key) for key in keys}) == len(keys)


def test_an_id_that_is_no_valid_unicode_has_a_stream_too() -> None:
    assert stream("a", 0, "\udcff").uniform() != stream("a", 0, "?").uniform()


def test_uniforms_of_many_items_are_uniform() -> None:
    drawn = [stream("word-dropout", 42, f"{n}.jpg#0").uniform() for n in range(4000)]
    # The mean of n uniforms has a standard deviation of sqrt(1/12n) = .0046.
    assert abs(sum(drawn) / len(drawn) - 0.5) < 5 * 0.0046


def test_a_split_stream_is_not_its_parent() -> None:
    parent, twin = Stream(5), Stream(5)
    child = parent.split()
    assert child.next64() != parent.next64()
    assert twin.split().next64() == Stream(5).split().next64()
