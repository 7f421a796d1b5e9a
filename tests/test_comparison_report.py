"""`clipbench report --compare` as typed: formats, what changed most, refusals. On drawn pictures."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import Done, added, cli, environment, good, refused

from clipbench.cli.report_options import word_joined
from clipbench.reports.comparing.tables import WIDE

PAIR = ("latest:clean", "latest:word-dropout=0.5")
QUICK = ("--resamples", "400")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        added(folder / "source", images=16, captions=(2, 3))
        good(
            "robustness",
            "sweep",
            "toys",
            "--model",
            "toy",
            "--perturb",
            "word-dropout",
            "--levels",
            "0.1,0.5",
            "-q",
        )
    return folder / "store"


def report(store: Path, *words: str) -> Done:
    return good("report", *words, *QUICK, store=store)


def test_csv_has_the_documented_columns_and_full_precision(store: Path) -> None:
    rows = report(store, "--compare", *PAIR, "--format", "csv").rows
    assert tuple(rows[0]) == WIDE
    [row] = [r for r in rows if (r["direction"], r["metric"]) == ("t2i", "MRR")]
    assert len(row["delta"]) > 10
    assert float(row["value"]) - float(row["baseline value"]) == pytest.approx(float(row["delta"]), abs=1e-15)


def test_json_and_csv_say_the_same(store: Path) -> None:
    rows = report(store, "--compare", *PAIR, "--format", "csv").rows
    told = report(store, "--compare", *PAIR, "--json").json
    assert len(told["rows"]) == len(rows)
    for one, row in zip(told["rows"], rows, strict=True):
        assert {name: "" if value is None else str(value) for name, value in one.items()} == row
    assert any("Holm" in note for note in told["notes"])


def test_the_same_command_says_the_same(store: Path) -> None:
    assert report(store, "--compare", *PAIR).out == report(store, "--compare", *PAIR).out


def test_the_table_tells_both_values_the_difference_and_the_tests(store: Path) -> None:
    out = report(store, "--compare", *PAIR).out
    for word in ("t2i R@1", "RSUM", "Δ 95 % BCa", "percentile", "p Holm", "fixed", "broken", "detectable"):
        assert word in out
    assert "differences are significant at .05 after correction" in out


def test_markdown_sets_the_best_in_bold(store: Path) -> None:
    out = report(store, "--compare", *PAIR, "--format", "markdown").out
    assert "**" in out
    assert "| clean (baseline)" in out
    lines = [line for line in out.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines[:4]}) == 1


def test_latex_is_booktabs_with_marks_explained_beneath(store: Path) -> None:
    out = report(store, "--compare", *PAIR, "all:word-dropout", "--format", "latex").out
    assert out.count(r"\begin{table}") == out.count(r"\end{table}") >= 2
    for command in (r"\toprule", r"\midrule", r"\bottomrule", r"\textbf{", r"$^{\dagger}$ p \textless{} .05"):
        assert command in out
    assert out.count("{") == out.count("}")
    captions = [line for line in out.splitlines() if r"\caption{" in line]
    assert max(map(len, captions)) < 80
    assert "Holm" in out or "Benjamini" in out


def test_metrics_can_be_named_as_papers_write_them(store: Path) -> None:
    rows = report(store, "--compare", *PAIR, "--metric", "R@1", "--metric", "rsum", "-f", "csv").rows
    assert [(r["direction"], r["metric"]) for r in rows] == [
        ("t2i", "hit@1"),
        ("i2t", "hit@1"),
        ("both", "rsum"),
    ]
    assert {r["tests"] for r in rows} == {"3"}


def test_the_baseline_can_be_named(store: Path) -> None:
    rows = report(store, "--compare", *PAIR, "--baseline", PAIR[1], "-f", "csv").rows
    plain = report(store, "--compare", *PAIR, "-f", "csv").rows
    assert rows[0]["baseline"] == plain[0]["run"]
    assert float(rows[0]["delta"]) == -float(plain[0]["delta"])


def test_by_word_takes_the_next_word(store: Path) -> None:
    rows = report(store, "--compare", *PAIR, "--by", "word", "red", "-f", "csv").rows
    assert {r["group"] for r in rows} == {"with 'red'", "without 'red'"}
    assert rows == report(store, "--compare", "--by", "word", "red", *PAIR, "-f", "csv").rows


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["--by", "word", "a b"], ["--by", "word:a b"]),
        (["--by", "word"], ["--by", "word"]),
        (["--by", "word", "--force"], ["--by", "word", "--force"]),
        (["--by", "caption-length", "x"], ["--by", "caption-length", "x"]),
    ],
)
def test_two_words_of_an_option_become_one(typed: list[str], meant: list[str]) -> None:
    assert word_joined(typed) == meant


def test_flips_show_both_captions_and_what_each_run_found(store: Path) -> None:
    [_, changed] = report(store, "--compare", *PAIR, "--flips", "4", "--json").json
    rows = changed["rows"]
    assert [r["direction"] for r in rows] == ["t2i"] * 4 + ["i2t"] * 4
    for row in rows[:4]:
        assert row["caption"].startswith("a ")
        assert row["text"] != row["caption"]  # half of its words are gone
        assert set(row["text"].split()) <= set(row["caption"].split())
        assert row["baseline text"] is None  # the clean run encoded the caption itself
        change = abs(1 / row["rank"] - 1 / row["baseline rank"])
        assert change > 0
    changes = [abs(1 / r["rank"] - 1 / r["baseline rank"]) for r in rows[:4]]
    assert changes == sorted(changes, reverse=True)
    kinds = {r["change"] for r in rows}
    assert kinds <= {"fixed", "broken", "up", "down"}
    for row in rows:
        assert (row["change"] == "broken") == ("✓" in row["baseline top1"] and "✓" not in row["top1"])


def test_flips_agree_with_the_exported_ledgers(store: Path) -> None:
    def ranks(run: str) -> dict[str, float]:
        rows = good("runs", "export", run, "--direction", "t2i", store=store).rows
        return {row["query"]: float(row["rank"]) for row in rows}

    keys = {r["run"] for r in report(store, "--compare", *PAIR, "-f", "csv").rows}
    [_, changed] = report(store, "--compare", *PAIR, "--flips", "100", "--json").json
    before = ranks(report(store, "--compare", *PAIR, "-f", "csv").rows[0]["baseline"])
    after = ranks(keys.pop())
    told = {r["query"]: (r["baseline rank"], r["rank"]) for r in changed["rows"] if r["direction"] == "t2i"}
    assert told == {q: (before[q], after[q]) for q in before if before[q] != after[q]}


def test_many_runs_are_corrected_by_benjamini_hochberg_unless_told(store: Path) -> None:
    rows = report(store, "--compare", "latest:clean", "all:word-dropout", "-f", "csv").rows
    assert {r["correction"] for r in rows} == {"holm"}  # 34 tests are few
    rows = report(
        store, "--compare", "latest:clean", "all:word-dropout", "--correction", "bh", "-f", "csv"
    ).rows
    assert {r["correction"] for r in rows} == {"bh"}
    assert all(float(r["p adjusted"]) >= float(r["p"]) for r in rows)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--compare",), "a comparison needs 2 runs: no run is named"),
        (("--compare", "latest"), "a comparison needs 2 runs: 'latest' means "),
        (("--compare", "latest", "latest"), "a comparison needs 2 runs: 'latest' and 'latest' mean "),
        (("--compare", "nobody", "latest"), "no run is called 'nobody'"),
        (("--compare", *PAIR, "--by", "colour"), "no grouping by 'colour'"),
        (("--compare", *PAIR, "--metric", "accuracy"), "no measure is called 'accuracy'"),
        (("--compare", *PAIR, "--metric", "R@7"), "not every run has hit@7"),
        (("latest",), "not what to do with them"),
    ],
)
def test_a_mistake_is_told_in_one_line(store: Path, words: tuple[str, ...], told: str) -> None:
    assert told in refused("report", *words, store=store)


def test_unlike_runs_are_refused_on_the_command_line(tmp_path: Path) -> None:
    for name, images in (("more", 8), ("nine", 9)):
        added(tmp_path / name, name=name, images=images)
        good("evaluate", name, "--model", "toy", "-q")
    folder = tmp_path / "home"
    done = cli("report", "--compare", "dataset=more", "dataset=nine", store=folder)
    assert done.code == 1
    assert "dataset fingerprint:" in done.err
    assert "2 only here" in done.err
    forced = good(
        "report",
        "--compare",
        "dataset=more",
        "dataset=nine",
        "--allow-unlike",
        *QUICK,
        "-f",
        "csv",
        store=folder,
    )
    assert all(row["unlike"] for row in forced.rows)
