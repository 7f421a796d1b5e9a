"""Vector files are read whatever the file system can lock, and damaged ones refused in one line."""

import fcntl
import os
import secrets
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from damage_toys import LONGER, damaged
from store_toys import ENCODER, new_store, toy_run, unit_vectors

from clipbench.errors import ClipbenchError, InputError
from clipbench.store.encoders import save_encoder
from clipbench.study.embedding import vector_files
from clipbench.study.embedding.exporting import export_vectors
from clipbench.study.embedding.models import EncoderSource, ModelRequest
from clipbench.study.embedding.vector_files import Vectors, read_vectors


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


IDS = tuple(f"image{i}.png" for i in range(6))


def valid_files(folder: Path) -> dict[str, Path]:
    """One sound file of each kind: `read_vectors` takes all of them."""
    rows = unit_vectors(6)
    np.save(folder / "plain.npy", rows)
    with h5py.File(folder / "plain.h5", "w") as file:
        file["ids"] = IDS
        file["vectors"] = rows
    with h5py.File(folder / "packed.h5", "w") as file:
        group = file.create_group("image")
        group.create_dataset("ids", data=np.array(IDS, dtype="S12"))
        group.create_dataset("vectors", data=rows, compression="gzip", shuffle=True)
    (folder / "ids.txt").write_text("".join(f"{id_}\n" for id_ in IDS))
    retrieval = folder / "retrieval"
    (retrieval / "img_emb").mkdir(parents=True)
    (retrieval / "metadata").mkdir()
    np.save(retrieval / "img_emb" / "img_emb_0.npy", rows)
    table = pyarrow.table({"image_path": list(IDS)})
    pyarrow.parquet.write_table(table, retrieval / "metadata" / "metadata_0.parquet")
    return {
        "plain.npy": folder / "plain.npy",
        "plain.h5": folder / "plain.h5",
        "packed.h5": folder / "packed.h5",
        "ids.txt": folder / "ids.txt",
        "metadata_0.parquet": retrieval / "metadata" / "metadata_0.parquet",
    }


def read_with(folder: Path, name: str) -> Vectors:
    """Read the vectors that the file of this name has a part in."""
    if name == "metadata_0.parquet":
        return read_vectors(folder / "retrieval", None, "image")
    if name.endswith(".h5"):
        return read_vectors(folder / name, None, "image")
    return read_vectors(folder / "plain.npy", folder / "ids.txt", "image")


NAMES = ("plain.npy", "plain.h5", "packed.h5", "ids.txt", "metadata_0.parquet")


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_file_of_each_kind_is_read(name: str, tmp_path: Path) -> None:
    valid_files(tmp_path)
    vectors = read_with(tmp_path, name)
    assert vectors.ids == IDS
    assert np.array_equal(vectors.rows, unit_vectors(6))
    assert vectors.rows.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    path = valid_files(tmp_path)[name]
    sound = path.read_bytes()
    count = 6 if name.endswith(".h5") else 60  # each of those takes a process
    for seed in range(count * LONGER):
        path.write_bytes(damaged(sound, seed))
        try:
            rows = read_with(tmp_path, name).rows
        except ClipbenchError as error:
            assert "\n" not in error.message  # noqa: PT017, refusing is one of the two allowed outcomes
        else:
            assert rows.ndim == 2


def test_a_file_in_which_the_library_runs_in_circles_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_files, "TRIAL_SECONDS", 3.0)
    path = valid_files(tmp_path)["plain.h5"]
    path.write_bytes(damaged(path.read_bytes(), 2228))
    with pytest.raises(ClipbenchError, match="is no HDF5 file that can be read"):
        read_vectors(path, None, "image")


def test_a_header_that_announces_terabytes_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "plain.npy"
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 38, 4)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(b"\0" * 64)
    (tmp_path / "ids.txt").write_text("a\n")
    with pytest.raises(ClipbenchError, match="announces 4,398,046,511,104 bytes of numbers, 64 follow"):
        read_vectors(path, tmp_path / "ids.txt", "image")
    packed = tmp_path / "packed.h5"
    with h5py.File(packed, "w") as file:
        file["ids"] = ["a"]
        file.create_dataset("vectors", shape=(1, 1 << 40), dtype="f4", chunks=(1, 1024), compression="gzip")
    with pytest.raises(ClipbenchError, match="is no HDF5 file that can be read"):
        read_vectors(packed, None, "image")


def test_a_sparse_file_is_not_read_before_its_ids_fit(tmp_path: Path) -> None:
    path = tmp_path / "sparse.npy"
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 28, 16)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + (1 << 34))
    (tmp_path / "ids.txt").write_text("a\n")
    with pytest.raises(InputError, match="do not fit"):
        read_vectors(path, tmp_path / "ids.txt", "image")


def test_a_file_of_vectors_may_not_lead_to_another(tmp_path: Path) -> None:
    valid_files(tmp_path)
    path = tmp_path / "linked.h5"
    with h5py.File(path, "w") as file:
        file["ids"] = IDS
        file["vectors"] = h5py.ExternalLink("plain.h5", "vectors")
    with pytest.raises(ClipbenchError, match="has no dataset `vectors`"):
        read_vectors(path, None, "image")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    valid_files(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for ids in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ClipbenchError, match="is no regular file"):
            read_vectors(tmp_path / "plain.npy", ids, "image")
        with pytest.raises(ClipbenchError, match="is no regular file"):
            read_vectors(ids, None, "image")
