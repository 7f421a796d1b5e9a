"""What the pages say was typed, prints what they say it printed."""

import re
from pathlib import Path

import docs_sessions
import pytest
from docs_sessions import PAGES, comparable, main, printed, written


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_session_prints_what_the_page_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    now = written(text)
    assert comparable(now) == comparable(text), "python tests/docs_sessions.py --write brings it up to date"
    assert not re.search(r"/tmp|/home|/root", now)


def test_a_session_is_renewed_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "page.md"
    page.write_text("before\n\n<!-- session -->\n```\n$ mkdir new\n$ ls\nold\n```\n\n```\n$ ls\n```\n")
    monkeypatch.setattr(docs_sessions, "ROOT", tmp_path)
    monkeypatch.setattr(docs_sessions, "PAGES", (page,))
    assert main([]) == 1
    assert main(["--write"]) == 0
    assert (
        page.read_text() == "before\n\n<!-- session -->\n```\n$ mkdir new\n$ ls\nnew\n```\n\n```\n$ ls\n```\n"
    )
    assert main([]) == 0


def test_a_page_types_no_other_program() -> None:
    with pytest.raises(ValueError, match="not rm"):
        printed("rm -r photos")
