"""The annotation page on a free port in this process, and a browser for it; no test is in here."""

from __future__ import annotations

import json
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Page:
    """A page that is being served: where, and its token."""

    port: int
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    def get(self, path: str = "", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        return self.ask(f"{self.url}{path}", None, headers)

    def post(self, value: object, path: str = "api/label", **headers: str) -> tuple[int, Any]:
        asked = {"X-Clipbench-Token": self.token, "Content-Type": "application/json", **headers}
        code, body, _ = self.ask(f"{self.url}{path}", json.dumps(value).encode(), asked)
        return code, json.loads(body) if body.startswith(b"{") else body

    @staticmethod
    def ask(url: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, body, named)  # noqa: S310, our own address
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310, our own address
                return answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read(), dict(error.headers)


@contextmanager
def served(session: Any, annotator: str | None = None, port: int = 0) -> Iterator[Page]:
    """Serve a session until the block ends; port 0 takes a free one."""
    import socket

    import uvicorn

    from clipbench.annotation_page.application import application
    from clipbench.serving.listening import new_token

    token = new_token()
    app = application(session, token, annotator=annotator)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(128)  # callers wait until the server takes them
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Page(listening.getsockname()[1], token)
        finally:
            server.should_exit = True
            thread.join(20)


@contextmanager
def browser(downloads: Path | None = None) -> Iterator[Any]:
    """Give a headless Chromium; the test skips where there is none, or no driver for it."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium with its driver on this machine (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1366,900",
    ):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if downloads is not None:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    from selenium.webdriver.chrome.service import Service

    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def until(true: Callable[[], object], what: str) -> None:
    """Wait until something is true; nothing is timed, it only must happen."""
    if not happens(true, 60):
        pytest.fail(f"never happened: {what}")


def happens(true: Callable[[], object], seconds: float) -> bool:
    """Whether something comes true within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.025)
    return False


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


def barriers(chrome: Any, *, contrast: bool = True) -> list[str]:
    """Return what axe finds that keeps people out of the page that is open; skips where axe is not installed."""
    package = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    script = (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    # Evaluated by the debugger, since a page's own policy lets no foreign script in.
    chrome.execute_cdp_cmd("Runtime.evaluate", {"expression": script})
    chrome.set_script_timeout(120)
    asked = (
        "const done = arguments[1], rules = {'color-contrast': {enabled: arguments[0]}};"
        "axe.run({rules}).then(r => done(r.violations))"
    )
    return [
        f"{found['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for found in chrome.execute_async_script(asked, contrast)
        for node in found["nodes"]
    ]
