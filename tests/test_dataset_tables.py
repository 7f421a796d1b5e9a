"""Tables of captions as people have them: Excel's, pandas', open_clip's, in whatever encoding."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.datasets.formats import recognise
from clipbench.datasets.reading import Reading, read
from clipbench.datasets.rows import ReadRequest
from clipbench.errors import DatasetError, InputError

PLAIN = "image,caption\na.png,one dog\nb.png,two dogs\n"
TEXTS = ["one dog", "two dogs"]


def taken(path: Path, **options: object) -> Reading:
    return read(ReadRequest(captions=path, captions_only=True, **options))  # type: ignore[arg-type]  # shorthand


def texts(path: Path, **options: object) -> list[str]:
    return [caption.text for caption in taken(path, **options).dataset.captions]


def written(folder: Path, data: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        "sep=;\n" + PLAIN.replace(",", ";"),
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.encode("utf-16"),
        ("\ufeff" + PLAIN).encode("utf-16-be"),
        "image,caption,,\na.png,one dog,,\nb.png,two dogs,,\n",
        "filepath\ttitle\na.png\tone dog\nb.png\ttwo dogs\n",  # open_clip's own CSV, with its defaults
        "filepath,title\na.png,one dog\nb.png,two dogs\n",
    ],
)
def test_the_same_captions_come_out_of_every_dialect(tmp_path: Path, data: str | bytes) -> None:
    path = written(tmp_path, data)
    assert texts(path) == TEXTS
    assert texts(path, format="csv") == TEXTS


def test_open_clips_table_is_recognised_without_being_told(tmp_path: Path) -> None:
    path = written(tmp_path, "filepath\ttitle\na.png\tone dog\n", "train_data.csv")
    assert recognise(path).name == "csv"


def test_rows_that_quotation_marks_swallow_are_told_with_their_lines(tmp_path: Path) -> None:
    data = 'image\tcaption\na.png\t"a dog\nb.png\ta cat"\nc.png\ta bird\n'
    path = written(tmp_path, data, "a.tsv")
    (note,) = [note for note in taken(path).notes if note.kind == "swallowed-rows"]
    assert "lines 2 to 3" in note.message
    assert "--no-quotes" in note.message
    assert len(texts(path, quoting="none")) == 3


def test_columns_without_a_name_are_passed_over_with_a_note(tmp_path: Path) -> None:
    path = written(tmp_path, "image,caption,,\na.png,one dog,,x\n")
    assert "unnamed-columns" in [note.kind for note in taken(path).notes]


def test_a_message_about_a_million_columns_is_short(tmp_path: Path) -> None:
    path = written(tmp_path, ",".join(f"c{n}" for n in range(100_000)) + "\n")
    with pytest.raises(InputError) as caught:
        taken(path)
    assert len(str(caught.value.problems[0])) < 1_000
    assert "and 99,980 more" in str(caught.value.problems[0])


def test_rows_without_a_caption_are_kept_and_named_and_those_without_an_image_refused(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("image,caption\na.png,a dog\nb.png,\nc.png, \n")
    reading = read(ReadRequest(captions=tmp_path / "c.csv", captions_only=True))
    assert [note.message for note in reading.notes if note.kind == "empty-captions"] == [
        "2 captions without a word kept, as queries that say nothing"
    ]
    (tmp_path / "c.csv").write_text("image,caption\na.png,a dog\n,an orphan\n")
    with pytest.raises(InputError) as caught:
        read(ReadRequest(captions=tmp_path / "c.csv", captions_only=True))
    assert [(p.line, p.message) for p in caught.value.problems] == [(3, "image is missing")]


def test_a_caption_of_null_is_an_image_without_captions(tmp_path: Path) -> None:
    path = written(
        tmp_path, '{"image": "a.png", "caption": null}\n{"image": "b.png", "caption": "x"}\n', "a.jsonl"
    )
    assert [len(sample.captions) for sample in taken(path).dataset.samples] == [0, 1]
    assert [sample.id for sample in taken(path, drop_uncaptioned=True).dataset.samples] == ["b.png"]


def test_a_collection_without_any_caption_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, '{"image": "a.png", "caption": null}\n', "a.jsonl")
    with pytest.raises(InputError) as caught:
        taken(path)
    assert "none of 1 image has a caption" in str(caught.value.problems[0])


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json_nested_a_hundred_thousand_deep_is_an_input_error(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, '{"image": "a.png", "caption": ' + "[" * 100_000 + "]" * 100_000 + "}", name)
    with pytest.raises(InputError) as caught:
        taken(path)
    assert "deep" in str(caught.value.problems[0])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_parquet_file_is_read_or_told_in_one_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path_factory.mktemp("fuzz") / "a.parquet"
    parquet.write_table(pyarrow.table({"image": ["a.png", "b.png"], "caption": TEXTS}), path)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(
        bytes(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    )
    try:
        assert taken(path).dataset.captions
    except (InputError, DatasetError) as error:
        assert error.message  # noqa: PT017  # either outcome is right, and which one depends on the bytes


SEEDS = {
    "a.csv": PLAIN,
    "b.tsv": PLAIN.replace(",", "\t"),
    "c.jsonl": '{"image": "a.png", "caption": ["x", "y"]}\n{"image": "b.png", "caption": "z"}\n',
    "d.json": '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"id": 2, "image_id": 1, "caption": "x"}]}',
    "e.token.txt": "a.png#0\tx\na.png#1\ty\n",
}


@pytest.mark.parametrize("name", sorted(SEEDS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_caption_file_is_read_or_told_in_one_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    whole = bytearray(SEEDS[name].encode())
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(whole)))
        piece = data.draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"\r", b"\0", b"[[", b"\xff"]))
        )
        whole[place : place + data.draw(st.integers(0, 2))] = piece
    path = written(tmp_path_factory.mktemp("fuzz"), bytes(whole), name)
    try:
        assert taken(path).dataset.captions
    except (InputError, DatasetError) as error:
        assert error.message  # noqa: PT017  # either outcome is right, and which one depends on the bytes
