"""Vector files are read and written whatever the file system can lock."""

import fcntl
import secrets
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import ENCODER, new_store, toy_run, unit_vectors

from clipbench.store.encoders import save_encoder
from clipbench.study.exporting import export_vectors
from clipbench.study.models import EncoderSource, ModelRequest
from clipbench.study.vector_files import read_vectors


def test_a_file_that_another_process_locks_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "vectors.h5"
    with h5py.File(path, "w") as file:
        file["ids"] = ["a", "b"]
        file["vectors"] = unit_vectors(2)
    with path.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        vectors = read_vectors(path, None, "image")
    assert vectors.ids == ("a", "b")
    assert np.array_equal(vectors.rows, unit_vectors(2))


def test_vectors_are_written_where_no_lock_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path / "store")
    toy_run(store)
    save_encoder(store, ENCODER, None)
    source = EncoderSource(store, ModelRequest("toy"))
    source.__dict__["identity"] = ENCODER  # as if the store remembered what the words mean
    monkeypatch.setattr(secrets, "token_hex", lambda _: "0")
    with (tmp_path / ".out.h5.0.partial").open("wb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)  # as where the file system answers ENOLCK
        assert export_vectors(store, "toy", source, tmp_path / "out.h5") == {"image": 3, "text": 6}
