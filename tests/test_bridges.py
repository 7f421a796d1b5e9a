"""Other tools read what we write: TREC files give our own numbers again, CLIP_benchmark's JSON goes both ways."""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from cli_toys import added, environment, good, misused, refused

from clipbench.errors import InputError
from clipbench.reports.bridges import word
from clipbench.study.comparing.published_files import read_clip_benchmark


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bridges")
    with environment(CLIPBENCH_STORE=str(made / "store")):
        added(made / "source", images=10, captions=(2, 3))
        good("evaluate", "toys", "--model", "toy", "-q")
        good("runs", "export", "latest", "--format", "trec", "--out", made / "trec")
    return made


def lines(path: Path) -> list[list[str]]:
    return [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("direction", ["t2i", "i2t"])
def test_a_trec_run_and_its_qrels_give_our_numbers_again(folder: Path, direction: str) -> None:
    """Counted as trec_eval does: success@K, reciprocal rank, and recall of the judged items."""
    found: dict[str, list[str]] = defaultdict(list)
    for query, q0, item, rank, score, tag in lines(folder / "trec" / f"{direction}.run"):
        assert (q0, int(rank)) == ("Q0", len(found[query]) + 1)
        assert -1.0001 <= float(score) <= 1.0001
        assert tag.startswith("clipbench-")
        found[query].append(item)
    right: dict[str, set[str]] = defaultdict(set)
    for query, zero, item, one in lines(folder / "trec" / f"{direction}.qrels"):
        assert (zero, one) == ("0", "1")
        right[query].add(item)
    assert found.keys() == right.keys()
    ranks = [min(place for place, item in enumerate(found[q], 1) if item in right[q]) for q in found]
    rows = good("runs", "show", "latest", "--format", "csv", store=folder / "store").out.splitlines()
    stored = {r.split(",")[1]: float(r.split(",")[2]) for r in rows if r.startswith(f"{direction},")}
    for k in (1, 5, 10):
        assert sum(rank <= k for rank in ranks) / len(ranks) == pytest.approx(stored[f"hit@{k}"])
    assert sum(1 / rank for rank in ranks) / len(ranks) == pytest.approx(stored["MRR"])


def test_clip_benchmark_json_goes_out_and_comes_back(folder: Path, tmp_path: Path) -> None:
    good(
        "runs",
        "export",
        "latest",
        "--format",
        "clip-benchmark",
        "--out",
        tmp_path / "x.json",
        store=folder / "store",
    )
    told = json.loads((tmp_path / "x.json").read_text())
    assert told["task"] == "zeroshot_retrieval"
    assert set(told) >= {"dataset", "model", "pretrained", "language", "metrics"}
    report = ("report", "--anchors", "latest", "--against", tmp_path / "x.json", "--json")
    rows = good(*report, store=folder / "store").json["rows"]
    assert len(rows) == 6
    assert all(row["difference"] == 0 for row in rows)
    assert all(row["verdict"] == "within ±0.005 (largest 0.0000)" for row in rows)
    told["metrics"]["image_retrieval_recall@1"] = 1.0
    (tmp_path / "x.json").write_text(json.dumps(told))
    assert "off by up to" in good(*report[:-1], store=folder / "store").out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", 'no "metrics"'),
        ('{"metrics": {}}', "no image_retrieval_recall@K"),
        ('{"metrics": {"acc1": 0.5}}', "no image_retrieval_recall@K"),
        ('{"task": "zeroshot_classification", "metrics": {"text_retrieval_recall@5": 0.5}}', "of the task"),
        ('{"metrics": {"text_retrieval_recall@5": 50.3}}', "no share in 0..1"),
        ('{"metrics": {"text_retrieval_recall@5": NaN}}', "no share in 0..1"),
        ('{"metrics": {"text_retrieval_recall@5": true}}', "no share in 0..1"),
    ],
)
def test_a_result_that_is_none_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_clip_benchmark(tmp_path / "x.json")
    assert problem in caught.value.problems[0].message


@given(st.text())
def test_an_id_is_one_word_and_another_for_another_id(id_: str) -> None:
    made = word(id_)
    assert made
    assert made.isascii()
    assert made.isprintable()
    assert " " not in made
    assert word(id_ + " ") != made
    assert (made == "%") == (id_ == "")


def test_files_that_exist_are_kept_and_runs_without_vectors_are_refused(folder: Path, tmp_path: Path) -> None:
    words = ("runs", "export", "latest", "--format", "trec", "--out", folder / "trec")
    assert "exists" in refused(*words, store=folder / "store")
    good(*words, "--force", store=folder / "store")
    assert "go to a folder" in misused(
        "runs", "export", "latest", "--format", "trec", "--store", folder / "store"
    )
    good("runs", "export", "latest", "--bundle", tmp_path / "x.zip", store=folder / "store")
    good("runs", "import", tmp_path / "x.zip")
    told = refused("runs", "export", "latest", "--format", "trec", "--out", tmp_path / "trec")
    assert "vectors" in told
    assert "are not stored" in told


def test_what_means_nothing_beside_a_bundle_is_refused(tmp_path: Path) -> None:
    words = ("runs", "export", "latest", "--bundle", tmp_path / "b.zip")
    for more in (("--format", "trec"), ("--out", tmp_path / "x"), ("--direction", "t2i")):
        assert "--bundle writes whole runs" in misused(*words, *more)
