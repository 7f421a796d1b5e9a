"""Label files come in whole or not at all, every quirk is kept and told, and history stays."""

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import toy_failure, toy_sample
from store_toys import count, new_store, toy_dataset

from clipbench.errors import ClipbenchError, InputError, Problem
from clipbench.failures.exchange import COLUMNS
from clipbench.records import Caption, Sample
from clipbench.store.annotations import label_history, newest_labels
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import save_sample
from clipbench.study.annotation.assign import AssignRequest, assign
from clipbench.study.annotation.exchange_json import label_studio_config, label_studio_task, page_result
from clipbench.study.annotation.files import read_labels
from clipbench.study.annotation.importing import ImportedFile, ImportRequest, import_labels
from clipbench.study.workplace.progress import Silent

HEAD = "idx,caption,gt_img_idx,pred_img_idx,category,ambiguous_subtype"
DATASET = toy_dataset()  # image i has captions 2i and 2i + 1, "a red thing i j"


def row(idx: int, category: str, subtype: str = "", retrieved: int | None = None) -> str:
    owner = int(DATASET.owners[idx])
    found = (owner + 1) % 3 if retrieved is None else retrieved
    return f"{idx},{DATASET.captions[idx].text},{owner},{found},{category},{subtype}"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path / "store")
    save_dataset(made, DATASET)
    return made


def file(tmp_path: Path, *lines: str, name: str = "assign_A.csv", end: str = "\n") -> Path:
    path = tmp_path / name
    path.write_bytes(end.join(lines).encode())
    return path


def take(store: Store, *paths: Path, annotator: str | None = None) -> tuple[ImportedFile, ...]:
    return import_labels(store, ImportRequest(paths, annotator))


def problems(store: Store, *paths: Path, annotator: str | None = None) -> list[tuple[str, int, str]]:
    with pytest.raises(InputError) as caught:
        take(store, *paths, annotator=annotator)
    assert count(store, "annotation") == count(store, "failure") == count(store, "annotator") == 0
    return [(Path(p.file).name, p.line, p.message) for p in caught.value.problems]


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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_are_read_and_told(
    store: Store, tmp_path: Path, end: str, mark: str
) -> None:
    path = file(tmp_path, mark + HEAD, row(0, "Object"), end=end)
    (done,) = take(store, path)
    assert done.saved.added == 1
    assert ("a byte order mark" in done.notes) == bool(mark)
    assert ("line ends as on Windows (CRLF)" in done.notes) == (end == "\r\n")
    assert "no line end after the last row" in done.notes


@pytest.mark.parametrize(("name", "between"), [("assign_A.tsv", "\t"), ("assign_A.csv", ";")])
def test_other_delimiters_are_recognised(store: Store, tmp_path: Path, name: str, between: str) -> None:
    path = file(tmp_path, HEAD.replace(",", between), row(0, "Object").replace(",", between), name=name)
    assert take(store, path)[0].saved.added == 1


def test_a_caption_may_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    text = 'a "big", red\nball'
    out = io.StringIO()
    csv.writer(out).writerows(
        [HEAD.split(","), ["0", text, "0", "1", "Object", ""], ["2", "b", "1", "0", "Count", ""]]
    )
    path = tmp_path / "x.csv"
    path.write_text(out.getvalue(), newline="")
    first, second = read_labels(path).entries
    assert (first.caption, first.line, second.line) == (text, 2, 4)


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


def test_a_spreadsheet_is_read_as_its_table(store: Store, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for cells in (HEAD.split(","), [0, "a red thing 0 0", 0, 1.0, "Object", None], [None] * 6):
        book.active.append(cells)
    path = tmp_path / "assign_A.xlsx"
    book.save(path)
    (done,) = take(store, path)
    assert (done.rows, done.saved.added) == (1, 1)
    broken = tmp_path / "assign_B.xlsx"
    broken.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError):
        take(store, broken)


def test_the_pages_result_is_read_with_its_annotator(store: Store, tmp_path: Path) -> None:
    save_sample(store, toy_sample(DATASET))
    item = toy_failure(DATASET, 2, 2).key
    label = {
        "item": item,
        "caption": "a red thing 1 0",
        "category": "Ambiguous",
        "ambiguous_subtype": "other",
    }
    path = file(tmp_path, json.dumps(page_result("Zoë", [label])), name="result.json")
    (done,) = take(store, path)
    assert (done.annotator, done.saved.added, done.irregular) == ("Zoë", 1, ())


def test_label_studio_tasks_go_out_and_come_back(store: Store, tmp_path: Path) -> None:
    save_sample(store, toy_sample(DATASET))
    failure = toy_failure(DATASET, 2, 2)
    task = label_studio_task({"item": failure.key, "caption": "a red thing 1 0"}, ("a.jpg", "b.jpg"), "Count")
    assert all(f"${name}" in label_studio_config() for name in ("caption", "gt_image", "pred_image"))
    chosen = [
        {"from_name": "category", "type": "choices", "value": {"choices": ["Ambiguous"]}},
        {"from_name": "ambiguous_subtype", "type": "choices", "value": {"choices": ["nearduplicate"]}},
        {"from_name": "notes", "type": "textarea", "value": {"text": ["same room"]}},
    ]
    answers = [
        {"completed_by": {"email": "ann@example.org"}, "result": chosen},
        {"completed_by": 7, "result": chosen[:1]},
        {"completed_by": 8, "was_cancelled": True, "result": chosen},
    ]
    path = file(tmp_path, json.dumps([{**task, "annotations": answers}]), name="project.json")
    take(store, path)
    ann, seven = newest_labels(store)
    assert (ann.annotator, ann.subtype, ann.note) == ("ann@example.org", "nearduplicate", "same room")
    assert (seven.annotator, seven.subtype) == ("user7", None)


def studio(who: object, category: str, moment: str | None, number: int = 1) -> dict[str, object]:
    """One annotation of Label Studio, with when it was made."""
    result = [{"from_name": "category", "type": "choices", "value": {"choices": [category]}}]
    dates = {} if moment is None else {"created_at": "2020-01-01T00:00:00.000000Z", "updated_at": moment}
    return {"id": number, "completed_by": who, "result": result, **dates}


def told(store: Store) -> list[tuple[str, str | None]]:
    return [(label.annotator, label.category) for label in label_history(store)]


def test_of_a_persons_several_annotations_the_newest_counts_and_the_older_are_history(
    store: Store, tmp_path: Path
) -> None:
    save_sample(store, toy_sample(DATASET))
    task = label_studio_task({"item": toy_failure(DATASET, 2, 2).key}, ("a.jpg", "b.jpg"))
    answers = [  # as the file has them: by number, not by time, and in two time zones
        studio(7, "Count", "2024-05-02T10:00:00.000000Z", 3),
        studio(7, "Object", "2024-05-01T10:00:00.000000Z", 4),
        studio(7, "Action", "2024-05-02T13:00:00.000000+02:00", 5),
        studio(8, "Spatial", None, 6),
    ]
    (seven, _) = sorted(
        take(store, file(tmp_path, json.dumps([{**task, "annotations": answers}]), name="p.json")),
        key=lambda f: f.annotator,
    )
    assert "older annotation of the same person, kept as history (2)" in seven.notes
    by_seven = [category for name, category in told(store) if name == "user7"]
    assert by_seven == ["Object", "Count", "Action"]
    assert {label.annotator: label.category for label in newest_labels(store)} == {
        "user7": "Action",
        "user8": "Spatial",
    }
    # A later export with one annotation more adds that one, and the history is not told again.
    more = [*answers, studio(7, "Context", "2024-05-03T10:00:00.000000Z", 9)]
    take(store, file(tmp_path, json.dumps([{**task, "annotations": more}]), name="later.json"))
    assert [category for name, category in told(store) if name == "user7"] == [*by_seven, "Context"]


def test_columns_that_differ_in_case_alone_are_not_taken_for_one(store: Store, tmp_path: Path) -> None:
    (found,) = problems(store, file(tmp_path, f"{HEAD},Category", f"{row(0, 'Object')},Count"))
    assert found == ("assign_A.csv", 1, "several columns are called category, upper and lower case aside")


def test_ids_in_another_unicode_form_are_found_and_said(tmp_path: Path) -> None:
    names = ("\xfc 1", "b", "c")
    samples = tuple(Sample(name, (Caption(f"{name}#0", f"text of {name}"),)) for name in names)
    dataset = replace(DATASET, samples=samples)
    store = new_store(tmp_path / "own")
    save_dataset(store, dataset)
    head = "caption,category,caption_id,gt_image_id,pred_image_id"
    path = file(tmp_path, head, "text of \xfc 1,Object,u\u0308 1#0,u\u0308%201,b")
    (done,) = take(store, path)
    assert newest_labels(store)[0].failure.image_id == "\xfc 1"
    assert "ids found in another spelling (Unicode form, percent signs) (1)" in done.notes


def test_two_people_whose_addresses_begin_alike_are_two(store: Store, tmp_path: Path) -> None:
    save_sample(store, toy_sample(DATASET))
    task = label_studio_task({"item": toy_failure(DATASET, 2, 2).key}, ("a.jpg", "b.jpg"))
    people = ("ann@example.org", "ann@example.com", "ann_lee+x@example.org")
    answers = [studio({"email": mail}, "Count", None, n) for n, mail in enumerate(people)]
    take(store, file(tmp_path, json.dumps([{**task, "annotations": answers}]), name="p.json"))
    assert {name for name, _ in told(store)} == set(people)


def test_label_studios_small_json_is_read(store: Store, tmp_path: Path) -> None:
    save_sample(store, toy_sample(DATASET))
    item = toy_failure(DATASET, 2, 2).key
    rows = [
        {"id": 1, "item": item, "caption": "a red thing 1 0", "category": "Count", "annotator": 7,
         "annotation_id": 2, "updated_at": "2024-05-02T10:00:00Z", "lead_time": 3.5},
        {"id": 1, "item": item, "caption": "a red thing 1 0", "category": {"choices": ["Ambiguous"]},
         "ambiguous_subtype": "nearduplicate", "notes": {"text": ["same", "room"]}, "annotator": "b@example.org",
         "annotation_id": 3, "updated_at": "2024-05-02T10:00:00Z"},
        {"id": 1, "item": item, "caption": "a red thing 1 0", "category": "Object", "annotator": 7,
         "annotation_id": 1, "updated_at": "2024-05-01T10:00:00Z"},
    ]  # fmt: skip
    take(store, file(tmp_path, json.dumps(rows), name="project-min.json"))
    assert told(store) == [("user7", "Object"), ("user7", "Count"), ("b@example.org", "Ambiguous")]
    newest = {label.annotator: label for label in newest_labels(store)}
    assert newest["user7"].category == "Count"
    assert (newest["b@example.org"].subtype, newest["b@example.org"].note) == ("nearduplicate", "same room")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_whatever_a_file_holds_it_is_read_or_refused_with_its_name(
    tmp_path: Path, content: str | bytes
) -> None:
    path = tmp_path / "assign_A.csv"
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    try:
        found = read_labels(path)
    except InputError as error:
        named = [isinstance(problem, Problem) and problem.file == str(path) for problem in error.problems]
        assert all(named)
    else:
        assert found.kind in {"csv", "page", "label-studio"}


@pytest.mark.shared
def test_the_two_human_labelled_files_say_what_was_published(shared: Path, tmp_path: Path) -> None:
    from clipbench.study.annotation.labels import scope
    from clipbench.study.annotation.summary import summarise

    folder = shared / "data" / "coco2017-val"
    store = new_store(tmp_path / "store")
    request = ImportRequest(
        (folder / "assign_A.csv", folder / "assign_B.csv"),
        items=folder / "captions_5000.json",
        meta=folder / "meta_5000.json",
    )
    a, b = import_labels(store, request)
    assert (a.rows, a.saved.added, len(a.irregular)) == (50, 50, 0)
    assert (b.rows, b.saved.added, len(b.irregular)) == (50, 50, 13)
    found = summarise(scope(store), "count-all")
    order = ("Ambiguous", "Object", "Attribute", "Action", "Context", "Count", "Spatial")
    assert [found.by_annotator["A"][name] for name in order] == [17, 14, 8, 6, 4, 1, 0]
    assert [found.by_annotator["B"][name] for name in order] == [11, 17, 5, 4, 8, 5, 0]
    assert [label.line for label in found.irregular] == [2, 5, 18, 21, 24, 25, 31, 37, 38, 44, 47, 48, 51]


def test_a_table_of_our_own_comes_back_for_photographs_named_like_formulas(tmp_path: Path) -> None:
    names = ["=sum.png", "-minus.png", "+plus.png", "@at.png"]
    samples = tuple(Sample(name, (Caption(f"{name}#0", f"={name} is shown"),), path=None) for name in names)
    dataset = replace(toy_dataset(), samples=samples, image_folder=None)
    store = new_store(tmp_path / "store")
    save_dataset(store, dataset)
    request = AssignRequest(("A",), overlap=0, per_annotator=4, backup=0)
    assign(store, save_sample(store, toy_sample(dataset)), request, tmp_path / "out", Silent())
    table = tmp_path / "out" / "assign_A.csv"
    with table.open(newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["gt_image_id"] for row in rows] == [f"'{name}" for name in names]
    for by_item in (True, False):
        with table.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.DictWriter(opened, rows[0].keys())
            writer.writeheader()
            for row in rows:
                writer.writerow({**row, "category": "Ambiguous", "item": row["item"] if by_item else ""})
        (done,) = take(store, table, annotator="items" if by_item else "ids")
        assert done.saved.added == 4
