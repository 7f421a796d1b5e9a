"""Conditions on columns: what they choose, and that they can do nothing else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_toys import new_store

from clipbench.errors import ClipbenchError, DatasetError
from clipbench.records import Caption, Dataset, Sample
from clipbench.store.dataset_columns import DatasetColumns, save_columns
from clipbench.store.dataset_filters import ItemColumns, item_ids_where
from clipbench.store.datasets import save_dataset

NAMES = ("type", "price", "size", 'odd "name"', "group", "Größe")
CELLS = (
    ("Chair", "5", "80 cm", "x", "a", "1"),
    ("Chair", "100", "9 cm", "it's", "b", "2"),
    ("Table", "20.5", "120 cm", "", "a", ""),
    ("", "", "", "y", "", "3"),
)
IDS = ("a", "b", "c", "d")


def dataset() -> Dataset:
    captions = [tuple(Caption(f"{i}#{n}", f"{i} {n}") for n in range(1 + (i == "a"))) for i in IDS]
    samples = tuple(Sample(i, c, f"photos/{i}.png", "0" * 64) for i, c in zip(IDS, captions, strict=True))
    return Dataset("toys", "csv", "all", "all", samples)


@pytest.fixture
def columns(tmp_path: Path) -> ItemColumns:
    store = new_store(tmp_path / "s")
    save_dataset(store, dataset())
    save_columns(store, dataset().key, DatasetColumns(NAMES, CELLS))
    assert item_ids_where(store, dataset(), "price = 5") == ("a",)
    return ItemColumns(store, dataset())


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("type = 'Chair'", "ab"),
        ("TYPE = 'Chair' AND price < 20", "a"),
        ("price > 9", "bc"),  # as numbers: as text 100 would come before 9
        ("price BETWEEN 5 AND 20.5", "ac"),
        ("price + 1 = 6", "a"),
        ("price >= -1", "abc"),
        ("type != 'Chair'", "c"),  # an empty cell is not known, so not another type
        ("type IS NULL", "d"),
        ("NOT (type = 'Chair') OR type IS NULL", "cd"),
        ("type IN ('Table', 'Vase')", "c"),
        ("type LIKE '%hai%'", "ab"),
        ("type GLOB 'C*'", "ab"),
        ("lower(type) = 'chair'", "ab"),
        ("type = 'chair' COLLATE NOCASE", "ab"),
        ('"odd ""name""" = \'it\'\'s\'', "b"),
        ("\"group\" = 'a'", "ac"),
        ("[group] = 'a'", "ac"),
        ("Größe > 1", "bd"),
        ("CAST(size AS INTEGER) > 50", "ac"),
        ("CASE WHEN type = 'Chair' THEN price ELSE 0 END > 50", "b"),
        ("image_id = 'c'", "c"),
        ("path LIKE 'photos/a%'", "a"),
        ("captions = 2", "a"),
        ("1 --1", "abcd"),  # minus minus one: there are no comments
        ("type = ''", ""),
    ],
)
def test_a_condition_chooses_what_it_says(columns: ItemColumns, where: str, chosen: str) -> None:
    assert columns.ids(where) == tuple(chosen)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("typ = 'Chair'", "near: type"),
        ("type = Chair", "single quotes: 'Chair'"),
        ('type = "Chair"', "no column 'Chair' in double quotes"),
        ("type = 'Chair", "quotation mark"),
        ("type = 'a'; DROP TABLE item", "wrong at ';"),
        ("1) UNION SELECT 1 FROM item WHERE (1", "no column 'UNION'|brackets"),
        ("1) OR (1", "brackets"),
        ("(type = 'a'", "brackets"),
        ("EXISTS (SELECT 1)", r"cannot call EXISTS"),
        ("type IN (SELECT name FROM sqlite_master)", "no column 'SELECT'"),
        ("load_extension('x')", "cannot call load_extension"),
        ("randomblob(1000000000)", "cannot call randomblob"),
        ("type = ?", r"wrong at '\?'"),
        ("type = :x", "wrong at ':x'"),
        ("type = \0", "wrong at"),
        ("type = = 'a'", "is wrong"),
        ("position = 1", "no column 'position'"),
        ("rowid = 1", "no column 'rowid'"),
        ("size < 20", "holds text"),
        ("20 >= size", "holds text"),
        ("size BETWEEN 1 AND 2", "holds text"),
        ("x" * 5000, "at most 4,000 characters"),
        ("(" * 1500 + "1" + ")" * 1500, "is wrong"),
        ("type = '\ud83d'", "whole Unicode"),
        ("type = 12abc", "wrong at '12abc'"),
    ],
)
def test_what_is_no_condition_is_told(columns: ItemColumns, where: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        columns.ids(where)
    assert columns.ids("1") == IDS


def test_a_dataset_without_columns_has_its_images_own(tmp_path: Path) -> None:
    store = new_store(tmp_path / "s")
    save_dataset(store, dataset())
    assert item_ids_where(store, dataset(), "image_id < 'c'") == ("a", "b")


def test_a_column_named_like_one_of_ours_is_the_datasets(tmp_path: Path) -> None:
    store = new_store(tmp_path / "s")
    save_dataset(store, dataset())
    save_columns(store, dataset().key, DatasetColumns(("path",), (("z",), ("y",), ("",), ("z",))))
    assert item_ids_where(store, dataset(), "path = 'z'") == ("a", "d")


def test_a_condition_that_takes_too_long_is_stopped(
    columns: ItemColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipbench.store.dataset_filters.SECONDS", -1.0)
    monkeypatch.setattr("clipbench.store.dataset_filters.STEPS", 1)
    with pytest.raises(DatasetError, match="longer than"):
        columns.ids("type = 'Chair'")


@given(st.text(alphabet="abct y=<>'\"()[];-*/?:@0159,.|%NOTINpricetypeSELECT", max_size=40))
def test_any_text_is_a_condition_or_told(tmp_path_factory: pytest.TempPathFactory, where: str) -> None:
    columns = _made(tmp_path_factory)
    try:
        chosen = columns.ids(where)
    except ClipbenchError:
        return
    assert set(chosen) <= set(IDS)


_MADE: list[ItemColumns] = []


def _made(factory: pytest.TempPathFactory) -> ItemColumns:
    if not _MADE:
        store = new_store(factory.mktemp("s") / "s")
        save_dataset(store, dataset())
        save_columns(store, dataset().key, DatasetColumns(NAMES, CELLS))
        _MADE.append(ItemColumns(store, dataset()))
    return _MADE[0]
