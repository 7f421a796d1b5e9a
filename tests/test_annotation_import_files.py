"""Label files as people have them: every dialect, spreadsheets, Label Studio's JSON and odd names."""

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

from annotation_toys import DATASET, HEAD, file, problems, row, take, toy_failure, toy_sample
from store_toys import new_store, toy_dataset

from clipbench.errors import InputError, Problem
from clipbench.records import Caption, Sample
from clipbench.store.annotations import label_history, newest_labels
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import save_sample
from clipbench.study.annotation.assign import AssignRequest, assign
from clipbench.study.annotation.exchange_json import label_studio_config, label_studio_task, page_result
from clipbench.study.annotation.files import read_labels
from clipbench.study.annotation.importing import ImportRequest, import_labels
from clipbench.study.workplace.progress import Silent


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path / "store")
    save_dataset(made, DATASET)
    return made


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
