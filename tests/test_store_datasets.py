"""Datasets come back equal to the bit; content is kept once, and names can move."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import store_toys
from store_toys import count, new_store, toy_dataset, toy_record, toy_run

from clipbench.errors import DatasetError
from clipbench.foreign_files import inside
from clipbench.keys import short
from clipbench.records import Caption, Dataset, Sample
from clipbench.store import clock
from clipbench.store.datasets import list_datasets, load_dataset, save_dataset
from clipbench.store.engine import Store, reading
from clipbench.store.queries import RunFilter, list_runs
from clipbench.store.runs import find_run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "store")


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return new_store(tmp_path_factory.mktemp("datasets"))


TEXT = st.text(st.characters(), max_size=12)  # half surrogates, NUL and line ends included
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SAMPLE = st.builds(
    Sample,
    TEXT,
    st.lists(st.builds(Caption, TEXT, TEXT), max_size=4).map(tuple),
    st.none() | TEXT.filter(inside),
    st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    st.none() | TEXT,
)
DATASET = st.builds(
    Dataset,
    st.just("drawn"),
    TEXT,
    TEXT,
    TEXT,
    st.lists(SAMPLE, max_size=5).map(tuple),
    st.none() | st.just(Path("/photos/\udcff")),
    st.dictionaries(TEXT, JSON, max_size=3),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dataset=DATASET)
def test_a_dataset_comes_back_equal_with_its_key(one_store: Store, dataset: Dataset) -> None:
    saved = save_dataset(one_store, dataset, replace=True)
    loaded = load_dataset(one_store, "drawn")
    # Names of problems are in no key, so a second reading keeps those of the first.
    kept = load_dataset(one_store, saved.key)
    problems = [sample.problem for sample in kept.samples]
    expected = replace(
        dataset,
        samples=tuple(replace(s, problem=p) for s, p in zip(dataset.samples, problems, strict=True)),
    )
    assert loaded == expected
    assert not saved.created or loaded == dataset
    assert (
        (loaded.key, loaded.fingerprint)
        == (dataset.key, dataset.fingerprint)
        == (saved.key, kept.fingerprint)
    )


def test_the_same_content_is_kept_once_under_all_its_names(store: Store) -> None:
    first = save_dataset(store, toy_dataset("one"))
    second = save_dataset(store, toy_dataset("two"))
    assert (first.created, second.created) == (True, False)
    assert first.id == second.id
    assert count(store, "dataset") == 1
    assert [d.name for d in list_datasets(store)] == ["one", "two"]
    assert load_dataset(store, "two") == toy_dataset("two")


def shown_names(store: Store) -> list[str]:
    return [run.dataset for run in list_runs(store)]


def test_of_several_names_a_run_shows_the_newest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(f"2024-05-01T00:00:{second:02}.000000Z" for second in range(60))
    monkeypatch.setattr(clock, "stamp", lambda *_: next(times))
    toy_run(store, toy_dataset("middle"))
    assert shown_names(store) == ["middle"]
    for name in ("zebra", "ant"):
        save_dataset(store, toy_dataset(name))
        assert shown_names(store) == [name]
    save_dataset(store, toy_dataset("middle"))
    assert shown_names(store) == ["middle"], "named again"
    assert len(list_runs(store, RunFilter(dataset="ant"))) == 1, "every name finds it"


def test_a_run_keeps_the_name_it_was_made_under_while_that_means_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(f"2024-05-01T00:00:{second:02}.000000Z" for second in range(60))
    monkeypatch.setattr(clock, "stamp", lambda *_: next(times))
    record = replace(toy_record(), environment={"dataset_name": "mine"})
    monkeypatch.setattr(store_toys, "toy_record", lambda _: record)
    toy_run(store, toy_dataset("mine"))
    save_dataset(store, toy_dataset("other"))
    assert shown_names(store) == ["mine"]
    run = find_run(store, list_runs(store)[0].key)
    assert run is not None
    assert run.dataset_name == "mine"
    save_dataset(store, toy_dataset("mine", word="blue"), replace=True)
    assert shown_names(store) == ["other"], "the name means other content now"


def test_content_read_from_another_place_brings_paths_up_to_date(store: Store) -> None:
    save_dataset(store, toy_dataset())
    moved = replace(
        toy_dataset(),
        samples=tuple(replace(s, path=f"jpg/{s.path}") for s in toy_dataset().samples),
        image_folder=Path("/new"),
        source={"file": "again.json"},
        format="other",
    )
    assert not save_dataset(store, moved).created
    assert load_dataset(store, "toy") == moved
    save_dataset(store, toy_dataset())
    assert load_dataset(store, "toy") == toy_dataset()


def test_a_name_moves_to_other_content_only_when_asked_and_runs_stay(store: Store) -> None:
    toy_run(store)
    other = toy_dataset(word="blue", images=4)
    with pytest.raises(
        DatasetError, match=r"'toy' already means other content: 3 images .*now 4 images"
    ) as caught:
        save_dataset(store, other)
    assert "--replace" in str(caught.value.hint)
    assert load_dataset(store, "toy") == toy_dataset()
    assert save_dataset(store, other, replace=True).created
    assert load_dataset(store, "toy") == other
    assert load_dataset(store, toy_dataset().key) == toy_dataset()
    with reading(store) as connection:
        shown = connection.exec_driver_sql("SELECT dataset, dataset_key FROM runs").one()
    assert tuple(shown) == (f"toy@{short(toy_dataset().key, 8)}", toy_dataset().key)


def test_a_refused_name_stores_nothing(store: Store) -> None:
    save_dataset(store, toy_dataset())
    with pytest.raises(DatasetError):
        save_dataset(store, toy_dataset(word="blue"))
    assert (count(store, "dataset"), count(store, "caption")) == (1, 6)
    for name in ("", "  ", "a\nb", "\udc80"):
        with pytest.raises(DatasetError, match="cannot be the name"):
            save_dataset(store, toy_dataset(name))


def test_a_dataset_is_found_by_the_beginning_of_its_key(store: Store) -> None:
    key = save_dataset(store, toy_dataset()).key
    for reference in (key, short(key, 40), short(key, 4), f"content:{short(key, 6)}"):
        assert load_dataset(store, reference).key == key
    with pytest.raises(DatasetError):
        load_dataset(store, short(key, 3))


def test_an_unknown_name_is_answered_with_near_ones(store: Store) -> None:
    for name, word in (("flickr8k", "a"), ("flickr30k", "b"), ("coco", "c")):
        save_dataset(store, toy_dataset(name, word=word))
    with pytest.raises(DatasetError, match=r"no dataset 'flickr8' .*near: flickr8k, flickr30k$") as caught:
        load_dataset(store, "flickr8")
    assert caught.value.hint == "clipbench dataset list"
    with pytest.raises(DatasetError, match="there are coco, flickr30k, flickr8k"):
        load_dataset(store, "zzz")


def test_the_list_counts_images_captions_problems_and_runs(store: Store) -> None:
    broken = replace(toy_dataset("broken", word="x").samples[0], digest=None, problem="missing")
    samples = (broken, *toy_dataset("broken", word="x").samples[1:])
    save_dataset(store, replace(toy_dataset("broken"), samples=samples, image_folder=None))
    toy_run(store)
    told = [(d.name, d.images, d.captions, d.problems, d.runs, d.image_folder) for d in list_datasets(store)]
    assert told == [("broken", 3, 6, 1, 0, None), ("toy", 3, 6, 0, 1, Path("/photos"))]
    assert list_datasets(store)[1].fingerprint == toy_dataset().fingerprint


def test_captions_can_be_read_with_sql(store: Store) -> None:
    lonely = Sample("alone", ())
    save_dataset(store, replace(toy_dataset(images=1), samples=(*toy_dataset(images=1).samples, lonely)))
    with reading(store) as connection:
        query = (
            "SELECT image_id, caption_id, text FROM captions_of WHERE dataset = 'toy' ORDER BY image, caption"
        )
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
    assert found == [
        ("i0", "i0#0", "a red thing 0 0"),
        ("i0", "i0#1", "a red thing 0 1"),
        ("alone", None, None),
    ]
