"""Failures of a run are what its ledger says; samples and parts are stored, written and found again."""

import csv
import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import pictured_dataset, toy_sample
from store_toys import DROPOUT, count, new_store, toy_dataset, toy_run

from clipbench.errors import ClipbenchError, InputError, StoreError
from clipbench.failures.exchange import COLUMNS
from clipbench.failures.items import CONTROL
from clipbench.store.annotations import newest_labels
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import (
    find_sample,
    latest_assignment,
    list_samples,
    load_suggestions,
    save_sample,
)
from clipbench.store.runs import delete_run
from clipbench.study.annotation.assign import AssignRequest, assign, picture_name, plan
from clipbench.study.annotation.hints import english, suggest
from clipbench.study.annotation.importing import ImportRequest, import_labels
from clipbench.study.annotation.pictures import SIDE, pair, photograph
from clipbench.study.annotation.sampling import SampleRequest, draw_sample
from clipbench.study.comparing.references import resolve_one
from clipbench.study.workplace.progress import Silent


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "store")


@pytest.fixture
def pictured(store: Store, tmp_path: Path) -> Store:
    """A store with a sample of twelve failures of a dataset that has photographs."""
    dataset = pictured_dataset(tmp_path / "photos")
    save_dataset(store, dataset)
    save_sample(store, toy_sample(dataset))
    return store


# In the toy ledger of 3 images and 6 captions caption q finds image q % 3 and has q % 3 items above its
# own: captions 1, 2 and 4 miss at ranks 2, 3 and 2, caption 3 misses with rank 1, 0 and 5 are right.
def test_failures_are_the_queries_whose_best_item_is_not_theirs(store: Store) -> None:
    run = toy_run(store)
    drawn = draw_sample(store, resolve_one(store, run.key), SampleRequest(n=10)).sample
    found = {
        (i.failure.caption_id, i.failure.image_id, i.failure.retrieved_id, i.rank) for i in drawn.failures
    }
    assert found == {("i0#1", "i0", "i1", 2.0), ("i1#0", "i1", "i2", 3.0), ("i2#0", "i2", "i1", 2.0)}
    assert drawn.population == 3
    assert all(item.margin > 0 for item in drawn.failures)  # the toy's best other score is -inf, kept as -1


def test_rank_above_leaves_the_near_misses_out(store: Store) -> None:
    run = resolve_one(store, toy_run(store).key)
    (only,) = draw_sample(store, run, SampleRequest(n=10, rank_above=2)).sample.failures
    assert only.failure.caption_id == "i1#0"
    with pytest.raises(ClipbenchError, match="no t2i failure with rank above 3 among 6 queries"):
        draw_sample(store, run, SampleRequest(rank_above=3))


def test_images_that_find_a_foreign_caption_fail_too(store: Store) -> None:
    run = resolve_one(store, toy_run(store).key)
    drawn = draw_sample(store, run, SampleRequest(n=10, direction="i2t")).sample
    # Image i finds caption i; caption 0 is its own, 1 belongs to image 0, 2 to image 1; ranks count both own.
    for item in drawn.failures:
        failure = item.failure
        assert (failure.caption_id, failure.image_id) in {("i0#1", "i0"), ("i1#0", "i1")}
        assert failure.retrieved_id in {"i1", "i2"}
        assert failure.retrieved_id != failure.image_id


def test_controls_are_successes_of_like_length(store: Store) -> None:
    run = resolve_one(store, toy_run(store).key)
    drawn = draw_sample(store, run, SampleRequest(n=10, controls=2)).sample
    controls = [item for item in drawn.items if item.role == CONTROL]
    assert {item.failure.caption_id for item in controls} == {"i0#0", "i2#1"}
    assert all(item.failure.image_id == item.failure.retrieved_id for item in controls)


def test_the_same_request_finds_the_stored_sample_and_another_is_another(store: Store) -> None:
    run = resolve_one(store, toy_run(store).key)
    first = draw_sample(store, run, SampleRequest(n=2))
    assert first.created
    again = draw_sample(store, run, SampleRequest(n=2))
    assert (again.key, again.created, again.sample) == (first.key, False, first.sample)
    assert draw_sample(store, run, SampleRequest(n=2, seed=1)).key != first.key
    assert len(list_samples(store)) == 2
    assert find_sample(store, first.key[7:15]).key == first.key
    with pytest.raises(StoreError, match="means 0 samples"):
        find_sample(store, "ffff")


def test_strata_are_named_counted_and_kept(store: Store) -> None:
    run = resolve_one(store, toy_run(store).key)
    sample = draw_sample(store, run, SampleRequest(n=10, strata=("rank",))).sample
    assert [(s.name, s.population, s.drawn) for s in sample.strata] == [("rank 002-005", 3, 3)]
    both = draw_sample(store, run, SampleRequest(n=10, strata=("margin", "rank"))).sample
    assert sum(s.population for s in both.strata) == 3


def test_the_legacy_draw_takes_exactly_what_is_asked(store: Store) -> None:
    run = resolve_one(store, toy_run(store).key)
    sample = draw_sample(store, run, SampleRequest(n=3, legacy=True)).sample
    import random

    ascending = ["i0#1", "i1#0", "i2#0"]
    order = [ascending[place] for place in random.Random(42).sample(range(3), 3)]  # noqa: S311, published
    assert [item.failure.caption_id for item in sample.items] == order
    with pytest.raises(ClipbenchError, match="there are 3 failures"):
        draw_sample(store, run, SampleRequest(n=4, legacy=True))


def test_a_perturbed_run_is_not_sampled(store: Store) -> None:
    run = toy_run(store, perturbation=DROPOUT)
    with pytest.raises(ClipbenchError, match=r"texts perturbed \(word_dropout 0\.3 \(seed 42\)\)"):
        draw_sample(store, resolve_one(store, run.key), SampleRequest())


@pytest.mark.parametrize("bad", [{"n": 0}, {"strata": ("colour",)}, {"legacy": True, "controls": 1}])
def test_requests_that_mean_nothing_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ClipbenchError):
        SampleRequest(**bad)  # type: ignore[arg-type]


def test_sample_and_labels_outlive_their_run(store: Store) -> None:
    run = toy_run(store)
    draw_sample(store, resolve_one(store, run.key), SampleRequest(n=3))
    delete_run(store, run.key)
    assert find_sample(store, "latest").sample.run == run.key


def request(blind: bool = False) -> AssignRequest:  # noqa: FBT001, FBT002, a toy
    return AssignRequest(("A", "B"), overlap=3, per_annotator=3, backup=2, blind=blind)


def tables(folder: Path) -> dict[str, list[dict[str, str]]]:
    return {
        path.name: list(csv.DictReader(path.open(encoding="utf-8-sig", newline="")))
        for path in sorted(folder.glob("*.csv"))
    }


def test_everyone_gets_the_overlap_and_an_own_part(pictured: Store, tmp_path: Path) -> None:
    done = assign(pictured, find_sample(pictured, "latest"), request(), tmp_path / "out", Silent())
    found = tables(tmp_path / "out")
    assert {name: len(rows) for name, rows in found.items()} == {
        "assign_A.csv": 3,
        "assign_B.csv": 3,
        "backup.csv": 2,
        "overlap_A.csv": 3,
        "overlap_B.csv": 3,
    }
    assert found["overlap_A.csv"] == found["overlap_B.csv"]
    items = [row["item"] for name, rows in found.items() for row in rows if name != "overlap_B.csv"]
    assert len(set(items)) == len(items) == 11
    for rows in found.values():
        assert [int(row["idx"]) for row in rows] == sorted(int(row["idx"]) for row in rows)
        assert list(rows[0]) == list(COLUMNS)
        assert all(row["category"] == "" for row in rows)
    names = {path.name for path in (tmp_path / "out" / "pictures").iterdir()}
    assert names == {picture_name(task.failure) for task in done.assignment.tasks}
    assert "fail_0.jpg" in names or len(names) == 11
    assert "HOW TO LABEL" in (tmp_path / "out" / "GUIDE.txt").read_text()
    stored = latest_assignment(pictured, find_sample(pictured, "latest").key)
    assert stored == done.assignment


def test_filled_tables_come_back_by_their_names(pictured: Store, tmp_path: Path) -> None:
    assign(pictured, find_sample(pictured, "latest"), request(), tmp_path / "out", Silent())
    for path in (tmp_path / "out").glob("*_?.csv"):
        rows = tables(tmp_path / "out")[path.name]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows({**row, "category": "Object"} for row in rows)
    files = tuple(sorted((tmp_path / "out").glob("*_?.csv")))
    import_labels(pictured, ImportRequest(files))
    assert len(newest_labels(pictured)) == 12
    with pytest.raises(InputError, match="do not fit"):
        import_labels(pictured, ImportRequest((tmp_path / "out" / "backup.csv",)))


def test_a_table_that_may_be_filled_in_is_not_written_over(pictured: Store, tmp_path: Path) -> None:
    stored = find_sample(pictured, "latest")
    assign(pictured, stored, request(), tmp_path / "out", Silent())
    assign(pictured, stored, request(), tmp_path / "out", Silent())  # nothing was filled in: the same again
    for name in ("assign_A.csv", "overlap_B.csv"):
        table = tmp_path / "out" / name
        table.write_text(table.read_text(encoding="utf-8-sig").replace(",,", ",Object,", 1))
    with pytest.raises(ClipbenchError, match=r"holds assign_A\.csv, overlap_B\.csv already, .* filled it in"):
        assign(pictured, stored, request(), tmp_path / "out", Silent())
    assign(pictured, stored, request(), tmp_path / "out", Silent(), force=True)
    assert count(pictured, "assignment") == 1


def test_blind_tables_and_pictures_do_not_tell_which_is_which(pictured: Store, tmp_path: Path) -> None:
    stored = find_sample(pictured, "latest")
    done = assign(pictured, stored, request(blind=True), tmp_path / "out", Silent())
    for rows in tables(tmp_path / "out").values():
        for row in rows:
            told = [row[name] for name in ("gt_img_idx", "pred_img_idx", "gt_image_id", "pred_image_id")]
            assert told == [""] * 4
    swapped = {task.failure.key: task.swapped for task in done.assignment.tasks}
    assert set(swapped.values()) == {True, False}
    assert {t.failure.key: t.swapped for t in plan(stored, request(blind=True)).tasks} == swapped


def test_the_sheet_shows_the_own_picture_left_and_swapped_right(tmp_path: Path) -> None:
    dataset = pictured_dataset(tmp_path / "photos")
    failure = toy_sample(dataset).failures[0].failure
    own, other = (Image.open(tmp_path / "photos" / f"{n}.png").getpixel((0, 0)) for n in (0, 1))
    for swapped, expected in ((False, (own, other)), (True, (other, own))):
        sheet = pair(dataset, failure, swapped=swapped)
        middle = sheet.height - 60 - SIDE // 2
        assert (
            sheet.getpixel((16 + SIDE // 2, middle)),
            sheet.getpixel((32 + SIDE * 3 // 2, middle)),
        ) == expected


def test_a_photograph_that_is_gone_is_a_panel_and_no_error(tmp_path: Path) -> None:
    dataset = pictured_dataset(tmp_path / "photos")
    (tmp_path / "photos" / "0.png").unlink()
    (tmp_path / "photos" / "1.png").write_bytes(b"no picture")
    for place in (0, 1):
        assert photograph(dataset, place, 200).size == (200, 200)
    assert photograph(toy_dataset(), 0, 64).size == (64, 64)


def test_a_long_word_and_an_empty_caption_make_a_sheet_all_the_same(tmp_path: Path) -> None:
    from dataclasses import replace

    dataset = pictured_dataset(tmp_path / "photos")
    failure = toy_sample(dataset).failures[0].failure
    for text in ("x" * 900, "", "日本語 ünïcode " * 30):
        samples = list(dataset.samples)
        samples[0] = replace(
            samples[0], captions=(replace(samples[0].captions[0], text=text), *samples[0].captions[1:])
        )
        assert pair(replace(dataset, samples=tuple(samples)), failure).width > 2 * SIDE


def test_hints_are_stored_once_with_their_rule(pictured: Store) -> None:
    sample = find_sample(pictured, "latest").sample
    assert suggest(pictured, sample, None, Silent()) > 0
    assert suggest(pictured, sample, None, Silent()) == 0
    keys = [item.failure.key for item in sample.failures]
    rules = {hint.rule for hints in load_suggestions(pictured, keys).values() for hint in hints}
    assert rules == {"perceptual-hash", "number"}  # plain colours hash alike; "thing 3" is not "thing 4"


def test_english_words_of_action_have_one_base_form() -> None:
    words = english()
    assert words.action("running") == words.action("runs") == "run"
    assert words.action("painting") is None
    assert words.numbers["two"] == words.numbers["2"] == 2
    assert words.colours["grey"] == words.colours["gray"]


def test_a_thousand_failures_are_drawn_and_assigned(store: Store) -> None:
    dataset = toy_dataset("many", images=500)
    save_dataset(store, dataset)
    stored = save_sample(store, toy_sample(dataset))
    parts = plan(stored, AssignRequest(("A", "B"), overlap=200, per_annotator=400, backup=0))
    assert len(parts.tasks) == 1000
    assert len(find_sample(store, "latest").sample.failures) == 1000


def test_a_dataset_whose_failures_are_labelled_is_no_garbage(store: Store) -> None:
    from datetime import timedelta

    from clipbench.store.maintenance import gc

    run = toy_run(store)
    draw_sample(store, resolve_one(store, run.key), SampleRequest(n=3))
    delete_run(store, run.key)
    save_dataset(store, toy_dataset(word="blue"), replace=True)  # the name moves to other content
    gc(store, grace=timedelta(0))
    assert count(store, "dataset") == 2
    assert len(find_sample(store, "latest").sample.failures) == 3
