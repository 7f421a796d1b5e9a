"""Label files come in whole or not at all, every quirk is kept and told, and history stays."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import DATASET, HEAD, file, problems, row, take, toy_failure, toy_sample
from store_toys import count, new_store, toy_dataset

from clipbench.errors import ClipbenchError, InputError
from clipbench.failures.exchange import COLUMNS
from clipbench.store.annotations import label_history, newest_labels
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import save_sample
from clipbench.study.annotation.importing import ImportRequest, import_labels


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path / "store")
    save_dataset(made, DATASET)
    return made


def test_labels_are_matched_normalised_and_kept_as_written(store: Store, tmp_path: Path) -> None:
    (done,) = take(
        store, file(tmp_path, HEAD, row(0, "object"), row(3, "Ambiguous", "near_duplicate\t"), row(4, ""))
    )
    assert (done.annotator, done.rows, done.blank, done.saved.added) == ("A", 3, 1, 2)
    first, second = newest_labels(store)
    assert (first.category, first.raw_category, first.line) == ("Object", "object", 2)
    assert first.rules == ("category 'object': upper and lower case",)
    assert (second.category, second.subtype, second.raw_subtype) == (
        "Ambiguous",
        "nearduplicate",
        "near_duplicate\t",
    )
    assert (second.failure.caption_id, second.failure.retrieved_id) == ("i1#1", "i2")
    assert [(irregular.line, irregular.raw) for irregular in done.irregular] == [
        (2, ("object", "")),
        (3, ("Ambiguous", "near_duplicate\t")),
    ]


def test_every_problem_of_every_file_is_told_and_nothing_is_stored(store: Store, tmp_path: Path) -> None:
    first = file(
        tmp_path,
        HEAD,
        row(0, "Object"),
        row(1, "Objekt"),
        "99,a red thing 0 0,0,1,Object,",
        "2,a red thing 9 9,1,2,Object,",
        "2,a red thing 1 0,0,2,Object,",
        "2,a red thing 1 0,1,1,Object,",
        "2,a red thing 1 0,1,7,Object,",
        "2,a red thing 1 0,1,,Object,",
        "2,a red thing 1 0,1,2,,underspecified",
        "2,a red, thing 1 0,1,2,Object,",
        "x,a red thing 1 0,1,2,Object,",
    )
    second = file(tmp_path, HEAD, row(5, "Sky"), name="assign_B.csv")
    found = problems(store, first, second)
    assert [(name, line) for name, line, _ in found] == [
        *(("assign_A.csv", line) for line in range(3, 13)),
        ("assign_B.csv", 2),
    ]
    told = [message for _, _, message in found]
    for message, expected in zip(
        told,
        [
            "is 'Object' meant",
            "idx is 99, and there are 6 captions",
            "caption i1#0 (number 2) is 'a red thing 1 0', the row says 'a red thing 9 9'",
            "belongs to image i1 (number 1), the row says i0 (number 0)",
            "is the caption's own: no failure",
            "pred_img_idx is 7, and there are 3 images",
            "names no retrieved image",
            "no category beside it",
            "7 cells, the header has 6; a cell that holds the separator needs quotation marks",
            "idx is 'x', not a whole number",
            "it is one of: Ambiguous",
        ],
        strict=True,
    ):
        assert expected in message


def test_the_same_file_again_changes_nothing_and_says_so(store: Store, tmp_path: Path) -> None:
    path = file(tmp_path, HEAD, row(0, "Object"), row(2, "Count"))
    take(store, path)
    before = label_history(store)
    (again,) = take(store, path)
    assert again.before is not None
    assert (again.saved.added, again.saved.changed, again.saved.unchanged) == (0, 0, 2)
    assert label_history(store) == before
    assert count(store, "annotation_source") == 1


def test_a_changed_label_is_added_and_the_older_one_stays(store: Store, tmp_path: Path) -> None:
    old, new = (
        (HEAD, row(0, "Object"), row(2, "Count")),
        (HEAD, row(0, "Action"), row(2, "Count"), row(4, "Object")),
    )
    take(store, file(tmp_path, *old))
    (done,) = take(store, file(tmp_path, *new))
    assert (done.saved.added, done.saved.changed, done.saved.unchanged) == (1, 1, 1)
    assert [label.category for label in label_history(store, "A")] == ["Object", "Count", "Action", "Object"]
    assert sorted(label.category or "" for label in newest_labels(store)) == ["Action", "Count", "Object"]
    # The old file once more would undo the change; it was imported, so it does nothing.
    (third,) = take(store, file(tmp_path, *old))
    assert third.before is not None
    assert len(label_history(store)) == 4


def test_two_annotators_may_label_one_failure(store: Store, tmp_path: Path) -> None:
    a = file(tmp_path, HEAD, row(0, "Object"))
    b = file(tmp_path, HEAD, row(0, "Count"), name="overlap_B.csv")
    take(store, a, b)
    assert [(label.annotator, label.category) for label in newest_labels(store)] == [
        ("A", "Object"),
        ("B", "Count"),
    ]
    assert count(store, "failure") == 1


def test_a_table_may_say_of_every_row_who_labelled_it(store: Store, tmp_path: Path) -> None:
    merged = file(
        tmp_path,
        f"{HEAD},__source_file",
        f"{row(0, 'Object')},assign_A.csv",
        f"{row(0, 'Count')},C:\\labels\\assign_B.csv",
        f"{row(1, 'Action')},assign_A.csv",
        name="all.csv",
    )
    done = take(store, merged)
    assert [(one.annotator, one.rows, one.saved.added) for one in done] == [("A", 2, 2), ("B", 1, 1)]
    assert {(label.annotator, label.category) for label in newest_labels(store)} == {
        ("A", "Object"),
        ("B", "Count"),
        ("A", "Action"),
    }
    assert [one.saved.added for one in take(store, merged)] == [0, 0]
    named = file(
        tmp_path, f"Annotator,{HEAD}", f"Ann,{row(0, 'Object')}", f"Bob,{row(0, 'Object')}", name="x_Z.csv"
    )
    assert [one.annotator for one in take(store, named)] == ["Ann", "Bob"]


def test_half_a_surrogate_pair_is_a_problem_of_its_label(store: Store, tmp_path: Path) -> None:
    labels = [{"item": "failure:\ud800", "caption": "x", "category": "Object"}, {"caption": "\udc00"}]
    page = {"format": "clipbench-labels", "version": 1, "annotator": "A", "labels": labels}
    (tmp_path / "labels_A.json").write_text(json.dumps(page))
    told = problems(store, tmp_path / "labels_A.json")
    assert [message for _, _, message in told] == [
        "label 1: holds half a surrogate pair",
        "label 2: holds half a surrogate pair",
    ]


def test_a_row_that_names_nobody_is_a_problem_of_its_line(store: Store, tmp_path: Path) -> None:
    one = file(
        tmp_path, f"{HEAD},annotator", f"{row(0, 'Object')},", f"{row(1, 'Count')},a b", name="x_A.csv"
    )
    two = file(tmp_path, f"{HEAD},__source_file", f"{row(0, 'Object')},overlap.csv", name="y_A.csv")
    told = problems(store, one, two)
    assert [(name, line) for name, line, _ in told] == [("x_A.csv", 2), ("x_A.csv", 3), ("y_A.csv", 2)]
    assert told[0][2] == "annotator: is blank"
    assert "'a b' cannot be the name" in told[1][2]
    assert told[2][2] == "__source_file: 'overlap.csv' names nobody"
    three = file(tmp_path, f"{HEAD},annotator", f"{row(0, 'Object')},B", name="z.csv")
    assert problems(store, three, annotator="A")[0][2].startswith("the column annotator says who labelled")


def test_one_file_that_labels_a_failure_twice_is_refused_unless_it_says_the_same(
    store: Store, tmp_path: Path
) -> None:
    found = problems(store, file(tmp_path, HEAD, row(0, "Object"), row(0, "Count")))
    assert found == [("assign_A.csv", 3, "Count for the failure that line 2 labels Object")]
    (done,) = take(store, file(tmp_path, HEAD, row(0, "Object"), row(0, "object")))
    assert done.saved.added == 1
    assert done.notes == ("no line end after the last row", "repeats line 2 (1)")


def test_a_caption_that_differs_in_blanks_only_is_matched_and_told(store: Store, tmp_path: Path) -> None:
    (done,) = take(store, file(tmp_path, HEAD, "0, a  red thing 0 0 ,0,1,Object,", ""))
    assert done.notes == ("caption matched but for blanks (1)",)


def test_without_idx_text_and_image_tell_the_caption(store: Store, tmp_path: Path) -> None:
    head = "caption,gt_img_idx,pred_img_idx,category"
    take(store, file(tmp_path, head, "a red thing 1 1,1,2,Object"))
    assert newest_labels(store)[0].failure.caption_id == "i1#1"
    nowhere = file(tmp_path, head, "a red thing 1 1,2,0,Object", name="x_B.csv")
    with pytest.raises(InputError) as caught:
        take(store, nowhere)
    assert caught.value.problems[0].message == "0 captions of image i2 say 'a red thing 1 1'"


def test_our_id_columns_go_before_positions_and_are_checked(store: Store, tmp_path: Path) -> None:
    save_sample(store, toy_sample(DATASET))
    failure = toy_failure(DATASET, 2, 2)
    head = ",".join(COLUMNS)
    good = f"2,a red thing 1 0,1,2,Object,,{failure.key},i1#0,i1,i2,clear"
    blind = f"2,a red thing 1 0,,,Object,,{failure.key},i1#0,,,"
    take(store, file(tmp_path, head, good), file(tmp_path, head, blind, name="x_B.csv"))
    a, b = newest_labels(store)
    assert a.failure == b.failure == failure
    assert a.note == "clear"
    for bad, told in [
        (good.replace("i1#0", "i0#0"), "the item has caption i1#0"),
        (good.replace(failure.key, "failure:00"), "there is no item failure:00"),
        (good.replace("a red thing 1 0", "a dog"), "the row says 'a dog'"),
    ]:
        with pytest.raises(InputError) as caught:
            take(store, file(tmp_path, head, bad, name="x_C.csv"))
        assert told in caught.value.problems[0].message


def test_a_file_whose_name_tells_no_annotator_needs_one(store: Store, tmp_path: Path) -> None:
    path = file(tmp_path, HEAD, row(0, "Object"), name="labels.csv")
    assert problems(store, path) == [
        (
            "labels.csv",
            0,
            "its name tells no annotator (assign_NAME.csv does); --annotator NAME says who labelled",
        )
    ]
    assert take(store, path, annotator="Ann")[0].annotator == "Ann"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds nothing to read"),
        (HEAD, "holds no rows"),
        ("a,b\n1,2\n", "no column caption, category, idx, gt_img_idx among: a, b"),
        (HEAD + ",idx\n", "column 'idx' appears 2 times"),
        (HEAD + '\n0,"a,0,1,Object,\n', "a quotation mark opens here and is never closed"),
        ("[]", "is neither the page's result"),
        ('{"format": "clipbench-labels", "version": 9}', "version 9"),
    ],
)
def test_what_is_no_label_file_says_what_is_wrong_with_it(
    store: Store, tmp_path: Path, content: str, told: str
) -> None:
    (found,) = problems(store, file(tmp_path, content))
    assert told in found[2]


def test_which_dataset_is_meant_must_be_clear(store: Store, tmp_path: Path) -> None:
    save_dataset(store, toy_dataset("other", word="blue"))
    path = file(tmp_path, HEAD, row(0, "Object"))
    with pytest.raises(ClipbenchError, match="2 datasets could be meant") as caught:
        take(store, path)
    assert "--dataset" in str(caught.value.hint)
    import_labels(store, ImportRequest((path,), dataset="toy"))
    assert len(newest_labels(store, DATASET.fingerprint)) == 1


def frozen(tmp_path: Path) -> tuple[Path, Path]:
    """A frozen list that is not in the order of its images: idx counts the list."""
    items, meta = tmp_path / "captions_9.json", tmp_path / "meta_9.json"
    items.write_text(json.dumps(["b one", "a one", "b two", "a two"]))
    meta.write_text(
        json.dumps({"sampled_img_ids": [7, 8], "caption_ids": [11, 12, 13, 14], "gt_img_index": [1, 0, 1, 0]})
    )
    return items, meta


def test_labels_of_a_set_that_was_never_ranked_bring_the_set_with_them(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    items, meta = frozen(tmp_path)
    path = file(tmp_path, HEAD, "0,b one,1,0,Object,", "3,a two,0,1,Count,")
    import_labels(store, ImportRequest((path,), items=items, meta=meta))
    found = [(label.failure.caption_id, label.failure.image_id) for label in newest_labels(store)]
    assert found == [("11", "8"), ("14", "7")]
    assert count(store, "dataset") == 1
    import_labels(store, ImportRequest((path,), annotator="B", items=items, meta=meta))
    assert count(store, "dataset") == 1


def test_a_set_whose_labels_do_not_fit_is_not_stored_either(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    items, meta = frozen(tmp_path)
    with pytest.raises(InputError):
        import_labels(
            store, ImportRequest((file(tmp_path, HEAD, "0,a one,1,0,Object,"),), items=items, meta=meta)
        )
    assert count(store, "dataset") == 0
