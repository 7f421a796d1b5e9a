"""Columns kept beside a dataset: the newest count, and conditions over them see nothing else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_toys import new_store, toy_dataset

from clipbench.errors import StoreError
from clipbench.store.dataset_columns import DatasetColumns, load_columns, matching, save_columns
from clipbench.store.datasets import save_dataset
from clipbench.store.verify import verify

COLUMNS = DatasetColumns(
    ("type", "price", 'odd "name"'),
    (("chair", "10", "x"), ("table", "9.5", ""), ("chair", "", "y"), ("", "100", "x' OR 1=1")),
)


def test_the_newest_columns_of_a_dataset_count(tmp_path) -> None:
    store, dataset = new_store(tmp_path / "s"), toy_dataset()
    save_dataset(store, dataset)
    assert load_columns(store, dataset.key) is None
    size = len(dataset.samples)
    first = DatasetColumns(("a",), (("1",),) * size)
    second = DatasetColumns(("a", "b"), (("1", "2"),) * size)
    for columns in (first, first, second):
        save_columns(store, dataset.key, columns)
    assert load_columns(store, dataset.key) == second
    assert verify(store).problems == ()


@pytest.mark.parametrize(
    ("condition", "positions"),
    [
        ("type = 'chair'", (0, 2)),
        ("price > 9.7", (0, 3)),  # as numbers: '10' is before '9.5' as text
        ("price IS NULL", (2,)),
        ('type LIKE \'T%\' OR "odd ""name""" = \'y\'', (1, 2)),
        ("type IS NULL", (3,)),
        ("1", (0, 1, 2, 3)),
        ("lower(type) = 'chair' AND price < 50", (0,)),
    ],
)
def test_a_condition_picks_images(condition: str, positions: tuple[int, ...]) -> None:
    assert matching(COLUMNS, condition) == positions


@pytest.mark.parametrize(
    "condition",
    [
        "colour = 'red'",
        "1; DROP TABLE items",
        "1) UNION SELECT 1 --",
        "type = (SELECT name FROM sqlite_master)",
        "load_extension('x')",
        "length(zeroblob(1000000000)) > 0",
        "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n) > 0",
        "",
        "type =",
    ],
)
def test_what_is_no_condition_is_refused_in_a_line(condition: str) -> None:
    with pytest.raises(StoreError):
        matching(COLUMNS, condition)


@given(st.text(max_size=30))
def test_no_text_does_more_than_pick_or_be_refused(condition: str) -> None:
    with contextlib.suppress(StoreError):
        assert set(matching(COLUMNS, condition)) <= {0, 1, 2, 3}


def test_cells_are_joined_without_the_empty_ones() -> None:
    assert COLUMNS.joined(["type", "price"]) == ("chair 10", "table 9.5", "chair", "100")
    with pytest.raises(StoreError, match="there are type, price"):
        COLUMNS.joined(["colour"])
