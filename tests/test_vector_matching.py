"""Vectors made elsewhere find their items: by id, by the end of a path, by image and caption."""

from pathlib import Path

import numpy as np
import pytest

from clipbench.errors import InputError
from clipbench.records import Caption, Dataset, Sample
from clipbench.study.embedding.vector_files import Vectors, read_vectors
from clipbench.study.embedding.vector_matching import places, respelt

NESTED = Dataset(
    "nested",
    "folder",
    "all",
    "all",
    (
        Sample("00000/1.jpg", (Caption("a", "a dog"), Caption("b", "a dog")), "00000/1.jpg"),
        Sample("00001/1.jpg", (Caption("c", "a cat "),), "00001/1.jpg"),
    ),
)


def vectors(*ids: str, captions: tuple[str, ...] | None = None) -> Vectors:
    return Vectors("v", ids, np.eye(len(ids), 4, dtype=np.float32), captions)


def refused(found: Vectors, modality: str) -> str:
    with pytest.raises(InputError) as caught:
        places(NESTED, found, modality)  # type: ignore[arg-type]  # test shorthand
    return " | ".join(problem.message for problem in caught.value.problems)


def test_the_longest_end_of_a_path_that_is_an_image_is_taken() -> None:
    found = vectors("/data/job/photos/00001/1.jpg", "D:\\photos\\00000\\1.jpg", "/elsewhere/2.jpg")
    assert places(NESTED, found, "image") == {"00001/1.jpg": 0, "00000/1.jpg": 1}


def test_a_path_of_the_dataset_serves_where_the_id_is_a_number() -> None:
    dataset = Dataset("coco", "coco", "all", "all", (Sample("42", (), "000042.jpg"),))
    assert places(dataset, vectors("/x/000042.jpg"), "image") == {"42": 0}


def test_two_rows_of_one_item_are_refused_with_both_names() -> None:
    told = refused(vectors("x/00000/1.jpg", "y/00000/1.jpg", "00001/1.jpg"), "image")
    assert "y/00000/1.jpg is 00000/1.jpg, and so is x/00000/1.jpg, on line 1" in told


def test_captions_without_ids_belong_to_their_image_and_text() -> None:
    found = vectors("/p/00001/1.jpg", "/p/00000/1.jpg", captions=("a cat", "a dog"))
    assert places(NESTED, found, "text") == {"c": 0, "a": 1, "b": 1}
    swapped = vectors("/p/00001/1.jpg", "/p/00000/1.jpg", captions=("a dog", "a cat"))
    assert "no vector for text a" in refused(swapped, "text")


def test_ids_in_another_unicode_form_or_with_percent_signs_are_found_and_said() -> None:
    dataset = Dataset("d", "folder", "all", "all", (Sample("Übung 1.jpg", ()), Sample("b.jpg", ())))
    found = vectors("/x/U\u0308bung%201.jpg", "b.jpg")
    assert places(dataset, found, "image") == {"Übung 1.jpg": 0, "b.jpg": 1}
    assert respelt(dataset, found, "image") == ["/x/U\u0308bung%201.jpg is Übung 1.jpg"]
    both = Dataset("d", "folder", "all", "all", (Sample("\xfc.jpg", ()), Sample("u\u0308.jpg", ())))
    assert places(both, vectors("u\u0308.jpg", "\xfc.jpg"), "image") == {"u\u0308.jpg": 0, "\xfc.jpg": 1}


def test_captions_that_differ_in_blanks_alone_have_a_row_each_where_the_file_has_both() -> None:
    sample = Sample("1.jpg", (Caption("a", "a dog"), Caption("b", "a dog ")), "1.jpg")
    dataset = Dataset("d", "folder", "all", "all", (sample,))
    both = vectors("/p/1.jpg", "/p/1.jpg", captions=("a dog ", "a dog"))
    assert places(dataset, both, "text") == {"b": 0, "a": 1}
    assert places(dataset, vectors("/p/1.jpg", captions=("a dog",)), "text") == {"a": 0, "b": 0}


def test_a_clip_retrieval_folder_gives_both_sides(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = {"image_path": ["/p/00001/1.jpg", "/p/00000/1.jpg"], "caption": ["a cat", "a dog"]}
    for name in ("img_emb", "text_emb", "metadata"):
        (tmp_path / name).mkdir()
        if name != "metadata":
            np.save(tmp_path / name / f"{name}_0.npy", np.eye(2, dtype=np.float16))
    parquet.write_table(pyarrow.table(table), tmp_path / "metadata" / "metadata_0.parquet")
    images, texts = (read_vectors(tmp_path, None, side) for side in ("image", "text"))
    assert places(NESTED, images, "image") == {"00001/1.jpg": 0, "00000/1.jpg": 1}
    assert places(NESTED, texts, "text") == {"c": 0, "a": 1, "b": 1}
