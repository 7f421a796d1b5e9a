"""`clipbench robustness` as it is typed: what it prints, writes and refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, cli, environment, good, misused, refused, write_csv

from clipbench.perturb.registry import operations


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


# -- list --------------------------------------------------------------------------------------------------


def test_the_list_names_every_operation_and_preset_and_fits_a_terminal() -> None:
    done = good("robustness", "list")
    for one in operations():
        assert one.name in done.out
    for preset in ("source-study", "mm-robustness", "quick", "full"):
        assert preset in done.out
    assert "family:image-weather" in done.out


def test_the_list_for_programs_has_one_row_per_operation() -> None:
    table, presets = good("robustness", "list", "--json").json
    assert [row["operation"] for row in table["rows"]] == [one.name for one in operations()]
    assert {"family", "levels", "meaning", "source"} <= set(table["rows"][0])
    assert len(presets["rows"]) == 4


def test_one_operation_a_family_or_a_preset_is_shown_alone() -> None:
    facts = {
        row["fact"]: row["value"] for row in good("robustness", "list", "synonym", "--json").json["rows"]
    }
    assert facts["needs"] == "synonyms"
    assert facts["in presets"] == "mm-robustness, full"
    fog = {row["fact"]: row["value"] for row in good("robustness", "list", "fog", "--json").json["rows"]}
    assert fog["random"] == "yes"
    assert "word-shuffle" in good("robustness", "list", "source-study").out
    assert "jpeg" in good("robustness", "list", "family:image-digital").out
    assert "did you mean" in refused("robustness", "list", "keybord")
    assert "no family" in refused("robustness", "list", "--family", "noise")


# -- sweep -------------------------------------------------------------------------------------------------


def test_a_sweep_prints_its_settings_and_its_operations() -> None:
    done = good(*SWEEP, "--perturb", "word-dropout,word-shuffle", "--levels", "0:0.4:0.2", "--seeds", "2")
    lines = done.out.splitlines()
    assert lines[0] == "toys × toy: robustness"
    rows = [line.split() for line in lines if line.startswith(("clean", "word-"))]
    assert [row[:2] for row in rows[:4]] == [
        ["clean", "0"],
        ["word-dropout", "0.2"],
        ["word-dropout", "0.4"],
        ["word-shuffle", "1"],
    ]
    assert "By operation" in lines
    assert "MMI: (s_clean - s) / s_clean with s = RSUM" in done.out


def test_the_clean_row_is_what_evaluate_prints() -> None:
    swept = good(*SWEEP, "--perturb", "keyboard", "--level", "0.2", "--json").json[0]["rows"][0]
    plain = {
        (row["direction"], row["metric"]): row["value"]
        for row in good("evaluate", "toys", "--model", "toy", "--json").json["rows"]
    }
    assert swept["t2i hit@1"] == plain["t2i", "hit@1"]
    assert swept["i2t hit@10"] == plain["i2t", "hit@10"]


def test_json_has_every_number_and_every_setting() -> None:
    effects, _, settings = good(*SWEEP, "--perturb", "word-dropout", "--seeds", "2", "--json").json
    assert (effects["title"], settings["title"]) == ("Effects", "Settings")
    first = effects["rows"][1]
    assert (first["operation"], first["target"], first["level"], first["seeds"]) == (
        "word-dropout", "text", 0.1, 2,
    )  # fmt: skip
    assert first["t2i hit@1 drop low"] <= first["t2i hit@1 drop"] <= first["t2i hit@1 drop high"]
    assert first["audit captions"] == 16
    assert len(settings["rows"]) == 11
    assert {(row["level"], row["seed"]) for row in settings["rows"]} >= {(0.1, 0), (0.1, 1), (0.5, 1)}
    assert json.loads(settings["rows"][1]["parameters"]) == {"version": 1}


def test_markdown_and_latex_are_tables_too() -> None:
    words = (*SWEEP, "--perturb", "drop-nouns", "--format")
    assert good(*words, "markdown").out.count("| drop-nouns") == 2
    assert r"\begin{tabular}" in good(*words, "latex").out


def test_a_dry_run_counts_and_stores_nothing() -> None:
    before = good("robustness", "sweeps", "--json").json["rows"]
    done = good("robustness", "sweep", "toys", "--model", "toy", "--perturb", "ocr,fog", "--dry-run")
    assert "11 runs" in done.err
    assert "strings and 40 pictures to encode" in done.err
    assert done.out.startswith("about ")
    assert good("robustness", "sweeps", "--json").json["rows"] == before


def test_a_sweep_can_be_printed_again_by_its_name() -> None:
    first = good(*SWEEP, "--perturb", "char-swap", "--name", "swaps")
    assert good("report", "--sweep", "swaps").out == first.out
    assert good("report", "--sweep", "latest").out == first.out
    assert "swaps" in good("robustness", "sweeps").out
    assert "there is no sweep 'swap'" in refused("report", "--sweep", "swap")


def test_what_cannot_be_swept_is_refused_in_one_line() -> None:
    assert "nothing says what to do" in refused(*SWEEP)
    assert "did you mean" in refused(*SWEEP, "--perturb", "keybord")
    assert "cannot serve both" in refused(*SWEEP, "--perturb", "keyboard,jpeg", "--levels", "0.1")
    assert "has the severities 1, 2, 3, 4, 5, not 2.5" in refused(
        *SWEEP, "--perturb", "jpeg", "--levels", "2.5"
    )
    assert "names no levels" in refused(*SWEEP, "--perturb", "keyboard", "--levels", "lots")
    assert "covers word-dropout and word-shuffle, not keyboard" in refused(
        *SWEEP, "--perturb", "keyboard", "--legacy-stream"
    )
    assert "places for the caption" in refused(
        *SWEEP, "--perturb", "prompt-template", "--template", "a photo"
    )
    assert "--label names a --from-file" in refused(*SWEEP, "--perturb", "keyboard", "--label", "x")
    assert "there is no direction 'up'" in refused(*SWEEP, "--perturb", "keyboard", "--directions", "up")
    assert "--model" in misused("robustness", "sweep", "toys", "--perturb", "keyboard")


def test_an_operation_that_finds_nothing_to_change_says_so() -> None:
    done = good(*SWEEP, "--perturb", "left-right-flip,drop-nouns")
    assert "found nothing to change in any caption: left-right-flip 1" in done.out.splitlines()


def test_effective_robustness_needs_eight_baselines() -> None:
    good(*SWEEP, "--perturb", "char-swap", "--name", "swaps")
    told = refused(*SWEEP, "--perturb", "char-swap", "--name", "swaps", "--baselines", "swaps")
    assert "needs at least 8 baseline models, here are 1" in told


def test_what_a_sweep_cannot_be_compared_with_is_told_before_it_runs() -> None:
    good(*SWEEP, "--perturb", "char-swap", "--name", "swaps")
    for option, told in (("--reference", "there is no sweep 'none'"), ("--baselines", "no sweep 'none'")):
        assert told in refused(*SWEEP, "--perturb", "ocr", "--name", "scans", option, "none")
    assert "at least 8" in refused(*SWEEP, "--perturb", "ocr", "--name", "scans", "--baselines", "swaps")
    assert "scans" not in good("robustness", "sweeps").out


def test_the_latest_sweep_as_a_reference_is_the_one_before() -> None:
    good(*SWEEP, "--perturb", "char-swap", "--levels", "0.2", "--name", "before")
    told = refused(*SWEEP, "--perturb", "ocr", "--levels", "0.2", "--reference", "latest")
    assert "the reference before lacks 1 of 1 settings: ocr 0.2" in told


def test_the_reference_of_mce_is_named() -> None:
    good(*SWEEP, "--perturb", "char-swap", "--name", "swaps")
    done = good(*SWEEP, "--perturb", "char-swap", "--name", "swaps", "--reference", "swaps", "--json")
    [row] = done.json[1]["rows"]
    assert (row["operation"], row["CE"]) == ("char-swap", 1.0)


def test_the_source_of_synonyms_is_said(tmp_path: Path) -> None:
    done = good(*SWEEP, "--perturb", "synonym", "--level", "0.3")
    assert "synonyms: the small built-in table" in done.out
    settings = good(*SWEEP, "--perturb", "synonym", "--level", "0.3", "--json").json[2]["rows"]
    assert json.loads(settings[1]["parameters"])["synonyms"] == {"source": "table", "version": 2}
    assert "is no folder" in refused(*SWEEP, "--perturb", "synonym", "--wordnet", tmp_path / "none")
    told = refused(*SWEEP, "--perturb", "synonym", "--wordnet", tmp_path)
    assert "it has no index.noun" in told
    assert "nltk.downloader wordnet" in told


def test_a_wordnet_of_ones_own_is_used_and_named(home: Path, tmp_path: Path) -> None:
    from test_perturb_text_synonyms import files

    (tmp_path / "dict").mkdir()
    for name, content in files().items():
        (tmp_path / "dict" / name).write_bytes(content)
    cars = write_csv(tmp_path / "cars.csv", [("p000.png", "a car"), ("p001.png", "two cars and a big child")])
    photos = home.parent / "toys" / "photos"
    good("dataset", "add", "cars", "--captions", cars, "--images", photos, "-q")
    words = ("cars", "--perturb", "synonym", "--level", "1", "--wordnet", tmp_path)
    seen = good("robustness", "preview", *words, "--format", "csv").rows
    assert [row["text"] for row in seen] == ["an auto", "two autos and a large kid"]
    done = good("robustness", "sweep", *words, "--model", "toy", "-q")
    assert "synonyms: the user's WordNet (files " in done.out
    told = refused("robustness", "preview", "cars", "--perturb", "keyboard", "--wordnet", tmp_path)
    assert "--wordnet means nothing here" in told


# -- gallery and figures -----------------------------------------------------------------------------------


def test_the_gallery_is_stressed_in_one_command() -> None:
    done = good("robustness", "gallery", "toys", "--model", "toy", "--sizes", "4,8", "-q")
    assert "toys × toy: gallery size" in done.out
    assert "toys × toy: fooling captions" in done.out
    assert "Σ_{h<K} C(g,h)·C(N-R-g, n-R-h) / C(N-R, n-R)" in done.out
    plain = good("robustness", "gallery", "toys", "--model", "toy", "--no-fooling", "-q")
    assert "fooling" not in plain.out
    assert "cannot be drawn from the 8" in refused(
        "robustness", "gallery", "toys", "--model", "toy", "--sizes", "9"
    )


def test_the_gallery_for_programs_is_one_long_table() -> None:
    [table] = good("robustness", "gallery", "toys", "--model", "toy", "--sizes", "4,8", "--json").json
    sizes = {row["images"] for row in table["rows"] if row["kind"] == "gallery-size"}
    assert sizes == {None, 4, 8}
    kinds = {row["kind"] for row in table["rows"]}
    assert kinds == {"gallery-size", "fooling"}
    shown = good("runs", "show", table["rows"][0]["run"]).out
    assert "R@1 n=4" in shown


def test_figures_are_written_for_people_and_print(tmp_path: Path) -> None:
    words = (
        "--perturb",
        "word-dropout,jpeg",
        "--levels",
        "0.2,0.4",
        "--severities",
        "1,5",
        "--name",
        "drawn",
    )
    good(*SWEEP, *words, "--figures", tmp_path / "a")
    names = {path.name for path in (tmp_path / "a").iterdir()}
    for stem in ("t2i-R1-captions", "t2i-MedR-photographs", "heat-map-captions", "heat-map-photographs"):
        assert {f"{stem}.png", f"{stem}.svg"} <= names
    done = good("report", "--sweep", "drawn", "--figures", tmp_path / "b")
    assert {path.name for path in (tmp_path / "b").iterdir()} == names
    assert (tmp_path / "a" / "t2i-R1-captions.png").read_bytes() == (
        tmp_path / "b" / "t2i-R1-captions.png"
    ).read_bytes()
    assert "robustness" in done.out
    good("robustness", "gallery", "toys", "--model", "toy", "--figures", tmp_path / "c", "-q")
    assert (tmp_path / "c" / "gallery-size-i2t.svg").is_file()


def test_help_names_every_command() -> None:
    done = cli("robustness", "--help")
    for name in ("list", "preview", "sweep", "gallery", "export", "sweeps"):
        assert f" {name} " in done.out


def test_vectors_from_elsewhere_have_sizes_but_no_fooling_captions(home: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(24, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    images = [f"p{number:03}.png" for number in range(8)]
    captions = [f"{name}#{which}" for name in images for which in range(2)]
    for stem, ids, rows in (("images", images, vectors[:8]), ("texts", captions, vectors[8:])):
        np.save(tmp_path / f"{stem}.npy", rows)
        (tmp_path / f"{stem}.txt").write_text("".join(f"{id_}\n" for id_ in ids), encoding="utf-8")
    good(
        "embed", "import", "toys", "--model", "elsewhere",
        "--images", tmp_path / "images.npy", "--image-ids", tmp_path / "images.txt",
        "--texts", tmp_path / "texts.npy", "--text-ids", tmp_path / "texts.txt",
    )  # fmt: skip
    words = ("robustness", "gallery", "toys", "--model", "imported:elsewhere", "-q")
    assert "its vectors were made elsewhere" in refused(*words)
    assert "gallery size" in good(*words, "--no-fooling").out
