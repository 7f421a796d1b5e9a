"""`clipbench report`: every option is heeded by the report that is asked for, or refused."""

import sys
from itertools import combinations
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, environment, good, misused
from docs_blocks import commands

from clipbench.cli.report_ways import CHOOSERS, CHOOSING, COMPARES, HEEDS, WAYS, Way, option, unheeded

OPTIONS = sorted(HEEDS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ways")
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


def test_every_parameter_of_the_command_is_in_the_table() -> None:
    parameters = {parameter.name for parameter in commands()[("report",)].params}
    assert parameters - {"help"} == set(HEEDS) | CHOOSERS
    assert not set(HEEDS) & CHOOSERS


def test_a_parameter_is_called_as_it_is_typed() -> None:
    for parameter in commands()[("report",)].params:
        if parameter.name in HEEDS and parameter.name != "runs":
            assert option(parameter.name) in parameter.opts
    assert option("runs") == "RUN"


@pytest.mark.parametrize("asked", WAYS, ids=lambda asked: "+".join(sorted(asked)) or "list")
@pytest.mark.parametrize("name", OPTIONS)
def test_what_a_report_does_not_heed_is_refused(name: str, asked: frozenset[str]) -> None:
    way = WAYS[asked]
    fact = unheeded({*asked, name}, by="category")
    if name == "runs" and way is Way.listing:
        assert fact is None  # told apart by the command, with the runs' names
    elif way in HEEDS[name]:
        assert fact is None
    else:
        assert fact is not None
        assert option(name) in fact


def test_two_reports_at_a_time_are_refused() -> None:
    for count in range(2, len(CHOOSERS) + 1):
        for chosen in combinations(sorted(CHOOSERS), count):
            told = unheeded(chosen)
            if set(chosen) == {"compare", "html"}:
                assert told is None
            else:
                assert told is not None
                assert all(option(name) in told for name in chosen)


def test_nothing_is_left_to_choose_where_runs_are_named() -> None:
    for way in ("html", "anchors"):
        for name in CHOOSING:
            assert unheeded({way, name}) is None
            told = unheeded({way, name, "runs"})
            assert told is not None
            assert option(name) in told


def test_a_policy_is_for_categories() -> None:
    assert unheeded({"runs", "compare", "by", "policy"}, by="caption-length") is not None
    assert unheeded({"runs", "compare", "by", "policy"}, by="category") is None


TYPED = {
    "baseline": ("--baseline", "latest:clean"),
    "metric": ("--metric", "R@1"),
    "by": ("--by", "caption-length"),
    "flips": ("--flips", "3"),
    "policy": ("--policy", "first"),
    "correction": ("--correction", "auto"),
    "resamples": ("--resamples", "10000"),
    "seed": ("--seed", "0"),
    "confidence": ("--confidence", "0.95"),
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
}  # fmt: skip
ASKED = {
    Way.listing: (),
    Way.compare: ("latest:clean", "latest:word-dropout=0.3", "--compare"),
    Way.page: ("--html", "page.html"),
    Way.compared_page: ("latest:clean", "latest:word-dropout=0.3", "--compare", "--html", "page.html"),
    Way.anchors: ("--anchors",),
    Way.sweep: ("--sweep", "latest"),
    Way.query: ("--query", "SELECT 1"),
}


@pytest.mark.parametrize("way", Way, ids=lambda way: way.name)
def test_typed_options_are_refused_even_at_their_default(way: Way, tmp_path: Path) -> None:
    """Defaults count as typed where they were typed: a user who types one means it."""
    for name, words in TYPED.items():
        if way not in HEEDS[name] or (name == "policy"):
            told = " ".join(misused("report", *ASKED[way], *words).split())
            assert option(name) in told
    assert not (tmp_path / "page.html").exists()


def test_a_page_writes_its_figures_when_told(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    good("report", "--html", "page.html", "--figures", "figures")
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"t2i-R1-captions.png", "t2i-R1-captions.svg"} <= names


def test_a_page_without_a_sweep_has_no_figures_to_write(tmp_path: Path) -> None:
    from cli_toys import refused

    added(tmp_path / "other", name="plain", images=4)
    good("evaluate", "plain", "--model", "toy", "-q")
    told = refused("report", "latest:dataset=plain", "--html", "page.html", "--figures", "figures")
    assert "no sweep holds a run of this page" in told
    assert not (tmp_path / "page.html").exists()


def test_comparisons_are_the_only_ones_to_heed_their_options() -> None:
    for name in ("baseline", "metric", "by", "flips", "correction", "resamples", "confidence"):
        assert HEEDS[name] == COMPARES
