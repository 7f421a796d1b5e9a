"""The manual page names every command, and roff has nothing against it."""

import shutil
import subprocess

import docs_man
import pytest
from docs_man import PAGE, man_page


def test_the_page_is_what_the_program_says_of_itself() -> None:
    assert PAGE.read_text(encoding="utf-8") == man_page(), (
        "python tests/docs_man.py --write brings it up to date"
    )


def test_roff_prints_it_without_a_warning() -> None:
    if shutil.which("groff") is None:
        pytest.skip("no groff on this machine")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-Kutf8", str(PAGE)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "General Commands Manual" in done.stdout


@pytest.mark.parametrize(("text", "roff"), [("--yes", r"\-\-yes"), (".x", r"\&.x"), ("a\\b", r"a\eb")])
def test_text_is_no_request(text: str, roff: str) -> None:
    assert docs_man._roff(text) == roff
