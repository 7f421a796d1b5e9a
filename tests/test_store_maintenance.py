"""Verify finds every kind of damage, gc takes only what nothing needs, a backup is a store."""

import os
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import (
    DROPOUT,
    ENCODER,
    encode,
    item_keys,
    new_store,
    tamper,
    toy_dataset,
    toy_metrics,
    toy_run,
    unit_vectors,
)

from clipbench.errors import StoreError
from clipbench.home import Home
from clipbench.records import Direction, Ledger, Metric
from clipbench.store.columns import Items
from clipbench.store.datasets import list_datasets, load_dataset, save_dataset
from clipbench.store.embeddings import Encoding, list_sets, load_vectors, save_set
from clipbench.store.encoders import save_encoder
from clipbench.store.engine import Store, open_store, reading, writing
from clipbench.store.maintenance import backup, gc, info, verify
from clipbench.store.queries import list_runs
from clipbench.store.runs import StoredRun, delete_run
from clipbench.store.upgrade import REVISIONS
from clipbench.store.vectors import Pool, Vectors

NOW = timedelta(0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "store")


def files(store: Store) -> list[Path]:
    return sorted(path for path in store.home.embeddings.rglob("*") if path.is_file())


def test_info_counts_things_and_bytes(store: Store) -> None:
    toy_run(store, perturbation=DROPOUT)
    told = info(store)
    assert dict(told.counts) == {
        "datasets": 1,
        "images": 3,
        "captions": 6,
        "encoders": 1,
        "perturbations": 2,
        "vector files": 2,
        "embedding sets": 2,
        "indexes": 0,
        "runs": 1,
        "metrics": 7,
        "failures": 0,
        "labels": 0,
    }
    assert (told.root, told.revision, told.vectors, told.artifact_bytes) == (
        store.home.root,
        REVISIONS[-1],
        9,
        0,
    )
    assert told.database_bytes == store.home.database.stat().st_size
    assert told.embedding_bytes == sum(path.stat().st_size for path in files(store))


def test_a_sound_store_is_clean_and_counted(store: Store) -> None:
    toy_run(store)
    toy_run(store, perturbation=DROPOUT)
    found = verify(store, deep=True)
    assert (found.clean, found.problems, found.notes) == (True, (), ())
    assert dict(found.checked) == {
        "rows": 15,
        "datasets": 1,
        "encoders": 1,
        "perturbations": 2,
        "vector files": 3,
        "embedding sets": 3,
        "texts": 12,
        "indexes": 0,
        "runs": 2,
    }
    assert verify(new_store(store.home.root / "empty")).clean


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE caption SET text = 'x' WHERE position = 3", "dataset content:.* holds other content"),
        ("UPDATE image SET digest = 'x' WHERE position = 1", "holds other content"),
        ("UPDATE dataset SET n_images = 4", "images and captions, not"),
        ("DELETE FROM caption WHERE position = 5", "holds other content"),
        ("UPDATE encoder SET identity = replace(identity, 'wwww', 'vvvv')", "encoder .* describes another"),
        (
            "UPDATE perturbation SET level = 0.7 WHERE operation <> 'clean'",
            "perturbation .* describes another",
        ),
        ("UPDATE run SET protocol = '{}'", "run .* describes another"),
        ("UPDATE ledger SET above = x'00' WHERE direction = 't2i'", "run .* cannot be read"),
        ("DELETE FROM ledger WHERE direction = 't2i'", "does not have the 9 queries"),
        ("UPDATE embedding_order SET items = x'00'", "does not name its"),
        ("UPDATE embedding_order SET items = zeroblob(length(items))", "vectors are not stored"),
        ("INSERT INTO deletion VALUES ('run', 1)", "1 finished rows are open for deletion"),
        ("DROP VIEW metrics", "the view metrics is gone"),
    ],
)
def test_verify_finds_what_was_changed(store: Store, statement: str, told: str) -> None:
    toy_run(store, perturbation=DROPOUT)
    tamper(store, statement)
    problems = verify(store).problems
    assert problems
    assert [problem for problem in problems if not re.search(f"{told}|has another digest", problem)] == []
    assert any(re.search(told, problem) for problem in problems)


def test_verify_finds_a_trigger_that_was_taken_away(store: Store) -> None:
    with writing(store) as connection:
        connection.exec_driver_sql("DROP TRIGGER final_metric_update")
    assert any("final_metric_update" in problem for problem in verify(store).problems)


def test_verify_finds_rows_that_point_nowhere(store: Store) -> None:
    toy_run(store)
    connection = sqlite3.connect(store.home.database)
    connection.execute("INSERT INTO tag VALUES ('t', 99, '')")
    connection.commit()
    connection.close()
    assert verify(store).problems == ("a row of tag points at a row of run that is not there",)


def test_verify_names_lost_and_changed_vector_files_and_notes_strangers(store: Store) -> None:
    toy_run(store)
    first, second = files(store)
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(data)
    second.unlink()
    stranger = first.with_name("stranger.h5")
    stranger.touch()
    found = verify(store)
    assert len([p for p in found.problems if str(first) in p and "checksum" in p]) == 1
    assert any(str(second) in p and "is gone" in p for p in found.problems)
    assert found.notes == (f"{stranger} belongs to nothing that is stored",)


def test_deep_verify_compares_matrices(store: Store) -> None:
    toy_run(store)
    tamper(store, "UPDATE embedding_set SET checksum = 'other' WHERE modality = 'text'")
    assert len(verify(store).problems) == 1, "its digest"
    assert any("other was stored" in problem for problem in verify(store, deep=True).problems)


def test_metrics_are_derived_again_by_whoever_can(store: Store) -> None:
    spec = toy_run(store)
    asked: list[tuple[str, list[Direction]]] = []

    def same(run: StoredRun, ledgers: Mapping[Direction, Ledger]) -> Iterable[Metric]:
        asked.append((run.key, list(ledgers)))
        return [replace(m, value=m.value * (1 + 1e-12)) for m in toy_metrics()[2:]]

    assert verify(store, recompute=same).clean
    assert asked == [(spec.key, ["i2t", "t2i"])]

    def other(run: StoredRun, ledgers: Mapping[Direction, Ledger]) -> Iterable[Metric]:
        first = toy_metrics()[0]
        return [replace(first, value=0.75), replace(first, name="new"), replace(toy_metrics()[1], n=7)]

    (problem,) = verify(store, recompute=other).problems
    assert "t2i hit@1 is 0.75 (n = 6), stored 0.525 (n = 6)" in problem
    assert "t2i new is 0.525 (n = 6), stored nothing" in problem
    assert "(n = 7), stored 0.625 (n = 6)" in problem


def test_gc_leaves_what_is_needed_or_young(store: Store) -> None:
    toy_run(store)
    save_dataset(store, toy_dataset("second", word="blue"))
    encode(store, load_dataset(store, "second"), "text")
    assert gc(store, grace=NOW).garbage == ()
    Pool(store, ENCODER.key, "text").write(item_keys(2), unit_vectors(2))
    (store.home.embeddings / "left.h5").touch()
    assert gc(store).garbage == ()
    assert verify(store, deep=True).problems == ()


def test_gc_takes_what_nothing_refers_to(store: Store) -> None:
    toy_run(store)
    save_dataset(store, toy_dataset("gone", word="blue"))
    blue = encode(store, load_dataset(store, "gone"), "text")
    save_dataset(store, toy_dataset("gone", word="green"), replace=True)
    Pool(store, ENCODER.key, "image").write(item_keys(2), unit_vectors(2))
    left = store.home.embeddings / ".text-1.h5.tmp-5"
    left.write_bytes(b"half")
    kept = [(run.key, run.rsum) for run in list_runs(store)]
    before = files(store)
    expected = {
        ("embedding set", blue.key),
        ("dataset", toy_dataset(word="blue").key),
        ("file", left.name),
        ("texts", "6 texts of no vector"),
    }
    for dry in (True, False):
        found = gc(store, grace=NOW, dry_run=dry)
        told = {(item.kind, item.name) for item in found.garbage}
        assert expected <= told
        assert len([item for item in found.garbage if item.kind == "vector shard"]) == 2
        assert len(told) == 6
        assert (files(store) == before) is dry
    assert found.bytes == sum(item.bytes for item in found.garbage) > 4
    assert gc(store, grace=NOW).garbage == ()
    assert [(run.key, run.rsum) for run in list_runs(store)] == kept
    assert [d.name for d in list_datasets(store)] == ["gone", "toy"]
    assert verify(store, deep=True).problems == verify(store).notes == ()


def test_gc_between_gathering_and_storing_leaves_no_set_without_vectors(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_run(store)
    dataset = toy_dataset("second", word="blue")
    save_dataset(store, dataset)
    gather = Pool.gather_items

    def tidied(pool: Pool, items: Items) -> Vectors:
        vectors = gather(pool, items)
        assert [item.kind for item in gc(store, grace=NOW).garbage] == ["vector shard", "texts"]
        return vectors

    monkeypatch.setattr(Pool, "gather_items", tidied)
    with pytest.raises(StoreError, match="tidied away") as caught:
        encode(store, dataset, "text")
    assert "run the same command again" in str(caught.value.hint)
    monkeypatch.undo()
    assert verify(store, deep=True).problems == ()
    encode(store, dataset, "text")
    assert verify(store, deep=True).problems == ()


def test_gc_takes_sets_without_runs_only_when_asked(store: Store) -> None:
    spec, other = toy_run(store, perturbation=DROPOUT), toy_run(store)
    delete_run(store, spec.key)
    assert gc(store, grace=NOW).garbage == ()
    found = gc(store, grace=NOW, unused=True)
    assert [item.kind for item in found.garbage] == ["embedding set", "vector shard", "texts"]
    assert [run.key for run in list_runs(store)] == [other.key]
    assert len(list_sets(store)) == 2
    assert verify(store, deep=True).problems == ()
    assert toy_run(store, perturbation=DROPOUT) == spec


def test_gc_keeps_a_shard_that_shares_only_one_item_with_a_set(store: Store) -> None:
    dataset = toy_dataset()
    toy_run(store, dataset)
    pool = Pool(store, ENCODER.key, "text")
    pool.write(item_keys(3), unit_vectors(3))
    pool.write([*item_keys(3, 2)], unit_vectors(3, seed=1))
    stored = save_set(store, Encoding(dataset.key, ENCODER.key, DROPOUT, "text", item_keys(3, 2)))
    assert gc(store, grace=NOW).garbage == ()
    assert np.array_equal(load_vectors(store, stored)[0], unit_vectors(3)[2])


def test_gc_gives_up_damaged_files_only_when_asked_and_they_can_be_encoded_again(store: Store) -> None:
    spec = toy_run(store)
    path = next(p for p in files(store) if p.name.startswith("text"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert gc(store, grace=NOW).garbage == ()
    assert [(g.kind, g.name) for g in gc(store, damaged=True).garbage] == [
        ("vector shard", path.relative_to(store.home.embeddings).as_posix())
    ]
    assert not path.exists()
    assert any("vectors are not stored" in p for p in verify(store).problems)
    assert toy_run(store) == spec
    assert verify(store, deep=True).problems == ()
    path.unlink()
    assert len(gc(store, damaged=True).garbage) == 1


def test_a_temporary_file_in_use_is_left_alone(store: Store) -> None:
    save_encoder(store, ENCODER, None)
    folder = store.home.embeddings / "x"
    folder.mkdir(parents=True)
    young, old = folder / ".a.h5.tmp-1", folder / ".b.h5.tmp-2"
    young.touch()
    old.touch()
    os.utime(old, (time.time() - 3 * 86400,) * 2)
    assert [item.name for item in gc(store).garbage] == ["x/.b.h5.tmp-2"]
    assert files(store) == [young]


def test_a_backup_is_a_store_that_holds_everything(store: Store, tmp_path: Path) -> None:
    spec = toy_run(store)
    (store.home.embeddings / "stranger.h5").touch()
    made = backup(store, tmp_path / "copies" / "monday")
    assert (made.folder, made.files) == (tmp_path / "copies" / "monday", 2)
    assert made.bytes == sum(p.stat().st_size for p in made.folder.rglob("*") if p.is_file())
    assert sorted(p.name for p in made.folder.iterdir()) == ["clipbench.db", "embeddings"]
    assert [p.name for p in made.folder.parent.iterdir()] == ["monday"]
    shutil.rmtree(store.home.root)
    copy = open_store(Home(made.folder))
    assert verify(copy, deep=True).problems == ()
    assert load_dataset(copy, "toy") == toy_dataset()
    delete_run(copy, spec.key)
    assert toy_run(copy) == spec
    with reading(copy) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


def test_a_backup_overwrites_nothing_and_is_whole_or_not_there(store: Store, tmp_path: Path) -> None:
    toy_run(store)
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "file").touch()
    with pytest.raises(StoreError, match="overwrites nothing"):
        backup(store, full)
    assert backup(store, empty).files == 2
    path = files(store)[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="is not what was stored"):
        backup(store, tmp_path / "bad")
    path.unlink()
    with pytest.raises(StoreError, match="is gone"):
        backup(store, tmp_path / "bad")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "full", "store"]
