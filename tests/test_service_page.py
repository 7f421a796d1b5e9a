"""The search page: what the service writes, and what a browser does with it."""

import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_toys import caption, draw, good, write_csv

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from page_toys import barriers, browser, press, until
from service_toys import TOKEN, client, collected, png, toy_service
from starlette.testclient import TestClient

from clipbench.search_service.application import Access, application
from clipbench.search_service.service import SearchService

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{ 7*7 }}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> SearchService:
    """A gallery of 30 pictures whose first caption and columns are an attack."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIPBENCH_STORE", str(folder / "store"))
        names = draw(folder / "photos", 30)
        rows = [(name, caption(n) if n else f"red {EVIL}", EVIL, str(n)) for n, name in enumerate(names)]
        table = write_csv(folder / "evil.csv", rows, ("image", "caption", "colour", "price"))
        good("dataset", "add", "evil", "--captions", table, "--images", folder / "photos", "-q")
    return toy_service(folder / "store", "evil")


@pytest.fixture(scope="module")
def page(service: SearchService) -> Iterator[TestClient]:
    with client(service, token=None) as asking:
        yield asking


def got(page: TestClient, path: str = "", status: int = 200) -> str:
    answer = page.get(f"/{TOKEN}/{path}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def test_the_page_and_its_files_load_nothing_from_elsewhere(page: TestClient) -> None:
    whole = got(page)
    for name, kind in (
        ("search.css", "text/css"),
        ("search.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ):
        assert f"/{TOKEN}/{name}" in whole
        answer = page.get(f"/{TOKEN}/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        whole += answer.text
    assert re.findall(r"https?://(?!www\.w3\.org)", whole) == []
    assert " style=" not in got(page, "?q=red")
    assert "onclick" not in whole


def test_without_the_slash_one_is_led_to_the_page(page: TestClient) -> None:
    answer = page.get(f"/{TOKEN}", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"].endswith(f"/{TOKEN}/")


@pytest.mark.parametrize("field", ["q", "without", "where", "like", "top", "nothing"])
@pytest.mark.parametrize("path", ["", "results"])
def test_whatever_is_typed_or_stored_stays_text(page: TestClient, path: str, field: str) -> None:
    asked = {"q": "red", field: EVIL}
    answer = page.get(f"/{TOKEN}/{path}", params=asked)
    assert answer.status_code in {200, 404, 422}
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert "49" not in re.sub(r"\d+\.\d+", "", answer.text)


def test_it_shows_what_the_api_finds(page: TestClient, service: SearchService) -> None:
    told = page.post(
        "/v1/search/text", json={"text": "red", "top": 24}, headers={"X-Clipbench-Token": TOKEN}
    ).json()
    shown = [html.unescape(id_) for id_ in re.findall(r'data-id="(.*?)"', got(page, "?q=red"))]
    assert shown == [hit["id"] for hit in told["hits"]]
    more = re.findall(r'id="more" href="(.*?)"', got(page, "?q=red"))
    assert more == [f"/{TOKEN}/?q=red&amp;top=48"]
    assert len(re.findall("data-id", got(page, "?q=red&top=48"))) == 30
    assert 'id="more"' not in got(page, "?q=red&top=48")


def test_it_says_what_to_do_what_is_left_and_what_is_wrong(page: TestClient) -> None:
    assert "What are you looking for?" in got(page)
    nothing = got(page, "?q=red&where=price+%3E+99")
    assert "Nothing is left" in nothing
    assert "price &gt; 99" in nothing
    assert f'href="/{TOKEN}/?q=red"' in nothing
    assert "there is no column" in got(page, "?q=red&where=prize+%3E+9", 422)
    assert "Not in this gallery" in got(page, "?like=nope", 404)
    assert "longer than the model reads" in got(page, "?q=" + "red+" * 100)
    assert "at most 2000 characters" in got(page, "?q=" + "x" * 2001, 422)


def test_numbers_that_are_none_are_passed_over(page: TestClient) -> None:
    for top in ("nan", "-1", "1e9", "٣", "99999999999999999999", ""):
        assert len(re.findall("data-id", got(page, f"?q=red&top={top}"))) == 24
    assert "Traceback" not in got(page, "?q=red&top=0", 422)
    assert "Traceback" not in got(page, "?q=red&top=5000", 422)


def test_a_picture_needs_the_token_as_a_header_too(page: TestClient) -> None:
    files = {"image": ("x.png", png(3))}
    assert page.post(f"/{TOKEN}/results", files=files).status_code == 401
    answer = page.post(f"/{TOKEN}/results", files=files, headers={"X-Clipbench-Token": TOKEN})
    assert answer.status_code == 200
    assert re.findall(r'data-id="(.*?)"', answer.text)[0] == "p003.png"
    wrong = page.post(
        f"/{TOKEN}/results", files={"image": ("x", b"text")}, headers={"X-Clipbench-Token": TOKEN}
    )
    assert wrong.status_code == 415
    assert "That is no picture" in wrong.text


@contextmanager
def served(service: SearchService) -> Iterator[str]:
    """Serve on a free port in a thread of this process; give the page's address."""
    import uvicorn

    from clipbench.serving.listening import listening

    app = application(service, Access((TOKEN,)))
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/{TOKEN}/"
        finally:
            server.should_exit = True
            thread.join(20)


def ids(chrome: Any) -> list[str]:
    script = "return [...document.querySelectorAll('#results .open')].map((one) => one.dataset.id)"
    return list(chrome.execute_script(script))


def shows(chrome: Any, words: str) -> bool:
    return words in chrome.execute_script("return document.body.innerText")


@pytest.mark.slow
def test_a_browser_searches_by_words_by_picture_and_by_keys(tmp_path: Path, own_home: Path) -> None:
    collected(tmp_path, 30)
    (tmp_path / "mine.png").write_bytes(png(7))
    with browser() as chrome, served(toy_service(own_home)) as url:
        chrome.get(url)
        until(lambda: shows(chrome, "What are you looking for?"), "the page is there")
        assert barriers(chrome) == []
        press(chrome, *"red", "\ue007")
        until(lambda: len(ids(chrome)) == 24, "words are searched")
        assert barriers(chrome) == []
        assert chrome.current_url == f"{url}?q=red"
        by_words = ids(chrome)

        chrome.find_element("id", "picture").send_keys(str(tmp_path / "mine.png"))
        until(lambda: shows(chrome, "like mine.png and the words"), "the picture is taken")
        until(lambda: ids(chrome) != by_words, "both are searched")
        chrome.execute_script("document.getElementById('q').value = ''")
        chrome.find_element("css selector", "form .primary").click()
        until(lambda: ids(chrome)[:1] == ["p007.png"], "the picture alone finds itself")
        chrome.find_element("id", "with-remove").click()
        until(lambda: shows(chrome, "What are you looking for?"), "nothing is asked")

        chrome.execute_script("document.activeElement.blur()")
        press(chrome, "/", *"blue", "\ue007")
        until(lambda: ids(chrome), "a slash leads to the words")
        press(chrome, "\ue015", "\ue014", "\ue007")  # down to the first, right, enter
        until(lambda: shows(chrome, "Rank 2, cosine"), "the second is looked at")
        press(chrome, "\ue014")
        until(lambda: shows(chrome, "Rank 3, cosine") and shows(chrome, "price"), "the arrow goes on")
        press(chrome, "\ue00c")
        until(lambda: not chrome.find_element("id", "one").is_displayed(), "Escape closes it")
        third = ids(chrome)[2]
        assert chrome.execute_script("return document.activeElement.dataset.id") == third

        chrome.get(f"{url}?q=red&where=colour+%3D+%27blue%27")
        until(lambda: len(ids(chrome)) == 5, "the filter holds")
        chrome.back()
        faults = [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]
        assert faults == []
