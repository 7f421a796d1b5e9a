"""Tables that people bring: every separator, encoding and line end, and every fault with its line."""

import codecs
import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipbench.errors import ClipbenchError, DatasetError, InputError
from clipbench.tabular.records import DELIMITERS
from clipbench.tabular.table import Table, parse_table, read_table

ADVICE = " (say --plain)"


def parse(text: str, **options: object) -> Table:
    return parse_table(text.encode(), "t.csv", **options)  # type: ignore[arg-type]  # options as the tests name them


def cells(table: Table) -> list[tuple[str, ...]]:
    return [row.cells for row in table.rows]


def kinds(table: Table) -> list[str]:
    return [quirk.kind for quirk in table.quirks]


def refused(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_table(data, "t.csv")
    return caught.value


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_marks_change_nothing(delimiter: str, end: str, mark: str) -> None:
    table = parse(mark + end.join(delimiter.join(row) for row in ("ab", "12", "34")) + end)
    assert (table.header, cells(table)) == (("a", "b"), [("1", "2"), ("3", "4")])
    assert [row.line for row in table.rows] == [2, 3]
    assert table.delimiter == delimiter


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_utf_8_and_utf_16_are_read(encoding: str) -> None:
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    table = parse_table(mark + "a,b\nein Hünd,犬\n".encode(encoding), "t.csv")
    assert cells(table) == [("ein Hünd", "犬")]
    assert ("utf-16" in kinds(table)) == encoding.startswith("utf-16")


def test_a_line_sep_says_what_separates_and_is_no_row() -> None:
    table = parse("sep=;\na;b,c,d\n1;2\n")
    assert (table.header, cells(table), table.header_line) == (("a", "b,c,d"), [("1", "2")], 2)
    assert parse('"sep=^"\n\na^b\n1^2\n').header == ("a", "b")


def test_a_header_that_is_known_decides_between_separators() -> None:
    text = "image\tcaption, in one, two words\n1\t2\n"
    assert parse(text).header == ("image\tcaption", "in one", "two words")
    assert parse(text, known=lambda header: "image" in header).delimiter == "\t"


def test_separators_inside_quotation_marks_do_not_count() -> None:
    assert parse('"a;b;c",d\n1,2\n').header == ("a;b;c", "d")


def test_blank_rows_are_counted_and_lines_before_the_header_passed_over() -> None:
    table = parse("\n \na,b\n\n1,2\n,\n3,4\n")
    assert (table.header_line, table.blank, cells(table)) == (3, 2, [("1", "2"), ("3", "4")])
    assert [row.line for row in table.rows] == [5, 7]


def test_columns_without_a_name_are_passed_over_and_told() -> None:
    table = parse("a,,b,\n1,x,2,\n3,,4,\n")
    assert (table.header, cells(table)) == (("a", "b"), [("1", "2"), ("3", "4")])
    assert [q.message for q in table.quirks] == ["columns without a name passed over (2, 1 with text in it)"]
    assert table.named(table.rows[0]) == {"a": "1", "b": "2"}


def test_a_column_named_twice_is_refused() -> None:
    error = refused(b"\na, b,a ,b,c\n")
    assert [(p.line, p.message) for p in error.problems] == [
        (2, "column 'a' appears 2 times"),
        (2, "column 'b' appears 2 times"),
    ]


def test_rows_of_another_length_are_problems_with_their_line() -> None:
    table = parse('a,b\n1\n"x\ny",2\n3,4,5\n')
    assert cells(table) == [("x\ny", "2")]
    assert [(p.line, p.message.partition(";")[0]) for p in table.problems] == [
        (2, "1 cells, the header has 2"),
        (5, "3 cells, the header has 2"),
    ]


def test_rows_swallowed_by_a_quotation_mark_are_told_with_their_lines() -> None:
    table = parse('i\tc\n1\t"big\n2\tred\n3\tdog"\n4\tend\n', advice=ADVICE)
    assert cells(table) == [("1", "big\n2\tred\n3\tdog"), ("4", "end")]
    (quirk,) = (q for q in table.quirks if q.kind == "swallowed-rows")
    assert quirk.message.startswith("lines 2 to 4 were read as one row")
    assert quirk.message.endswith(ADVICE)
    assert "swallowed-rows" not in kinds(parse('i\tc\n1\t"big\nred\ndog"\n'))


def test_a_quotation_mark_that_never_closes_is_a_problem_with_its_lines() -> None:
    table = parse('a,b\n1,2\n3,"4\n5,6\n7,8\n', advice=ADVICE)
    assert cells(table) == [("1", "2")]
    (problem,) = table.problems
    assert (problem.line, problem.message) == (
        3,
        "not valid CSV: a quotation mark opens here and is never closed, lines 3 to 5 are lost (say --plain)",
    )


def test_quotation_marks_are_plain_characters_where_that_is_said() -> None:
    table = parse('a,b\n1,"2\n"3",4\n', quoting="none")
    assert cells(table) == [("1", '"2'), ('"3"', "4")]


def test_a_stray_carriage_return_is_a_fault_and_no_row() -> None:
    table = parse("a,b\n1,2\r3,4\n5,6\n")
    assert cells(table) == [("5", "6")]
    assert [(p.line, "carriage return" in p.message) for p in table.problems] == [(2, True)]


@pytest.mark.parametrize(
    ("data", "line", "told"),
    [
        (b"", 0, "holds nothing to read"),
        (b"\xef\xbb\xbf \n", 0, "holds nothing to read"),
        (b"a,b\n1,\0\n", 2, "a NUL at character 6"),
        ("a,b\n1,2\n".encode("utf-16-be"), 1, "UTF-16 without a byte order mark"),
        (b"a,b\n1,2\nx,caf\xe9\n", 3, "byte 0xe9 at byte 13 of the file is not UTF-8"),
        (codecs.BOM_UTF16_LE + b"a\0\n\0\0", 2, "byte 6 of the file is not UTF-16"),
        (codecs.BOM_UTF16_LE + b"a\0\n\0\0\xdc", 2, "byte 6 of the file is not UTF-16"),
        ("a,b".encode("utf-32"), 0, "UTF-32"),
        (b"PAR1....", 0, "Parquet"),
        (b"\x1f\x8b....", 0, "gzip"),
    ],
)
def test_what_is_no_text_says_where(data: bytes, line: int, told: str) -> None:
    (problem,) = refused(data).problems
    assert problem.line == line
    assert told in problem.message


def test_a_file_in_another_encoding_names_at_most_a_hundred_lines() -> None:
    assert len(refused(b"\xe9\n" * 500).problems) == 100


def test_pipes_devices_folders_and_files_without_end_are_refused_unread(tmp_path: Path) -> None:
    pipe, sparse = tmp_path / "pipe", tmp_path / "sparse"
    os.mkfifo(pipe)
    with sparse.open("wb") as file:
        file.truncate(12 << 30)
    for path in (pipe, sparse, tmp_path, Path("/dev/zero"), tmp_path / "absent"):
        with pytest.raises(DatasetError):
            read_table(path)
    small = tmp_path / "small"
    small.write_text("a,b\n")
    with pytest.raises(ClipbenchError, match="at most 3 are read"):
        read_table(small, limit=3)


def test_a_million_columns_are_columns() -> None:
    names = [f"c{n}" for n in range(1_000_000)]
    table = parse(",".join(names) + "\n" + "," * 999_998 + "x,y\n")
    assert len(table.header) == 1_000_000
    assert table.rows[0].cells[-2:] == ("x", "y")


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=5),
    delimiter=st.sampled_from(DELIMITERS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_is_written_is_what_is_read(
    rows: list[tuple[str, str, str]], delimiter: str, encoding: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("one", "two", "three"), *rows])
    table = parse_table(out.getvalue().encode(encoding), "t.csv")
    assert cells(table) == [row for row in rows if any(cell.strip() for cell in row)]
    assert not table.problems


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60), quoting=st.sampled_from(["csv", "none"]))
def test_any_bytes_are_a_table_or_refused(data: bytes, quoting: str) -> None:
    try:
        table = parse_table(b"a,b\n" + data, "t.csv", quoting=quoting)  # type: ignore[arg-type]  # one of two words
    except InputError:
        return
    assert all(len(row.cells) == 2 for row in table.rows)
