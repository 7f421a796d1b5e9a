"""Every index type is held to the same facts; what differs is what it may lose."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from clipbench.errors import ClipbenchError
from clipbench.indexes import faiss_library, milvus_library
from clipbench.indexes.backends import BACKENDS, backend
from clipbench.indexes.exact import ExactIndex
from clipbench.indexes.protocol import NOTHING, Index, IndexRecipe, ordered

pytest.importorskip("faiss")

N, D, K = 1500, 32, 10
# What each type must find of the exact first ten, at settings that are meant to be good.
GOOD = {
    "exact": ({}, {}, 1.0),
    "hnsw": ({"m": 16}, {"ef": 200}, 0.98),
    "ivf": ({"lists": 20}, {"nprobe": 20}, 1.0),
    "ivf-pq": ({"lists": 4, "bytes": 16}, {"nprobe": 4, "refine": 8}, 0.85),
    "sq8": ({}, {"refine": 4}, 0.99),
    "milvus": ({"m": 16}, {"ef": 200}, 0.98),
}


def unit(seed: int, rows: int, width: int = D) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


VECTORS, QUERIES = unit(0, N), unit(1, 40)
EXACT = np.argsort(-(QUERIES @ VECTORS.T), axis=1, kind="stable")[:, :K]


@cache
def _usual(kind: str) -> Index:
    return backend(kind).build(IndexRecipe(kind, GOOD[kind][0]), VECTORS)


def made(kind: str, vectors: np.ndarray = VECTORS) -> Index:
    if vectors is VECTORS:
        return _usual(kind)
    return backend(kind).build(IndexRecipe(kind, GOOD[kind][0]), vectors)


def recall(items: np.ndarray, want: np.ndarray = EXACT) -> float:
    return float(
        np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(items.tolist(), want.tolist(), strict=True)])
    )


lacking = any(find_spec(name) is None for name in ("pymilvus", "milvus_lite"))
milvus = pytest.param("milvus", marks=pytest.mark.skipif(lacking, reason="milvus is not installed"))
FAISS = sorted(faiss_library.BUILD)
every = pytest.mark.parametrize("kind", ["exact", *FAISS, milvus])
faiss_types = pytest.mark.parametrize("kind", FAISS)
with_file = pytest.mark.parametrize("kind", [*FAISS, milvus])


def test_the_same_facts_are_asked_of_every_type() -> None:
    assert set(GOOD) == set(BACKENDS)


@every
def test_it_finds_what_it_should_with_true_cosines_best_first(kind: str) -> None:
    answer = made(kind).search(QUERIES, K, GOOD[kind][1])
    assert recall(answer.items) >= GOOD[kind][2]
    want = np.take_along_axis(QUERIES @ VECTORS.T, answer.items, axis=1)
    np.testing.assert_allclose(answer.scores, want, atol=1e-6)
    assert (np.diff(answer.scores, axis=1) <= 0).all()
    assert answer.short == 0


@every
def test_items_in_another_order_are_found_under_their_new_numbers(kind: str) -> None:
    order = np.random.default_rng(5).permutation(N)
    answer = made(kind, VECTORS[order]).search(QUERIES, K, GOOD[kind][1])
    assert recall(order[answer.items]) >= GOOD[kind][2]


@every
def test_it_is_built_the_same_to_the_byte(kind: str, tmp_path: Path) -> None:
    for name in "ab":
        backend(kind).build(IndexRecipe(kind, GOOD[kind][0]), VECTORS).save(tmp_path / name)
    if backend(kind).has_file and backend(kind).same_bytes:
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@every
def test_a_file_read_back_answers_the_same(kind: str, tmp_path: Path) -> None:
    index = made(kind)
    index.save(tmp_path / "index")
    again = backend(kind).read(IndexRecipe(kind, GOOD[kind][0]), tmp_path / "index", VECTORS)
    one, two = (i.search(QUERIES, K, GOOD[kind][1]) for i in (index, again))
    assert (one.items == two.items).all()
    assert (one.scores == two.scores).all()


@every
def test_more_than_there_is_comes_as_nothing_at_the_end(kind: str) -> None:
    few = unit(3, 300)
    answer = made(kind, few).search(QUERIES[:3], 310, GOOD[kind][1])
    assert answer.items.shape == (3, 310)
    assert (answer.items[:, -10:] == NOTHING).all()
    assert (answer.scores[answer.items == NOTHING] == -np.inf).all()
    named = answer.items[0][answer.items[0] != NOTHING]
    assert len(set(named.tolist())) == len(named)


@every
@pytest.mark.parametrize("share", [0.005, 0.3])
def test_a_filter_names_only_what_it_lets_through_and_fills_the_list(kind: str, share: float) -> None:
    among = np.flatnonzero(np.random.default_rng(2).random(N) < share)
    answer = made(kind).search(QUERIES, 5, GOOD[kind][1], among)
    assert np.isin(answer.items, among).all()
    want = among[np.argsort(-(QUERIES @ VECTORS[among].T), axis=1, kind="stable")[:, :5]]
    assert recall(answer.items, want) >= GOOD[kind][2]


@pytest.mark.parametrize("kind", ["hnsw", milvus])
def test_a_filter_too_large_for_exact_search_is_completed_where_lists_come_back_short(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipbench.indexes.filters.SMALL", 0)
    among = np.arange(0, N, 50)
    answer = made(kind).search(QUERIES, K, {"ef": 10}, among)
    assert answer.short == 0
    assert np.isin(answer.items, among).all()


@every
def test_unknown_and_meaningless_settings_are_refused(kind: str) -> None:
    with pytest.raises(ClipbenchError, match="no parameter 'width'"):
        made(kind).search(QUERIES, K, {"width": 3})
    for name in GOOD[kind][1]:
        with pytest.raises(ClipbenchError, match="1 or more"):
            made(kind).search(QUERIES, K, {name: 0})
    with pytest.raises(ClipbenchError):
        backend(kind).build(IndexRecipe(kind, {"width": 3}), VECTORS)


@pytest.mark.parametrize(
    ("kind", "name", "poor", "rich"),
    [
        ("hnsw", "ef", 10, 200),
        ("ivf", "nprobe", 1, 20),
        pytest.param("milvus", "ef", 1, 200, marks=milvus.marks),
    ],
)
def test_an_index_hears_its_parameter(kind: str, name: str, poor: int, rich: int) -> None:
    index = made(kind)
    low, high = (recall(index.search(QUERIES, K, {name: value}).items) for value in (poor, rich))
    assert low < high


def test_a_search_does_not_depend_on_what_was_searched_before() -> None:
    index = made("hnsw")
    first = index.search(QUERIES, K, {"ef": 10}).items
    index.search(QUERIES, K, {"ef": 200})
    assert (index.search(QUERIES, K, {"ef": 10}).items == first).all()


@with_file
def test_a_damaged_file_is_an_error_and_no_answer(kind: str, tmp_path: Path) -> None:
    made(kind).save(tmp_path / "index")
    whole = (tmp_path / "index").read_bytes()
    recipe = IndexRecipe(kind, GOOD[kind][0])
    for damaged in (whole[: len(whole) // 2], b"", b"not an index" * 50):
        (tmp_path / "index").write_bytes(damaged)
        with pytest.raises(ClipbenchError):
            backend(kind).read(recipe, tmp_path / "index", VECTORS)


@faiss_types
def test_an_index_that_cannot_be_written_says_so(kind: str) -> None:
    with pytest.raises(ClipbenchError, match="cannot be written"):
        made(kind).save(Path("/dev/full"))


@with_file
def test_an_index_of_other_vectors_is_refused(kind: str, tmp_path: Path) -> None:
    made(kind).save(tmp_path / "index")
    with pytest.raises(ClipbenchError, match=r"holds (1,500|0) vectors"):
        backend(kind).read(IndexRecipe(kind, GOOD[kind][0]), tmp_path / "index", VECTORS[:-1])


def test_an_exact_search_is_the_same_for_any_block(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ExactIndex(VECTORS).search(QUERIES, K, {})
    assert (whole.items == EXACT).all()
    for block, queries in ((7, 3), (64, 1), (1499, 40)):
        monkeypatch.setattr("clipbench.indexes.exact.BLOCK", block)
        monkeypatch.setattr("clipbench.indexes.exact.QUERIES", queries)
        again = ExactIndex(VECTORS).search(QUERIES, K, {})
        assert (again.items == whole.items).all()
        assert (again.scores == whole.scores).all()


def test_equal_scores_go_by_item_number() -> None:
    vectors = np.repeat(unit(0, 1), 50, axis=0)
    assert ExactIndex(vectors).search(unit(0, 1), 5, {}).items.tolist() == [[0, 1, 2, 3, 4]]


def test_an_exact_search_reads_memory_mapped_vectors(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VECTORS)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert (ExactIndex(mapped).search(QUERIES, K, {}).items == EXACT).all()


def test_nothing_is_never_named_before_an_item() -> None:
    answer = ordered(QUERIES[:1], VECTORS, np.array([[NOTHING, 4, NOTHING, 2]]), 3)
    assert (answer.items[0, :2] >= 0).all()
    assert answer.items[0, 2] == NOTHING


def test_no_query_gives_no_answer() -> None:
    assert ExactIndex(VECTORS).search(QUERIES[:0], K, {}).items.shape == (0, K)


def test_an_unknown_type_is_told_with_the_types_there_are() -> None:
    with pytest.raises(ClipbenchError, match="exact, hnsw"):
        backend("annoy")


@pytest.mark.skipif(lacking, reason="milvus is not installed")
def test_a_milvus_that_searches_by_brute_force_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    named = milvus_library.MilvusIndex._named

    def deaf(self, queries, k, chosen, among):
        return named(self, queries, k, {"ef": 400}, among)

    monkeypatch.setattr(milvus_library, "PLENTY", N)
    monkeypatch.setattr(milvus_library.MilvusIndex, "_named", deaf)
    with pytest.raises(ClipbenchError, match="searches by brute force"):
        made("milvus", VECTORS.copy())


@pytest.mark.skipif(lacking, reason="milvus is not installed")
def test_a_milvus_server_that_is_not_there_is_told() -> None:
    with pytest.raises(ClipbenchError, match=r"the Milvus server at http://127\.0\.0\.1:9 refused"):
        backend("milvus").build(IndexRecipe("milvus", {}, "http://127.0.0.1:9"), VECTORS)
