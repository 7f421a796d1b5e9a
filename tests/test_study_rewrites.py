"""Files of rewritten captions: read exactly, or refused with every fault and its line."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError, InputError
from clipbench.records import Caption, Dataset, Sample
from clipbench.study.robustness.rewrites import read_rewrites

DATASET = Dataset(
    "toys",
    "toy",
    "test",
    "all",
    (
        Sample("i1", (Caption("a", "a red ball"), Caption("b", "=one ball"))),
        Sample("i2", (Caption("c", "two dogs"),)),
    ),
)
GOOD = [("a", "a ball that is red"), ("b", "one, or\tso"), ("c", 'two "dogs"\nhere ')]


def jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(**extra: str) -> list[dict[str, object]]:
    return [{"caption_id": id_, "text": text, **extra} for id_, text in GOOD]


def faults(path: Path) -> list[str]:
    with pytest.raises(InputError) as refused:
        read_rewrites([path], [], DATASET)
    return [str(problem).removeprefix(str(path)) for problem in refused.value.problems]


def test_json_lines_and_csv_give_the_same_texts(tmp_path: Path) -> None:
    import csv

    first = jsonl(tmp_path / "formal.jsonl", rows(mood="formal"))
    second = tmp_path / "passive.csv"
    with second.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "caption_id"), *((text, id_) for id_, text in GOOD)])
    formal, passive = read_rewrites([first, second], [], DATASET)
    assert (formal.label, passive.label) == ("formal", "passive")
    assert formal.texts == passive.texts == dict(GOOD)


def test_half_a_surrogate_pair_is_told_with_its_caption(tmp_path: Path) -> None:
    some = [{**row, "text": "half \ud800"} if row["caption_id"] == "b" else row for row in rows()]
    assert faults(jsonl(tmp_path / "x.jsonl", some)) == [
        ":2: the rewrite of caption b holds half a surrogate pair"
    ]


def test_labels_replace_file_names(tmp_path: Path) -> None:
    files = [jsonl(tmp_path / "x.jsonl", rows()), jsonl(tmp_path / "y.jsonl", rows())]
    assert [one.label for one in read_rewrites(files, ["one", "two"], DATASET)] == ["one", "two"]
    with pytest.raises(ClipbenchError, match="1 label for 2 files"):
        read_rewrites(files, ["one"], DATASET)
    with pytest.raises(ClipbenchError, match="two files are called 'one'"):
        read_rewrites(files, ["one", "one"], DATASET)


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    lines = [
        json.dumps({"caption_id": "a", "text": "fine"}),
        "",
        "not json",
        json.dumps({"caption_id": "a", "text": "again"}),
        json.dumps({"caption_id": "zebra", "text": "who?"}),
        json.dumps({"caption_id": "b", "text": "  "}),
        json.dumps({"caption_id": "b"}),
        json.dumps({"caption_id": 7, "text": "seven"}),
        json.dumps([1]),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    found = faults(path)
    assert found[0].startswith(":3: not JSON")
    assert found[1:] == [
        ":4: caption a was rewritten on line 1 already",
        ":5: the dataset has no caption zebra",
        ":6: the rewrite of caption b is blank",
        ":7: no field 'text'",
        ":8: the field 'caption_id' is no text",
        ":9: not a JSON object",
        ": caption c has no rewrite",
    ]


def test_faults_of_a_csv_name_the_line_a_record_begins_on(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text('caption_id,text\na,"two\nlines"\nb\nc,x,y\n', encoding="utf-8")
    assert faults(path) == [
        ":4: 1 cells, the header has 2",
        ":5: 3 cells, the header has 2; a cell that holds the separator needs quotation marks",
        ": caption b has no rewrite",
        ": caption c has no rewrite",
    ]


def test_a_csv_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("id,caption\na,x\n", encoding="utf-8")
    assert faults(path) == [":1: no column 'caption_id'", ":1: no column 'text'"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_table_as_a_spreadsheet_saves_it_gives_the_same_texts(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "excel.csv"
    lines = [
        "sep=;",
        "caption_id;text;",
        *(f"{id_};{text}, {text};" for id_, text in zip("abc", "xyz", strict=True)),
    ]
    path.write_text("\r\n".join(lines), encoding=encoding, newline="")
    (found,) = read_rewrites([path], [], DATASET)
    assert found.texts == {"a": "x, x", "b": "y, y", "c": "z, z"}


def test_rewrites_of_other_captions_are_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "other.jsonl", rows(original="a red ball"))
    assert faults(path) == [
        ":2: caption b is another one: 'a red ball', the dataset has '=one ball'",
        ":3: caption c is another one: 'a red ball', the dataset has 'two dogs'",
    ]


def test_a_csv_for_spreadsheets_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text(
        "caption_id,original,text\na,a red ball,x\nb,'=one ball,y\nc,two dogs,z\n", encoding="utf-8"
    )
    assert faults(path) == [
        ":3: caption b was changed for spreadsheets; the .jsonl beside this file is exact"
    ]


def test_faults_of_several_files_come_together(tmp_path: Path) -> None:
    files = [jsonl(tmp_path / f"{name}.jsonl", rows()[:2]) for name in "xy"]
    with pytest.raises(InputError) as refused:
        read_rewrites(files, [], DATASET)
    assert [Path(problem.file).stem for problem in refused.value.problems] == ["x", "y"]


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipbenchError, match="no file of rewrites"):
        read_rewrites([tmp_path / "x.txt"], [], DATASET)


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1).filter(lambda text: text.strip() and "\0" not in text))
def test_any_text_survives_json_lines(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        some: list[dict[str, object]] = [{"caption_id": id_, "text": text} for id_, _ in GOOD]
        path = jsonl(Path(folder) / "any.jsonl", some)
        [found] = read_rewrites([path], [], DATASET)
    assert found.texts == dict.fromkeys(("a", "b", "c"), text)
