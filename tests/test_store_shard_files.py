"""A vector file that cannot be looked at is not called bad, and a row's path is not believed."""

import errno
import os
import sys
from datetime import timedelta
from pathlib import Path

import h5py
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import ENCODER, D, count, item_keys, new_store, toy_run, unit_vectors
from test_store_maintenance import files, tamper

from clipbench.errors import DatasetError, StoreError
from clipbench.store import shard_files, shards
from clipbench.store.datasets import load_dataset
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store
from clipbench.store.maintenance import backup, gc, verify
from clipbench.store.vectors import Pool

NOW = timedelta(0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = new_store(tmp_path / "store")
    toy_run(found)
    return found


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ELOOP])
def test_gc_stops_where_a_file_cannot_be_read_and_removes_nothing(
    number: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(store)

    def fails(path: Path) -> str:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(shard_files, "file_digest", fails)
    with pytest.raises(StoreError, match="cannot be read") as caught:
        gc(store, damaged=True, grace=NOW)
    assert os.strerror(number) in caught.value.message
    assert str(before[0].parent) in caught.value.message
    assert count(store, "vector_shard") == 2
    assert files(store) == before
    assert len([p for p in verify(store).problems if os.strerror(number) in p]) == 2, "a finding each"


def test_a_folder_that_is_not_there_is_a_disk_that_is_not_mounted(store: Store, tmp_path: Path) -> None:
    store.home.embeddings.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is not there") as caught:
        gc(store, damaged=True)
    assert "mount its disk" in (caught.value.hint or "")
    store.home.embeddings.mkdir()  # the empty mount point
    with pytest.raises(StoreError, match="is not there"):
        gc(store, damaged=True)
    assert count(store, "vector_shard") == 2
    store.home.embeddings.rmdir()
    (tmp_path / "elsewhere").rename(store.home.embeddings)
    assert verify(store).clean


def test_a_lost_file_in_a_folder_that_is_there_is_given_up(store: Store) -> None:
    files(store)[0].unlink()
    assert len(gc(store, damaged=True).garbage) == 1
    assert count(store, "vector_shard") == 1


@pytest.mark.parametrize(
    "name", ["../../escaped.h5", "/escaped.h5", "a\\b.h5", "0a/text-12.h5/../x", "", "x.h5"]
)
def test_a_path_that_leads_out_of_the_store_is_never_used(name: str, store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "escaped.h5"
    outside.write_bytes(files(store)[0].read_bytes())
    tamper(store, f"UPDATE vector_shard SET path = '{name}' WHERE id = 1")  # noqa: S608, our own words
    with pytest.raises(StoreError, match="outside of itself"):
        backup(store, tmp_path / "copies" / "copy")
    with pytest.raises(StoreError, match="outside of itself"):
        Pool(store, ENCODER.key, "image").index()
    assert any("outside of the store" in problem for problem in verify(store).problems)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copies", "escaped.h5", "store"]
    gc(store, damaged=True)
    assert outside.exists(), "the row goes, what it named stays"


@pytest.mark.parametrize("kind", ["pipe", "device", "sparse", "folder"])
def test_what_is_no_file_of_ours_ends_no_command_in_waiting(kind: str, store: Store, tmp_path: Path) -> None:
    path = files(store)[0]
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    told = verify(store, deep=True).problems
    assert any("is no regular file" in p or "1,099,511,627,776 bytes" in p for p in told)
    with pytest.raises(StoreError):
        backup(store, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    with pytest.raises(StoreError, match="is damaged"):
        Pool(store, ENCODER.key, "image").index()


def test_a_shard_may_not_lead_to_another_file(store: Store, tmp_path: Path) -> None:
    path = files(store)[0]
    other = tmp_path / "other.h5"
    other.write_bytes(path.read_bytes())
    path.unlink()
    with h5py.File(path, "w") as file:
        file["keys"] = h5py.ExternalLink(str(other), "keys")
        file["vectors"] = h5py.ExternalLink(str(other), "vectors")
    with pytest.raises(StoreError, match="is damaged"):
        shards.read_items(path, 3)


def test_a_compressed_shard_that_swells_is_refused_by_its_layout(tmp_path: Path) -> None:
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("keys", shape=(10_000_000_000, 16), dtype="u1", chunks=True, compression="gzip")
    with pytest.raises(StoreError, match="not laid out as ours"):
        shards.read_items(path, 10_000_000_000)


def test_nothing_is_written_through_a_link_out_of_the_store(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    save_encoder(store, ENCODER, None)
    pool = Pool(store, ENCODER.key, "text")
    (tmp_path / "victim").mkdir()
    folder = pool.path("shard:" + "0" * 40).parent
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / "victim")
    with pytest.raises(StoreError, match="is a link out of the store"):
        pool.write(item_keys(2), unit_vectors(2, dimension=D))
    assert list((tmp_path / "victim").iterdir()) == []


def test_all_vectors_may_lie_on_another_disk(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    (tmp_path / "disk").mkdir()
    store.home.embeddings.symlink_to(tmp_path / "disk")
    toy_run(store)
    assert verify(store, deep=True).clean
    assert len(list((tmp_path / "disk").rglob("*.h5"))) == 2


@pytest.mark.parametrize("path", ["../../.ssh/id.png", "/etc/passwd", "C:/x.png"])
def test_a_photograph_outside_of_its_folder_is_not_looked_at(path: str, store: Store) -> None:
    tamper(store, f"UPDATE image SET path = '{path}' WHERE position = 1")  # noqa: S608, our own words
    with pytest.raises(DatasetError, match="names a photograph outside of its folder"):
        load_dataset(store, "toy")
    assert any("outside of its folder" in problem for problem in verify(store).problems)
