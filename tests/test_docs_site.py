"""The site is whole, loads nothing from elsewhere, and has a page of every command."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs_blocks import ROOT, commands
from page_toys import browser, until

pytest.importorskip("material", reason="mkdocs-material is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does: a link that leads nowhere and a page without a place are refused."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"),
            *("--config-file", str(ROOT / "docs/site/mkdocs.yml"), "--site-dir", str(folder)),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_every_page_and_every_command_is_on_the_site(site: Path) -> None:
    pages = {file.relative_to(site).with_suffix("").as_posix() for file in site.rglob("*.html")}
    assert pages >= {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert pages >= {"index", "notebook", "changelog"}
    assert pages >= {f"commands/{'-'.join(words)}" for words in commands()}
    assert "--duplicate-aware" in (site / "commands/evaluate.html").read_text(encoding="utf-8")
    assert 'href="datasets.html' in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = re.compile(
        r"""<(?:script|img|iframe|link|source)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^ >]+"""
    )
    for page in site.rglob("*.html"):
        assert loaded.findall(page.read_text(encoding="utf-8")) == [], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", sheet.read_text(encoding="utf-8")), (
            sheet.name
        )


@pytest.mark.slow
def test_its_search_works_when_a_page_is_opened_from_the_disk(site: Path) -> None:
    """Browsers start no workers there: docs/site/iframe-worker.js stands in for one."""
    with browser() as chrome:
        chrome.get((site / "index.html").as_uri())
        chrome.find_element("css selector", "input.md-search__input").send_keys("dropout")

        def found() -> str:
            return str(chrome.find_element("css selector", ".md-search-result__list").text)

        until(lambda: "Robustness" in found(), "robustness is found")
        assert chrome.get_log("browser") == []
