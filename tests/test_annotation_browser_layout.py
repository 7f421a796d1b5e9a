"""The page in a real browser as it is seen: every screen, many captions, hostile ones, and the single file."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotation_toys import assigned_store, pictured_dataset, said, toy_sample
from page_toys import at, barriers, begin, browser, complaints, place, press, served, text, until
from store_toys import new_store

from clipbench.annotation_page.exported_page import export_page
from clipbench.store.datasets import save_dataset
from clipbench.store.engine import Store
from clipbench.store.failures import save_sample
from clipbench.study.annotation.session import open_session
from clipbench.study.workplace.progress import Silent


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


def test_names_hold_the_words_that_are_seen_and_each_screen_has_one_main_part(
    chrome: Any, store: Store
) -> None:
    seen = (
        "return [...document.querySelectorAll('main, [role=main]')].filter(e => e.checkVisibility()).length"
    )
    unlike = (
        "return [...document.querySelectorAll('button[aria-label]')].filter(b => b.innerText.trim() && "
        "!b.ariaLabel.toLowerCase().includes(b.innerText.trim().toLowerCase())).map(b => b.outerHTML)"
    )
    with served(open_session(store)) as page:
        chrome.get(page.url)
        until(lambda: chrome.switch_to.active_element.text.startswith("A"), "the names are shown")
        assert chrome.execute_script(seen) == 1
        assert barriers(chrome) == []
        begin(chrome, page.url)
        assert chrome.execute_script(seen) == 1
        assert barriers(chrome) == []
        press(chrome, "4")
        at(chrome, 2)
        press(chrome, "v")
        assert chrome.execute_script(unlike) == []
        first = chrome.execute_script("return document.querySelector('#cells button').textContent")
        assert first == "Caption 1 Object"


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


BROKEN_WORDS = """
const broken = [];
for (const name of document.querySelectorAll('#choices .name, #choices .over')) {
  const text = name.firstChild;
  for (const found of text.data.matchAll(/[^\\s/]+/g)) {
    const range = document.createRange();
    range.setStart(text, found.index);
    range.setEnd(text, found.index + found[0].length);
    if (new Set([...range.getClientRects()].map((one) => one.top)).size > 1) broken.push(found[0]);
    if (range.getBoundingClientRect().right > name.closest('button').getBoundingClientRect().right) broken.push(found[0]);
  }
}
return broken;
"""


OVERLAPS = """
const boxes = ['count', 'open-overview', 'open-guide', 'download'].map((id) => document.getElementById(id))
  .filter((one) => !one.hidden).map((one) => one.getBoundingClientRect());
return boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right - .5 && b.left < a.right - .5
  && a.top < b.bottom - .5 && b.top < a.bottom - .5));
"""


@pytest.mark.parametrize(
    ("width", "height"),
    [(1920, 1080), (1366, 768), (1280, 720), (1024, 768), (768, 1024), (390, 844), (360, 740)],
)
def test_the_page_fits_every_screen_without_scrolling_or_broken_words(
    chrome: Any, store: Store, tmp_path: Path, width: int, height: int
) -> None:
    out = tmp_path / "label_A.html"
    export_page(open_session(store), "A", out, Silent())
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        begin(chrome, out.as_uri())
        page = "const e = document.documentElement; return [e.scrollHeight - innerHeight, e.scrollWidth - innerWidth]"
        assert chrome.execute_script(page) == [0, 0]
        assert chrome.execute_script(BROKEN_WORDS) == []
        assert chrome.execute_script(OVERLAPS) is False
        if width < 500:
            tall = "return document.getElementById('zoom-left').getBoundingClientRect().height"
            assert chrome.execute_script(tall) >= 44
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
