"""Indexes that are deleted, collected, backed up or left behind by their dataset."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cli_toys import good, refused
from index_toys import HNSW, MODEL, built, changed, hnsw

from clipbench.errors import StoreError
from clipbench.home import Home, locate
from clipbench.store.engine import Store, open_store
from clipbench.store.index_files import index_path
from clipbench.store.indexes import NewIndex, list_indexes, save_index
from clipbench.store.maintenance import backup, gc
from clipbench.store.verify import verify
from clipbench.study.indexing.opening import open_index

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the collection and an HNSW index of it; tests take copies."""
    folder = tmp_path_factory.mktemp("made")
    return built(folder)


@pytest.fixture
def store(made: Path, own_home: Path) -> Iterator[Store]:
    shutil.copytree(made, own_home)
    return open_store(locate())


def test_a_deleted_index_takes_its_file_along(store: Store) -> None:
    path = index_path(store, hnsw(store).key)
    assert path.exists()
    good("index", "delete", "toys-hnsw", "--yes")
    assert (path.exists(), list_indexes(store)) == (False, ())
    assert "there are: none" in refused("index", "show", "toys-hnsw")
    assert verify(store).clean


def test_gc_keeps_what_an_index_is_of_and_takes_files_of_none(store: Store) -> None:
    good("index", "build", "toys", *MODEL, "--side", "captions")
    left = store.home.indexes / f"{'0' * 40}.index"
    left.write_bytes(b"left by a killed process")
    assert [note for note in verify(store).notes if "belongs to nothing" in note]
    done = gc(store, unused=True, grace=timedelta())
    assert [(item.kind, item.name) for item in done.garbage] == [("file", left.name)]
    assert not left.exists()
    assert verify(store, deep=True).clean
    open_index(store, hnsw(store))


def test_a_dataset_takes_its_indexes_along_but_not_those_that_a_server_keeps(store: Store) -> None:
    told = good("dataset", "remove", "toys", "--yes").out
    assert "600 images, 1,200 captions, 1 index" in told
    assert list_indexes(store) == ()
    assert list(store.home.indexes.iterdir()) == []
    done = verify(store, deep=True)
    assert (done.clean, [note for note in done.notes if "belongs to nothing" in note]) == (True, [])


def test_a_dataset_with_an_index_at_a_server_stays_until_that_is_deleted(store: Store) -> None:
    changed(store, "UPDATE vector_index SET place = 'http://there'")
    assert "is kept at http://there" in refused("dataset", "remove", "toys", "--yes")
    assert "clipbench index delete toys-hnsw" in refused("dataset", "remove", "toys", "--yes")
    assert len(list_indexes(store)) == 1


def test_a_backup_has_the_indexes(store: Store, tmp_path: Path) -> None:
    backup(store, tmp_path / "copy")
    copy = open_store(Home(tmp_path / "copy"))
    assert verify(copy, deep=True).clean
    open_index(copy, hnsw(copy))
    index_path(store, hnsw(store).key).write_bytes(b"x")
    with pytest.raises(StoreError):
        backup(store, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_an_index_that_cannot_be_written_leaves_nothing(store: Store) -> None:
    record = hnsw(store)

    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    content = record.content.__class__(
        record.content.embedding_set, record.content.vectors, "hnsw", {"m": 9}, "x", 0
    )
    with pytest.raises(StoreError, match="disk is full"):
        save_index(store, NewIndex(content, "half", ("a",), 0.0, write))
    assert len(list(store.home.indexes.iterdir())) == 1
    assert len(list_indexes(store)) == 1


def test_a_name_means_one_index(store: Store) -> None:
    name = hnsw(store).name
    assert "means another index" in refused(*HNSW[:-1], "20", "--name", name)
    assert "cannot name an index" in refused(*HNSW[:-1], "20", "--name", "two words")
