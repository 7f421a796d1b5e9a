"""Vectors go into shards and come back in any order; a broken or half-known file is never trusted."""

import errno
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import ENCODER, D, encode, item_keys, new_store, toy_dataset, toy_run, unit_vectors

from clipbench.errors import StoreError
from clipbench.keys import file_digest
from clipbench.records import CLEAN
from clipbench.store import shards
from clipbench.store.columns import items_array
from clipbench.store.datasets import save_dataset
from clipbench.store.embeddings import (
    Encoding,
    find_set,
    is_complete,
    list_sets,
    load_vectors,
    matrix_checksum,
    save_set,
    set_key,
)
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store, open_store, reading, writing
from clipbench.store.vectors import Pool


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = new_store(tmp_path / "store")
    save_encoder(store, ENCODER, None)
    return store


@pytest.fixture
def pool(store: Store) -> Pool:
    return Pool(store, ENCODER.key, "text")


def only_file(store: Store) -> Path:
    (path,) = (p for p in store.home.embeddings.rglob("*") if p.is_file())
    return path


def forget_rows(store: Store) -> None:
    """Leave the files without rows, as a process killed between the two does."""
    with writing(store) as connection:
        connection.exec_driver_sql("INSERT INTO deletion SELECT 'vector_shard', id FROM vector_shard")
        connection.exec_driver_sql("DELETE FROM vector_shard")
        connection.exec_driver_sql("DELETE FROM deletion")


def shard_rows(store: Store) -> list[tuple[object, ...]]:
    with reading(store) as connection:
        return [
            tuple(row) for row in connection.exec_driver_sql("SELECT key, rows, checksum FROM vector_shard")
        ]


def test_vectors_come_back_to_the_bit_in_any_order_and_repeated(pool: Pool) -> None:
    keys, vectors = item_keys(10), unit_vectors(10)
    pool.write(keys[:4], vectors[:4])
    pool.write(keys[4:], vectors[4:])
    order = [9, 0, 3, 3, 5, 4, 9]
    assert np.array_equal(pool.gather([keys[i] for i in order]), vectors[order])
    assert pool.gather([]).shape == (0, D)


def test_missing_names_positions_in_order(pool: Pool) -> None:
    keys = item_keys(6)
    assert pool.missing(keys) == [0, 1, 2, 3, 4, 5]
    pool.write([keys[4], keys[1]], unit_vectors(2))
    assert pool.missing([*keys, keys[0]]) == [0, 2, 3, 5, 6]
    assert pool.missing([]) == []
    assert Pool(pool.store, ENCODER.key, "image").missing(keys[4:5]) == [0]


def test_keys_that_share_their_first_half_are_told_apart(pool: Pool) -> None:
    keys = [b"sameHALF" + bytes([i]) * 8 for i in range(5)]
    vectors = unit_vectors(5)
    pool.write(keys[:2], vectors[:2])
    pool.write(keys[2:4], vectors[2:4])
    assert pool.missing(keys) == [4]
    assert np.array_equal(pool.gather(keys[3::-1]), vectors[3::-1])


def test_of_an_item_stored_twice_the_first_vector_stays(pool: Pool) -> None:
    keys, vectors, later = item_keys(3), unit_vectors(3), unit_vectors(3, seed=1)
    pool.write(keys[:2], vectors[:2])
    pool.write(keys[1:], later[1:])
    assert np.array_equal(pool.gather(keys), [vectors[0], vectors[1], later[2]])


def test_a_random_pool_agrees_with_a_dictionary(pool: Pool) -> None:
    draw = np.random.default_rng(3)
    keys, vectors = item_keys(300), unit_vectors(300)
    for part in np.array_split(draw.permutation(250), 7):
        pool.write([keys[i] for i in part], vectors[part])
    asked = draw.integers(0, 300, 500)
    assert pool.missing([keys[i] for i in asked]) == np.flatnonzero(asked >= 250).tolist()
    wanted = asked[asked < 250]
    assert np.array_equal(pool.gather([keys[i] for i in wanted]), vectors[wanted])


def test_a_vector_that_is_not_stored_is_an_error_with_a_count(pool: Pool) -> None:
    pool.write(item_keys(2), unit_vectors(2))
    with pytest.raises(StoreError, match=r"3 of 5 text vectors .* are not stored"):
        pool.gather(item_keys(5))


def test_an_unknown_encoder_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="encoder encoder:none is not in the store"):
        Pool(store, "encoder:none", "text").missing(item_keys(1))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda v: v.__setitem__((1, 2), np.nan), "1 of 3 vectors hold NaN or infinity, first in row 1"),
        (lambda v: v.__setitem__((2, 0), np.inf), "first in row 2"),
        (lambda v: v.__imul__(1.01), "3 of 3 vectors are not of norm 1, first row 0: 1.01"),
        (lambda v: v.__setitem__(1, 0), "1 of 3 vectors are not of norm 1, first row 1: 0"),
    ],
)
def test_what_is_no_unit_vector_is_refused(store: Store, pool: Pool, spoil: object, told: str) -> None:
    vectors = unit_vectors(3)
    spoil(vectors)  # type: ignore[operator]
    with pytest.raises(StoreError, match=told):
        pool.write(item_keys(3), vectors)
    assert not store.home.embeddings.exists()


def test_wrong_shapes_types_and_keys_are_refused(pool: Pool) -> None:
    with pytest.raises(StoreError, match=r"shape \(3, 8\).*expected \(2, 8\)"):
        pool.write(item_keys(2), unit_vectors(3))
    with pytest.raises(StoreError, match="float64"):
        pool.write(item_keys(2), unit_vectors(2).astype(np.float64))
    with pytest.raises(StoreError, match=r"\(2, 9\)"):
        pool.write(item_keys(2), unit_vectors(2, dimension=9))
    with pytest.raises(ValueError, match="each once"):
        pool.write(item_keys(1) * 2, unit_vectors(2))
    with pytest.raises(ValueError, match="16 bytes"):
        pool.write([b"short"], unit_vectors(1))


def test_a_shard_is_a_plain_file_that_says_whose_it_is(store: Store, pool: Pool) -> None:
    keys, vectors = item_keys(3), unit_vectors(3)
    pool.write(keys, vectors)
    path = only_file(store)
    assert path == pool.path(pool.shard_key(keys))
    with h5py.File(path) as file:
        assert dict(file.attrs) == {
            "format": 1,
            "encoder": ENCODER.key,
            "modality": "text",
            "dimension": D,
            "created_by": "clipbench",
            "content": shards.content(items_array(keys), vectors),
        }
        assert np.array_equal(file["vectors"], vectors)
        assert [bytes(key) for key in file["keys"][...]] == keys
        assert file.libver[0] == "earliest"
    assert shard_rows(store) == [(pool.shard_key(keys), 3, file_digest(path))]


def test_equal_content_makes_equal_files(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        store = new_store(tmp_path / name)
        save_encoder(store, ENCODER, None)
        Pool(store, ENCODER.key, "text").write(item_keys(3), unit_vectors(3))
        files.append(only_file(store))
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].name == files[1].name


def test_a_shard_written_twice_is_kept_once_and_as_it_was(store: Store, pool: Pool) -> None:
    pool.write(item_keys(3), unit_vectors(3))
    before = (only_file(store).read_bytes(), only_file(store).stat().st_mtime_ns)
    pool.write(item_keys(3), unit_vectors(3, seed=9))
    assert (only_file(store).read_bytes(), only_file(store).stat().st_mtime_ns) == before
    assert len(shard_rows(store)) == 1


def test_a_file_without_a_row_is_adopted_without_encoding(store: Store, pool: Pool) -> None:
    keys, vectors = item_keys(3), unit_vectors(3)
    assert not pool.adopt(keys)
    pool.write(keys, vectors)
    rows = shard_rows(store)
    forget_rows(store)
    assert pool.missing(keys) == [0, 1, 2]
    assert pool.adopt(keys)
    assert pool.adopt(keys)
    assert shard_rows(store) == rows
    assert np.array_equal(pool.gather(keys), vectors)


def test_write_takes_a_whole_file_that_has_no_row(store: Store, pool: Pool) -> None:
    pool.write(item_keys(3), unit_vectors(3))
    forget_rows(store)
    pool.write(item_keys(3), unit_vectors(3, seed=9))
    assert np.array_equal(pool.gather(item_keys(3)), unit_vectors(3))


def test_a_broken_file_without_a_row_is_replaced(store: Store, pool: Pool) -> None:
    keys, vectors = item_keys(3), unit_vectors(3)
    pool.write(keys, vectors)
    path, whole = only_file(store), only_file(store).read_bytes()
    at = whole.index(vectors.tobytes())
    for broken in (
        b"",
        whole[:100],
        whole[:-8],
        whole[: at + 3] + bytes([whole[at + 3] ^ 1]) + whole[at + 4 :],
    ):
        forget_rows(store)
        path.write_bytes(broken)
        assert not pool.adopt(keys)
        assert shard_rows(store) == []
        pool.write(keys, vectors)
        assert path.read_bytes() == whole


def test_another_encoders_file_under_this_name_is_not_adopted(store: Store, pool: Pool) -> None:
    keys = item_keys(3)
    pool.write(keys, unit_vectors(3))
    forget_rows(store)
    path = only_file(store)
    path.write_bytes(shards.file_bytes("encoder:other", "text", items_array(keys), unit_vectors(3)))
    assert not pool.adopt(keys)
    path.write_bytes(shards.file_bytes(ENCODER.key, "text", items_array(item_keys(3, 1)), unit_vectors(3)))
    assert not pool.adopt(keys)


def test_a_lost_or_damaged_file_is_told_with_what_to_do(store: Store, pool: Pool) -> None:
    keys = item_keys(3)
    pool.write(keys, unit_vectors(3))
    path = only_file(store)
    path.write_bytes(path.read_bytes()[:1000])
    fresh = Pool(store, ENCODER.key, "text")
    with pytest.raises(StoreError, match="is damaged") as caught:
        fresh.gather(keys)
    assert "clipbench store verify" in str(caught.value.hint)
    path.unlink()
    with pytest.raises(StoreError, match="is gone"):
        fresh.missing(keys)
    with pytest.raises(StoreError, match="is gone"):
        pool.write(keys, unit_vectors(3))


def test_where_items_are_is_read_once_and_again_when_another_process_adds_a_shard(
    store: Store, pool: Pool
) -> None:
    pool.write(item_keys(3), unit_vectors(3))
    index = Pool(store, ENCODER.key, "text").index()
    assert Pool(store, ENCODER.key, "text").index() is index
    Pool(open_store(store.home), ENCODER.key, "text").write(item_keys(5)[3:], unit_vectors(2, seed=1))
    assert not pool.missing(item_keys(5))
    assert np.array_equal(pool.gather(item_keys(5)[3:]), unit_vectors(2, seed=1))


def test_a_file_that_changes_after_it_was_read_is_read_again(store: Store, pool: Pool) -> None:
    pool.write(item_keys(3), unit_vectors(3))
    assert not pool.missing(item_keys(3))
    path = only_file(store)
    whole = path.read_bytes()
    path.write_bytes(b"not a vector file")
    with pytest.raises(StoreError, match="is damaged"):
        Pool(store, ENCODER.key, "text").missing(item_keys(3))
    path.unlink()
    with pytest.raises(StoreError, match="is gone"):
        pool.missing(item_keys(3))
    path.write_bytes(whole)
    assert not pool.missing(item_keys(3))


def test_a_full_disk_leaves_no_file_and_no_row(
    store: Store, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="the disk is full"):
            pool.write(item_keys(3), unit_vectors(3))
    assert [p for p in store.home.embeddings.rglob("*") if p.is_file()] == []
    assert shard_rows(store) == []
    pool.write(item_keys(3), unit_vectors(3))
    assert pool.missing(item_keys(3)) == []


def test_an_embedding_set_is_stored_once_and_its_matrix_comes_back(store: Store) -> None:
    dataset = toy_dataset()
    save_dataset(store, dataset)
    stored = encode(store, dataset, "text")
    assert stored.key == set_key(dataset.key, ENCODER.key, CLEAN.key, "text")
    assert (stored.rows, stored.unique_items, stored.dimension, stored.truncated) == (6, 6, D, 0)
    vectors = load_vectors(store, stored)
    assert stored.checksum == matrix_checksum(vectors)
    assert vectors.shape == (6, D)
    assert find_set(store, stored.key) == stored == encode(store, dataset, "text")
    assert find_set(store, "embeddings:none") is None
    assert list_sets(store) == (stored,)


def test_a_set_keeps_what_could_not_be_read_and_what_was_done(store: Store) -> None:
    dataset = toy_dataset()
    save_dataset(store, dataset)
    pool = Pool(store, ENCODER.key, "image")
    pool.write(item_keys(2), unit_vectors(2))
    encoding = Encoding(
        dataset.key,
        ENCODER.key,
        CLEAN,
        "image",
        [item_keys(2)[1], *item_keys(2), item_keys(2)[0]],
        truncated=3,
        unreadable={"i9": "missing", "i7": "unreadable: x"},
        seconds=0.25,
        audit={"changed": 0.1 + 0.2},
    )
    stored = save_set(store, encoding)
    assert (stored.rows, stored.unique_items, stored.truncated, stored.seconds) == (4, 2, 3, 0.25)
    assert list(stored.unreadable.items()) == [("i9", "missing"), ("i7", "unreadable: x")]
    assert stored.audit == {"changed": 0.1 + 0.2}
    assert np.array_equal(load_vectors(store, stored), unit_vectors(2)[[1, 0, 1, 0]])


def test_other_vectors_under_a_stored_set_are_noticed(store: Store) -> None:
    dataset = toy_dataset()
    save_dataset(store, dataset)
    stored = encode(store, dataset, "text")
    forget_rows(store)
    assert not is_complete(store, stored)
    with reading(store) as connection:
        blob = connection.exec_driver_sql("SELECT items FROM embedding_order").scalar_one()
    keys = [blob[i : i + 16] for i in range(0, len(blob), 16)]
    Pool(store, ENCODER.key, "text").write(keys[::-1], unit_vectors(6, seed=5))
    assert is_complete(store, stored)
    with pytest.raises(StoreError, match=f"checksum .*{stored.checksum[:12]} was stored"):
        load_vectors(store, stored)
    with pytest.raises(StoreError, match="encoding it again gave"):
        save_set(store, Encoding(dataset.key, ENCODER.key, CLEAN, "text", keys))


def test_a_set_of_what_is_not_stored_is_refused(store: Store) -> None:
    Pool(store, ENCODER.key, "text").write(item_keys(1), unit_vectors(1))
    with pytest.raises(StoreError, match="dataset content:x is not in the store"):
        save_set(store, Encoding("content:x", ENCODER.key, CLEAN, "text", item_keys(1)))
    with pytest.raises(StoreError, match="1 of 2 text vectors"):
        save_set(store, Encoding("content:x", ENCODER.key, CLEAN, "text", item_keys(2)))
    assert list_sets(store) == ()


def test_sets_share_vectors_of_equal_items(store: Store) -> None:
    toy_run(store)
    toy_run(store, toy_dataset("twice"))
    with reading(store) as connection:
        assert connection.exec_driver_sql("SELECT sum(rows) FROM vector_shard").scalar_one() == 6 + 3
