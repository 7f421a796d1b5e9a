"""`clipbench report`: every option is heeded by the report that is asked for, or refused; old spellings work."""

import sys
from itertools import combinations
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, environment, good, misused, refused
from docs_blocks import commands

from clipbench.cli.modes import Mode, as_typed
from clipbench.cli.report import MODES

CHOOSERS = sorted({name for mode in MODES for name in mode.asked_by})
CHOOSING = ("dataset", "model", "kind", "perturbation", "tag", "since", "limit")
NAMES = {parameter.name: as_typed(parameter) for parameter in commands()[("report",)].params}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modes")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "source", images=6)
        good(
            "robustness", "sweep", "toys", "--model", "toy", "--perturb", "word-dropout",
            "--levels", "0.3,0.5", "-q",
        )  # fmt: skip
    return folder / "store"


@pytest.fixture(autouse=True)
def here(store: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLIPBENCH_STORE", str(store))
    monkeypatch.chdir(tmp_path)


CHOSEN = {
    "compare": ("latest:clean,dataset=toys", "latest:word-dropout=0.3", "--compare"),
    "html": ("--html", "page.html"),
    "anchors": ("--anchors",),
    "leaderboard": ("--leaderboard",),
    "transfer": ("--transfer",),
    "sweep": ("--sweep", "latest"),
    "query": ("--query", "SELECT 1"),
}
TYPED = {
    "baseline": ("--baseline", "latest:clean"),
    "metric": ("--metric", "R@1"),
    "by": ("--by", "caption-length"),
    "flips": ("--flips", "3"),
    "policy": ("--policy", "first"),
    "direction": ("--direction", "t2i"),
    "correction": ("--correction", "auto"),
    "resamples": ("--resamples", "10000"),
    "seed": ("--seed", "0"),
    "confidence": ("--confidence", "0.95"),
    "allow_unlike": ("--allow-unlike",),
    "force": ("--force",),
    "overwrite": ("--overwrite",),
    "against": ("--against", "x.json"),
    "time_limit": ("--time-limit", "30"),
    "reference": ("--reference", "latest"),
    "baselines": ("--baselines", "latest"),
    "figures": ("--figures", "figures"),
    "dataset": ("--dataset", "toys"),
    "model": ("--model", "toy"),
    "kind": ("--kind", "evaluate"),
    "perturbation": ("--perturbation", "clean"),
    "tag": ("--tag", "x"),
    "since": ("--since", "2020-01-01"),
    "limit": ("--limit", "3"),
    "form": ("--format", "table"),
    "json": ("--json",),
    "columns": ("--columns", "run"),
}  # fmt: skip


def asked(mode: Mode) -> list[str]:
    return [word for name in mode.asked_by for word in CHOSEN[name]]


def test_the_command_has_every_option_of_its_reports_and_no_other() -> None:
    of_modes = {name for mode in MODES for name in (*mode.parameters, *mode.asked_by)}
    assert set(NAMES) - {"help"} == of_modes
    assert of_modes - set(CHOOSERS) - {"runs", "store"} == set(TYPED)


def test_a_comparison_and_only_a_comparison_heeds_how_to_compare() -> None:
    for name in ("baseline", "by", "flips", "policy", "correction", "confidence"):
        assert {mode.asked_by for mode in MODES if mode.heeds(name)} == {("compare",), ("compare", "html")}
    for name in ("metric", "resamples"):
        heeding = {mode.asked_by for mode in MODES if mode.heeds(name)}
        assert heeding == {("compare",), ("compare", "html"), ("leaderboard",)}


def test_no_report_that_prints_needs_a_file_and_no_page_a_format() -> None:
    for mode in MODES:
        assert (
            mode.heeds("form") == mode.heeds("json") == mode.heeds("columns") == ("html" not in mode.asked_by)
        )
        assert mode.heeds("store")


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "+".join(mode.asked_by) or "list")
def test_what_a_report_does_not_heed_is_refused_even_at_its_default(mode: Mode, tmp_path: Path) -> None:
    """Defaults count as typed where they were typed: a user who types one means it."""
    for name, words in TYPED.items():
        if not mode.heeds(name) or name == "policy":
            told = " ".join(misused("report", *asked(mode), *words).split())
            assert NAMES[name] in told
    assert not (tmp_path / "page.html").exists()


def test_a_refusal_says_what_the_option_goes_with() -> None:
    told = " ".join(misused("report", "--figures", "x").split())
    assert "--figures goes with --html or --sweep, not with the plain list" in told


def test_two_reports_at_a_time_are_refused() -> None:
    for pair in combinations(CHOOSERS, 2):
        if set(pair) != {"compare", "html"}:
            told = " ".join(misused("report", *CHOSEN[pair[0]], *CHOSEN[pair[1]]).split())
            assert "different reports" in told
            assert all(NAMES[name] in told for name in pair)


def test_runs_without_a_report_are_told_what_can_be_done_with_them() -> None:
    assert "clipbench report --compare latest" in refused("report", "latest")


@pytest.mark.parametrize("words", [("--html", "page.html"), ("--anchors",)])
def test_nothing_is_left_to_choose_where_runs_are_named(words: tuple[str, ...]) -> None:
    for name in CHOOSING:
        told = " ".join(misused("report", "latest", *words, *TYPED[name]).split())
        assert NAMES[name] in told
        assert "all:dataset=NAME" in told


def test_a_policy_is_for_categories() -> None:
    told = misused("report", *CHOSEN["compare"], "--by", "caption-length", "--policy", "majority")
    assert "--by category" in told


def test_a_page_writes_its_figures_when_told(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    good("report", "--html", "page.html", "--figures", "figures")
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"t2i-R1-captions.png", "t2i-R1-captions.svg"} <= names


def test_a_page_without_a_sweep_has_no_figures_to_write(tmp_path: Path) -> None:
    added(tmp_path / "other", name="plain", images=4)
    good("evaluate", "plain", "--model", "toy", "-q")
    told = refused("report", "latest:dataset=plain", "--html", "page.html", "--figures", "figures")
    assert "no sweep holds a run of this page" in told
    assert not (tmp_path / "page.html").exists()


def test_force_replaces_a_page_and_its_old_spelling_still_does_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    assert "--force replaces it" in refused("report", "--html", "page.html")
    assert "note" not in good("report", "--html", "page.html", "--force").err
    (tmp_path / "page.html").write_text("old")
    assert "--overwrite is called --force now" in good("report", "--html", "page.html", "--overwrite").err
    assert (tmp_path / "page.html").read_text() != "old"


def test_unlike_runs_are_compared_where_allowed_and_by_the_old_spelling_with_a_note(tmp_path: Path) -> None:
    added(tmp_path / "other", name="more", images=8)
    good("evaluate", "more", "--model", "toy", "-q")
    pair = ("--compare", "latest:clean,dataset=toys", "latest:clean,dataset=more", "--resamples", "200")
    assert "--allow-unlike" in refused("report", *pair)
    allowed = good("report", *pair, "--allow-unlike", "--json")
    assert "note" not in allowed.err
    old = good("report", *pair, "--force", "--json")
    assert "--force is called --allow-unlike now" in old.err
    assert old.out == allowed.out


def test_force_of_a_page_with_a_comparison_replaces_the_page_and_says_so(tmp_path: Path) -> None:
    added(tmp_path / "other", name="third", images=8)
    good("evaluate", "third", "--model", "toy", "-q")
    pair = ("--compare", "latest:clean,dataset=toys", "latest:clean,dataset=third", "--resamples", "200")
    told = refused("report", *pair, "--html", "page.html", "--force")
    assert "cannot be compared" in told
    done = good("report", *CHOSEN["compare"], "--html", "page.html", "--force", "--resamples", "200")
    assert "--force replaces the page" in done.err
