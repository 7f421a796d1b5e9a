"""The page to look through a store with, in a real browser: keys, ticks, narrow screens. Skips where there is none."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, environment, good
from page_toys import barriers, browser, happens, press, until

pytestmark = pytest.mark.slow

PATHS = [
    "",
    "run",
    "queries",
    "query",
    "sweep",
    "datasets",
    "dataset?dataset=toys",
    "labels",
    "lint?dataset=toys",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page on a store with a dataset and two runs, served by the command."""
    folder = tmp_path_factory.mktemp("browse")
    store = folder / "store"
    with environment(CLIPBENCH_STORE=str(store)):
        added(folder)
        good("evaluate", "toys", "--model", "toy")
        words = ("--perturb", "word-dropout", "--levels", "0.3,0.6", "--name", "drop", "-q")
        good("robustness", "sweep", "toys", "--model", "toy", *words)
    argv = [sys.executable, "-m", "clipbench", "browse", "--port", "0", "--store", str(store)]
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process.stdout.readline().strip()
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser() as found:
        yield found


def opened(chrome: Any, address: str) -> None:
    """Open a page and wait until it hears keys: the browser says that it is loaded a moment before."""
    chrome.get(address)
    until(lambda: chrome.execute_script("return document.hasFocus()"), "the page hears keys")


def begin_to_search(chrome: Any) -> None:
    """Press / until the words to look for can be typed: a key that comes while a page settles may be lost."""
    found = "return document.activeElement.matches('input[type=search]')"
    for _ in range(10):
        press(chrome, "/")
        if happens(lambda: chrome.execute_script(found), 2.5):
            return
    pytest.fail("never happened: the words to look for can be typed")


def heading(chrome: Any) -> str:
    return str(chrome.execute_script("return document.querySelector('h1')?.textContent"))


def test_two_runs_are_compared_by_keys_alone(root: str, chrome: Any) -> None:
    opened(chrome, root)
    button = "return document.querySelector('form.ticking button').disabled"
    # The page fills in its ticks when it is shown, which is after it is loaded.
    until(lambda: chrome.execute_script(button), "nothing is ticked")
    press(chrome, "j", "x", "j", "x")
    assert not chrome.execute_script(button)
    ticked = "return document.querySelector('.ticked').textContent"
    said = chrome.execute_script(ticked)
    chrome.get(f"{root}?sort=run&find=clean")
    # Ticks outlive another order and fewer rows.
    until(lambda: chrome.execute_script(ticked) == said, "the same runs are ticked")
    chrome.execute_script("document.querySelector('form.ticking button').click()")
    until(lambda: "runs compared" in heading(chrome), "the comparison is there")
    assert chrome.execute_script("return document.querySelectorAll('tbody tr').length") > 4


def test_a_query_is_found_opened_and_left_by_keys(root: str, chrome: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(chrome, f"{root}queries?run=latest:clean")
    begin_to_search(chrome)
    press(chrome, "p003", Keys.ENTER)
    until(lambda: "find=p003" in chrome.current_url, "the search is done")
    opened(chrome, chrome.current_url)
    press(chrome, "j", Keys.ENTER)
    until(lambda: heading(chrome).startswith("Query "), "the query is there")
    first = heading(chrome)
    opened(chrome, chrome.current_url)
    press(chrome, "n")
    until(lambda: heading(chrome) != first, "the next query is there")
    loaded = "return [...document.images].every((one) => one.complete && one.naturalWidth > 0)"
    until(lambda: chrome.execute_script(loaded), "every picture is there")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [390, 1366])
def test_nothing_is_wider_than_the_screen_or_refused(path: str, width: int, root: str, chrome: Any) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chrome.get(f"{root}{path}")
    # Emulation of a phone lays out once more after the page says that it is loaded.
    until(
        lambda: chrome.execute_script("return document.documentElement.scrollWidth") <= width,
        "nothing is wider than the screen",
    )
    # Style, script and pictures come from the page itself, so the policy refuses none of them.
    assert chrome.get_log("browser") == []
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_keeps_anybody_out(path: str, scheme: str, root: str, chrome: Any) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    chrome.get(f"{root}{path}")
    assert barriers(chrome) == []
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
