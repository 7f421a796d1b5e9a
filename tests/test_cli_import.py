"""`clipbench embed import`: vectors made elsewhere are matched by id, checked, and evaluated like any others."""

import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, caption, good, refused, write_csv

Floats = npt.NDArray[np.float32]
IMAGES = [f"p{i:03}.png" for i in range(6)]
CAPTIONS = [f"{name}#{j}" for name in IMAGES for j in range(2)]


def unit(count: int, seed: int, dimension: int = 16) -> Floats:
    drawn = np.random.default_rng(seed).normal(size=(count, dimension))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def id_file(path: Path, ids: Sequence[str]) -> Path:
    path.write_text("".join(f"{id_}\n" for id_ in ids))
    return path


def npy(path: Path, array: npt.NDArray[np.generic]) -> Path:
    np.save(path, array)
    return path


@pytest.fixture
def toys(tmp_path: Path) -> str:
    return added(tmp_path, images=6)


def import_images(
    folder: Path, rows: npt.NDArray[np.generic], ids: Sequence[str], *more: str
) -> tuple[str | Path, ...]:
    """The words of a command that imports image vectors from .npy with an id list."""
    vectors, names = npy(folder / "images.npy", rows), id_file(folder / "ids.txt", ids)
    return ("embed", "import", "toys", "--model", "mine", "--images", vectors, "--image-ids", names, *more)


def stored(folder: Path) -> dict[str, Floats]:
    out = folder / "stored.h5"
    good("embed", "export", "toys", "--model", "imported:mine", "--out", out, "--force")
    with h5py.File(out) as file:
        return {
            side: dict(
                zip((id_.decode() for id_ in file[side]["ids"]), file[side]["vectors"][:], strict=True)
            )  # type: ignore[misc]
            for side in file
        }


def test_what_was_exported_can_be_imported(toys: str, tmp_path: Path) -> None:
    out = tmp_path / "own.h5"
    good("embed", "toys", "--model", "toy")
    good("embed", "export", "toys", "--model", "toy", "--out", out)
    good("embed", "import", "toys", "--model", "mine", "--images", out, "--texts", out)
    own, imported = (
        good("evaluate", "toys", "--model", model, "--json").json["rows"]
        for model in ("toy", "imported:mine")
    )
    assert own == imported


def test_rows_in_any_order_land_at_their_ids(toys: str, tmp_path: Path) -> None:
    images, texts = unit(6, 1), unit(12, 2)
    order, shuffled = [3, 0, 5, 1, 4, 2], [7, 2, 0, 11, 4, 3, 9, 1, 8, 5, 10, 6]
    words = import_images(tmp_path, images[order], [IMAGES[i] for i in order])
    texts_file = npy(tmp_path / "texts.npy", texts[shuffled])
    names = id_file(tmp_path / "text-ids.txt", [CAPTIONS[i] for i in shuffled])
    table = good(*words, "--texts", texts_file, "--text-ids", names, "--json").json
    assert [(row["side"], row["items"], row["dimension"]) for row in table["rows"]] == [
        ("image", 6, 16), ("text", 12, 16),
    ]  # fmt: skip
    found = stored(tmp_path)
    assert all(np.array_equal(found["image"][id_], images[i]) for i, id_ in enumerate(IMAGES))
    assert all(np.array_equal(found["text"][id_], texts[i]) for i, id_ in enumerate(CAPTIONS))


def test_file_names_with_folders_and_rows_of_other_images_are_matched_and_told(
    toys: str, tmp_path: Path
) -> None:
    images = unit(9, 1)
    ids = [f"/data/val/{name}" for name in IMAGES] + ["/data/train/x.png", "/data/test/x.png", "y.png"]
    done = good(*import_images(tmp_path, images, ids))
    assert "note: 3 image vectors belong to nothing in toys" in done.err
    assert np.array_equal(stored(tmp_path)["image"]["p002.png"], images[2])


def test_every_missing_and_doubled_id_is_told_and_nothing_is_stored(toys: str, tmp_path: Path) -> None:
    told = refused(*import_images(tmp_path, unit(6, 1), [*IMAGES[:3], IMAGES[1], "other.png", IMAGES[0]]))
    assert "image vectors do not fit the dataset: 5 problems, nothing was imported" in told
    assert "images.npy:4: p001.png came before, on line 2" in told
    assert "images.npy:6: p000.png came before, on line 1" in told
    for lacking in ("p003.png", "p004.png", "p005.png"):
        assert f"no vector for image {lacking}" in told
    assert good("store", "info", "--json").json["rows"][4] == {"what": "encoders", "value": "0"}


def test_vectors_and_ids_of_different_number_are_told_with_both_numbers(toys: str, tmp_path: Path) -> None:
    assert "6 vectors, 5 ids" in refused(*import_images(tmp_path, unit(6, 1), IMAGES[:5]))


def test_ids_that_are_not_given_are_asked_for(toys: str, tmp_path: Path) -> None:
    vectors = npy(tmp_path / "images.npy", unit(6, 1))
    told = refused("embed", "import", "toys", "--model", "mine", "--images", vectors)
    assert "holds 6 vectors and no ids" in told
    assert "--image-ids FILE" in told


def test_vectors_of_wrong_length_are_refused_by_line_and_scaled_when_told_to(
    toys: str, tmp_path: Path
) -> None:
    images = unit(6, 1)
    images[2] *= 3
    images[4] *= 0.5
    words = import_images(tmp_path, images, IMAGES)
    told = refused(*words)
    assert "vectors whose length is not 1: 2 problems" in told
    assert "images.npy:3: p002.png: norm 3" in told
    assert "try: --normalize" in told
    done = good(*words, "--normalize")
    assert "note: 2 of 6 image vectors were scaled to length 1" in done.err
    assert np.allclose(stored(tmp_path)["image"]["p002.png"], images[2] / 3, atol=1e-7)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_what_has_no_direction_is_refused_even_then(value: float, toys: str, tmp_path: Path) -> None:
    images = unit(6, 1)
    images[3] = value
    told = refused(*import_images(tmp_path, images, IMAGES, "--normalize"))
    assert "images.npy:4: p003.png: norm" in told
    assert "--normalize" not in told


def test_a_pickle_is_never_read(toys: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (mark,))  # type: ignore[return-value]

    (tmp_path / "plain.npy").write_bytes(pickle.dumps([Trap()]))
    np.save(tmp_path / "object.npy", np.array([Trap()] * 6, dtype=object), allow_pickle=True)
    ids = id_file(tmp_path / "ids.txt", IMAGES)
    for name in ("plain.npy", "object.npy"):
        told = refused(
            "embed", "import", "toys", "--model", "m", "--images", tmp_path / name, "--image-ids", ids
        )
        assert "is no .npy file of numbers that can be read (it is pickled or another format)" in told
        assert "allow_pickle" not in told, "nobody is told how to read it all the same"
    assert not mark.exists()


@pytest.mark.parametrize("shape", [(6,), (6, 4, 4)])
def test_arrays_of_another_shape_or_kind_are_refused(
    shape: tuple[int, ...], toys: str, tmp_path: Path
) -> None:
    assert "vectors are floats of shape" in refused(
        *import_images(tmp_path, np.ones(shape, np.float32), IMAGES)
    )
    assert "int64" in refused(*import_images(tmp_path, np.ones((6, 4), np.int64), IMAGES))


def test_hdf5_brings_its_own_ids(toys: str, tmp_path: Path) -> None:
    images = unit(6, 1)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["vectors"], file["ids"] = images[::-1].astype(np.float64), IMAGES[::-1]
    good("embed", "import", "toys", "--model", "mine", "--images", tmp_path / "v.h5")
    assert np.array_equal(stored(tmp_path)["image"]["p005.png"], images[5])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["features"] = images
    told = refused("embed", "import", "toys", "--model", "mine", "--images", tmp_path / "other.h5")
    assert "has no dataset `vectors` or `image/vectors`; it has features" in told
    (tmp_path / "cut.h5").write_bytes((tmp_path / "v.h5").read_bytes()[:900])
    assert "is no HDF5 file that can be read" in refused(
        "embed", "import", "toys", "--model", "mine", "--images", tmp_path / "cut.h5"
    )


def test_a_clip_retrieval_folder_is_read_part_after_part(toys: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    images, texts = unit(6, 1), unit(12, 2)
    folder = tmp_path / "out"
    for kind in ("img_emb", "text_emb", "metadata"):
        (folder / kind).mkdir(parents=True)
    for part, (a, b) in enumerate([(0, 2), (2, 6)]):
        number = (9, 10)[part]  # 10 comes after 9, though "10" comes before "9"
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", images[a:b].astype(np.float16))
        parquet.write_table(
            pa.table({"image_path": [f"/photos/{name}" for name in IMAGES[a:b]]}),
            folder / "metadata" / f"metadata_{number}.parquet",
        )
    done = good("embed", "import", "toys", "--model", "mine", "--images", folder, "--normalize")
    assert np.allclose(stored(tmp_path)["image"]["p003.png"], images[3], atol=1e-3)
    assert "image" in done.out
    np.save(folder / "text_emb" / "text_emb_0.npy", texts)
    told = refused("embed", "import", "toys", "--model", "mine", "--texts", folder)
    assert "holds 1 text_emb/*.npy and 2 metadata/*.parquet" in told


def test_equal_captions_take_one_vector_and_a_real_difference_is_refused(tmp_path: Path) -> None:
    added(tmp_path, images=3, captions=(1,))
    rows = [(IMAGES[0], caption(0)), (IMAGES[1], "the same"), (IMAGES[2], "the same")]
    file = write_csv(tmp_path / "same.csv", rows)
    good("dataset", "add", "toys", "-c", file, "--images", tmp_path / "photos", "--replace", "-q")
    texts = unit(3, 2)
    texts[2] = texts[1]
    texts[2, 0] += 1e-6
    ids = id_file(tmp_path / "ids.txt", [f"{name}#0" for name in IMAGES[:3]])
    words = ("embed", "import", "toys", "--model", "mine", "--text-ids", ids, "--texts")
    done = good(*words, npy(tmp_path / "t.npy", texts))
    assert "note: 1 caption took the vector of an equal one, 1e-06 away at most" in done.err
    told = refused(*words, npy(tmp_path / "t.npy", unit(3, 5)))
    assert "p001.png#0 and p002.png#0 are equal captions ('the same'), and their vectors differ by" in told


def test_one_name_never_holds_two_sets_of_vectors(toys: str, tmp_path: Path) -> None:
    good(*import_images(tmp_path, unit(6, 1), IMAGES))
    again = good(*import_images(tmp_path, unit(6, 1), IMAGES))
    assert "all of it was stored before" in again.out
    told = refused(*import_images(tmp_path, unit(6, 7), IMAGES))
    assert "other vectors are stored for toys under imported:mine" in told
    assert "try: import these under another --model name" in told
    told = refused(*import_images(tmp_path, unit(6, 1, dimension=8), IMAGES))
    assert "imported:mine has 16 dimensions in this store, these vectors have 8" in told


def test_vectors_are_the_same_at_the_precision_of_their_type_and_no_further(
    toys: str, tmp_path: Path
) -> None:
    rows = unit(6, 1)
    good(*import_images(tmp_path, rows, IMAGES))
    half = rows.astype(np.float16)
    assert "all of it was stored before" in good(*import_images(tmp_path, half, IMAGES)).out
    near = rows.copy()
    near[2, 3] += 3e-3  # what a model tuned a little gives
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    for other in (near, near.astype(np.float16), half.astype(np.float32)):
        told = refused(*import_images(tmp_path, other, IMAGES))
        assert "other vectors are stored for toys under imported:mine" in told
        assert "try: import these under another --model name" in told


def test_a_caption_of_two_datasets_keeps_its_vector_where_rounding_alone_sets_them_apart(
    tmp_path: Path,
) -> None:
    texts = unit(2, 3)
    for number, name in enumerate(("first", "second")):
        (tmp_path / name).mkdir()
        path = write_csv(tmp_path / name / "c.csv", [("a.png", "a dog"), ("b.png", f"cat {number}")])
        good("dataset", "add", name, "-c", path, "--captions-only")
    ids = tmp_path / "ids.txt"
    ids.write_text("a.png#0\nb.png#0\n")
    said = []
    for name, away in (("first", 0.0), ("second", 1e-3), ("second", 1e-3)):
        rows = texts.copy()
        rows[0, 0] += away  # the same caption in another batch
        rows[1] = unit(3, 7)[len(name) % 2]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        words = ("embed", "import", name, "--model", "mine", "--texts", npy(tmp_path / "t.npy", rows))
        said.append(good(*words, "--text-ids", ids))
    assert "kept the vector" not in said[0].out + said[0].err
    for done in said[1:]:
        assert "1 caption of another dataset kept the vector stored for it" in done.out + done.err


def test_the_two_sides_must_have_one_dimension(toys: str, tmp_path: Path) -> None:
    texts, names = npy(tmp_path / "t.npy", unit(12, 1, dimension=8)), id_file(tmp_path / "t.txt", CAPTIONS)
    told = refused(*import_images(tmp_path, unit(6, 1), IMAGES), "--texts", texts, "--text-ids", names)
    assert "different dimensions: [8, 16]" in told


def test_there_must_be_something_to_import(toys: str) -> None:
    assert "there is nothing to import" in refused("embed", "import", "toys", "--model", "mine")
    assert "does not exist" in refused("embed", "import", "toys", "--model", "mine", "--images", "none.npy")


def test_imported_vectors_are_never_taken_for_a_loaded_model(toys: str, tmp_path: Path) -> None:
    good(*import_images(tmp_path, unit(6, 1), IMAGES))
    told = refused("evaluate", "toys", "--model", "imported:mine")
    assert "imported:mine cannot encode: its vectors were made elsewhere" in told
    assert "try: clipbench embed import attaches the side that is lacking" in told
