"""A gallery smaller than its dataset is said by how much and why, wherever a number of such a run is shown."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from cli_toys import cli, draw, environment, good, refused, write_csv

TOLD = "2 of 12 images"
WHY = "p003.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a sweep, a gallery stress and a sample, of a dataset of which two photographs were lost later."""
    folder = tmp_path_factory.mktemp("left-out")
    photographs = folder / "photographs"
    photographs.mkdir()
    names = draw(photographs, 12)
    rows = [(name, f"a picture called {name} in red number {turn}") for name in names for turn in (1, 2)]
    captions = write_csv(folder / "captions.csv", rows)
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        good("dataset", "add", "toys", "-c", captions, "--images", photographs, "-q")
        (photographs / names[3]).unlink()
        (photographs / names[7]).write_bytes(b"no picture")
        model = ("--model", "toy", "--allow-missing", "0.5")
        sweep = ("robustness", "sweep", "toys", *model, "--perturb", "word-dropout")
        good(*sweep, "--levels", "0.3", "--seeds", "1", "-q")
        good("robustness", "gallery", "toys", *model, "-q")
        good("annotate", "sample", "latest:clean", "--n", "4", "--no-hints", "-q")
    return folder


def said(folder: Path, *words: str) -> str:
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        done = good(*words)
    return " ".join((done.out + done.err).split())


@pytest.mark.parametrize("form", ["table", "csv", "latex"])
@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "toys", "--model", "toy", "--allow-missing", "0.5"),
        ("runs", "list"),
        ("runs", "show", "latest:clean"),
        ("report", "--compare", "latest:clean", "latest:word-dropout=0.3"),
        ("report", "--sweep", "latest"),
        ("report", "--leaderboard"),
        ("robustness", "gallery", "toys", "--model", "toy", "--allow-missing", "0.5"),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_every_table_says_what_its_gallery_lacks(folder: Path, words: tuple[str, ...], form: str) -> None:
    told = said(folder, *words, "--format", form)
    assert TOLD in told
    assert WHY in told.replace(r"\_", "_")


def test_figures_say_it_too(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    said(folder, "report", "--sweep", "latest", "--figures", str(tmp_path))
    for path in tmp_path.glob("*.svg"):
        drawn = " ".join(re.sub("<[^>]*>", " ", path.read_text(encoding="utf-8")).split())
        assert "Left out, with their captions: 2 of 12 images (1 " in drawn


@pytest.mark.parametrize("form", ["csv", "clip-benchmark", "trec"])
def test_every_export_says_it(folder: Path, tmp_path: Path, form: str) -> None:
    told = said(folder, "runs", "export", "latest:clean", "--format", form, "--out", str(tmp_path / "out"))
    assert TOLD in told
    assert WHY in told


def test_pages_and_samples_say_it(folder: Path, tmp_path: Path) -> None:
    said(folder, "report", "--html", str(tmp_path / "report.html"))
    said(folder, "annotate", "gallery", "--out", str(tmp_path / "gallery.html"))
    for name in ("report.html", "gallery.html"):
        assert TOLD in (tmp_path / name).read_text(encoding="utf-8")
    assert TOLD in said(folder, "annotate", "sample", "latest:clean", "--n", "4", "--no-hints")
    assert TOLD in said(folder, "annotate", "list")
    assert TOLD in said(folder, "annotate", "list", "latest")


def test_a_run_that_is_passed_on_says_it_elsewhere(folder: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "runs.clipbench"
    assert TOLD in said(folder, "runs", "export", "latest:clean", "--bundle", str(bundle))
    with environment(CLIPBENCH_STORE=str(tmp_path / "other")):
        good("runs", "import", bundle)
        done = good("runs", "show", "latest")
    assert TOLD in done.out
    assert WHY in done.out


def test_programs_find_it_in_columns_of_its_own(folder: Path) -> None:
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        rows = list(csv.DictReader(io.StringIO(good("runs", "list", "--format", "csv").out)))
        told = json.loads(good("runs", "list", "--json").out)["rows"]
    assert {row["left out"] for row in rows} == {"2"}
    assert all(row["left out why"].startswith(TOLD) for row in rows)
    assert {row["left out"] for row in told} == {2}


def test_runs_whose_galleries_differ_are_not_compared(tmp_path: Path) -> None:
    names = draw(tmp_path, 6)
    captions = write_csv(tmp_path / "c.csv", [(name, f"picture {name}") for name in names])
    good("dataset", "add", "toys", "-c", captions, "--images", tmp_path)
    good("evaluate", "toys", "--model", "toy", "--tag", "whole")
    (tmp_path / names[2]).unlink()
    sweep = ("robustness", "sweep", "toys", "--model", "toy", "--perturb", "brightness", "--severities", "1")
    good(*sweep, "--allow-missing", "0.5")
    told = refused("report", "--compare", "whole", "latest:brightness=1")
    assert "gallery: t2i ranks 6, i2t ranks 6 / t2i ranks 5, i2t ranks 5" in told
    assert "1 only here" in told
    forced = cli("report", "--compare", "whole", "latest:brightness=1", "--allow-unlike")
    assert "1 of 6 images" in forced.out
