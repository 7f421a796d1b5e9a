"""`clipbench report`: the same runs for people, papers and programs; filters; data that tries to be code."""

import csv
import io
import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, cli, collection, environment, good, refused

from clipbench.home import Home
from clipbench.store.engine import open_store
from clipbench.store.runs import load_metrics

DATASETS = ("toys", "+cmd|' /C calc'!A0", "@x", "a_b & {50%} <#1>")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on four datasets, three of them with names that mean something elsewhere, and two more on the first."""
    folder = tmp_path_factory.mktemp("report")
    with environment(CLIPBENCH_STORE=str(folder / "store")):
        for number, name in enumerate(DATASETS):
            file = collection(folder / str(number), images=6 + number)
            good("dataset", "add", "-c", file, "--images", file.parent / "photos", "-q", "--", name)
            good("evaluate", "--model", "toy", "--", name)
        good("evaluate", "toys", "--model", "toy", "--k", "1", "--tag", "narrow")
        good("evaluate", "toys", "--model", "toy", "--fold", "3", "--tag", "folds")
    return folder / "store"


def rows(store: Path, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = good("report", "--json", *words, store=store).json["rows"]
    return found


def test_json_holds_every_metric_of_every_run_in_full_precision(store: Path) -> None:
    home = open_store(Home(store))
    found = rows(store)
    assert len(found) == 6
    for row in found:
        for metric in load_metrics(home, str(row["run"])):
            name = f"{metric.direction} {metric.name}"
            assert (row[name], row[f"{name} low"], row[f"{name} high"]) == (
                metric.value,
                metric.low,
                metric.high,
            )
    narrow = next(row for row in found if row["tags"] == "narrow")
    assert narrow["t2i hit@5"] is None, "what was not measured is null, not zero"


def test_csv_is_the_same_data_and_json_the_same_rows(store: Path) -> None:
    table = list(csv.reader(io.StringIO(good("report", "--format", "csv", store=store).out)))
    assert all(len(row) == len(table[0]) for row in table)
    for line, row in zip(table[1:], rows(store), strict=True):
        for name, cell in zip(table[0], line, strict=True):
            value = row[name]
            if isinstance(value, float):
                assert float(cell) == value
            elif value is None:
                assert cell == ""
            else:
                assert cell.removeprefix("'") == str(value)


def test_no_cell_of_a_csv_is_a_formula(store: Path) -> None:
    table = list(csv.reader(io.StringIO(good("report", "--format", "csv", store=store).out)))
    names = {row[table[0].index("dataset")] for row in table[1:]}
    assert names == {"toys", "'+cmd|' /C calc'!A0", "'@x", "a_b & {50%} <#1>"}
    cells = [cell for row in table for cell in row]
    assert not any(cell.startswith(("=", "@", "+")) for cell in cells)
    assert all(re.fullmatch(r"-[\d.e-]+", cell) for cell in cells if cell.startswith("-"))


def test_json_and_tables_leave_names_as_they_are(store: Path) -> None:
    assert {row["dataset"] for row in rows(store)} == set(DATASETS)
    assert DATASETS[1] in good("report", store=store).out


def test_latex_escapes_what_means_something_there(store: Path) -> None:
    text = good("report", "--format", "latex", store=store).out
    assert r"a\_b \& \{50\%\} \textless{}\#1\textgreater{}" in text
    assert text.startswith("% \\usepackage{booktabs}\n")
    assert text.endswith("\\end{table}\n")
    assert text.count("{") == text.count("}")
    assert not re.search(r"(?<!\\)[%#_]", text.removeprefix("%").replace("% left out", ""))


def test_markdown_is_one_pipe_table(store: Path) -> None:
    text = good("report", "--format", "markdown", store=store).out
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 8
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert r"+cmd\|' /C calc'!A0" in text
    assert "&lt;#1>" in text


def test_the_table_for_people_shows_few_digits_and_leaves_out_what_says_nothing(store: Path) -> None:
    done = good("report", store=store)
    assert done.err == ""
    heads = done.out.splitlines()[1]
    assert "t2i R@1" in heads
    assert "RSUM" in done.out
    assert "perturbation" not in heads, "all runs are clean"
    assert "kind" not in heads
    value = f"{rows(store, '--tag', 'folds')[0]['t2i hit@1']:.4f}"
    assert value in done.out
    assert "galleries: 3 images / 6 captions; 6 images / 12 captions" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("--dataset", "toys"), 3),
        (("--dataset=@x",), 1),
        (("--model", "TOY"), 6),
        (("--kind", "evaluate"), 6),
        (("--perturbation", "clean"), 6),
        (("--tag", "narrow"), 1),
        (("--tag", "narrow", "--dataset", "toys"), 1),
        (("--since", "2020-01-01"), 6),
        (("--since", "2999-01-01T12:00"), 0),
        (("--limit", "2"), 2),
    ],
    ids=str,
)
def test_filters_let_through_what_they_say(words: tuple[str, ...], count: int, store: Path) -> None:
    assert len(rows(store, *words)) == count


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--dataset", "nothing"), "there is no dataset 'nothing'"),
        (("--model", "ViT"), "no run has the model 'ViT'; there are: toy"),
        (("--kind", "robustness"), "no run has the kind 'robustness'; there are: evaluate"),
        (("--tag", "nope"), "no run has the tag 'nope'"),
    ],
    ids=str,
)
def test_a_filter_that_no_run_has_is_told(words: tuple[str, ...], told: str, store: Path) -> None:
    assert told in refused("report", *words, store=store)


def test_newest_first_and_runs_list_is_the_same_table(store: Path) -> None:
    assert [row["tags"] for row in rows(store, "--limit", "2")] == ["folds", "narrow"]
    assert good("runs", "list", store=store).out == good("report", store=store).out
    listed = good("runs", "list", "--dataset", "toys", "--limit", "1", "--json", store=store).json["rows"]
    assert listed == rows(store, "--dataset", "toys", "--limit", "1")


def test_nothing_let_through_is_told_apart_from_nothing_there(store: Path, tmp_path: Path) -> None:
    done = good("report", "--since", "2999-01-01", store=store)
    assert done.out == "Runs: none that these filters let through\nall of them: clipbench runs list\n"
    added(tmp_path, images=2)
    assert "clipbench evaluate DATASET --model MODEL" in good("report").out
    assert good("report", "--json").json["rows"] == []
    assert good("report", "--format", "csv").out.splitlines()[0].startswith("run,dataset,")


def test_formats_exclude_one_another_sensibly(store: Path) -> None:
    assert good("report", "--format", "csv", "--json", store=store).json["rows"]
    assert cli("report", "--format", "pdf", store=store).code == 2


def test_an_unknown_sweep_is_told(store: Path) -> None:
    assert "sweep" in refused("report", "--sweep", "nope", store=store)


def test_json_never_holds_what_json_has_no_word_for(store: Path) -> None:
    text = good("report", "--json", store=store).out
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
