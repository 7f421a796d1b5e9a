"""The page in a real browser: by keyboard, by touch, without a network, and for a screen reader."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import pictured_dataset, toy_sample
from page_toys import browser, served
from store_toys import new_store

from clipbench.serving.exported_page import export_page
from clipbench.store.annotations import label_history, newest_labels
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import save_assignment, save_sample
from clipbench.study.annotation.assign import AssignRequest, plan
from clipbench.study.annotation.importing import ImportRequest, import_labels
from clipbench.study.annotation.session import open_session
from clipbench.study.progress import Silent

pytestmark = pytest.mark.slow
pytest.importorskip("starlette", reason="the annotate extra is not installed")
pytest.importorskip("uvicorn", reason="the annotate extra is not installed")


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("downloads")) as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path / "store")
    dataset = pictured_dataset(tmp_path / "photos")
    save_dataset(made, dataset)
    stored = save_sample(made, toy_sample(dataset))
    save_assignment(made, plan(stored, AssignRequest(("A", "B"), overlap=3, per_annotator=3, backup=2)))
    return made


def until(true: Callable[[], object], what: str) -> None:
    """Wait until something is true; nothing is timed, it only must happen."""
    for _ in range(400):
        if true():
            return
        time.sleep(0.025)
    pytest.fail(f"never happened: {what}")


def text(chrome: Any, name: str) -> str:
    return str(chrome.execute_script("return document.getElementById(arguments[0]).textContent", name))


def press(chrome: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    for key in keys:
        ActionChains(chrome).send_keys(key).perform()


def begin(chrome: Any, url: str) -> None:
    """Open the page and go on as the first annotator, by keyboard alone."""
    chrome.get(url)
    until(lambda: chrome.switch_to.active_element.text.startswith("A"), "the first name has the focus")
    press(chrome, "\ue007")
    until(lambda: text(chrome, "place"), "the first caption is shown")


def place(chrome: Any) -> str:
    return text(chrome, "place")


def at(chrome: Any, number: int) -> None:
    until(lambda: place(chrome).startswith(f"Caption {number} of"), f"caption {number} is shown")


def complaints(chrome: Any) -> list[str]:
    """What the browser's console reports: a refused script, a missing file, an error."""
    return [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]


def said(store: Store) -> list[str | None]:
    return [label.category for label in label_history(store)]


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
        pressed = "return [...document.querySelectorAll('[aria-pressed=true]')].map(b => b.getAttribute('aria-label'))"
        assert chrome.execute_script(pressed) == ["Object, another thing, or none. Key 4"]


def test_by_tab_and_space_alone_a_choice_is_made(chrome: Any, store: Store) -> None:
    with served(open_session(store)) as page:
        begin(chrome, page.url)
        for _ in range(30):
            press(chrome, "\ue004")
            if "Key 7" in (chrome.switch_to.active_element.get_attribute("aria-label") or ""):
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


def test_on_a_phone_nothing_is_wider_than_the_screen_and_buttons_fit_a_thumb(
    chrome: Any, store: Store
) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    try:
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        with served(open_session(store)) as page:
            begin(chrome, page.url)
            assert chrome.execute_script("return document.documentElement.scrollWidth") <= 390
            heights = chrome.execute_script(
                "return [...document.querySelectorAll('#choices button')].map(b => b.getBoundingClientRect().height)"
            )
            assert len(heights) == 9
            assert min(heights) >= 44
            lowest = chrome.execute_script(
                "return document.querySelector('#choices').getBoundingClientRect().bottom"
            )
            assert lowest <= 844  # pictures and choices are on one screen
            chrome.execute_script("document.querySelectorAll('#choices button')[8].click()")
            until(lambda: said(store) == ["Spatial"], "a touch is stored")
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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


def test_a_thousand_captions_are_walked_and_listed(chrome: Any, tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    dataset = pictured_dataset(tmp_path / "photos", images=6)
    from dataclasses import replace

    from clipbench.records import Caption

    many = tuple(
        replace(sample, captions=tuple(Caption(f"{sample.id}#{n}", f"thing {n}") for n in range(170)))
        for sample in dataset.samples
    )
    large = replace(dataset, name="many", samples=many)
    save_dataset(store, large)
    save_sample(store, toy_sample(large))
    with served(open_session(store), annotator="A") as page:
        begin(chrome, page.url)
        assert place(chrome) == "Caption 1 of 1020"
        press(chrome, "v")
        cells = chrome.execute_script("return document.querySelectorAll('#cells button').length")
        assert cells == 1020
        chrome.execute_script("document.querySelectorAll('#cells button')[999].click()")
        at(chrome, 1000)
        press(chrome, "6")
        at(chrome, 1001)
        until(lambda: said(store) == ["Action"], "the choice is stored")


def test_hostile_captions_are_shown_as_text(chrome: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    from clipbench.records import Caption

    hostile = "</script><img src=x onerror=\"document.title='owned'\"><b>bold</b>"
    store = new_store(tmp_path / "store")
    dataset = pictured_dataset(tmp_path / "photos")
    samples = tuple(
        replace(s, captions=tuple(Caption(c.id, f"{hostile} {c.id}") for c in s.captions))
        for s in dataset.samples
    )
    save_dataset(store, replace(dataset, samples=samples))
    save_sample(store, toy_sample(replace(dataset, samples=samples)))
    out = tmp_path / "label_A.html"
    session = open_session(store)
    export_page(session, "A", out, Silent())
    with served(session, annotator="A") as page:
        for url in (page.url, out.as_uri()):
            begin(chrome, url)
            assert text(chrome, "caption").startswith(hostile)
            assert chrome.execute_script("return document.querySelector('#caption').childElementCount") == 0
            assert chrome.title.startswith("Why did it fail?")
            assert complaints(chrome) == []


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
    until((downloads / "labels_A.json").exists, "the result is downloaded")
    result = json.loads((downloads / "labels_A.json").read_text())
    assert result["annotator"] == "A"
    (done,) = import_labels(store, ImportRequest((downloads / "labels_A.json",)))
    assert (done.annotator, done.saved.added) == ("A", 1)
    assert newest_labels(store)[0].category == "Object"
    assert complaints(chrome) == []
