"""One table in CSV, JSON and Markdown: the same data, harmless wherever it is opened."""

import csv
import io
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipbench.failures.exchange import unguarded
from clipbench.reports.formats import written
from clipbench.reports.tables import Cell, Column, Table, neutral, to_csv, to_markdown

cells: st.SearchStrategy[Cell] = (
    st.none() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text(max_size=20)
)
tables = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(cells, min_size=n, max_size=n).map(tuple), max_size=4).map(
        lambda rows: Table("A title", tuple(Column(f"c{i}") for i in range(n)), tuple(rows), ("a note",))
    )
)


@given(tables)
def test_csv_reads_back_in_full_precision(table: Table) -> None:
    found = list(csv.reader(io.StringIO(to_csv(table), newline="")))
    assert found[0] == [column.name for column in table.columns]
    assert len(found) == len(table.rows) + 1
    for line, row in zip(found[1:], table.rows, strict=True):
        for text, cell in zip(line, row, strict=True):
            if cell is None:
                assert text == ""
            elif isinstance(cell, float):
                assert float(text) == cell
            elif isinstance(cell, int):
                assert int(text) == cell
            else:
                assert text in {cell, f"'{cell}"} or unguarded(text) == cell
                assert not text.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(tables)
def test_json_reads_back_in_full_precision(table: Table) -> None:
    found = json.loads(written(table, "json"), parse_constant=pytest.fail)
    assert (found["title"], found["notes"]) == ("A title", ["a note"])
    for line, row in zip(found["rows"], table.rows, strict=True):
        wanted = [None if isinstance(c, float) and not math.isfinite(c) else c for c in row]
        assert list(line.values()) == wanted


@given(tables)
def test_markdown_has_as_many_cells_in_every_line(table: Table) -> None:
    lines = [line for line in to_markdown(table).splitlines() if line.startswith("|")]
    assert len(lines) == len(table.rows) + 2
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {len(table.columns) + 1}


def test_tables_of_the_same_numbers() -> None:
    table = Table(
        "Runs of a_b",
        (Column("model"), Column("t2i hit@1", "R@1"), Column("RSUM", digits=1), Column("n")),
        (("ViT <B>|32", 0.19919999, 273.25, 5000), ("[x]*", None, 600.0, 7)),
        ("R@K: share",),
    )
    assert to_markdown(table) == (
        "**Runs of a_b**\n\n"
        "| model          |    R@1 |  RSUM |     n |\n"
        "|----------------|-------:|------:|------:|\n"
        "| ViT &lt;B>\\|32 | 0.1992 | 273.2 | 5,000 |\n"
        "| [x]*           |      - | 600.0 |     7 |\n"
        "\n"
        "R@K: share  \n"
    )
    assert to_csv(table).splitlines()[1] == "ViT <B>|32,0.19919999,273.25,5000"
    assert json.loads(written(table, "json"))["rows"][1] == {
        "model": "[x]*",
        "t2i hit@1": None,
        "RSUM": 600.0,
        "n": 7,
    }


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert neutral(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["1-1", "a=b", "", 0, -0.5, -3, None])
def test_what_is_no_formula_stays(cell: Cell) -> None:
    assert neutral(cell) == cell


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="row 0 has 1 cells, the table 2 columns"):
        Table("", (Column("a"), Column("b")), ((1,),))
