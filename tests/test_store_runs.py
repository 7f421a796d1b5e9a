"""A run is saved whole and comes back equal; it is found by key, tag or "latest", and goes whole."""

import sys
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from store_toys import (
    DROPOUT,
    ENCODER,
    count,
    encode,
    new_store,
    toy_dataset,
    toy_ledger,
    toy_metrics,
    toy_record,
    toy_run,
)

from clipbench.errors import StoreError
from clipbench.keys import short
from clipbench.records import CLEAN, DIRECTIONS, Direction, Ledger, Metric, RunSpec
from clipbench.store import clock
from clipbench.store.datasets import save_dataset
from clipbench.store.encoders import find_encoder, list_encoders, load_encoder, save_encoder
from clipbench.store.engine import Store, reading
from clipbench.store.perturbations import list_perturbations, load_perturbation, save_perturbation
from clipbench.store.queries import RunFilter, RunSummary, list_runs, metrics_of, resolve_run
from clipbench.store.runs import (
    SavedRun,
    delete_run,
    find_run,
    load_ledger,
    load_ledgers,
    load_metrics,
    save_run,
    tag_run,
    untag_run,
)
from clipbench.store.views import VIEWS


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "store")


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = new_store(tmp_path_factory.mktemp("runs"))
    toy_run(store)
    return store


def assert_equal(found: Ledger, expected: Ledger) -> None:
    for field in fields(Ledger):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        assert np.array_equal(a, b, equal_nan=field.name.endswith("score")), field.name
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None), field.name


def test_a_run_comes_back_with_all_it_was_saved_with(store: Store) -> None:
    spec = toy_run(store, perturbation=DROPOUT)
    run = find_run(store, spec.key)
    assert run is not None
    assert run.spec == spec
    assert (run.key, run.status, run.dataset_name, run.model) == (spec.key, "complete", "toy", ENCODER.label)
    assert (run.encoder, run.perturbation) == (ENCODER.key, DROPOUT)
    assert run.fingerprint == toy_dataset().fingerprint
    assert (run.n_images, run.n_texts, run.n_queries) == (3, 6, 9)
    record = toy_record(DROPOUT)
    assert (run.command, run.version, run.tags) == (record.command, record.version, ())
    assert (run.environment, run.timings) == (record.environment, record.timings)
    assert list(load_metrics(store, spec.key)) == toy_metrics()
    assert set(load_ledgers(store, spec.key)) == {"t2i", "i2t"}
    for direction in DIRECTIONS:
        assert_equal(load_ledger(store, spec.key, direction), toy_ledger(direction))


INT = st.integers(-(2**31), 2**31 - 1)
SCORE = st.floats(width=32)


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    sizes = draw(st.lists(st.integers(0, 3), max_size=5))
    queries, pairs = len(sizes), sum(sizes)

    def ints(size: int) -> npt.NDArray[np.int32]:
        return np.array(draw(st.lists(INT, min_size=size, max_size=size)), dtype=np.int32)

    def scores() -> npt.NDArray[np.float32]:
        return np.array(draw(st.lists(SCORE, min_size=queries, max_size=queries)), dtype=np.float32)

    return Ledger(
        direction="t2i",
        gallery_size=draw(st.integers(0, 2**40)),
        offsets=np.cumsum([0, *sizes]).astype(np.int32),
        positive=ints(pairs),
        above=ints(pairs),
        tied=ints(pairs),
        tied_positives=ints(pairs),
        top1=ints(queries),
        positive_score=scores(),
        negative_score=scores(),
        cluster=ints(queries),
    )


@settings(max_examples=25, deadline=None)
@given(ledger=ledgers())
def test_a_ledger_comes_back_to_the_bit(one_store: Store, ledger: Ledger) -> None:
    run = list_runs(one_store, RunFilter(kind="evaluate"))[0]
    kept = find_run(one_store, run.key)
    assert kept is not None
    spec = replace(kept.spec, kind="drawn")
    save_run(one_store, spec, toy_record(), {"t2i": ledger}, [])
    found = load_ledger(one_store, spec.key, "t2i")
    delete_run(one_store, spec.key)
    assert_equal(found, ledger)
    for name in ("positive_score", "negative_score"):
        assert getattr(found, name).tobytes() == getattr(ledger, name).tobytes()


def test_a_run_that_is_there_is_kept_and_said_so(store: Store) -> None:
    spec = toy_run(store)
    again = save_run(store, spec, toy_record(), {"t2i": toy_ledger("t2i")}, toy_metrics(0.1))
    assert again == SavedRun(spec.key, created=False)
    assert list(load_metrics(store, spec.key)) == toy_metrics()
    assert set(load_ledgers(store, spec.key)) == {"t2i", "i2t"}


def refused(store: Store, spec: RunSpec, error: type[Exception], told: str, **given: object) -> None:
    values: dict[str, object] = {"ledgers": {"t2i": toy_ledger("t2i")}, "metrics": toy_metrics(), **given}
    before = [count(store, table) for table in ("run", "ledger", "metric")]
    with pytest.raises(error, match=told):
        save_run(store, spec, toy_record(), **values)  # type: ignore[arg-type]
    assert [count(store, table) for table in ("run", "ledger", "metric")] == before


def test_half_a_run_is_never_saved(store: Store) -> None:
    spec = replace(toy_run(store), kind="other")
    whole = toy_ledger("t2i")
    nan = Metric("t2i", "mrr", float("nan"), None, None, 3)
    refused(store, replace(spec, images="embeddings:x"), StoreError, "embedding set embeddings:x is not in")
    refused(store, replace(spec, dataset="content:x"), StoreError, "dataset content:x is not in the store")
    refused(store, spec, ValueError, "t2i mrr is not a finite number", metrics=[nan])
    refused(store, spec, ValueError, "each metric once", metrics=[toy_metrics()[0]] * 2)
    refused(store, spec, ValueError, "at least one ledger", ledgers={})
    refused(store, spec, ValueError, "a t2i ledger was given as i2t", ledgers={"i2t": whole})
    refused(store, spec, ValueError, "above has 2", ledgers={"t2i": replace(whole, above=whole.above[:2])})
    down = np.array([0, 2, 1, 3, 4, 5, 6], dtype=np.int32)
    refused(store, spec, ValueError, "offsets go down", ledgers={"t2i": replace(whole, offsets=down)})
    wide = replace(whole, top1=whole.top1.astype(np.int64) + 2**31)  # type: ignore[arg-type]  # the fault under test
    refused(store, spec, ValueError, "32 bits", ledgers={"t2i": wide})


def test_a_run_of_one_direction_has_both_sizes(store: Store) -> None:
    spec = toy_run(store)
    expected: dict[Direction, tuple[int, int, int]] = {"t2i": (3, 6, 6), "i2t": (3, 6, 3)}
    for direction, sizes in expected.items():
        one = replace(spec, kind=direction)
        save_run(store, one, toy_record(), {direction: toy_ledger(direction)}, [])
        run = find_run(store, one.key)
        assert run is not None
        assert (run.n_images, run.n_texts, run.n_queries) == sizes
    with pytest.raises(StoreError, match="has no ledger for t2i"):
        load_ledger(store, one.key, "t2i")


def test_an_interval_keeps_its_confidence_and_a_number_without_one_has_none(store: Store) -> None:
    spec = toy_run(store)
    with reading(store) as connection:
        query = "SELECT name, confidence FROM metrics WHERE run = ? AND name IN ('hit@1', 'rsum') ORDER BY position"
        found = [tuple(row) for row in connection.exec_driver_sql(query, (spec.key,))]
    assert found == [("hit@1", 0.95), ("hit@1", 0.95), ("rsum", None)]


def test_deleting_a_run_takes_all_of_it_and_leaves_its_vectors(store: Store) -> None:
    spec, other = toy_run(store), toy_run(store, seed=1)
    tag_run(store, spec.key, "mine")
    sets = count(store, "embedding_set")
    delete_run(store, spec.key)
    assert find_run(store, spec.key) is None
    assert find_run(store, other.key) is not None
    assert [count(store, t) for t in ("run", "ledger", "metric", "tag", "deletion")] == [1, 2, 7, 0, 0]
    assert count(store, "embedding_set") == sets
    with pytest.raises(StoreError, match="is not in the store"):
        delete_run(store, spec.key)
    assert toy_run(store) == spec
    assert find_run(store, spec.key) is not None


def test_tags_come_and_go(store: Store) -> None:
    spec = toy_run(store)
    for tag in ("baseline", "a-1", "baseline"):
        tag_run(store, spec.key, tag)
    run = find_run(store, spec.key)
    assert run is not None
    assert run.tags == ("a-1", "baseline")
    untag_run(store, spec.key, "a-1")
    assert list_runs(store)[0].tags == ("baseline",)
    with pytest.raises(StoreError, match="has no tag 'a-1'"):
        untag_run(store, spec.key, "a-1")
    for tag in ("", "two words", "latest", "tab\t", " x"):
        with pytest.raises(StoreError, match="cannot be a tag"):
            tag_run(store, spec.key, tag)
    with pytest.raises(StoreError, match="run run:x is not in the store"):
        tag_run(store, "run:x", "y")


def test_a_run_is_meant_by_key_prefix_or_tag(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2024, 5, 1, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    first, second = toy_run(store), toy_run(store, seed=1)
    tag_run(store, first.key, "base")
    tag_run(store, first.key, "both")
    tag_run(store, second.key, "both")
    for reference in ("base", first.key, short(first.key), f"run:{short(first.key, 5)}"):
        assert resolve_run(store, reference).key == first.key
    with pytest.raises(StoreError, match="'both' means 2 runs:") as caught:
        resolve_run(store, "both")
    for spec, differs in ((first, ""), (second, "  resampling seed 1")):
        line = f"{short(spec.key)}  toy  {ENCODER.label}  clean{differs}  2024-05-01 00:00"
        assert line in caught.value.message
    with pytest.raises(StoreError, match=r"no run is called 'bass' \(tags that are near: base\)") as caught:
        resolve_run(store, "bass")
    assert short(second.key) in caught.value.message
    assert caught.value.hint == "clipbench runs list"
    tag_run(store, second.key, short(first.key, 6))
    with pytest.raises(StoreError, match="means 2 runs"):
        resolve_run(store, short(first.key, 6))


def test_an_empty_store_says_how_to_begin(store: Store) -> None:
    for reference in ("base", "abcdef"):
        with pytest.raises(StoreError, match="no run in the store yet") as caught:
            resolve_run(store, reference)
        assert caught.value.hint == "clipbench evaluate DATASET"


def test_the_list_shows_stored_numbers_newest_first(store: Store) -> None:
    first = toy_run(store)
    second = toy_run(store, perturbation=DROPOUT, value=0.25)
    runs = list_runs(store)
    assert [run.key for run in runs] == [second.key, first.key]
    values = {(m.direction, m.name): m.value for m in toy_metrics(0.25)}
    run = runs[0]
    assert (run.t2i_hit1, run.t2i_hit5, run.t2i_hit10) == tuple(values["t2i", f"hit@{k}"] for k in (1, 5, 10))
    assert (run.i2t_hit1, run.i2t_hit5, run.i2t_hit10) == tuple(values["i2t", f"hit@{k}"] for k in (1, 5, 10))
    assert (run.rsum, run.operation, run.level, run.seed) == (150, "word_dropout", 0.3, 42)
    assert metrics_of(store, [first.key, second.key, "run:none"]) == {
        first.key: tuple(toy_metrics()),
        second.key: tuple(toy_metrics(0.25)),
        "run:none": (),
    }


def test_a_missing_metric_is_none_and_not_zero(store: Store) -> None:
    spec = replace(toy_run(store), kind="bare")
    save_run(store, spec, toy_record(), {"t2i": toy_ledger("t2i")}, [])
    (run,) = list_runs(store, RunFilter(kind="bare"))
    assert (run.t2i_hit1, run.rsum) == (None, None)


def test_filters_choose_runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    start = datetime(2024, 5, 1, tzinfo=UTC)
    made = []
    for day, (name, setting) in enumerate((("toy", CLEAN), ("toy", DROPOUT), ("blue", CLEAN))):
        monkeypatch.setattr(clock, "now", lambda day=day: start + timedelta(days=day))
        dataset = toy_dataset(name, word="red" if name == "toy" else name)
        made.append(toy_run(store, dataset, setting, kind="sweep" if setting is DROPOUT else "evaluate").key)
    save_dataset(store, toy_dataset("also-toy"))
    tag_run(store, made[1], "t")

    def chosen(**words: object) -> list[int]:
        return sorted(made.index(run.key) for run in list_runs(store, RunFilter(**words)))  # type: ignore[arg-type]

    assert chosen() == [0, 1, 2]
    assert chosen(dataset="toy") == chosen(dataset="also-toy") == [0, 1]
    assert chosen(dataset=short(toy_dataset("blue", word="blue").key)) == [2]
    assert chosen(dataset="%") == chosen(dataset="____") == []
    assert chosen(model="toy / A") == [0, 1, 2]
    assert chosen(model="b16") == []
    assert (
        chosen(kind="sweep") == chosen(tag="t") == chosen(operation="word_dropout") == chosen(seed=42) == [1]
    )
    assert chosen(level=0.1 + 0.2) == [1]
    assert chosen(level=0) == [0, 2]
    assert chosen(since=start + timedelta(days=1)) == [1, 2]
    assert chosen(limit=1) == [2]
    assert chosen(dataset="toy", operation="clean") == [0]


def test_the_summary_has_the_columns_of_the_view() -> None:
    renamed = ["key" if name == "run" else name for name in VIEWS["runs"].columns]
    assert [field.name for field in fields(RunSummary)] == renamed


def test_moments_need_a_time_zone_and_come_back(store: Store) -> None:
    spec = replace(toy_run(store), kind="dated")
    when = datetime(2024, 5, 1, 14, 30, 0, 250, tzinfo=UTC)
    save_run(store, spec, replace(toy_record(), created_at=when), {"t2i": toy_ledger("t2i")}, [])
    run = find_run(store, spec.key)
    assert run is not None
    assert run.created_at == when
    with pytest.raises(ValueError, match="no time zone"):
        clock.stamp(datetime(2024, 5, 1))  # noqa: DTZ001, the fault under test


def test_encoders_come_back_and_are_found_by_signature(store: Store) -> None:
    assert save_encoder(store, ENCODER, "files-1") == ENCODER.key
    assert save_encoder(store, replace(ENCODER, label="Other name"), None) == ENCODER.key
    other = replace(ENCODER, weights="v" * 8, pretrained="openai")
    save_encoder(store, other, "files-2")
    assert load_encoder(store, ENCODER.key) == ENCODER == find_encoder(store, "files-1")
    assert find_encoder(store, "files-2") == other
    assert find_encoder(store, "files-3") is None
    save_encoder(store, other, "files-1")
    assert find_encoder(store, "files-1") == other
    assert [(e.key, e.identity) for e in list_encoders(store)] == [(ENCODER.key, ENCODER), (other.key, other)]
    with pytest.raises(StoreError, match="encoder encoder:x is not in the store"):
        load_encoder(store, "encoder:x")


def test_perturbations_come_back_clean_too(store: Store) -> None:
    for setting in (CLEAN, DROPOUT, CLEAN):
        assert save_perturbation(store, setting) == setting.key
        assert load_perturbation(store, setting.key) == setting
    assert list_perturbations(store) == (CLEAN, DROPOUT)
    with pytest.raises(StoreError, match="perturbation p:x is not in the store"):
        load_perturbation(store, "p:x")


def test_the_embeddings_view_tells_what_was_encoded(store: Store) -> None:
    toy_run(store, perturbation=DROPOUT)
    encode(store, toy_dataset(), "text")
    with reading(store) as connection:
        query = "SELECT dataset, model, operation, level, modality, rows, dimension, n_runs FROM embeddings"
        found = sorted(tuple(row) for row in connection.exec_driver_sql(query))
    assert found == [
        ("toy", "Toy / a", "clean", 0.0, "image", 3, 8, 1),
        ("toy", "Toy / a", "clean", 0.0, "text", 6, 8, 0),
        ("toy", "Toy / a", "word_dropout", 0.3, "text", 6, 8, 1),
    ]
