"""The written report's comparisons: of what is alike, one for each dataset, and forced ones marked."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, good, refused
from test_html_report import parsed


def test_a_report_of_everything_compares_what_is_alike(tmp_path: Path) -> None:
    for name, images in (("one", 8), ("two", 9)):
        added(tmp_path / name, name=name, images=images)
        good("evaluate", name, "--model", "toy", "-q")
    good("robustness", "sweep", "two", "--model", "toy", "--perturb", "word-dropout", "--levels", "0.5", "-q")
    good("report", "--html", tmp_path / "all.html")
    text = "".join(parsed((tmp_path / "all.html").read_text(encoding="utf-8")).text)
    assert "Retrieval on one, two" in text
    assert re.search(r"not compared: .*one.* differs from .*two.* in dataset fingerprint", text)


def test_each_dataset_has_a_comparison_of_its_own(tmp_path: Path) -> None:
    for name, images in (("one", 8), ("two", 9), ("lone", 10)):
        added(tmp_path / name, name=name, images=images)
        words = ("--perturb", "word-dropout", "--levels", "0.5", "-q")
        good(
            *(("evaluate", name) if name == "lone" else ("robustness", "sweep", name, *words)),
            "--model",
            "toy",
        )
    good("report", "--html", tmp_path / "all.html")
    text = "".join(parsed((tmp_path / "all.html").read_text(encoding="utf-8")).text)
    assert text.index("two: side by side") < text.index("one: side by side")
    assert "two: every difference" in text
    assert "one: every difference" in text
    assert "lone: side by side" not in text
    assert re.search(r"not compared: .*lone", text)


def test_a_forced_page_says_so_in_a_box(tmp_path: Path) -> None:
    for name, images in (("one", 8), ("two", 9)):
        added(tmp_path / name, name=name, images=images)
        good("evaluate", name, "--model", "toy", "-q")
    out = tmp_path / "forced.html"
    assert "cannot be compared" in refused("report", "--compare", "dataset=one", "dataset=two", "--html", out)
    assert not out.exists()
    good(
        "report",
        "--compare",
        "dataset=one",
        "dataset=two",
        "--html",
        out,
        "--allow-unlike",
        "--resamples",
        "200",
    )
    tree = parsed(out.read_text(encoding="utf-8"))
    assert any(a.get("class") == "forced" for _, a in tree.seen)
