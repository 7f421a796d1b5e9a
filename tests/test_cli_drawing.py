"""Tables on a terminal of any width: nothing is cut, numbers stay whole, the first column says what a row is."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from clipbench.cli.drawing import FOLDED, GAP, LEAST, drawn, printable, widths
from clipbench.reports.blocks import blocks, leads
from clipbench.reports.tables import Column, Table, is_numeric
from clipbench.reports.tables import shown as shown_as


def lines(table: Table, width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, soft_wrap=True, markup=False, highlight=False, emoji=False)
    for part in drawn(table, width):
        console.print(part)
    return [line.rstrip() for line in out.getvalue().splitlines()]


RUNS = Table(
    "Runs",
    (Column("run"), Column("model"), *(Column(f"t2i R@{k}") for k in (1, 5, 10)), Column("RSUM", digits=1)),
    (("1e321e0527", "ViT-B-32-quickgelu / openai", 0.375, 0.7917, 0.9375, 397.9), ("99c01fc72a", "toy", 0.1, None, 1.0, 5.0)),
    ("R@K: share of queries with a positive among the first K",),
)  # fmt: skip


def test_a_table_that_fits_is_one_part() -> None:
    assert lines(RUNS, 100) == [
        "Runs",
        "run         model                        t2i R@1  t2i R@5  t2i R@10   RSUM",
        "──────────────────────────────────────────────────────────────────────────",
        "1e321e0527  ViT-B-32-quickgelu / openai   0.3750   0.7917    0.9375  397.9",
        "99c01fc72a  toy                           0.1000        -    1.0000    5.0",
        "R@K: share of queries with a positive among the first K",
    ]


def test_columns_that_do_not_fit_go_below_under_the_first_one() -> None:
    shown = lines(RUNS, 60)
    assert shown[1:5] == [
        "run         model                        t2i R@1  t2i R@5",
        "─────────────────────────────────────────────────────────",
        "1e321e0527  ViT-B-32-quickgelu / openai   0.3750   0.7917",
        "99c01fc72a  toy                           0.1000        -",
    ]
    assert shown[5:10] == [
        "",
        "run         t2i R@10   RSUM",
        "───────────────────────────",
        "1e321e0527    0.9375  397.9",
        "99c01fc72a    1.0000    5.0",
    ]


def test_what_names_a_row_stands_in_every_part() -> None:
    heads = (Column("op"), Column("level"), *(Column(f"R@{k}") for k in (1, 5, 10)))
    rows = (("drop", "0.1", 0.5, 0.6, 0.7), ("drop", "0.2", 0.3, 0.4, 0.5))
    assert lines(Table("", heads, rows), 30) == [
        "op    level     R@1     R@5",
        "───────────────────────────",
        "drop  0.1    0.5000  0.6000",
        "drop  0.2    0.3000  0.4000",
        "",
        "op    level    R@10",
        "───────────────────",
        "drop  0.1    0.7000",
        "drop  0.2    0.5000",
    ]


def test_what_names_no_row_is_not_repeated() -> None:
    heads = tuple(map(Column, ("run", "dataset", "metric", "value")))
    rows = (("a", "toys", "R@1", 0.1), ("a", "toys", "R@5", 0.2), ("b", "toys", "R@1", 0.1))
    table = Table("", heads, rows)
    assert leads(table, [3, 7, 6, 6], 80, GAP) == [0, 2]
    assert leads(table, [3, 7, 6, 6], 10, GAP) == [0]  # not where it would take more than half the room
    assert leads(Table("", heads, rows[:1]), [3, 7, 6, 6], 80, GAP) == [0]


def test_notes_break_between_words() -> None:
    note = "a note of several words that do not fit into one line"
    shown = lines(Table("", (Column("x"),), (("y",),), (note,)), 20)[3:]
    assert all(len(line) <= 20 for line in shown)
    assert " ".join(shown) == note


def test_long_texts_fold_and_lose_nothing() -> None:
    text = "a caption of many words that goes on and on until no terminal is wide enough for it any more"
    shown = lines(Table("", (Column("id"), Column("caption")), (("p0#0", text),)), 50)
    assert max(map(len, shown)) <= 50
    assert " ".join(line[4:].strip() for line in shown[2:]) == text


cells = st.none() | st.integers(-(10**6), 10**6) | st.floats(-1e4, 1e4) | st.text(max_size=40)
tables = st.integers(1, 7).flatmap(
    lambda n: st.builds(
        lambda heads, rows: Table("t", tuple(Column(h or "x") for h in heads), tuple(map(tuple, rows))),
        st.lists(
            st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=12), min_size=n, max_size=n
        ),
        st.lists(st.lists(cells, min_size=n, max_size=n), min_size=1, max_size=3),
    )
)


@given(tables, st.integers(40, 160))
@settings(max_examples=40, deadline=None)
def test_whatever_the_data_no_line_is_too_wide_and_every_number_is_there(table: Table, width: int) -> None:
    shown = lines(table, width)
    body = "\n".join(shown)
    longest = max(cell_len(line) for line in shown)
    # Two columns always stand side by side, however narrow the terminal.
    assert longest <= max(width, 28 + GAP + 28)
    assert "…" not in "".join(shown) or any("…" in str(c) for row in table.rows for c in row)
    for row in table.rows:
        for value, column in zip(row, table.columns, strict=True):
            if isinstance(value, float) and all(
                isinstance(r[table.columns.index(column)], float) for r in table.rows
            ):
                assert f"{value:.4f}" in body


def test_a_table_without_rows_says_so_and_what_to_do() -> None:
    empty = Table("Runs", (Column("run"),), (), ("evaluate something",))
    assert lines(empty, 80) == ["Runs: nothing yet", "evaluate something"]
    assert lines(Table("Lint", (Column("x"),), (), empty="nothing found"), 80) == ["Lint: nothing found"]


def as_rich_draws_it(table: Table, width: int) -> list[str]:
    """The table as rich's own would look: the oracle of how it is set and folded."""
    numeric = [is_numeric(table, i) for i in range(len(table.columns))]
    texts = [
        [printable(c.heading), *(printable(shown_as(row[i], c.digits)) for row in table.rows)]
        for i, c in enumerate(table.columns)
    ]
    natural = [max(map(cell_len, column)) for column in texts]
    least = [
        wide if right else min(wide, FOLDED, max(LEAST, width))
        for wide, right in zip(natural, numeric, strict=True)
    ]
    found = []
    for number, columns in enumerate(blocks(least, width, GAP, leads(table, least, width, GAP))):
        part = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for i, wide in zip(columns, widths(natural, least, columns, width), strict=True):
            justify = "right" if numeric[i] else "left"
            part.add_column(Text(texts[i][0]), justify=justify, width=wide, overflow="fold")  # type: ignore[arg-type]  # one of rich's words
        for row in range(1, len(table.rows) + 1):
            part.add_row(*(Text(texts[i][row]) for i in columns))
        out = io.StringIO()
        Console(file=out, width=width, markup=False, highlight=False, emoji=False).print(part)
        found += [""] * bool(number) + [line.rstrip() for line in out.getvalue().splitlines()]
    return found


@given(tables, st.integers(80, 200))
@settings(max_examples=60, deadline=None)
def test_a_table_looks_as_rich_would_draw_it(table: Table, width: int) -> None:
    assert lines(table, width)[1:] == as_rich_draws_it(table, width)


def test_on_a_narrow_terminal_texts_give_way_and_numbers_do_not() -> None:
    columns = (Column("what"), Column("number", digits=1))
    shown = lines(Table("", columns, (("a text of several words", 123456789012345.0),)), 31)
    assert shown == [
        "what                     number",
        "───────────────────────────────",
        "a text of     123456789012345.0",
        "several",
        "words",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb\tc", "a b c"), ("\x1b[31mred", "\ufffd[31mred"), ("left\u202eright", "left\ufffdright"), ("日本", "日本")],
)  # fmt: skip
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(20, 120))
def test_every_column_is_in_one_part_and_the_first_in_all(least: list[int], width: int) -> None:
    parts = blocks(least, width, GAP)
    assert all(part[0] == 0 for part in parts)
    assert [i for part in parts for i in part[1:]] == list(range(1, len(least)))
    for part in parts:
        assert len(part) <= 2 or sum(least[i] for i in part) + GAP * (len(part) - 1) <= width


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 28)), min_size=1, max_size=6), st.integers(20, 200)
)
def test_room_that_is_left_goes_to_what_folds_and_no_further(
    pairs: list[tuple[int, int]], width: int
) -> None:
    natural, least = [max(pair) for pair in pairs], [min(pair) for pair in pairs]
    given_ = widths(natural, least, range(len(pairs)), width)
    assert all(low <= wide <= high for low, wide, high in zip(least, given_, natural, strict=True))
    taken = sum(given_) + GAP * (len(pairs) - 1)
    assert taken <= max(width, sum(least) + GAP * (len(pairs) - 1))
    assert taken == min(width, sum(natural) + GAP * (len(pairs) - 1)) or taken > width
