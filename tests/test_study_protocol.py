"""A protocol is what a run's key and its numbers depend on; what it means is told back from what is stored."""

import json
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.keys import canonical
from clipbench.metrics.positives import own
from clipbench.metrics.ranks import rank
from clipbench.records import DIRECTIONS, POSITIVES, TIES, Direction, Ledger, Protocol, protocol_of
from clipbench.study.evaluation.protocol import metrics_of

protocols = st.builds(
    Protocol,
    ks=st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True).map(sorted).map(tuple),
    directions=st.sampled_from([DIRECTIONS, ("t2i",), ("i2t",)]),
    ties=st.sampled_from(TIES),
    positives=st.just("own"),
    fold=st.none() | st.integers(2, 1000),
    resamples=st.integers(100, 5000),
    seed=st.integers(0, 10**6),
    confidence=st.integers(51, 99).map(lambda percent: percent / 100),
)


@given(protocols)
def test_what_is_stored_means_the_same_protocol(protocol: Protocol) -> None:
    stored = json.loads(canonical(protocol.as_json()))
    assert protocol_of(stored) == protocol
    assert protocol_of(protocol.as_json()) == protocol


@given(protocols, protocols)
def test_two_protocols_are_stored_alike_only_where_they_are_equal(one: Protocol, other: Protocol) -> None:
    assert (canonical(one.as_json()) == canonical(other.as_json())) is (one == other)


@pytest.mark.parametrize(
    "fields",
    [{"ks": ()}, {"ks": (0, 5)}, {"ties": "random"}, {"positives": "all"}, {"confidence": 0.5},
     {"confidence": 1.0}, {"resamples": 99}, {"fold": 1}, {"fold": 4, "positives": POSITIVES[1]}],
    ids=str,
)  # fmt: skip
def test_a_protocol_that_means_nothing_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ClipbenchError):
        Protocol(**fields)  # type: ignore[arg-type]


def ledgers(seed: int = 0, images: int = 8, axes: int = 20) -> dict[Direction, Ledger]:
    draws = np.random.default_rng(seed)
    owners = np.repeat(np.arange(images, dtype=np.int32), 2)
    if axes < 10:
        pictures, texts = (
            np.eye(axes)[draws.integers(0, axes, images)],
            np.eye(axes)[draws.integers(0, axes, len(owners))],
        )
    else:
        pictures, texts = draws.normal(size=(images, axes)), draws.normal(size=(len(owners), axes))
    unit = [(x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (pictures, texts)]
    return rank(unit[0], unit[1], own(owners, images), owners)


def test_both_directions_and_rsum_only_where_it_is_defined() -> None:
    def names(protocol: Protocol) -> set[tuple[str, str]]:
        return {(m.direction, m.name) for m in metrics_of(ledgers(), protocol)}

    assert ("both", "rsum") in names(Protocol())
    assert ("both", "rsum") in names(Protocol(ks=(1, 3, 5, 10)))
    assert ("both", "rsum") not in names(Protocol(ks=(1, 5)))
    assert {direction for direction, _ in names(Protocol(directions=("t2i",)))} == {"t2i"}


def test_the_same_ledgers_and_protocol_give_the_same_numbers_to_the_bit() -> None:
    assert metrics_of(ledgers(), Protocol(seed=3)) == metrics_of(ledgers(), Protocol(seed=3))
    assert metrics_of(ledgers(), Protocol(seed=3)) != metrics_of(ledgers(), Protocol(seed=4))


def test_values_do_not_depend_on_the_order_of_the_images() -> None:
    draws = np.random.default_rng(5)
    pictures = np.eye(3, dtype=np.float32)[draws.integers(0, 3, 4)]
    texts = np.eye(3, dtype=np.float32)[draws.integers(0, 3, 4)]
    owners = np.arange(4)
    found = set()
    for order in permutations(range(4)):
        chosen = list(order)
        both = rank(pictures[chosen], texts[chosen], own(owners, 4), owners)
        metrics = metrics_of(both, Protocol(ks=(1, 2), resamples=100))
        found.add(tuple((m.direction, m.name, round(m.value, 12)) for m in metrics))
    assert len(found) == 1


def test_queries_with_ties_are_those_whose_best_positive_is_tied_with_another_item() -> None:
    # Captions 0 and 1 score images (.6, .8) alike; caption 2 scores its own alone.
    pictures = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=np.float32)
    texts = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 1, 0]], dtype=np.float32)
    owners = np.arange(3)
    both = rank(pictures, texts, own(owners, 3), owners)
    found = {(m.direction, m.name): m.value for m in metrics_of(both, Protocol(ks=(1,), resamples=100))}
    assert (found["t2i", "tied-queries"], found["i2t", "tied-queries"]) == (2, 0)


def test_intervals_hold_their_value_and_grow_with_confidence() -> None:
    narrow = {(m.direction, m.name): m for m in metrics_of(ledgers(2), Protocol(confidence=0.8))}
    wide = {(m.direction, m.name): m for m in metrics_of(ledgers(2), Protocol(confidence=0.99))}
    for key, metric in narrow.items():
        if metric.low is not None and metric.high is not None:
            other = wide[key]
            assert other.low is not None
            assert other.high is not None
            assert other.low <= metric.low <= metric.value <= metric.high <= other.high
            assert "80 %" in metric.method
            assert "99 %" in other.method
