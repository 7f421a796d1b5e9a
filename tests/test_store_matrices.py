"""Large matrices of vectors are mapped from a file, and are the same matrices."""

import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import new_store, toy_run, unit_vectors

from clipbench.errors import StoreError
from clipbench.store import embeddings, matrices
from clipbench.store.embeddings import list_sets, load_rows, load_vectors
from clipbench.store.engine import reading
from clipbench.store.maintenance import verify


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrices, "IN_MEMORY", 0)
    monkeypatch.setattr(matrices, "BLOCK", 64)


def test_a_mapped_matrix_is_an_array_like_any_other(mapped: None, tmp_path: Path) -> None:
    vectors = unit_vectors(50)
    matrix = matrices.room(50, 8, tmp_path)
    matrix[:] = vectors
    assert np.array_equal(matrix, vectors)
    assert list(tmp_path.iterdir()) == []  # the file has no name, so nobody has to remove it
    rows = np.array([3, 3, 49, 0])
    picked = matrices.chosen(matrix, rows, tmp_path)
    assert np.array_equal(picked, vectors[rows])
    assert matrices.chosen(matrix, np.arange(50), tmp_path) is matrix
    del matrix
    assert np.array_equal(picked, vectors[rows])


def test_a_store_gives_the_same_vectors_mapped(mapped: None, tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    toy_run(store)
    for stored in list_sets(store):
        whole = load_vectors(store, stored)
        assert isinstance(whole.base, np.ndarray)
        assert np.array_equal(load_rows(store, stored, np.array([1, 0])), whole[[1, 0]])
    assert verify(store, deep=True).problems == ()


def test_a_full_disk_is_told_before_anything_is_mapped(
    mapped: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(matrices, "_reserve", full)
    with pytest.raises(StoreError, match="1,600 bytes of vectors do not fit"):
        matrices.room(50, 8, tmp_path)


def test_the_order_of_a_set_may_be_many_values_of_the_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole, cut = new_store(tmp_path / "whole"), new_store(tmp_path / "cut")
    toy_run(whole)
    monkeypatch.setattr(embeddings, "ORDER_BLOCK", 2)
    toy_run(cut)
    for one, other in zip(list_sets(whole), list_sets(cut), strict=True):
        assert (one.key, one.checksum, one.rows) == (other.key, other.checksum, other.rows)
        assert np.array_equal(load_vectors(whole, one), load_vectors(cut, other))
    with reading(cut) as connection:
        query = "SELECT max(block), max(length(items)) FROM embedding_order"
        assert tuple(connection.exec_driver_sql(query).one()) == (2, 32)
    assert verify(cut, deep=True).problems == ()
