"""What is one thing to the user is stored whole or not at all, whatever stops it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, collection, environment, good, refused
from store_toys import count, new_store, toy_dataset, toy_run

from clipbench.errors import DatasetError, StoreError
from clipbench.home import Home
from clipbench.store import backups, maintenance
from clipbench.store.datasets import list_datasets, save_dataset
from clipbench.store.engine import Store, open_store, prepare_store, transaction
from clipbench.store.failures import find_sample, load_suggestions
from clipbench.store.maintenance import backup, gc, verify
from clipbench.store.queries import list_runs
from clipbench.store.upgrade import newest_schema
from clipbench.study.annotation import hints
from clipbench.study.bundles import importing as bundle_importing
from clipbench.study.embedding.importing import VectorFiles, import_vectors

NOW = timedelta(0)


class PowerCutError(Exception):
    """Stands for whatever may end a process."""


def cut(*_: object, **__: object) -> None:
    raise PowerCutError


def test_all_of_a_transaction_is_stored_or_nothing(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")

    def half() -> None:
        with transaction(store) as whole:
            save_dataset(whole, toy_dataset("first"))
            assert [d.name for d in list_datasets(whole)] == ["first"], "it sees itself"
            assert list_datasets(store) == (), "nobody else does"
            cut()

    with pytest.raises(PowerCutError):
        half()
    assert list_datasets(store) == ()
    with transaction(store) as whole:
        save_dataset(whole, toy_dataset("first"))
        save_dataset(whole, toy_dataset("second", word="blue"))
    assert [d.name for d in list_datasets(store)] == ["first", "second"]


def test_a_store_whose_first_writing_fails_is_not_there(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b")

    def half() -> None:
        with transaction(prepare_store(home)) as whole:
            save_dataset(whole, toy_dataset())
            assert home.database.exists()
            cut()

    with pytest.raises(PowerCutError):
        half()
    assert list(tmp_path.iterdir()) == []
    save_dataset(prepare_store(home), toy_dataset())
    assert verify(open_store(home)).clean


def test_a_folder_that_was_there_stays_where_the_first_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(PowerCutError), transaction(prepare_store(Home(tmp_path))):
        cut()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_two_processes_that_make_one_store_lose_nothing_when_one_fails(tmp_path: Path) -> None:
    home = Home(tmp_path / "store")
    engine = prepare_store(home).engine

    def removed() -> None:
        with newest_schema(home, engine):
            for end in ("", "-wal", "-shm"):
                Path(f"{home.database}{end}").unlink(missing_ok=True)

    with pytest.raises(StoreError, match="was removed by another process"):
        removed()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB, where one can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "clipbench-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_at_the_first_dataset_leaves_no_store(small_disk: Path, tmp_path: Path) -> None:
    store = prepare_store(Home(small_disk / "new" / "store"))
    with pytest.raises(StoreError, match="the disk is full"):
        save_dataset(store, toy_dataset(images=20_000))
    assert list(small_disk.iterdir()) == []


@pytest.fixture
def evaluated(own_home: Path, tmp_path: Path) -> Store:
    added(tmp_path, images=6)
    good("evaluate", "toys", "--model", "toy")
    return open_store(Home(own_home))


@pytest.mark.parametrize("place", ["save_sample", "save_suggestions", "find_hints"])
def test_a_sample_and_its_hints_are_stored_together(
    place: str, evaluated: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(hints, place, cut)
        with pytest.raises(PowerCutError):
            good("annotate", "sample", "--n", "4")
    assert count(evaluated, "failure_sample") == count(evaluated, "suggestion") == 0
    assert "was drawn before" not in good("annotate", "sample", "--n", "4").err
    assert count(evaluated, "suggestion") > 0
    assert "was drawn before" in good("annotate", "sample", "--n", "4").err


def test_a_sample_without_hints_gets_them_when_they_are_asked_for(evaluated: Store) -> None:
    good("annotate", "sample", "--n", "4", "--no-hints")
    sample = find_sample(evaluated, "latest").sample
    keys = [item.failure.key for item in sample.failures]
    assert not any(load_suggestions(evaluated, keys).values())
    good("annotate", "sample", "--n", "4")
    assert any(load_suggestions(evaluated, keys).values())


def test_a_bundle_is_imported_whole_or_not_at_all(
    evaluated: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "runs.zip"
    good("runs", "export", "latest", "--bundle", file)
    other = new_store(tmp_path / "other")
    with monkeypatch.context() as patch:
        patch.setattr(bundle_importing, "save_run", cut)
        with pytest.raises(PowerCutError):
            bundle_importing.import_bundle(other, file)
    for table in ("dataset", "encoder", "perturbation", "embedding_set", "run"):
        assert count(other, table) == 0
    assert len(bundle_importing.import_bundle(other, file).new) == 1
    assert verify(other).clean


def test_images_are_not_kept_where_the_texts_are_refused(own_home: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        with environment(CLIPBENCH_STORE=str(own_home)):
            good("dataset", "add", name, "--captions", collection(tmp_path / name, 4), "--captions-only")
    store = open_store(Home(own_home))
    rows = np.eye(8, dtype=np.float32)
    np.save(tmp_path / "images.npy", rows[:4])
    ids = tmp_path / "images.txt"
    ids.write_text("".join(f"p{i:03d}.png\n" for i in range(4)))
    captions = [c.id for c in load(store, "first")]
    np.save(tmp_path / "texts.npy", np.tile(rows[0], (len(captions), 1)))
    np.save(tmp_path / "others.npy", np.tile(rows[1], (len(captions), 1)))
    (tmp_path / "texts.txt").write_text("".join(f"{id_}\n" for id_ in captions))
    first = VectorFiles("m", None, None, tmp_path / "texts.npy", tmp_path / "texts.txt")
    import_vectors(store, "first", first)
    before = counts(store)
    second = VectorFiles("m", tmp_path / "images.npy", ids, tmp_path / "others.npy", tmp_path / "texts.txt")
    with pytest.raises(DatasetError, match="other vectors are stored"):
        import_vectors(store, "second", second)
    assert counts(store) == before
    assert verify(store).notes == (), "no file is left either"


def load(store: Store, name: str) -> tuple[object, ...]:
    from clipbench.store.datasets import load_dataset

    return tuple(load_dataset(store, name).captions)


def counts(store: Store) -> list[int]:
    return [count(store, table) for table in ("encoder", "vector_shard", "embedding_set")]


def test_a_killed_backup_is_gone_on_with_and_is_no_store_until_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path / "store")
    toy_run(store)
    copy = tmp_path / "copy"
    with monkeypatch.context() as patch:
        patch.setattr(backups, "_remove", lambda *_, **__: None)  # a killed process tidies nothing
        patch.setattr(backups, "sync_folder", cut)
        patch.setattr(Path, "replace", cut)
        with pytest.raises(PowerCutError):
            backup(store, copy)
    assert (copy / backups.MARKER).exists()
    with pytest.raises(StoreError, match="there is no store at"):
        open_store(Home(copy), create=False)
    made = backup(store, copy)
    assert sorted(path.name for path in copy.iterdir()) == ["clipbench.db", "embeddings"]
    assert made.bytes == sum(path.stat().st_size for path in copy.rglob("*") if path.is_file())
    assert verify(open_store(Home(copy)), deep=True).clean
    assert len(list_runs(open_store(Home(copy)))) == 1


def test_gc_sees_what_a_killed_upgrade_left(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    left = store.home.root / ".clipbench-0001-20240501T120000.db.tmp-77"
    left.write_bytes(b"half a copy")
    (store.home.root / "clipbench-0001-20240501T120000.db").write_bytes(b"a whole backup stays")
    assert any(left.name in note for note in verify(store).notes)
    assert gc(store).garbage == (), "it may be in use"
    os.utime(left, (1e9, 1e9))
    assert [item.name for item in maintenance.gc(store).garbage] == [left.name]
    assert sorted(path.name for path in store.home.root.iterdir()) == [
        "clipbench-0001-20240501T120000.db",
        "clipbench.db",
    ]


def test_labels_that_are_refused_leave_no_store_behind(own_home: Path, tmp_path: Path) -> None:
    labels, items = tmp_path / "labels.csv", collection(tmp_path, 2)
    labels.write_text("caption,category,gt_image_id,pred_image_id\nno such caption,Ambiguous,a,b\n")
    refused("annotate", "import", labels, "--items", items)
    assert not own_home.exists()
