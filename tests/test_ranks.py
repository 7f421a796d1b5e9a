"""Ranks by counting against a full float64 sort; the same to the bit however the work is cut."""

import math
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError
from clipbench.metrics import blocks, counting, products
from clipbench.metrics.positives import Positives, own
from clipbench.metrics.ranks import rank
from clipbench.metrics.scores import band, double_product, pair_scores, score_table
from clipbench.records import Direction, Ledger

Vectors = npt.NDArray[np.float32]
Owners = npt.NDArray[np.int32]
Problem = tuple[Vectors, Vectors, Owners]


def unit(vectors: npt.ArrayLike) -> Vectors:
    v = np.asarray(vectors, dtype=np.float64)
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def score(a: Vectors, b: Vectors) -> float:
    """One pair's score, folded in halves by scalar additions: the definition once more, in plain Python."""
    terms = [float(x) * float(y) for x, y in zip(a, b, strict=True)]
    while len(terms) > 1:
        half = (len(terms) + 1) // 2
        low, high = terms[:half], [*terms[half:], *[0.0] * (2 * half - len(terms))]
        terms = [x + y for x, y in zip(low, high, strict=True)]
    return terms[0]


def sorted_ledger(
    direction: Direction, images: Vectors, texts: Vectors, positives: Positives
) -> dict[str, list[float]]:
    """What a ledger must hold, by sorting each query's whole gallery."""
    table = [[score(i, t) for t in texts] for i in images]
    names = ("above", "tied", "tied_positives", "top1", "positive_score", "negative_score")
    want: dict[str, list[float]] = {name: [] for name in names}
    for q in range(positives.queries):
        row = table[q] if direction == "i2t" else [line[q] for line in table]
        mine = positives.of(q).tolist()
        order = sorted(range(len(row)), key=lambda j: (-row[j], j))
        levels = [row[j] for j in order]
        for p in mine:
            want["above"].append(levels.index(row[p]))
            want["tied"].append(levels.count(row[p]))
            want["tied_positives"].append(sum(row[m] == row[p] for m in mine))
        want["top1"].append(order[0])
        want["positive_score"].append(np.float32(max(row[m] for m in mine)))
        others = (row[j] for j in range(len(row)) if j not in mine)
        want["negative_score"].append(np.float32(max(others, default=-math.inf)))
    return want


def assert_sorted(
    images: Vectors, texts: Vectors, positives: Mapping[Direction, Positives], owners: Owners
) -> None:
    ledgers = rank(images, texts, positives, owners)
    assert set(ledgers) == set(positives)
    for direction, ledger in ledgers.items():
        for name, value in sorted_ledger(direction, images, texts, positives[direction]).items():
            np.testing.assert_array_equal(getattr(ledger, name), value, err_msg=f"{direction} {name}")


def assert_same(a: Mapping[Direction, Ledger], b: Mapping[Direction, Ledger]) -> None:
    assert list(a) == list(b)
    for direction in a:
        for field in fields(Ledger):
            one, other = getattr(a[direction], field.name), getattr(b[direction], field.name)
            np.testing.assert_array_equal(one, other, err_msg=f"{direction} {field.name}")


KINDS = ("random", "binary", "close", "constant")


def drawn_vectors(kind: str, rng: np.random.Generator, count: int, dimension: int) -> Vectors:
    if kind == "binary":  # few distinct scores
        return unit(rng.choice([-1.0, 1.0], (count, dimension)))
    if kind == "constant":
        return unit(np.ones((count, dimension)))
    if kind == "close":  # scores that float32 cannot tell apart
        return unit(1 + 1e-7 * rng.integers(-3, 4, (count, dimension)))
    return unit(rng.standard_normal((count, dimension)))


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Ragged captions in any order, from one image and one caption on."""
    images = draw(st.integers(1, 8))
    extra = draw(st.lists(st.integers(0, images - 1), max_size=12))
    owners = np.array(draw(st.permutations([*range(images), *extra])), dtype=np.int32)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dimension = draw(st.sampled_from([1, 2, 5, 17, 40]))
    vectors = drawn_vectors(draw(st.sampled_from(KINDS)), rng, images + len(owners), dimension)
    return vectors[:images], vectors[images:], owners


def larger_problem(kind: str, images: int = 70, texts: int = 300, dimension: int = 24) -> Problem:
    rng = np.random.default_rng(7)
    owners = np.concatenate([np.arange(images), rng.integers(0, images, texts - images)]).astype(np.int32)
    vectors = drawn_vectors(kind, rng, images + texts, dimension)
    vectors[3], vectors[images + 5] = vectors[4], vectors[images + 6]  # some duplicates in any case
    return vectors[:images], vectors[images:], owners


@settings(max_examples=50, deadline=None)
@given(problems())
def test_ranks_equal_a_full_sort_of_exact_scores(problem: Problem) -> None:
    images, texts, owners = problem
    assert_sorted(images, texts, own(owners, len(images)), owners)


@settings(max_examples=25, deadline=None)
@given(problems(), st.data())
def test_ranks_equal_a_full_sort_for_any_positives(problem: Problem, data: st.DataObject) -> None:
    """Positives of the two directions need not be the same pairs, and a direction may be left out."""
    images, texts, owners = problem
    sizes: dict[Direction, tuple[int, int]] = {
        "t2i": (len(texts), len(images)),
        "i2t": (len(images), len(texts)),
    }
    positives: dict[Direction, Positives] = {}
    for direction in data.draw(st.sampled_from([("t2i", "i2t"), ("t2i",), ("i2t",)])):
        queries, gallery = sizes[direction]
        one = st.sets(st.integers(0, gallery - 1), min_size=1, max_size=gallery)
        lists = [sorted(data.draw(one)) for _ in range(queries)]
        offsets = np.cumsum([0, *map(len, lists)], dtype=np.int32)
        positives[direction] = Positives(
            offsets, np.array([i for items in lists for i in items], dtype=np.int32)
        )
    assert_sorted(images, texts, positives, owners)


@pytest.mark.parametrize("kind", KINDS)
def test_ledgers_are_the_same_bits_for_any_block_thread_count_and_engine(kind: str) -> None:
    images, texts, owners = larger_problem(kind)
    positives = own(owners, len(images))
    whole = rank(images, texts, positives, owners)
    assert_same(whole, rank(images, texts, positives, owners, block=(1, 300), threads=1))
    assert_same(whole, rank(images, texts, positives, owners, block=(33, 17), threads=3))
    assert_same(whole, rank(images, texts, positives, owners, engine="torch"))
    assert_same(whole, rank(images, texts, positives, owners, engine="torch", block=(64, 40), threads=2))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("least", [0.0, 1e-10, 1.0], ids=["exact", "float64", "float32"])
def test_every_precision_comes_to_the_same_ranks(
    kind: str, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strips are decided in float32, float64 or exactly by how close they are; here by decree."""
    images, texts, owners = larger_problem(kind)
    positives = own(owners, len(images))
    usual = rank(images, texts, positives, owners)

    def scan(side: Any, strip: counting.Strip, floor: Any, limit: int) -> list[counting.Found]:
        if strip.band > least:
            raise counting.TooClose
        return counting.scan(side, strip, floor, 10**9)

    monkeypatch.setattr(blocks, "scan", scan)
    assert_same(usual, rank(images, texts, positives, owners))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("share", "most", "least"), [(0, 4, 256), (1, 4, 256), (1, 0, 0)], ids=["counted", "listed", "misled"]
)
def test_what_is_rare_is_listed_to_the_same_ranks(
    kind: str, share: float, most: int, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample tells how rare it is. Here all is called rare, or nothing, or the sample is wrong every time."""
    images, texts, owners = larger_problem(kind)
    positives = own(owners, len(images))
    usual = rank(images, texts, positives, owners)
    monkeypatch.setattr(counting, "LISTED", share)
    monkeypatch.setattr(counting, "MOST", most)
    monkeypatch.setattr(counting, "LEAST", least)
    assert_same(usual, rank(images, texts, positives, owners))


def test_float32_alone_would_order_near_ties_otherwise() -> None:
    """The property above is worth testing: here the float32 product gives other ranks."""
    images, texts, owners = larger_problem("close")
    ledger = rank(images, texts, own(owners, len(images)), owners)["t2i"]
    product = (images @ texts.T).T
    naive = (product > product[np.arange(len(texts)), owners][:, None]).sum(axis=1)
    assert (naive != ledger.above).mean() > 0.5


def test_every_item_of_a_large_gallery_is_counted_once() -> None:
    """Beyond one strip, one block and the 255 that a byte can count; the ranks are known beforehand."""
    images, texts = 301, 9030
    fan = np.linspace(0, 1, images)
    angle = np.concatenate([fan, np.repeat(fan, texts // images)])
    vectors = unit(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    owners = np.repeat(np.arange(images, dtype=np.int32), texts // images)
    # Every caption has its image's very vector, so an image's captions are first, and tied.
    ledgers = rank(vectors[:images], vectors[images:], own(owners, images), owners)
    assert (ledgers["t2i"].above == 0).all()
    assert (ledgers["t2i"].tied == 1).all()
    assert (ledgers["i2t"].above == 0).all()
    assert (ledgers["i2t"].tied == 30).all()
    np.testing.assert_array_equal(ledgers["t2i"].top1, owners)
    # From one end of the fan, the other end is last.
    ends = {
        "i2t": own(owners, images)["i2t"],
        "t2i": Positives(np.arange(texts + 1), np.full(texts, images - 1)),
    }
    ledger = rank(vectors[:images], vectors[images:], ends, owners)["t2i"]
    np.testing.assert_array_equal(ledger.above[:30], images - 1)


def test_constant_embeddings_tie_everything() -> None:
    images, texts, owners = larger_problem("constant", images=200, texts=1500)
    ledgers = rank(images, texts, own(owners, 200), owners)
    for direction, gallery in (("t2i", 200), ("i2t", 1500)):
        ledger = ledgers[direction]
        assert (ledger.above == 0).all()
        assert (ledger.tied == gallery).all()
        assert (ledger.top1 == 0).all()
    np.testing.assert_array_equal(ledgers["i2t"].tied_positives, np.bincount(owners)[np.sort(owners)])


def test_one_image_with_all_captions_has_no_negative() -> None:
    images, texts, owners = unit([[1, 0]]), unit([[1, 0], [3, 4]]), np.zeros(2, dtype=np.int32)
    ledgers = rank(images, texts, own(owners, 1), owners)
    assert ledgers["i2t"].negative_score.tolist() == [-np.inf]
    assert ledgers["i2t"].above.tolist() == [0, 1]
    assert ledgers["t2i"].top1.tolist() == [0, 0]


def test_a_ledger_names_its_clusters_and_gallery() -> None:
    images, texts, owners = larger_problem("random")
    ledgers = rank(images, texts, own(owners, len(images)), owners)
    np.testing.assert_array_equal(ledgers["t2i"].cluster, owners)
    np.testing.assert_array_equal(ledgers["i2t"].cluster, np.arange(len(images)))
    assert (ledgers["t2i"].gallery_size, ledgers["i2t"].gallery_size) == (len(images), len(texts))
    for ledger in ledgers.values():
        kinds = {
            f.name: getattr(ledger, f.name).dtype
            for f in fields(Ledger)
            if f.name not in {"direction", "gallery_size", "depth"}
        }
        floats = {"positive_score", "negative_score"}
        assert all(kind == (np.float32 if name in floats else np.int32) for name, kind in kinds.items())


def test_the_product_is_never_held_whole() -> None:
    images, texts, owners = larger_problem("random", images=3000, texts=20_000, dimension=8)
    positives = own(owners, len(images))
    tracemalloc.start()
    rank(images, texts, positives, owners, threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 20_000 * 4 / 2


# Scores and their bound.


@settings(max_examples=40, deadline=None)
@given(problems())
def test_a_score_is_the_same_alone_and_in_any_batch(problem: Problem) -> None:
    images, texts, _ = problem
    want = [[score(i, t) for t in texts] for i in images]
    np.testing.assert_array_equal(score_table(images, texts), want)
    rows, columns = np.divmod(np.arange(len(images) * len(texts)), len(texts))
    np.testing.assert_array_equal(pair_scores(images, texts, rows, columns), np.ravel(want))


@pytest.mark.parametrize("dimension", [1, 3, 64, 700])
@pytest.mark.parametrize("kind", KINDS)
def test_products_stay_within_their_band_of_the_scores(dimension: int, kind: str) -> None:
    vectors = drawn_vectors(kind, np.random.default_rng(3), 60, dimension)
    exact = score_table(vectors[:20], vectors[20:])
    assert np.abs(vectors[:20] @ vectors[20:].T - exact).max() <= band(dimension, np.float32)
    assert np.abs(double_product(vectors[:20], vectors[20:]) - exact).max() <= band(dimension, np.float64)


def test_a_product_of_less_than_float32_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 and TF32 are settings of a library; the positives' own products give them away."""

    @contextmanager
    def coarse(images: Vectors, texts: Vectors) -> Iterator[products.Multiply]:
        def multiply(rows: slice, columns: slice, out: Vectors) -> None:
            out[:] = (images[rows] @ texts[columns].T).astype(np.float16)

        yield multiply

    monkeypatch.setattr(products, "_ENGINES", {"numpy": coarse})
    images, texts, owners = larger_problem("random")
    with pytest.raises(ClipbenchError, match="float32"):
        rank(images, texts, own(owners, len(images)), owners)


def test_the_thread_counts_of_the_libraries_are_given_back() -> None:
    import torch

    images, texts, owners = larger_problem("random")
    positives = own(owners, len(images))
    pool = products._openblas()
    before = torch.get_num_threads(), pool and pool[0]()
    rank(images, texts, positives, owners, engine="numpy")
    rank(images, texts, positives, owners, engine="torch")
    assert (torch.get_num_threads(), pool and pool[0]()) == before


# What is refused.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v * np.float32(1.01), "row 0 of images has norm 1.01"),
        (
            lambda v: np.where(np.arange(len(v))[:, None] == 2, np.float32("nan"), v),
            "row 2 of images .* not finite",
        ),
        (lambda v: v.astype(np.float64), "float64"),
        (lambda v: v[:0], "at least one row"),
        (lambda v: v[0], "matrix"),
        (lambda v: unit(v[:, :2]), "2 dimensions"),
    ],
)
def test_vectors_that_are_not_unit_float32_are_refused(change: Any, message: str) -> None:
    images, texts, owners = larger_problem("random")
    with pytest.raises(ValueError, match=message):
        rank(change(images), texts, own(owners, len(images)), owners)


def test_positives_owners_engines_and_blocks_that_do_not_fit_are_refused() -> None:
    images, texts, owners = larger_problem("random")
    good = own(owners, len(images))
    one = Positives(np.array([0, 1]), np.array([0]))
    outside = Positives(good["t2i"].offsets, good["t2i"].items + 69)
    with pytest.raises(ValueError, match="t2i has 300 queries"):
        rank(images, texts, {"t2i": one}, owners)
    with pytest.raises(ValueError, match="70 gallery items"):
        rank(images, texts, {"t2i": outside}, owners)
    with pytest.raises(ValueError, match="owners"):
        rank(images, texts, good, owners[:-1])
    with pytest.raises(ValueError, match="engine must be one of numpy, torch"):
        rank(images, texts, good, owners, engine="jax")
    with pytest.raises(ValueError, match="block"):
        rank(images, texts, good, owners, block=(0, 5))
    with pytest.raises(ValueError, match="no direction"):
        rank(images, texts, {}, owners)
