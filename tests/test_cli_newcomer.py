"""What a newcomer types and reads first: names, endings, pipes, widths, and words that mean a run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_toys import added, cli, good, refused
from store_toys import new_store, toy_dataset, toy_run

from clipbench.errors import ClipbenchError
from clipbench.home import locate
from clipbench.metrics.measures import measure
from clipbench.records import Perturbation
from clipbench.store.datasets import list_datasets, save_dataset
from clipbench.store.engine import open_store
from clipbench.store.verify import verify
from clipbench.study.comparing.references import resolve_one
from clipbench.study.runs.run_kinds import derived

PROGRAM = (sys.executable, "-m", "clipbench")


@pytest.fixture
def evaluated(tmp_path: Path) -> str:
    name = added(tmp_path)
    good("evaluate", name, "--model", "toy", "-q")
    return name


@pytest.mark.parametrize("name", ["", "  ", " toys", "toys ", "a,b", "a=b", "a\nb", "x" * 101])
def test_a_name_that_nobody_could_type_is_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    told = refused("dataset", "add", name, "--captions", tmp_path / "absent.csv")
    assert "cannot be the name of a dataset" in told
    assert "cannot be the name of a dataset" in refused("dataset", "add", name, "--format", "scenes")
    assert not locate(None).root.exists()


def test_a_renamed_dataset_keeps_its_runs(evaluated: str) -> None:
    good("dataset", "rename", evaluated, "shapes")
    assert [row["dataset"] for row in good("runs", "list", "--json").json["rows"]] == ["shapes"]
    assert "stored before" in cli("evaluate", "shapes", "--model", "toy").err
    assert "near: shapes" in refused("dataset", "show", "shape")
    assert "cannot be the name" in refused("dataset", "rename", "shapes", "")
    assert "there is no dataset 'toys'" in refused("dataset", "rename", "toys", "x")
    assert good("store", "verify").code == 0


def test_a_name_is_not_taken_from_another_dataset(evaluated: str, tmp_path: Path) -> None:
    added(tmp_path / "more", "others", images=5)
    assert "the name 'others' is taken" in refused("dataset", "rename", evaluated, "others")


def test_a_dataset_goes_with_what_nothing_else_needs(evaluated: str, tmp_path: Path) -> None:
    assert "has 1 run," in refused("dataset", "remove", evaluated, "--yes")
    assert cli("dataset", "remove", evaluated, "--runs", given="n\n").code == 1
    assert len(list_datasets(open_store(locate(None)))) == 1
    told = good("dataset", "remove", evaluated, "--runs", "--yes").out
    assert told == "removed 'toys': 12 images, 24 captions, 1 run\n"
    store = open_store(locate(None))
    with store.engine.connect() as connection:
        for table in ("dataset", "image", "caption", "embedding_set", "run", "dataset_name"):
            count = f"SELECT count(*) FROM {table}"  # noqa: S608, our own names
            assert connection.exec_driver_sql(count).scalar_one() == 0, table
    assert verify(store, recompute=derived).clean
    added(tmp_path)  # the same again is what it was before
    assert good("evaluate", "toys", "--model", "toy", "-q").code == 0


def test_content_with_another_name_or_labels_stays(evaluated: str, tmp_path: Path) -> None:
    good("dataset", "add", "again", "--captions", tmp_path / "captions.csv", "--images", tmp_path / "photos")
    assert "the content stays, for it is called" in good("dataset", "remove", "again", "--yes").out
    good("annotate", "sample", "--n", "2", "--no-hints", "-q")
    told = good("dataset", "remove", evaluated, "--runs", "--yes").out
    assert told == "removed the name 'toys' and 1 run; the content stays, for failures were drawn from it\n"
    assert good("store", "verify").code == 0


def test_columns_of_a_table_go_with_their_dataset(tmp_path: Path) -> None:
    from datetime import timedelta

    from clipbench.store.dataset_columns import DatasetColumns, save_columns
    from clipbench.store.dataset_names import remove_dataset
    from clipbench.store.maintenance import gc

    store = new_store(tmp_path / "store")
    first, second = toy_dataset(), toy_dataset(word="blue")
    for dataset in (first, second):
        save_dataset(store, dataset, replace=True)
        save_columns(store, dataset.key, DatasetColumns(("colour",), (("red",),) * 3))
    assert [item.kind for item in gc(store, grace=timedelta(0)).garbage] == ["dataset"]
    assert remove_dataset(store, "toy").kept == ""
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM dataset_columns").scalar_one() == 0


@pytest.mark.parametrize("words", [("report",), ("runs", "list"), ("report", "--anchors")])
def test_a_filter_that_means_nothing_is_an_error(evaluated: str, words: tuple[str, ...]) -> None:
    assert "there is no dataset 'TYPO'" in refused(*words, "--dataset", "TYPO")
    assert "near: toys" in refused(*words, "--dataset", "toyz")
    for option, what in (
        ("model", "model"),
        ("perturbation", "perturbation"),
        ("tag", "tag"),
        ("kind", "kind"),
    ):
        assert f"no run has the {what} 'TYPO'" in refused(*words, f"--{option}", "TYPO")


def test_filters_that_only_together_let_nothing_through_are_no_error(evaluated: str) -> None:
    good("runs", "tag", "latest", "first")
    done = good("runs", "list", "--tag", "first", "--since", "2999-01-01")
    assert "none that these filters let through" in done.out


def test_a_run_has_one_set_of_names_everywhere(evaluated: str, tmp_path: Path) -> None:
    good("runs", "tag", "latest:clean", "first")
    key = good("runs", "list", "--json").json["rows"][0]["run"]
    for name in ("latest", "latest:clean", "first", key, key[4:12], f"model=toy dataset={evaluated}"):
        assert f"run {key[4:14]}" in good("runs", "show", name).out.replace("Run", "run")
        good("runs", "export", name, "--out", tmp_path / "ledger.csv", "--force")
        good("annotate", "sample", name, "--n", "2", "--no-hints", "-q")
        assert "tagged" in good("runs", "tag", name, "again").out
    assert "deleted" in good("runs", "delete", "model=toy", "--yes").out


def test_a_stress_of_the_gallery_moves_no_latest(evaluated: str) -> None:
    before = resolve_one(open_store(locate(None)), "latest").key
    good("robustness", "gallery", evaluated, "--model", "toy", "--sizes", "5,12", "-q")
    kinds = [row["kind"] for row in good("runs", "list", "--json").json["rows"]]
    assert kinds[0] != "evaluate"
    assert resolve_one(open_store(locate(None)), "latest").key == before
    assert f"run {before[4:14]}" in good("runs", "show").out
    good("annotate", "sample", "--n", "2", "--no-hints", "-q")


def test_two_sets_of_rewritten_captions_are_told_apart(tmp_path: Path) -> None:
    store = new_store(locate(None).root)
    for label in ("formal", "casual"):
        parameters = {"rewrites": {"label": label, "texts": f"texts:{label}"}}
        toy_run(store, perturbation=Perturbation("rewrite", "text", 1.0, 0, parameters))
    shown = good("runs", "list").out
    assert "rewrite: formal" in shown
    assert "rewrite: casual" in shown
    assert "images" in shown.splitlines()[1]
    assert "rewrite: formal" in refused("runs", "show", "latest:typo")
    assert resolve_one(store, "latest:rewrite: formal").perturbation.label == "formal"
    assert {row["perturbation"] for row in good("runs", "list", "--json").json["rows"]} == {
        "rewrite: formal",
        "rewrite: casual",
    }


def test_a_ledger_is_what_the_ending_says(evaluated: str, tmp_path: Path) -> None:
    good("runs", "export", "latest", "--out", tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").read_bytes().startswith(b"PAR1")
    good("runs", "export", "latest", "--out", tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().startswith("direction,query")
    good("runs", "export", "latest", "--out", tmp_path / "y.parquet", "--top", "2")
    assert (tmp_path / "y.parquet").read_bytes().startswith(b"PAR1")
    done = cli("runs", "export", "latest", "--out", tmp_path / "x.xlsx")
    assert (done.code, "a ledger is no .xlsx file" in " ".join(done.err.replace("│", " ").split())) == (
        2,
        True,
    )
    good("runs", "export", "latest", "--out", tmp_path / "odd.xlsx", "--format", "csv")


@pytest.mark.parametrize("words", ["robustness list --json", "robustness list", "store views"])
def test_a_reader_that_goes_away_is_no_error(words: str) -> None:
    with subprocess.Popen(
        [*PROGRAM, *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        told = running.stderr.read()
    assert (running.returncode, told) == (0, b"")


def test_columns_are_honoured_and_notes_break_between_words(evaluated: str) -> None:
    narrow, wide = cli("runs", "list", columns=80).out, cli("runs", "list", columns=300).out
    assert max(map(len, narrow.splitlines())) <= 80 < max(map(len, wide.splitlines()))
    assert narrow.split()[-20:] == wide.split()[-20:]  # the note, no word of which is broken


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("R1", "R@1"),
        ("recall@5", "R@5"),
        ("t2i R@10", "R@10"),
        ("hit5", "R@5"),
        ("ndcg10", "nDCG@10"),
        ("MRRR", "MRR"),
    ],
)
def test_a_metric_that_is_mistyped_is_answered_with_the_one_that_is_meant(typed: str, meant: str) -> None:
    with pytest.raises(ClipbenchError) as caught:
        measure(typed)
    assert caught.value.hint == f"did you mean {meant}?"
    assert "R@K" in caught.value.message


def test_one_run_under_two_names_is_told_in_words(evaluated: str) -> None:
    told = refused("report", "--compare", "latest", "latest:clean")
    assert "a comparison needs 2 runs: 'latest' and 'latest:clean' mean the same run, " in told
    assert "'latest' means one run, " in refused("report", "--compare", "latest")


def test_the_directions_are_spelled_out_where_they_head_a_table(evaluated: str) -> None:
    for words in (("runs", "list"), ("runs", "show"), ("evaluate", evaluated, "--model", "toy")):
        assert "t2i: captions find images; i2t: images find captions" in good(*words).out


@pytest.mark.parametrize(
    "words",
    [
        "annotate summary",
        "robustness sweep toys --model toy --perturb word-shuffle",
        "robustness gallery toys --model toy",
        "report --sweep latest",
        "report --html page.html",
    ],
)
def test_figures_without_matplotlib_are_one_line_before_any_work(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    told = refused(*words.split(), "--figures", "figures")
    assert "pip install 'clipbench[plots]'" in told
    assert not Path("figures").exists()
    assert os.environ["CLIPBENCH_STORE"]
