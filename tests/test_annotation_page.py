"""The page over HTTP: choices are stored before the answer, and nobody without the token gets anything."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import assigned_store, pictured_dataset, toy_sample
from page_toys import Page, served
from store_toys import count, new_store

from clipbench.annotation_page.exported_page import export_page
from clipbench.annotation_page.pages import file_page
from clipbench.errors import ClipbenchError
from clipbench.failures.items import Assignment, Task
from clipbench.serving.addresses import addresses, host_names
from clipbench.store.annotations import label_history, newest_labels
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import find_sample, save_assignment, save_sample
from clipbench.study.annotation.assign import AssignRequest, plan
from clipbench.study.annotation.exchange_json import page_result
from clipbench.study.annotation.importing import ImportRequest, import_labels
from clipbench.study.annotation.session import choose, open_session, page_data, people
from clipbench.study.output.single_page import embedded
from clipbench.study.workplace.progress import Silent

pytest.importorskip("starlette", reason="the annotate extra is not installed")
pytest.importorskip("uvicorn", reason="the annotate extra is not installed")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Twelve failures of a dataset with photographs; A and B share three and have three each."""
    return assigned_store(tmp_path)


@pytest.fixture
def page(store: Store) -> Iterator[Page]:
    with served(open_session(store)) as found:
        yield found


def items(page: Page, annotator: str = "A") -> list[dict[str, object]]:
    code, body, _ = page.get(f"api/items?annotator={annotator}")
    assert code == 200
    return list(json.loads(body)["items"])


def test_the_page_and_its_parts_come_with_a_strict_policy(page: Page) -> None:
    for path, kind in (
        ("", "text/html"),
        ("page.js", "text/javascript"),
        ("page.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
    ):
        code, body, headers = page.get(path)
        assert (code, headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert b"http://" not in body.replace(b"http://www.w3.org", b"")
        assert b"https://" not in body


def test_without_the_token_there_is_nothing(page: Page) -> None:
    base = f"http://127.0.0.1:{page.port}"
    for path in ("/", "/favicon.ico", "/wrong/", f"/{page.token}x/", f"/x/{page.token}/", "/api/start", "//"):
        code, body, _ = Page.ask(base + path, None, {})
        assert code == 403
        assert b"whole address" in body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]:1"])
def test_another_host_name_is_refused_though_the_token_is_right(page: Page, host: str) -> None:
    assert page.get(Host=host)[0] == 403 or not host
    code, _ = page.post({}, Host=host or "x")
    assert code == 403


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:80"])
def test_this_machine_goes_by_several_names(page: Page, host: str) -> None:
    assert page.get(Host=host)[0] == 200


def test_a_change_needs_the_token_as_a_header_too(page: Page, store: Store) -> None:
    label = {"annotator": "A", "item": items(page)[0]["item"], "category": "Object"}
    for token in ("", "wrong"):
        assert page.post(label, **{"X-Clipbench-Token": token})[0] == 403
    assert count(store, "annotation") == 0
    assert page.post(label) == (200, {"saved": True})
    assert count(store, "annotation") == 1


def test_a_choice_is_in_the_store_when_the_answer_comes(page: Page, store: Store) -> None:
    first = items(page)[0]
    for category, subtype, note in (
        ("Ambiguous", "nearduplicate", ""),
        ("Object", None, "a cat"),
        (None, None, "a cat"),
    ):
        label = {
            "annotator": "A",
            "item": first["item"],
            "category": category,
            "subtype": subtype,
            "note": note,
        }
        assert page.post(label)[0] == 200
        assert label_history(store)[-1].category == category
        shown = items(page)[0]
        assert (shown["category"], shown["subtype"], shown["note"]) == (category, subtype, note)
    assert newest_labels(store) == ()
    assert len(label_history(store)) == 3
    assert count(store, "annotation_source") == 1


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ({"category": "Cat"}, "is not known"),
        ({"category": "Object", "item": "failure:00"}, "is none of the failures of A"),
        ({"category": "Object", "annotator": "C"}, "nothing was assigned to 'C'"),
        ({"category": "Object", "annotator": ""}, "named annotators"),
        ({"category": "Object", "annotator": "../x"}, "cannot be the name"),
        ({"category": 5}, "an object of texts"),
        ({"category": "Object", "note": "x" * 5000}, "at most 4000"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_the_reason(
    page: Page, store: Store, label: dict[str, object], told: str
) -> None:
    code, answer = page.post({"annotator": "A", "item": items(page)[0]["item"], **label})
    assert code == 400
    assert told in answer["error"]
    assert count(store, "annotation") == 0


def test_too_much_and_no_json_are_refused(page: Page) -> None:
    headers = {"X-Clipbench-Token": page.token}
    assert Page.ask(page.url + "api/label", b"{", headers)[0] == 400
    assert Page.ask(page.url + "api/label", b"x" * 100_000, headers)[0] == 413
    assert Page.ask(page.url + "api/label", b"[" * 60_000, headers)[0] == 400


def test_annotators_see_the_overlap_and_their_own_part(page: Page, store: Store) -> None:
    a, b = ({item["item"] for item in items(page, name)} for name in "AB")
    assert (len(a), len(b), len(a & b)) == (6, 6, 3)
    page.post({"annotator": "A", "item": items(page)[0]["item"], "category": "Object"})
    told = json.loads(page.get("api/start")[1])
    assert told["people"] == [{"name": "A", "total": 6, "done": 1}, {"name": "B", "total": 6, "done": 0}]
    assert told["free"] is False
    code, answer = page.get("api/items?annotator=C")[:2]
    assert code == 400
    assert b"nothing was assigned" in answer


def test_pictures_are_jpegs_of_the_pair_and_nothing_else_is_served(page: Page, tmp_path: Path) -> None:
    first = items(page)[0]
    name = str(first["item"]).partition(":")[2]
    for side in ("left", "right"):
        code, body, headers = page.get(f"picture/{name}/{side}.jpg")
        assert (code, headers["content-type"]) == (200, "image/jpeg")
        (tmp_path / "x.jpg").write_bytes(body)
        assert Image.open(tmp_path / "x.jpg").size == (160, 120)  # 40 × 30, enlarged four times at most
    for path in (
        "picture/x/left.jpg",
        f"picture/{name}/up.jpg",
        "picture/..%2f..%2fetc/left.jpg",
        "page.html",
        "../x",
    ):
        assert page.get(path)[0] in {403, 404}


def test_a_page_for_one_annotator_serves_no_other(store: Store) -> None:
    with served(open_session(store), annotator="A") as page:
        assert page.get("api/items?annotator=A")[0] == 200
        assert page.get("api/items?annotator=B")[0] == 400
        assert [p["name"] for p in json.loads(page.get("api/start")[1])["people"]] == ["A"]


def test_without_an_assignment_anybody_labels_the_whole_sample(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    dataset = pictured_dataset(tmp_path / "photos")
    save_dataset(store, dataset)
    save_sample(store, toy_sample(dataset))
    session = open_session(store)
    assert len(session.tasks("Zoë")) == 12
    assert people(session) == []
    choose(session, "Zoë", session.tasks("Zoë")[0].failure.key, ("Object", None))
    assert people(session) == [{"name": "Zoë", "total": 12, "done": 1}]


def test_blind_pages_swap_sides_and_tell_no_names(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    dataset = pictured_dataset(tmp_path / "photos")
    save_dataset(store, dataset)
    stored = save_sample(store, toy_sample(dataset))
    assignment = plan(stored, AssignRequest(("A",), overlap=0, per_annotator=12, backup=0, blind=True))
    save_assignment(store, assignment)
    data = json.dumps(page_data(open_session(store), "A"))
    assert "Ground truth" not in data.replace("Ground truth picture", "")
    assert "Picture 1" in data
    assert {task.swapped for task in assignment.tasks} == {True, False}


@pytest.mark.parametrize("assigned", [True, False])
def test_a_page_served_blind_swaps_sides_whether_the_assignment_was_blind_or_not(
    tmp_path: Path,
    assigned: bool,  # noqa: FBT001, a case
) -> None:
    store = new_store(tmp_path / "store")
    dataset = pictured_dataset(tmp_path / "photos")
    save_dataset(store, dataset)
    stored = save_sample(store, toy_sample(dataset))
    if assigned:
        save_assignment(store, plan(stored, AssignRequest(("A",), overlap=12, per_annotator=0, backup=0)))
    blind, open_ = open_session(store, blind=True), open_session(store)
    swapped = {task.failure.key: task.swapped for task in blind.tasks("A")}
    assert set(swapped.values()) == {True, False}
    assert {task.failure.key: task.swapped for task in blind.everything} == swapped
    assert not any(task.swapped for task in open_.tasks("A"))
    as_planned = plan(stored, AssignRequest(("A",), overlap=12, per_annotator=0, backup=0, blind=True))
    assert {task.failure.key: task.swapped for task in as_planned.tasks} == swapped


def test_hints_are_shown_only_where_asked(store: Store) -> None:
    from clipbench.study.annotation.hints import suggest

    suggest(store, find_sample(store, "latest").sample, None, Silent())
    assert not any(item["hints"] for item in page_data(open_session(store), "A")["items"])  # type: ignore[union-attr]
    assert any(item["hints"] for item in page_data(open_session(store, hints=True), "A")["items"])  # type: ignore[union-attr]


def test_a_part_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(ClipbenchError, match="no part 'C'; there are: overlap, A, B, backup"):
        open_session(store, part="C")
    assert len(open_session(store, part="backup").tasks("Carol")) == 2


def test_the_single_file_holds_everything_and_loads_nothing(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "label_A.html"
    assert export_page(open_session(store), "A", out, Silent()) == 6
    text = out.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']""", text.replace('src="data:', ""))
    assert text.count("<script") == 2
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert policy[1].count("sha256-") == 2
    assert "unsafe" not in policy[1]
    with pytest.raises(ClipbenchError, match="exists"):
        export_page(open_session(store), "A", out, Silent())


def test_hostile_captions_stay_inside_their_json() -> None:
    hostile = "</script><script>alert(1)</script><!--"
    data = {"items": [{"caption": hostile}]}
    text = file_page(data)
    assert text.count("</script>") == 2
    assert json.loads(embedded(data)) == data


def test_the_result_of_the_page_comes_back_through_import(store: Store, tmp_path: Path) -> None:
    shown = page_data(open_session(store), "B")["items"]
    labels = [
        {
            "item": item["item"],
            "caption": item["caption"],
            "category": "Ambiguous",
            "ambiguous_subtype": "other",
        }  # type: ignore[index, call-overload]
        for item in shown  # type: ignore[union-attr]
    ]
    path = tmp_path / "labels_B.json"
    path.write_text(json.dumps(page_result("B", labels)))
    (done,) = import_labels(store, ImportRequest((path,)))
    assert (done.annotator, done.saved.added, done.irregular) == ("B", 6, ())


def test_addresses_are_whole_and_name_the_machine_where_it_listens_everywhere() -> None:
    assert addresses("127.0.0.1", host_names("127.0.0.1"), 80, "t") == ("http://127.0.0.1:80/t/",)
    everywhere = addresses("0.0.0.0", host_names("0.0.0.0"), 80, "t")  # noqa: S104, nothing listens
    assert "http://localhost:80/t/" in everywhere


def test_tasks_of_one_part_keep_their_order(store: Store) -> None:
    session = open_session(store)
    assert isinstance(session.assignment, Assignment)
    tasks = session.tasks("A")
    assert all(isinstance(task, Task) for task in tasks)
    assert [task.part for task in tasks] == ["overlap"] * 3 + ["A"] * 3


@pytest.mark.slow
def test_the_command_prints_the_whole_address_and_ends_quietly(store: Store) -> None:
    import signal
    import subprocess

    command = [
        sys.executable,
        "-m",
        "clipbench",
        "annotate",
        "serve",
        "--port",
        "0",
        "--store",
        str(store.home.root),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    address = process.stdout.readline().strip()
    try:
        assert Page.ask(address, None, {})[0] == 200
    finally:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=90)
    assert "Traceback" not in told


def test_hints_on_a_blind_page_do_not_tell_which_picture_was_retrieved(tmp_path: Path) -> None:
    from annotation_toys import assigned_store

    from clipbench.failures.suggestions import from_captions
    from clipbench.store.failures import save_suggestions
    from clipbench.study.annotation.hints import english

    store = assigned_store(tmp_path)
    (hint,) = from_captions("two dogs", ["three dogs"], english())
    (first, *_) = open_session(store).tasks("A")
    save_suggestions(store, {first.failure.key: [hint]})
    for blind, told in (
        (True, "the captions of one of the pictures say 3"),
        (False, "the retrieved picture's captions say 3"),
    ):
        page = json.dumps(page_data(open_session(store, blind=blind, hints=True), "A"))
        assert f"Hint: Count: the caption says 2; {told}" in page
        assert ("retrieved" in page.lower()) is not blind
