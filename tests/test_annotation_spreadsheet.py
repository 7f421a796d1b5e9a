"""Excel files of labels: what people's spreadsheets hold, and what no honest one does."""

import io
import re
import sys
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import count, new_store, toy_dataset

from clipbench.errors import InputError
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.study.annotation.files import read_labels
from clipbench.study.annotation.importing import ImportRequest, import_labels
from clipbench.study.annotation.spreadsheet import UNPACKED

openpyxl = pytest.importorskip("openpyxl", reason="the annotate extra is not installed")

HEAD = ["idx", "caption", "gt_img_idx", "pred_img_idx", "category", "ambiguous_subtype"]
SHEET = "xl/worksheets/sheet1.xml"


def row(number: int, category: object = "Object") -> list[object]:
    return [
        number,
        f"a red thing {number // 2} {number % 2}",
        number // 2,
        (number // 2 + 1) % 3,
        category,
        None,
    ]


def book(path: Path, *rows: list[object], change: Callable[[Any], None] | None = None) -> Path:
    made = openpyxl.Workbook()
    for cells in (HEAD, *rows):
        made.active.append(cells)
    if change is not None:
        change(made)
    made.save(path)
    return path


def patched(path: Path, old: bytes, new: bytes, member: str = SHEET) -> Path:
    """Replace bytes in one part of an Excel file."""
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    assert re.search(old, parts[member])
    parts[member] = re.sub(old, lambda _: new, parts[member], count=1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in parts.items():
            packed.writestr(name, data)
    return path


def problems(path: Path) -> list[str]:
    try:
        found = read_labels(path).problems
    except InputError as error:
        found = error.problems
    assert {problem.file for problem in found} <= {str(path)}
    return [f"{problem.line}: {problem.message}" for problem in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "assign_A.xlsx"


def test_merged_labels_and_formulas_without_a_value_are_problems_with_their_row(path: Path) -> None:
    def change(made: Any) -> None:
        made.active.merge_cells("E2:E4")
        made.active.merge_cells("A7:B7")  # in one row: takes nobody's label

    book(path, row(0), row(1), row(2), row(3, '="Ob"&"ject"'), change=change)
    assert problems(path) == [
        "2: the cells E2:E4 are merged: only the first row would have a label; unmerge them",
        '5: the formula \'="Ob"&"ject"\' has no value in the file: open and save it, or write the value',
    ]


def test_a_formula_with_a_value_counts_as_it_is_shown_and_is_told(path: Path) -> None:
    book(path, row(0, '="Ob"&"ject"'))
    patched(path, rb"<v */>|<v></v>", b"<v>Object</v>")
    patched(path, rb'(?<=<c r="E2")', b' t="str"')
    found = read_labels(path)
    assert [entry.category for entry in found.entries] == ["Object"]
    assert found.notes == ("formulas, taken as they were last shown (1)",)


def test_text_that_looks_like_a_formula_is_text(path: Path) -> None:
    def change(made: Any) -> None:
        made.active["B2"].value = "=1+1"
        made.active["B2"].data_type = "s"

    book(path, row(0), change=change)
    found = read_labels(path)
    assert found.problems == ()
    assert found.entries[0].caption == "=1+1"


def test_further_sheets_are_told_and_blank_rows_and_columns_are_no_rows(path: Path) -> None:
    book(
        path,
        row(0),
        [None] * 6,
        [*row(1), None, None],
        change=lambda made: made.create_sheet("later").append(HEAD),
    )
    found = read_labels(path)
    assert [(entry.line, entry.idx) for entry in found.entries] == [(2, "0"), (4, "1")]
    assert found.notes == ("only the first of 2 sheets was read: Sheet",)


def test_the_first_sheet_is_the_one_whose_merged_cells_count(path: Path) -> None:
    def change(made: Any) -> None:
        later = made.create_sheet("later")
        later.merge_cells("E2:E4")

    book(path, row(0), change=change)
    assert problems(path) == []


def test_an_excel_file_is_known_by_its_content(path: Path) -> None:
    book(path, row(0))
    renamed = path.rename(path.with_suffix(".csv"))
    assert read_labels(renamed).kind == "xlsx"


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        (b'<!ENTITY e SYSTEM "file:///etc/passwd">', b"&e;"),
        (b'<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY e "&b;&b;&b;&b;">', b"&e;"),
    ],
)
def test_entities_are_refused_unread(path: Path, entity: bytes, value: bytes) -> None:
    book(path, row(0))
    patched(path, b"<worksheet", b"<!DOCTYPE x [" + entity + b"]><worksheet")
    patched(path, b"a red thing 0 0", value)
    (said,) = problems(path)
    assert "EntitiesForbidden" in said


def test_a_zip_bomb_is_refused_before_it_is_unpacked(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", bytes(UNPACKED + 1))
    assert path.stat().st_size < 200_000
    (said,) = problems(path)
    assert f"unpacks to {UNPACKED + 1:,} bytes" in said


def test_a_bomb_that_lies_about_its_size_is_refused_too(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", bytes(UNPACKED + 1))
    path.write_bytes(
        path.read_bytes().replace((UNPACKED + 1).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    )
    (said,) = problems(path)
    assert said.startswith("0: is no Excel file that can be read (Bad CRC-32")


def test_cells_far_away_widen_nothing(path: Path) -> None:
    book(path, row(0))
    patched(path, rb"<dimension[^>]*>", b'<dimension ref="A1:XFD1048576"/>')
    assert [entry.idx for entry in read_labels(path).entries] == ["0"]
    patched(path, b"</sheetData>", b'<row r="9"><c r="XFD9"><v>1</v></c></row></sheetData>')
    assert [entry.idx for entry in read_labels(path).entries] == ["0"]
    patched(path, b"</sheetData>", b'<row r="1048576"><c r="A1048576"><v>1</v></c></row></sheetData>')
    assert problems(path) == ["0: reaches below row 100,000; delete what is far below the labels"]


@pytest.mark.parametrize(
    ("member", "old", "new", "said"),
    [
        (SHEET, rb"(?s)<sheetData>.*", b"<sheetData>", "no element found"),
        ("xl/workbook.xml", rb"(?s).*", b"<x/>", "it has no sheet of cells"),
        ("xl/workbook.xml", rb"(?s).*", b"", "no element found"),
        (SHEET, b't="n"', b't="d"', "Invalid datetime value"),
    ],
)
def test_a_damaged_file_is_refused_with_what_to_do(
    path: Path, member: str, old: bytes, new: bytes, said: str
) -> None:
    patched(book(path, row(5)), old, new, member)
    (problem,) = problems(path)
    assert said in problem
    assert problem.endswith("save it as CSV")


def test_old_and_encrypted_files_are_named(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert problems(path) == [
        "0: is an Excel file of the old kind (.xls) or encrypted; save it as .xlsx or CSV"
    ]


def test_a_chart_before_the_sheet_is_passed_over(path: Path) -> None:
    book(path, row(0), change=lambda made: made.create_chartsheet("chart", 0))
    assert [entry.idx for entry in read_labels(path).entries] == ["0"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("one_x000D_\ntwo", "one\ntwo"),  # as Excel writes a line break of Windows
        ("one_x000D_two", "one\rtwo"),
        ("_x005F_x000D_", "_x000D_"),  # the escape of an escape
        ("_x005F__x000A_", "_\n"),
        ("_x00e9_", "é"),
        ("_xD83D_ _x12_ x000D", "_xD83D_ _x12_ x000D"),  # half a character, and nothing at all
    ],
)
@pytest.mark.parametrize("shared", [True, False])
def test_escaped_characters_are_what_excel_shows(
    path: Path, written: str, shown: str, *, shared: bool
) -> None:
    book(path, row(0))
    if shared:
        share(path, b"<si><t>" + written.encode() + b"</t></si>")
    else:
        patched(path, b"a red thing 0 0", written.encode())
    assert read_labels(path).entries[0].caption == shown


def share(path: Path, items: bytes) -> Path:
    """Give a file a table of shared strings, and its first caption the first of them."""
    spreadsheet = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    patched(path, rb'<c r="B2" t="inlineStr"><is><t>[^<]*</t></is></c>', b'<c r="B2" t="s"><v>0</v></c>')
    part = b'<Override PartName="/xl/sharedStrings.xml" ContentType="' + kind + b'"/></Types>'
    patched(path, b"</Types>", part, "[Content_Types].xml")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/sharedStrings.xml", b'<sst xmlns="' + spreadsheet + b'">' + items + b"</sst>")
    return path


FLOODS: dict[str, Callable[[Path], Path]] = {
    "cells": lambda path: patched(
        path, b"</sheetData>", b"<row>" + b"<c/>" * 2_000_000 + b"</row></sheetData>"
    ),
    "rows": lambda path: patched(path, b"</sheetData>", b"<row/>" * 2_000_000 + b"</sheetData>"),
    "merged": lambda path: patched(
        path,
        b"</sheetData>",
        b"</sheetData><mergeCells>" + b'<mergeCell ref="A1:B2"/>' * 100_000 + b"</mergeCells>",
    ),
    "styles": lambda path: patched(
        path, b"</cellXfs>", b'<xf numFmtId="0"/>' * 100_000 + b"</cellXfs>", "xl/styles.xml"
    ),
    "sheets": lambda path: patched(
        path, b"</sheets>", b'<sheet name="a" sheetId="1"/>' * 100_000 + b"</sheets>", "xl/workbook.xml"
    ),
    "strings": lambda path: share(path, b"<si/>" * 2_000_000),
    "text": lambda path: share(path, b"<si><t>" + b"a" * 30_000_000 + b"</t></si>"),
    "behind blanks": lambda path: patched(path, b"(?s).*", b" " * 99 + b"<a/>" * 100_000, "xl/styles.xml"),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_small_file_that_holds_too_much_is_refused_before_it_is_read(path: Path, flood: str) -> None:
    FLOODS[flood](book(path, row(0)))
    assert path.stat().st_size < 200_000
    (said,) = problems(path)
    assert said.startswith("0: holds ")


def test_twenty_thousand_sheets_and_a_long_formula_cost_no_more_than_one(path: Path) -> None:
    """Every sheet used to be read for its size, and every shared formula to be translated."""
    book(path, row(0))
    sheets = b'<sheet name="a" sheetId="1" r:id="rId1"/>' * 15_000
    patched(path, b"</sheets>", sheets + b"</sheets>", "xl/workbook.xml")
    first = (
        b'<row r="3"><c r="A3"><f t="shared" ref="A3:A9" si="0">'
        + b"A1+" * 10_000
        + b"A1</f><v>1</v></c></row>"
    )
    more = b"".join(
        b'<row r="%d"><c r="A%d"><f t="shared" si="0"/><v>1</v></c></row>' % (n, n) for n in range(4, 4_000)
    )
    patched(path, b"</sheetData>", first + more + b"</sheetData>")
    assert len(read_labels(path).entries) == 1 + 3_997


def test_one_bad_spreadsheet_keeps_the_good_file_beside_it_out(path: Path, tmp_path: Path) -> None:
    store: Store = new_store(tmp_path / "store")
    save_dataset(store, toy_dataset())
    bad = book(
        tmp_path / "assign_B.xlsx", row(1), row(2), change=lambda made: made.active.merge_cells("E2:E3")
    )
    with pytest.raises(InputError):
        import_labels(store, ImportRequest((book(path, row(0)), bad)))
    assert count(store, "annotation") == 0
    (done,) = import_labels(store, ImportRequest((path,)))
    assert done.saved.added == 1


@cache
def small_book() -> bytes:
    """An Excel file, made once: a second one would hold another time."""
    target = io.BytesIO()
    made = openpyxl.Workbook()
    for cells in (HEAD, row(0), row(1, "=A1")):
        made.active.append(cells)
    made.save(target)
    return target.getvalue()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_damaged_anywhere_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(small_book())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "assign_A.xlsx"
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))] if data.draw(st.booleans()) else whole)
    problems(path)  # raises nothing else, and names the file


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_sheet_damaged_inside_its_zip_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "assign_A.xlsx"
    with zipfile.ZipFile(io.BytesIO(small_book())) as packed:
        member = data.draw(st.sampled_from(sorted(packed.namelist())))
        parts = {name: packed.read(name) for name in packed.namelist()}
    text = bytearray(parts[member])
    start = data.draw(st.integers(0, len(text)))
    text[start : start + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    parts[member] = bytes(text)
    with zipfile.ZipFile(path, "w") as packed:
        for name, part in parts.items():
            packed.writestr(name, part)
    problems(path)  # raises nothing else, and names the file
