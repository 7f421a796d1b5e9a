"""Columns kept beside a dataset: the newest count, each once."""

import pytest
from store_toys import new_store, toy_dataset

from clipbench.errors import StoreError
from clipbench.store.dataset_columns import DatasetColumns, load_columns, save_columns
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
    for columns in (first, first, second, first, second, first):
        save_columns(store, dataset.key, columns)
        assert load_columns(store, dataset.key) == columns
    assert verify(store).problems == ()


def test_cells_are_joined_without_the_empty_ones() -> None:
    assert COLUMNS.joined(["type", "price"]) == ("chair 10", "table 9.5", "chair", "100")
    with pytest.raises(StoreError, match="there are type, price"):
        COLUMNS.joined(["colour"])
