"""The page in a real browser: by keyboard, by touch, without a network, and for a screen reader."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import assigned_store, give, label, pictured_dataset, said
from page_toys import at, begin, browser, complaints, press, served, text, until

from clipbench.annotation_page.exported_page import export_page
from clipbench.failures.items import Failure
from clipbench.store.annotations import label_history, newest_labels
from clipbench.store.engine import Store
from clipbench.study.annotation.importing import ImportRequest, import_labels
from clipbench.study.annotation.session import open_session
from clipbench.study.workplace.progress import Silent

pytestmark = pytest.mark.slow


pytest.importorskip("starlette", reason="the annotate extra is not installed")


pytest.importorskip("uvicorn", reason="the annotate extra is not installed")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("downloads")) as found:
        yield found


@pytest.fixture
def chrome(running: Any, tmp_path: Path) -> Any:
    """The browser, without what other tests chose on pages from the disk and what they complained of."""
    empty = tmp_path / "empty.html"
    empty.write_text("<!doctype html><title>empty</title>")
    running.get(empty.as_uri())
    running.execute_script("localStorage.clear()")
    running.get_log("browser")
    return running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return assigned_store(tmp_path)


def test_keys_choose_save_at_once_undo_and_resume(chrome: Any, store: Store) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        press(chrome, "4")
        at(chrome, 2)
        until(lambda: said(store) == ["Object"], "the first choice is stored")
        press(chrome, "2")
        at(chrome, 3)
        until(lambda: said(store) == ["Object", "Ambiguous"], "the second choice is stored")
        assert newest_labels(store)[1].subtype == "nearduplicate"
        press(chrome, "z")
        at(chrome, 2)
        until(lambda: said(store) == ["Object", "Ambiguous", None], "it was taken back")
        assert text(chrome, "count") == "1 of 6"
        begin(chrome, page.url)
        at(chrome, 2)  # the first caption without a label
        assert text(chrome, "count") == "1 of 6"
        assert complaints(chrome) == []


def test_notes_are_written_and_kept_without_choosing(chrome: Any, store: Store) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        press(chrome, "n")
        press(chrome, *"4 cats z")  # letters and digits are text in here
        press(chrome, "\ue007")
        until(lambda: [x.note for x in label_history(store)] == ["4 cats z"], "the note is stored")
        press(chrome, "5")
        at(chrome, 2)
        until(lambda: len(label_history(store)) == 2, "the choice is stored")
        (label,) = newest_labels(store)
        assert (label.category, label.note) == ("Attribute", "4 cats z")


def test_the_guide_is_one_key_away_and_escape_goes_back(chrome: Any, store: Store) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        press(chrome, "g")
        is_open = "return document.getElementById('guide').open"
        assert chrome.execute_script(is_open)
        for word in ("Object", "Spatial Relation", "underspecified", "first one you answer with yes"):
            assert word in text(chrome, "guide")
        press(chrome, "4")  # a dialog is open: no choice is made
        press(chrome, "\ue00c")
        assert not chrome.execute_script(is_open)
        assert said(store) == []


def test_everything_has_a_name_and_changes_are_announced(chrome: Any, store: Store) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        until(lambda: text(chrome, "live").startswith("Welcome, A. 0 of 6"), "the start is announced")
        nameless = chrome.execute_script(
            "return [...document.querySelectorAll('button, input, img, dialog, progress, [role=group]')]"
            ".filter(e => !(e.ariaLabel || e.textContent.trim() || e.alt || e.labels?.length || "
            "e.getAttribute('aria-labelledby') || e.id === 'zoom-image')).map(e => e.outerHTML)"
        )
        assert nameless == []
        assert chrome.execute_script("return document.documentElement.lang") == "en"
        assert chrome.execute_script("return document.activeElement.id") == "caption"
        alt = chrome.execute_script("return document.getElementById('left').alt")
        assert alt.startswith("Ground truth. Described as: ")
        press(chrome, "4")
        until(
            lambda: text(chrome, "live").startswith("Object saved. Caption 2 of 6: a "),
            "the choice is announced",
        )
        press(chrome, "\ue012")
        at(chrome, 1)
        pressed = "return [...document.querySelectorAll('[aria-pressed=true]')].map(b => b.textContent)"
        assert chrome.execute_script(pressed) == ["4 Object another thing, or none"]


def test_by_tab_and_space_alone_a_choice_is_made(chrome: Any, store: Store) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        for _ in range(30):
            press(chrome, "\ue004")
            if chrome.switch_to.active_element.get_attribute("aria-keyshortcuts") == "7":
                break
        press(chrome, " ")
        until(lambda: said(store) == ["Count"], "the choice is stored")


def test_single_keys_can_be_turned_off(chrome: Any, store: Store) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        chrome.execute_script("document.getElementById('keys-on').click()")
        press(chrome, "4")
        press(chrome, "g")
        assert not chrome.execute_script("return document.getElementById('guide').open")
        assert said(store) == []


def test_a_choice_made_while_the_program_is_away_is_told_and_saved_later(chrome: Any, store: Store) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        chrome.execute_cdp_cmd("Network.enable", {})
        cut = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        try:
            chrome.execute_cdp_cmd("Network.emulateNetworkConditions", cut)
            press(chrome, "4")
            until(lambda: "Not saved yet" in text(chrome, "trouble"), "the trouble is told")
            assert said(store) == []
        finally:
            back = {**cut, "offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
            chrome.execute_cdp_cmd("Network.emulateNetworkConditions", back)
        until(lambda: said(store) == ["Object"], "it is stored after all")
        until(lambda: text(chrome, "trouble") == "", "the trouble is over")
        chrome.get_log("browser")


def test_choices_made_after_the_program_was_killed_are_saved_when_it_is_started_again(
    chrome: Any, store: Store
) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        press(chrome, "4")
        until(lambda: said(store) == ["Object"], "the first choice is stored")
        at(chrome, 2)
    press(chrome, "5")
    until(lambda: "no connection" in text(chrome, "trouble"), "the trouble is told")
    at(chrome, 3)
    press(chrome, "6")
    give(store, pictured_dataset(Path(store.home.root).parent / "photos"), "A", label(third(store), "Count"))
    with served(open_session(store), port=page.port) as again:
        assert again.token != page.token
        until(lambda: "was started again" in text(chrome, "trouble"), "the way out is told")
        assert "2 choices are kept here" in text(chrome, "trouble")
        begin(chrome, again.url)
        until(
            lambda: said(store) == ["Object", "Count", "Attribute"], "the second choice is stored after all"
        )
        # What was labelled elsewhere in the meantime stands.
        assert text(chrome, "count") == "3 of 6"
        assert text(chrome, "trouble") == ""
        until(lambda: chrome.execute_script("return localStorage.length") == 0, "nothing is kept any more")
    chrome.get_log("browser")


def third(store: Store) -> Failure:
    """The third failure that A is shown."""
    return open_session(store).tasks("A")[2].failure


def test_the_last_choice_is_only_called_saved_when_it_is(chrome: Any, store: Store) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        for number in range(1, 6):
            at(chrome, number)
            press(chrome, "4")
        at(chrome, 6)
        until(lambda: len(said(store)) == 5, "five choices are stored")
    press(chrome, "4")
    until(lambda: "1 is not saved yet. Keep this page open." in text(chrome, "done-words"), "it is told")
    with served(open_session(store), port=page.port) as again:
        begin(chrome, again.url)
        until(lambda: len(said(store)) == 6, "the last one is stored")
    chrome.get_log("browser")


def test_two_annotators_label_at_once(chrome: Any, store: Store, tmp_path: Path) -> None:
    with served(open_session(store)) as page, browser() as other:
        begin(chrome, page.url)
        other.get(page.url)
        until(lambda: other.switch_to.active_element.text.startswith("A"), "the names are shown")
        press(other, "\ue004", "\ue007")
        until(lambda: text(other, "who") == "B", "B has begun")
        for number in range(1, 4):
            for one in (chrome, other):
                at(one, number)
                press(one, str(3 + number))
        until(lambda: len(said(store)) == 6, "all choices are stored")
        kept = {(x.annotator, x.key): x.category for x in newest_labels(store)}
        session = open_session(store)
        for name in ("A", "B"):
            mine = [kept[name, task.failure.key] for task in session.tasks(name)[:3]]
            assert mine == ["Object", "Attribute", "Action"]


def test_the_single_file_works_from_the_disk_and_its_result_is_imported(
    chrome: Any, store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "label_A.html"
    export_page(open_session(store), "A", out, Silent())
    begin(chrome, out.as_uri())
    assert (
        chrome.execute_script(
            "const i = document.getElementById('left'); return i.complete && i.naturalWidth"
        )
        == 160
    )
    press(chrome, "4")
    at(chrome, 2)
    begin(chrome, out.as_uri())  # the browser kept it
    at(chrome, 2)
    assert text(chrome, "count") == "1 of 6"
    downloads = Path(tmp_path / "result")
    downloads.mkdir()
    chrome.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
    )
    chrome.execute_script("document.getElementById('download').click()")
    path = downloads / "labels_A.json"
    until(lambda: path.exists() and path.read_text().endswith("}"), "the whole result is downloaded")
    result = json.loads(path.read_text())
    assert result["annotator"] == "A"
    (done,) = import_labels(store, ImportRequest((downloads / "labels_A.json",)))
    assert (done.annotator, done.saved.added) == ("A", 1)
    assert newest_labels(store)[0].category == "Object"
    assert complaints(chrome) == []


def test_at_the_end_the_result_can_be_taken_from_where_one_is(
    chrome: Any, store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "label_A.html"
    export_page(open_session(store), "A", out, Silent())
    folder = str(tmp_path)
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": folder})
    begin(chrome, out.as_uri())
    for number in range(1, 7):
        at(chrome, number)
        press(chrome, "4")
    until(lambda: chrome.execute_script("return document.getElementById('done').open"), "all is done")
    chrome.find_element("id", "done-download").click()
    until((tmp_path / "labels_A.json").exists, "the result is downloaded")
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        assert chrome.execute_script("return document.getElementById('done-file').hidden")
