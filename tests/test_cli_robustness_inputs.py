"""`clipbench robustness preview`, `export` and `--from-file`: inputs to look at, to take along and to bring back."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, collection, environment, good, refused, write_csv

from clipbench.perturb.image_streams import generator
from clipbench.perturb.registry import image_operation


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a collection of 8 pictures, 16 captions."""
    folder = tmp_path_factory.mktemp("robustness")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "toys", images=8)
    return folder / "store"


@pytest.fixture(autouse=True)
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPBENCH_STORE", str(home))


SWEEP = ("robustness", "sweep", "toys", "--model", "toy", "-q")


# -- preview -----------------------------------------------------------------------------------------------


def test_a_preview_marks_the_words_that_change() -> None:
    done = good("robustness", "preview", "toys", "--perturb", "word-dropout", "--level", "0.5", "--n", "3")
    assert "word-dropout, level 0.5, seed 0: 1" in done.out
    assert "of 16 captions change; 3 of them" in done.out
    befores = [line for line in done.out.splitlines() if line.startswith("  before  ")]
    assert len(befores) == 3
    assert all("[" in line and "]" in line for line in befores)


def test_a_preview_for_programs_has_the_exact_texts() -> None:
    words = ("robustness", "preview", "toys", "--perturb", "colour-flip", "--n", "16", "--format", "csv")
    rows = good(*words).rows
    assert len(rows) == 16
    for row in rows:
        assert row["original"] != row["text"]
        assert row["original_marked"].replace("[", "").replace("]", "") == row["original"]
    bold = good(*words[:-1], "markdown").out
    assert "**" in bold.splitlines()[4]


def test_a_preview_shows_what_a_sweep_encodes(tmp_path: Path) -> None:
    rows = good(
        "robustness", "preview", "toys", "--perturb", "keyboard", "--level", "0.35", "--seed", "1",
        "--n", "16", "--format", "csv",
    ).rows  # fmt: skip
    good(
        "robustness",
        "export",
        "toys",
        "--perturb",
        "keyboard",
        "--level",
        "0.35",
        "--seeds",
        "2",
        "--out",
        tmp_path,
    )
    lines = (tmp_path / "captions" / "keyboard-0.35-seed1.jsonl").read_text(encoding="utf-8").splitlines()
    exported = {record["caption_id"]: record["text"] for record in map(json.loads, lines)}
    assert {row["caption_id"]: row["text"] for row in rows}.items() <= exported.items()


def test_contact_sheets_show_every_severity_and_are_named(tmp_path: Path) -> None:
    words = ("robustness", "preview", "toys", "--perturb", "jpeg,flip", "--n", "2")
    assert "--out FOLDER" in refused(*words)
    done = good(*words, "--out", tmp_path / "sheets", "--apply", "source")
    paths = [Path(line) for line in done.out.splitlines()]
    assert paths == sorted((tmp_path / "sheets").iterdir())
    assert len(paths) == 2
    with Image.open(paths[0]) as sheet:
        assert sheet.width > 6 * 24  # the picture and five severities of it, side by side
    assert "224" not in good(*words, "--out", tmp_path / "large").err
    with Image.open(next((tmp_path / "large").iterdir())) as sheet:
        assert sheet.width > 6 * 224


# -- export and from-file ----------------------------------------------------------------------------------


def test_an_export_comes_back_as_the_same_sweep(tmp_path: Path) -> None:
    settings = ("--perturb", "word-dropout", "--level", "0.3")
    good("robustness", "export", "toys", *settings, "--out", tmp_path)
    file = tmp_path / "captions" / "word-dropout-0.3-seed0.jsonl"
    direct = good(*SWEEP, *settings, "--json").json[0]["rows"][1]
    again = good(*SWEEP, "--from-file", file, "--json").json[0]["rows"][1]
    assert again["operation"] == "rewrite: word-dropout-0.3-seed0"
    assert {key: again[key] for key in again if "@" in key} == {
        key: direct[key] for key in direct if "@" in key
    }
    assert again["audit changed"] == direct["audit changed"]


def test_the_manifest_says_what_the_files_are(tmp_path: Path) -> None:
    good("robustness", "export", "toys", "--perturb", "word-swap", "--seeds", "2", "--out", tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["dataset"] == "toys"
    assert len(manifest["settings"]) == 10
    settings = good(*SWEEP, "--perturb", "word-swap", "--seeds", "2", "--json").json[2]["rows"]
    runs = {(row["operation"], row["level"], row["seed"]) for row in settings[1:]}
    assert {(s["operation"], s["level"], s["seed"]) for s in manifest["settings"]} == runs
    for setting in manifest["settings"]:
        assert setting["key"].startswith("perturbation:")
        for name, digest in setting["sha256"].items():
            assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_the_csv_is_safe_for_spreadsheets_and_is_taken_back_as_json_lines_are(
    home: Path, tmp_path: Path
) -> None:
    texts = ["=1+1 is two", "+ a dog", "a plain one", "tab\there"]
    file = write_csv(tmp_path / "odd.csv", [(f"p00{i}.png", text) for i, text in enumerate(texts)])
    good("dataset", "add", "odd", "--captions", file, "--images", home.parent / "toys" / "photos", "-q")
    good("robustness", "export", "odd", "--perturb", "suffix-filler", "--out", tmp_path / "out")
    stem = tmp_path / "out" / "captions" / "suffix-filler-1-seed0"
    exact = [json.loads(line) for line in stem.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["original"] for record in exact] == texts
    with stem.with_suffix(".csv").open(newline="", encoding="utf-8") as sheet:
        cells = list(csv.DictReader(sheet))
    assert [cell["original"] for cell in cells] == ["'=1+1 is two", "'+ a dog", "a plain one", "tab\there"]
    sweep = ("robustness", "sweep", "odd", "--model", "toy", "-q", "--from-file")
    by_lines = good(*sweep, stem.with_suffix(".jsonl"), "--json").out
    assert json.loads(good(*sweep, stem.with_suffix(".csv"), "--json").out)[1] == json.loads(by_lines)[1]


def test_exported_pictures_are_the_corrupted_pixels(home: Path, tmp_path: Path) -> None:
    good(
        "robustness", "export", "toys", "--perturb", "gaussian-noise", "--severities", "3",
        "--apply", "source", "--out", tmp_path,
    )  # fmt: skip
    listed = (tmp_path / "pictures" / "gaussian-noise-3-seed0.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in listed.splitlines()]
    assert len(records) == 8
    operation = image_operation("gaussian-noise")
    for record in records:
        own = generator("gaussian-noise", 0, record["image_id"], 3)
        with Image.open(home.parent / "toys" / "photos" / record["image_id"]) as photo:
            expected = operation.apply(np.asarray(photo.convert("RGB")), 3, own)
        with Image.open(tmp_path / record["file"]) as written:
            assert np.array_equal(np.asarray(written), expected)
        assert record["pixels_sha256"] == hashlib.sha256(expected.tobytes()).hexdigest()


def test_what_a_model_sees_needs_a_model(tmp_path: Path) -> None:
    words = ("robustness", "export", "toys", "--perturb", "jpeg", "--level", "5", "--out", tmp_path / "out")
    assert "no model is named" in refused(*words)
    good(*words, "--model", "toy")
    with Image.open(next((tmp_path / "out" / "pictures" / "jpeg-5-seed0").iterdir())) as picture:
        assert picture.size == (32, 32)  # what the toy encoder prepares


def test_an_export_is_not_overwritten_unasked(tmp_path: Path) -> None:
    words = ("robustness", "export", "toys", "--perturb", "drop-verbs", "--out", tmp_path)
    good(*words)
    assert "holds an export already" in refused(*words)
    good(*words, "--force")


def test_several_files_are_several_settings(tmp_path: Path) -> None:
    good(
        "robustness",
        "export",
        "toys",
        "--perturb",
        "keyboard",
        "--level",
        "0.2",
        "--seeds",
        "2",
        "--out",
        tmp_path,
    )
    files = sorted((tmp_path / "captions").glob("*.jsonl"))
    words = [word for file in files for word in ("--from-file", file)]
    done = good(*SWEEP, *words, "--label", "first", "--label", "second", "--perturb", "drop-nouns", "--json")
    names = [row["operation"] for row in done.json[0]["rows"]]
    assert names == ["clean", "drop-nouns", "rewrite: first", "rewrite: second"]


def test_faults_of_a_file_are_told_together_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "formal.csv"
    file.write_text("caption_id,text\nnobody,hello\n", encoding="utf-8")
    told = refused(*SWEEP, "--from-file", file)
    assert "17 problems" in told
    assert f"{file}:2: the dataset has no caption nobody" in told
    assert "has no rewrite" in told


def test_a_preview_passes_over_photographs_that_cannot_be_shown_and_names_them(tmp_path: Path) -> None:
    file = collection(tmp_path, 4)
    good("dataset", "add", "some", "--captions", file, "--images", tmp_path / "photos", "-q")
    names = sorted(path.name for path in (tmp_path / "photos").iterdir())
    for name in names[1:]:
        (tmp_path / "photos" / name).write_bytes(b"no picture")
    words = ("robustness", "preview", "some", "--perturb", "flip", "--n", "2", "--out", tmp_path / "sheets")
    done = good(*words)
    assert len(list((tmp_path / "sheets").iterdir())) == 1
    assert "is not shown: the file has changed" in done.err
    (tmp_path / "photos" / names[0]).unlink()
    assert "cannot be shown, nor can any other" in refused(*words)
