"""Indexes in parts: exact parts answer as the whole does to the bit, others lose no more; files come and go together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from cli_toys import cli, good, refused
from index_toys import IMAGES, MODEL, built, vectors

from clipbench.errors import StoreError
from clipbench.home import Home, locate
from clipbench.indexes import faiss_library, parts
from clipbench.indexes.backends import backend
from clipbench.indexes.exact import ExactIndex
from clipbench.indexes.parts import PartedIndex, spans
from clipbench.indexes.protocol import NOTHING, Answer, IndexRecipe, Vectors
from clipbench.store.engine import Store, open_store
from clipbench.store.index_files import index_path, part_path
from clipbench.store.indexes import IndexRecord, load_index
from clipbench.store.maintenance import backup, gc
from clipbench.store.verify import verify
from clipbench.study.indexing.opening import open_index

pytest.importorskip("faiss")

TYPES = {
    "hnsw": ({"m": 8}, {"ef": 64}),
    "ivf": ({"lists": 8}, {"nprobe": 4}),
    "ivf-pq": ({"lists": 4, "bytes": 8}, {"nprobe": 4, "refine": 8}),
    "sq8": ({}, {"refine": 4}),
}
K = 10
PARTED = ("index", "build", "toys", *MODEL, "--type", "hnsw", "--m", "4", "--part-size", "200")


def unit(seed: int, rows: int, width: int = 16) -> Vectors:
    drawn = np.random.default_rng(seed).normal(size=(rows, width))
    scaled: Vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def cut(kind: str, matrix: Vectors, count: int) -> PartedIndex:
    recipe = IndexRecipe(kind, TYPES[kind][0] if kind in TYPES else {})
    return PartedIndex(tuple(backend(kind).build(recipe, matrix[span]) for span in spans(len(matrix), count)))


def same(one: Answer, other: Answer) -> None:
    assert one.items.tolist() == other.items.tolist()
    assert one.scores.tobytes() == other.scores.tobytes()


@pytest.mark.parametrize("seed", range(4))
def test_exact_parts_answer_as_the_whole_to_the_bit(seed: int) -> None:
    draw = np.random.default_rng(seed)
    matrix = unit(seed, int(draw.integers(40, 400)))
    for _ in range(6):  # equal vectors in several parts
        matrix[draw.integers(0, len(matrix), 3)] = matrix[draw.integers(0, len(matrix))]
    queries = np.concatenate([unit(seed + 9, 20), matrix[:20]])
    whole = ExactIndex(matrix)
    for count in (1, 2, 3, 7, 30):
        index = cut("exact", matrix, count)
        assert index.size == len(matrix)
        for k in (1, K, 60):
            same(index.search(queries, k, {}), whole.search(queries, k, {}))
        for few in (3, 25):
            among = np.sort(draw.choice(len(matrix), few, replace=False))
            same(index.search(queries, K, {}, among), whole.search(queries, K, {}, among))


@pytest.mark.parametrize("kind", TYPES)
def test_parts_find_what_a_whole_index_finds(kind: str) -> None:
    matrix, queries = unit(0, 1200), unit(1, 60)
    exact = ExactIndex(matrix).search(queries, K, {}).items
    recipe = IndexRecipe(kind, TYPES[kind][0])

    def found(answer: Answer) -> float:
        return np.mean([len(set(a) & set(b)) / K for a, b in zip(answer.items, exact, strict=True)])

    whole = found(backend(kind).build(recipe, matrix).search(queries, K, TYPES[kind][1]))
    index = cut(kind, matrix, 3)
    assert found(index.search(queries, K, TYPES[kind][1])) >= whole - 0.02
    among = np.arange(100, 700)
    answer = index.search(queries, K, TYPES[kind][1], among)
    assert np.isin(answer.items, among).all()
    assert index.search_defaults == backend(kind).search


@pytest.mark.parametrize("kind", TYPES)
def test_a_mapped_file_answers_as_one_that_was_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix, queries = unit(0, 600), unit(1, 20)
    library, recipe = backend(kind), IndexRecipe(kind, TYPES[kind][0])
    library.build(recipe, matrix).save(tmp_path / "index")
    read = library.read(recipe, tmp_path / "index", matrix).search(queries, K, TYPES[kind][1])
    monkeypatch.setattr(faiss_library, "MAPPED", 0)
    same(library.read(recipe, tmp_path / "index", matrix).search(queries, K, TYPES[kind][1]), read)


def test_what_no_part_names_is_nothing() -> None:
    matrix = unit(0, 9)
    answer = cut("exact", matrix, 3).search(matrix[:2], 12, {}, np.array([1, 4, 8]))
    assert (answer.items[:, 3:] == NOTHING).all()
    assert sorted(answer.items[0, :3].tolist()) == [1, 4, 8]
    assert cut("exact", matrix, 3).search(matrix[:0], 2, {}).items.shape == (0, 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the collection, a whole HNSW index of it, and one in parts; tests take copies."""
    root = built(tmp_path_factory.mktemp("made"))
    good(*PARTED, "--name", "parted", store=root)
    return root


@pytest.fixture
def store(made: Path, own_home: Path) -> Iterator[Store]:
    shutil.copytree(made, own_home)
    return open_store(locate())


def parted(store: Store) -> IndexRecord:
    return load_index(store, "parted")


def files(store: Store) -> list[str]:
    return sorted(path.name for path in store.home.indexes.iterdir())


def test_an_index_in_parts_is_one_index_with_a_file_for_each(store: Store) -> None:
    assert parted(store).content.build == {"m": 4, "ef_construction": 200, "parts": 3}
    assert len([name for name in files(store) if name.startswith(parted(store).key[6:])]) == 4
    assert "stored before" in cli(*(word for word in PARTED if word != "-q")).err
    assert "parts 3" in good("index", "list").out
    assert "in 3 parts and a list, SHA-256" in good("index", "show", "parted").out
    images, texts = vectors()
    opened = open_index(store, parted(store))
    answer = opened.search(texts[:100], K, {"ef": 200})
    exact = ExactIndex(images).search(texts[:100], K, {})
    assert np.mean([len(set(a) & set(b)) / K for a, b in zip(answer.items, exact.items, strict=True)]) > 0.95
    assert "FAILED" not in good("index", "verify").out
    assert verify(store, deep=True).clean
    assert gc(store, grace=timedelta()).garbage == ()


def test_the_parts_of_a_deleted_index_go_with_it(store: Store, tmp_path: Path) -> None:
    backup(store, tmp_path / "copy")
    copy = open_store(Home(tmp_path / "copy"))
    assert files(copy) == files(store)
    open_index(copy, parted(copy))
    good("index", "delete", "parted", "--yes")
    assert len(files(store)) == 1
    assert verify(store).clean


def test_a_damaged_part_is_told_and_the_index_is_built_again(store: Store, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in store.home.indexes.iterdir()}
    part = next(path for path in store.home.indexes.iterdir() if path.name.endswith("-1.index"))
    part.write_bytes(b"damaged")
    assert any("7 bytes" in problem for problem in verify(store).problems)
    with pytest.raises(StoreError, match="is not what was stored"):
        backup(store, tmp_path / "copy")
    part.unlink()
    assert any("is gone" in problem for problem in verify(store).problems)
    assert "it is built again" in cli(*(word for word in PARTED if word != "-q"), "--name", "parted").err
    assert {path.name: path.read_bytes() for path in store.home.indexes.iterdir()} == before


def test_a_build_that_is_stopped_goes_on_with_its_finished_parts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, save = files(store), faiss_library.FaissIndex.save
    words = (*PARTED[:-1], "150", "--name", "four")
    written: list[Path] = []

    def stopped(index: faiss_library.FaissIndex, path: Path) -> None:
        save(index, path)
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(faiss_library.FaissIndex, "save", stopped)
        done = cli(*words)
    assert (done.code, "not built: 2 of 4 parts are done" in done.err) == (130, True)
    first, second = sorted(set(files(store)) - set(before))
    (store.home.indexes / second).write_bytes(b"damaged")  # so it is not what its name says
    kept = (store.home.indexes / first).stat().st_ino
    assert len(gc(store, grace=timedelta(), dry_run=True).garbage) == 2
    good(*words)
    path = index_path(store, load_index(store, "four").key)
    assert part_path(path, 0).stat().st_ino == kept
    whole = {path.name: path.read_bytes() for path in store.home.indexes.iterdir()}
    good("index", "delete", "four", "--yes")
    good(*words)
    assert {path.name: path.read_bytes() for path in store.home.indexes.iterdir()} == whole
    assert verify(store).clean


def test_without_a_size_parts_are_as_large_as_memory_allows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "HELD", 100_000)
    good("index", "build", "toys", *MODEL, "--type", "ivf", "--name", "large")
    assert load_index(store, "large").content.parts == 1 + IMAGES * (4 * 24 + 8) // 100_000
    good("index", "build", "toys", *MODEL, "--type", "exact")
    assert "is not built in parts" in refused(
        "index", "build", "toys", *MODEL, "--type", "exact", "--part-size", "9"
    )
    told = refused("index", "build", "toys", *MODEL, "--type", "ivf-pq", "--bytes", "8", "--part-size", "90")
    assert "256 centres" in told
